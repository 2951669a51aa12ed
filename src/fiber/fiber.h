/* Fibers. A fiber is a function with a stack of its own. A task polls the fiber through a frame.
 *
 *     poll: caller's stack --- enter ---> fiber's stack --- wait or end ---> caller's stack
 *
 * The fiber's stack is in use only during polls of the fiber's frame. So the state word of the task
 * (task/state.h) passes the stack from thread to thread, together with the frame. If a wake arrives
 * before the fiber has left its stack, the wake finds the task running. The poller then queues the
 * task after the fiber has left the stack.
 *
 * Only the poller uses the members of edo__fiber, unless a comment says otherwise. */
#pragma once

#include <edo/fiber.h>

#include "base/atomic.h"
#include "fiber/annotate.h"
#include "fiber/stack.h"
#include "task/cx.h"

/* The fiber itself. The struct is at the high end of the fiber's stack, below the header of the
 * stack. */
struct edo__fiber {
    edo__parker parker;
    void *context, *caller; // saved stack pointers of the fiber and of its poll
    struct edo_fiber_frame *frame;
    edo_poll (*wait)(void *frame, edo_cx *cx); // polls the awaited futures; NULL: not waiting
    const char *file;                          // source file of the last wait
    int64_t (*fn)(void *arg);
    void *arg;
    edo__stack *stack;
    edo__parker *outer;    // the caller's edo__self.on_stack
    uintptr_t outer_stack; // the caller's edo__self.stack
    bool *is_begun;        // variable of the waiter, set to true at the first run; or NULL
    int error;             // errno of the fiber, while it does not run
    bool is_annotated;     // the switches are reported to a sanitizer
    bool is_measured;      // the depth of the stack is measured at the end, see measure.c
    void *exceptions[2];   // C++ exceptions being handled: those of the caller while the fiber
                           // runs, those of the fiber at other times
    const edo_site *site;  // site of the fiber, for the report of an overflow
    void *values[EDO_FIBER_KEYS];
    edo__annotations annotations;
};

/* Makes a fiber that has not begun. Returns: 0, -ENOMEM, -EINVAL or -ENOTSUP. Thread: any. */
int edo__fiber_create(const edo_fiber_options *options, const edo_site *site,
                      const edo__fiber_start *start, edo__fiber **ret_fiber);

/* Frees a fiber that has not begun. Thread: any. */
void edo__fiber_destroy(edo__fiber *fiber);

/* Whether new fibers are measured. */
extern edo_atomic(bool) edo__fiber_measures;

/* Clears the stack of a fiber, for its measurement. The fiber has no context yet. */
void edo__fiber_measure_begin(edo__fiber *fiber);

/* Records the depth of the calling fiber, whose function has returned. */
void edo__fiber_measure_end(const edo__fiber *fiber);

/* Returns: the calling fiber. Outside a fiber, aborts with a line that contains `call`. */
edo__fiber *edo__fiber_here(const char *call);

/* Returns: the context of the poll that runs the calling fiber. Not inlined: a compiler may keep
 * the address of a thread-local variable across a wait, but the fiber may run on another thread
 * after the wait. */
edo_cx *edo__fiber_cx(void);

/* Installs the report of stack overflows, once per process. Thread: any. */
void edo__fiber_report_overflows(void);

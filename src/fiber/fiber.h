/* A fiber: a function with a stack of its own, and the frame by which a task polls it.
 *
 *     poll: the caller's stack --- enter ---> the fiber's --- it waits, or ends ---> the caller's
 *
 * The fiber's stack is in use inside of polls of its frame only. So what hands it from one thread
 * to another is what hands on a frame: the state word of the task (task/state.h). A wake that comes
 * while the fiber still leaves its stack finds the task running, and the poller queues it when the
 * stack has been left.
 *
 * All of it belongs to the poller, unless a member says otherwise. */
#pragma once

#include <edo/fiber.h>

#include "fiber/annotate.h"
#include "fiber/stack.h"
#include "task/cx.h"

/* At the end of its stack, below the stack's own header. */
struct edo__fiber {
    edo__parker parker;
    void *context, *caller; // the one that does not run
    struct edo_fiber_frame *frame;
    edo_poll (*wait)(void *frame, edo_cx *cx); // polls what it waits for; NULL: it does not wait
    const char *file;                          // of the last wait
    int64_t (*fn)(void *arg);
    void *arg;
    edo__stack *stack;
    edo__parker *outer;    // of the caller: edo__self.on_stack
    uintptr_t outer_stack; // of the caller: edo__self.stack
    bool *is_begun;        // set when it first runs; the waiter's, or NULL
    int error;             // errno
    void *exceptions[2];   // of C++: those being handled
    const edo_site *site;  // for the line of an overflow
    void *values[EDO_FIBER_KEYS];
    edo__annotations annotations;
};

/* Makes a fiber that has not begun. Returns: 0; -ENOMEM; -EINVAL; -ENOTSUP. Any thread. */
int edo__fiber_create(const edo_fiber_options *options, const edo_site *site,
                      const edo__fiber_start *start, edo__fiber **ret_fiber);

/* One that has not begun. */
void edo__fiber_destroy(edo__fiber *fiber);

/* The fiber whose code calls. Aborts elsewhere, with the call's name. */
edo__fiber *edo__fiber_here(const char *call);

/* The context of the poll that runs it. Not inlined: a compiler might keep the address of a
 * thread's variable across a wait, and the fiber go on on another thread. */
edo_cx *edo__fiber_cx(void);

/* Begins to report overflows of stacks. Any thread; once per process. */
void edo__fiber_report_overflows(void);

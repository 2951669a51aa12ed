/* The task: one allocation { [extra] header | frame }. The header may be touched by any thread as
 * state.h says; what belongs to the poller or to the runtime is marked. */
#pragma once

#include <edo/scope.h>
#include <edo/task.h>

#include "base/base.h"
#include "base/list.h"
#include "sys/driver.h"
#include "task/state.h"

/* A deadline in a wheel. Owned by the runtime's thread. */
typedef struct edo__timer {
    struct edo__timer *next, **pprev; // pprev is NULL while it is in no wheel
    int64_t when;
} edo__timer;

struct edo_task {
    edo_wakeable head; // private_[0]: EDO__TASK_* below
    edo_atomic(uint64_t) state;
    edo_task *queue_next; // whoever owns the queue entry
    edo_runtime *runtime;
    edo__node registry;       // the runtime's registry lock
    edo_wakeable *join_waker; // see EDO__JOIN_WAKER
    edo__timer timer;         // the one timer; the runtime's thread
    uint64_t id;
    const edo_site *site;
    edo_context *context;           // the poller
    edo_atomic(int64_t) poll_start; // of the last poll, of the runtime's clock; 0 before
};

/* What only some tasks need; lies before the header. */
typedef struct edo__task_extra {
    const char *name;
    void *user;
    edo_scope *scope; // of which it is a member; the scope's lock
    edo__node scope_link;
    void *reserved;
} edo__task_extra;

enum {
    EDO__TASK_EXTRA = 1,   // an edo__task_extra lies before the header
    EDO__TASK_IN_HEAP = 2, // from the runtime's heap, else from the hooks
};

_Static_assert(sizeof(edo_task) <= 112, "the header of a task");
_Static_assert(sizeof(edo_task) + sizeof(struct edo_any_frame) <= 288, "a sleeping task");
_Static_assert(sizeof(edo_task) % 16 == 0 && sizeof(edo__task_extra) % 16 == 0,
               "frames are aligned for any type");

static inline edo_future *edo__task_frame(const edo_task *task)
{
    return (edo_future *)(void *)(task + 1);
}

static inline edo__task_extra *edo__task_extra_of(const edo_task *task)
{
    return task->head.private_[0] & EDO__TASK_EXTRA ? (edo__task_extra *)(void *)task - 1 : NULL;
}

static inline bool edo__task_is_joinable(const edo_task *task)
{
    uint64_t state = edo_load_acquire(&task->state);
    return (state & (EDO__COMPLETE | EDO__JOIN_WAKER)) == EDO__COMPLETE;
}

/* ---- life ---- */

/* Makes a task that is in no runtime yet: QUEUED, with one reference for the runtime, and one for a
 * handle if wanted. NULL: out of memory. Any thread. */
edo_task *edo__task_create(edo_runtime *runtime, const edo_spawn_options *options,
                           const edo_site *site, const void *args, bool handle, edo_scope *scope);

/* Frees a task that was never registered; its arguments are the caller's again. */
void edo__task_discard(edo_task *task);

/* The end of the function, by the poller: wakes the joiner, tells the scope, drops the
 * reference. */
void edo__task_finish(edo_task *task);

/* Gives up a task that cannot be ended: joins answer -ESHUTDOWN, its memory is leaked. */
void edo__task_give_up(edo_task *task);

void edo__task_unref(edo_task *task);

/* Tells the scope of an ended member, and wakes who waits there. */
void edo__scope_member_ended(edo_task *task);

/* Cancels or aborts: sets the fate and has the task polled. */
void edo__task_ask(edo_task *task, uint64_t fate);

/* ---- futures ---- */

enum {
    EDO__SHIELD = 1,    // this function cleans up
    EDO__COVERED = 2,   // first polled behind a shield
    EDO__TIMED_OUT = 4, // cancelled by a time limit
    EDO__KEPT = 8,      // in the list of what its frame keeps
};

/* What a poll is given. One per worker; the poller's. */
struct edo_cx {
    union {
        struct {
            uint8_t fate;  // of what is first polled now: edo_fate
            uint8_t bare;  // the same without the shield of the function that polls
            bool shielded; // that function has a shield
        };
        uint32_t asked; // all three: 0 in most polls, where nobody has asked for an end
    };
    bool requeue;          // queue the task again, behind the others
    int32_t budget;        // units left
    int64_t next_deadline; // the earliest one met in this poll
    int64_t now;           // of the runtime's clock, when it last looked
    int64_t slice_end;     // of the time slice; 0: not measured so far
    edo_runtime *runtime;
    edo_task *task;
    edo_wakeable *waker;
    uint64_t polls;  // of tasks, in all
    uint64_t random; // xorshift64
};

/* What this thread is doing. */
struct edo__thread {
    edo_runtime *runtime; // whose turn it runs
    edo_cx *cx;           // of the poll in progress
    uintptr_t stack;      // of the frame that polls; 0 outside of polls
};

#ifdef EDO_MODEL
void *model_self_memory(void); // the checker's threads are coroutines of one thread
#define edo__self (*(struct edo__thread *)model_self_memory())
#else
extern _Thread_local struct edo__thread edo__self __attribute__((tls_model("initial-exec")));
#endif

static inline void edo__raise_fate(edo_future *future, edo_fate fate)
{
    if (future->fate < (uint8_t)fate) future->fate = (uint8_t)fate;
}

static inline edo_task *edo__current_task(void)
{
    return edo__self.cx ? edo__self.cx->task : NULL;
}

/* A frame with its arguments. */
void edo__frame_build(void *frame, const edo_future_ops *ops, const void *args);

void edo__trace_future(const edo_future *future, int depth,
                       void (*visit)(void *context, const edo_trace_line *), void *context);

/* Aborts if a scope of the frame has live members, else unlinks it. */
void edo__scope_leave(edo_future *scope);

/* The context of a poll, the state of a thread, the marks of futures. */
#pragma once

#include <edo/async.h>

#include "base/base.h"
#include "task/waiting.h"

enum {
    EDO__SHIELD = 1,    // this function cleans up
    EDO__COVERED = 2,   // first polled behind a shield
    EDO__TIMED_OUT = 4, // cancelled by a time limit
    EDO__KEPT = 8,      // in the list of what its frame keeps; a leaf's place is in its line
    EDO__OVERDUE = 16,  // a limit of this function's, of edo_within(), has passed
    EDO__RESPITE = 32,  // its limit passed while no budget was left
};

/* Fates of a poll that come of a limit alone. */
enum { EDO__BARE_OVERDUE = 1, EDO__FATE_OVERDUE = 2 };

/* Context of a poll. One per worker; the poller's. */
struct edo_cx {
    union {
        struct {
            uint8_t fate;    // of what is first polled now: edo_fate
            uint8_t bare;    // the same without the shield of the function that polls
            bool shielded;   // that function has a shield
            uint8_t overdue; // EDO__BARE_OVERDUE, ...
        };
        uint32_t asked; // all four: 0 in most polls, where nobody has asked for an end
    };
    bool requeue;          // queue the task again, behind the others
    int32_t budget;        // units left
    int64_t next_deadline; // the earliest one met in this poll
    int64_t now;           // of the runtime's clock, when it last looked
    int64_t slice_end;     // of the time slice; 0: not measured yet
    edo_runtime *runtime;
    struct edo__worker *worker; // whose cx it is
    struct edo__heap *heap;     // of tasks; the worker's thread
    size_t heap_max;            // largest block that is taken from it
    edo_task *task;
    edo_wakeable *waker;
    uint64_t polls;  // of tasks, in all
    uint64_t random; // xorshift64
    struct {
        uint64_t polls; // the poll that they belong to
        const edo_future *place;
        uint32_t count;
    } refusals; // of operations at one place, begun by a cancelled function
};

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static inline uint32_t edo__random_below(edo_cx *cx, uint32_t limit)
{
    cx->random ^= cx->random << 13;
    cx->random ^= cx->random >> 7;
    cx->random ^= cx->random << 17;
    return (uint32_t)((cx->random >> 32) * limit >> 32);
}

/* What edo_wait() parks: a function with a stack of its own. The fiber module's. The functions are
 * for the thread that runs it. */
typedef struct edo__parker {
    int64_t (*wait)(struct edo__parker *, edo_future *, const char *file, uint32_t line);
    int64_t (*wait_together)(struct edo__parker *, const edo__waiting *);
    uintptr_t low, high; // of its stack; the guard is below
} edo__parker;

/* State of this thread. */
struct edo__thread {
    edo_runtime *runtime; // whose turn it runs, or that it has entered
    struct edo__worker
        *worker;     // the worker whose thread it is, of that runtime; begins with its edo_cx
    edo_cx *cx;      // of the poll in progress
    uintptr_t stack; // of the frame that polls; 0 outside of polls
    const edo_runtime
        *serves;           // it calls a job, a hook or a blocking function for that runtime, which
                           // cannot end before the call does
    edo__parker *on_stack; // whose stack the thread is on; NULL: its own
    edo__parker *parker;   // the same while that function itself runs, and not a poll
};

#ifdef EDO_MODEL
void *model_self_memory(void); // the checker's threads are coroutines of one thread
#define edo__self (*(struct edo__thread *)model_self_memory())
#else
extern _Thread_local struct edo__thread edo__self __attribute__((tls_model("initial-exec")));
#endif

/* The edo_cx of this thread's worker, or NULL. */
static inline const edo_cx *edo__worker_cx(void)
{
    return (const edo_cx *)(const void *)edo__self.worker;
}

static inline edo_task *edo__current_task(void)
{
    return edo__self.cx ? edo__self.cx->task : NULL;
}

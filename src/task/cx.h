/* The context of a poll, the state of a thread, and the flags of futures. */
#pragma once

#include <edo/async.h>

#include "base/base.h"
#include "task/waiting.h"

enum {
    EDO__SHIELD = 1,    // the function has called edo_shield()
    EDO__COVERED = 2,   // first polled after the polling function's edo_shield()
    EDO__TIMED_OUT = 4, // cancelled by a time limit
    EDO__KEPT = 8,      // in the frame's list `kept`; a leaf's `line` is then edo__place_of(leaf)
    EDO__OVERDUE = 16,  // an edo_within() limit of this function has passed
    EDO__RESPITE = 32,  // the limit of this future passed in a poll without budget
    EDO__LINKED = 64,   // debug builds: one of several futures that an await still waits for
};

/* Flags of edo_cx.overdue. EDO__BARE_OVERDUE: only a time limit has cancelled `bare`.
 * EDO__FATE_OVERDUE: only a time limit has cancelled `fate`. */
enum { EDO__BARE_OVERDUE = 1, EDO__FATE_OVERDUE = 2 };

/* Context of a poll. Each worker has one edo_cx, which only the poller uses. */
struct edo_cx {
    union {
        struct {
            uint8_t fate;    // edo_fate of a future that is first polled now
            uint8_t bare;    // fate as it would be if the polling function had no shield
            bool shielded;   // the polling function has a shield
            uint8_t overdue; // EDO__BARE_OVERDUE, ...
        };
        uint32_t asked; // all four members as one word; 0: no cancellation, and no shield
    };
    bool requeue;          // the task must be queued again, behind the other tasks
    int32_t budget;        // units left
    int64_t next_deadline; // ns; earliest deadline that this poll asked for
    int64_t now;           // ns of the runtime's clock, when it was last read
    int64_t slice_end;     // ns of the system's clock; 0: not measured yet
    edo_runtime *runtime;
    struct edo__worker *worker; // worker of this cx
    struct edo__heap *heap;     // heap for tasks; used only on the worker's thread
    size_t heap_max;            // bytes; larger tasks are allocated by the hooks
    edo_task *task;
    edo_wakeable *waker;
    uint64_t polls;  // count of polls of tasks
    uint64_t random; // xorshift64
    struct {
        uint64_t polls; // number of the poll to which the count belongs
        const edo_future *place;
        uint32_t count;
    } refusals; // operations at one place that were refused with -ECANCELED; see note_refusal()
};

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static inline uint32_t edo__random_below(edo_cx *cx, uint32_t limit)
{
    cx->random ^= cx->random << 13;
    cx->random ^= cx->random >> 7;
    cx->random ^= cx->random << 17;
    return (uint32_t)((cx->random >> 32) * limit >> 32);
}

/* A function with a stack of its own, which edo_wait() can park. The fiber module implements this
 * type. Only the thread that runs the function calls `wait` and `wait_together`. */
typedef struct edo__parker {
    int64_t (*wait)(struct edo__parker *, edo_future *, const char *file, uint32_t line);
    int64_t (*wait_together)(struct edo__parker *, const edo__waiting *);
    uintptr_t low, high; // bounds of the stack; the guard is below `low`
} edo__parker;

/* State of this thread. */
struct edo__thread {
    edo_runtime *runtime;       // runtime that runs on this thread, or that the thread has entered
    struct edo__worker *worker; // worker of that runtime on this thread; begins with an edo_cx
    edo_cx *cx;                 // context of the poll in progress
    uintptr_t stack;            // address of the poll loop's frame; 0 outside of polls
    const edo_runtime *serves;  // runtime of the job, hook or blocking function that runs on this
                                // thread; cannot end before that function returns
    bool waits;                 // in edo_wait(): lock records name the thread, not the polled task
    edo__parker *on_stack;      // owner of the stack in use; NULL: the thread's own stack
    edo__parker *parker;        // fiber that edo_wait() parks; NULL: no fiber runs, or a future is
                                // polled on the fiber's stack
};

#ifdef EDO_MODEL
void *model_self_memory(void); // the checker's threads are coroutines of one thread
#define edo__self (*(struct edo__thread *)model_self_memory())
#else
extern _Thread_local struct edo__thread edo__self __attribute__((tls_model("initial-exec")));
#endif

/* Number of locks for plain threads that this thread holds. Counted only in builds that check these
 * locks. */
extern _Thread_local uint32_t edo__thread_locks_held __attribute__((tls_model("initial-exec")));

/* Called after a poll, if this thread still holds a lock for plain threads that the poll has taken.
 * Aborts with a line that names the lock. src/sync sets this pointer before it counts its first
 * lock. */
extern void (*edo__at_kept_lock)(void);

/* The edo_cx of this thread's worker, or NULL. */
static inline const edo_cx *edo__worker_cx(void)
{
    return (const edo_cx *)(const void *)edo__self.worker;
}

static inline edo_task *edo__current_task(void)
{
    return edo__self.cx ? edo__self.cx->task : NULL;
}

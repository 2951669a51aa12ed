/* The current-thread runtime. Its owner is the thread that turns it; what other threads may touch
 * is marked. Layout and contracts are those of a runtime with many workers: only the queue is
 * simple. */
#pragma once

#include <edo/runtime.h>

#include "base/heap.h"
#include "base/lock.h"
#include "runtime/blocking.h"
#include "runtime/wheel.h"
#include "sys/driver.h"
#include "task/task.h"

/* Where the owner is, for wakes from other threads.
 *
 *     AWAKE --- the owner is about to sleep: CAS --> PARKED
 *     any ----- a foreign push: swap --------------> NOTIFIED (unparks if it was PARKED)
 *     any ----- the owner is back: swap -----------> AWAKE (then it empties the inject stack)
 *
 * No wake is lost: the pusher pushes, then swaps (release); the owner CASes before it sleeps.
 * Either the CAS finds NOTIFIED, and the owner does not sleep; or it comes first, and the swap
 * finds PARKED. */
enum { EDO__AWAKE, EDO__PARKED, EDO__NOTIFIED_PARK };

typedef struct edo__clock {
    bool paused, auto_advance;
    int64_t offset;         // to the monotonic clock, while it runs
    int64_t frozen, target; // while it is paused: where it stands, where it is to go
} edo__clock;

struct edo_runtime {
    edo_cx cx;
    edo_config config;
    edo_driver *driver;
    const char *driver_name;
    edo__wheel wheel;
    edo__heap *heap;
    edo__clock clock;
    struct {
        edo_task *first, **end;
    } ready;
    bool turning;       // edo_turn is on the stack
    bool closed;        // no more spawns; the registry's lock
    bool keeps_yielded; // tasks that yield are kept, see task/state.h
    uint32_t fork_generation;
    int timer_fd;              // -1 until edo_runtime_fd
    uint64_t ended;            // tasks, in all
    uint64_t next_id, last_id; // task ids in hand

    /* any thread */
    edo_atomic(edo_task *) inject; // stack of woken tasks
    edo_atomic(uint32_t) park;
    edo_atomic(uint32_t) visitors; // threads between a foreign push and their last touch
    edo_atomic(uint32_t) refs;
    edo__lock registry_lock;
    edo__node registry; // all tasks that have not ended
    edo_atomic(size_t) task_count;
    edo__blocking blocking; // its pools
};

/* ---- for tasks ---- */

/* Enters a new task and queues it. Returns: 0, -ESHUTDOWN or -ESTALE; then it is still the
 * caller's. Any thread. */
int edo__runtime_adopt(edo_runtime *runtime, edo_task *task);

/* Commits a wake. Any thread. */
void edo__runtime_push(edo_runtime *runtime, edo_task *task);

/* The same, async-signal-safe. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task);

/* An id for a task. Any thread. */
uint64_t edo__runtime_new_id(edo_runtime *runtime);

/* ---- inside ---- */

int64_t edo__runtime_now(const edo_runtime *runtime);

/* moment + duration; saturates. */
static inline int64_t edo__later(int64_t moment, int64_t duration)
{
    int64_t later;
    if (!__builtin_add_overflow(moment, duration, &later)) return later;
    return duration < 0 ? INT64_MIN : INT64_MAX;
}

/* Polls a task whose queue entry was popped. Owner. */
void edo__poll_task(edo_runtime *runtime, edo_task *task);

/* Whether the fork that this process came from was after the runtime's making. */
bool edo__runtime_is_stale(const edo_runtime *runtime);

/* Whether this thread polls a task. The child of a fork that a task made does not: it only has the
 * memory of it. */
static inline bool edo__in_task(void)
{
    return edo__self.cx && !edo__runtime_is_stale(edo__self.cx->runtime);
}

/* Runs a whole turn; no checks. */
int edo__turn(edo_runtime *runtime, int64_t timeout);

/* Runs turns until a task has ended; its handle is the caller's. Returns: as edo__turn. */
int edo__turn_until(edo_runtime *runtime, const edo_task *task);

/* Cancels or aborts every task. */
void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate);

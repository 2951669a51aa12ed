/* Events for tasks: event, wait group, latch, barrier, once.
 *
 * Like the locks of edo/locks.h, these are plain structs in the user's memory, and nothing is
 * allocated. Any task of any runtime may use the structs. Any plain thread may use them, too, by
 * edo_wait(). Call _deinit() before the memory of a struct is freed. When a task is woken, the call
 * that woke it may still be using the struct on another thread. _deinit() waits until that call no
 * longer uses the struct. If you do not call _deinit(), make sure that all calls have returned
 * before the memory is freed.
 *
 *     edo_event           set and reset; a manual event admits all waits while it is set, and an
 *                         automatic event admits one wait per set
 *     edo_wait_group      counts running work; a wait ends at 0
 *     edo_latch           counts down once
 *     edo_barrier         a fixed number of tasks meet, again and again
 *     edo_once            an initialisation, run once, by the first task that needs it
 *
 * See also edo/notify.h and edo/condvar.h.
 */
#pragma once

#include <edo/locks.h>

EDO_BEGIN_DECLS

/* ---- event ---- */

/* All members are private. */
typedef struct edo_event {
    uint32_t word; // atomic: EDO__EVENT_*
    uint32_t lock; // guards the list of waiters
    void *waiters;
} edo_event;

enum {
    EDO__EVENT_SET = 1,
    EDO__EVENT_WAITERS = 2, // the list of waiters is not empty
    EDO__EVENT_AUTOMATIC = 4,
};

#define EDO_EVENT_INIT                                                                             \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }
#define EDO_AUTOMATIC_EVENT_INIT                                                                   \
    {                                                                                              \
        EDO__EVENT_AUTOMATIC, 0, NULL                                                              \
    }

EDO_API extern const edo_future_ops edo__event_wait_ops;

/* A manual event admits all waits until it is reset. An automatic event admits one wait: that of
 * the first waiter, or, if no task waits, the next wait. The admitted wait resets the event. Two
 * sets without a wait between them count as one.
 * Thread: any. */
EDO_API void edo_event_set(edo_event *event);
EDO_API void edo_event_reset(edo_event *event);
EDO_API bool edo_event_is_set(const edo_event *event);

/* Tests the event without waiting.
 * Returns: 0: the event is set (an automatic event is reset by the call); -EAGAIN. Thread: any. */
EDO_API int edo_event_try_wait(edo_event *event);

/* Waits until the event is set. Waiters of an automatic event are served first in, first out.
 * Result: 0. Cancel: prompt. If an automatic event had already admitted the cancelled wait, it
 * admits the next waiter instead. */
static inline EDO_MUST_USE edo_op edo_event_wait(edo_event *event)
{
    return edo__op(&edo__event_wait_ops, event, NULL, 0, 0);
}

/* Call this before the memory is freed; aborts if a task waits. Thread: the last user's. */
EDO_API void edo_event_deinit(edo_event *event);

/* ---- wait group ---- */

/* All members are private. */
typedef struct edo_wait_group {
    uint32_t word; // atomic: EDO__GROUP_*
    uint32_t lock; // guards the list of waiters
    void *waiters;
} edo_wait_group;

enum {
    EDO__GROUP_WAITERS = 1, // the list of waiters is not empty
    EDO__GROUP_ONE = 2,     // one piece of work; this bit and the bits above are the count
};

#define EDO_WAIT_GROUP_MAX (UINT32_MAX / EDO__GROUP_ONE)

/* count: pieces of running work at the start, at most EDO_WAIT_GROUP_MAX. */
#define EDO_WAIT_GROUP_INIT(count)                                                                 \
    {                                                                                              \
        (uint32_t)(count) * EDO__GROUP_ONE, 0, NULL                                                \
    }

EDO_API extern const edo_future_ops edo__wait_group_ops;

/* Adds `count` pieces of work. Aborts if the count of the group would exceed EDO_WAIT_GROUP_MAX.
 * Call this before the added work can end.
 * Thread: any. */
EDO_API void edo_wait_group_add(edo_wait_group *group, uint32_t count);

/* Ends one piece of work. The end of the last piece wakes all waiters. Aborts if the count is 0.
 * Thread: any. */
EDO_API void edo_wait_group_done(edo_wait_group *group);
EDO_API void edo__wait_group_leave(edo_wait_group *group, uint32_t count, const char *call);

/* Pieces of running work; a snapshot. Thread: any. */
EDO_API uint32_t edo_wait_group_count(const edo_wait_group *group);

/* Waits until the count is 0. The group may be used again afterwards.
 * Result: 0. Cancel: prompt. If the last piece of work ended before the cancellation, the result is
 * 0. */
static inline EDO_MUST_USE edo_op edo_wait_group_wait(edo_wait_group *group)
{
    return edo__op(&edo__wait_group_ops, group, NULL, 0, 0);
}

/* Call this before the memory is freed; aborts if a task waits. Thread: the last user's. */
EDO_API void edo_wait_group_deinit(edo_wait_group *group);

/* ---- latch ---- */

/* A wait group whose count only falls. All members are private. */
typedef struct edo_latch {
    edo_wait_group group;
} edo_latch;

#define EDO_LATCH_INIT(count)                                                                      \
    {                                                                                              \
        EDO_WAIT_GROUP_INIT(count)                                                                 \
    }

/* Decreases the count. Wakes all waiters when the count reaches 0. Aborts if the count would be
 * below 0. Thread: any. */
static inline void edo_latch_count_down(edo_latch *latch, uint32_t count)
{
    edo__wait_group_leave(&latch->group, count, "edo_latch_count_down");
}

/* Waits until the count is 0.
 * Result: 0. Cancel: prompt. If the count reached 0 before the cancellation, the result is 0. */
static inline EDO_MUST_USE edo_op edo_latch_wait(edo_latch *latch)
{
    return edo_wait_group_wait(&latch->group);
}

static inline void edo_latch_deinit(edo_latch *latch)
{
    edo_wait_group_deinit(&latch->group);
}

/* ---- barrier ---- */

/* All members are private. */
typedef struct edo_barrier {
    uint32_t count;
    uint32_t arrived; // tasks that have arrived in this round; guarded by `lock`
    void *waiters;
    uint32_t lock; // guards the list of waiters
    uint32_t reserved;
} edo_barrier;

/* count: number of tasks that meet; 0 counts as 1. */
#define EDO_BARRIER_INIT(count)                                                                    \
    {                                                                                              \
        (count), 0, NULL, 0, 0                                                                     \
    }

EDO_API extern const edo_future_ops edo__barrier_wait_ops;

/* Waits until `count` waits have begun, this one included. The barrier is then ready for the next
 * round.
 * Result: 1 for the wait that began last, 0 for the others.
 * Cancel: prompt; the cancelled wait is no longer counted. If all `count` waits had begun before
 * the cancellation, the result is 0. */
static inline EDO_MUST_USE edo_op edo_barrier_wait(edo_barrier *barrier)
{
    return edo__op(&edo__barrier_wait_ops, barrier, NULL, 0, 0);
}

/* Call this before the memory is freed; aborts if a task waits. Thread: the last user's. */
EDO_API void edo_barrier_deinit(edo_barrier *barrier);

/* ---- once ---- */

/* All members are private. */
typedef struct edo_once {
    uint32_t word; // atomic: EDO__ONCE_*
    uint32_t lock; // guards the list of waiters
    void *waiters;
} edo_once;

enum { EDO__ONCE_DONE = 1, EDO__ONCE_BUSY = 2 };

/* Initial value of a once, which guards an initialisation that must run only once. The first task
 * that needs the initialisation is the maker, and runs it. The other tasks wait.
 *
 *     edo_await(rc, edo_once_enter(&cell->once));       // 1: to be made; 0: made
 *     if (rc < 0) edo_return(rc);
 *     if (rc == 1) {
 *         edo_call(rc, connect_database, .url = url, .ret = &cell->database);
 *         if (rc < 0) edo_once_fail(&cell->once);       // the next maker tries
 *         else edo_once_done(&cell->once);
 *     }
 *
 * A function runs to its end even if it is cancelled. So each maker reaches edo_once_done() or
 * edo_once_fail(). A once can also guard a value that one task sets and other tasks wait for. For
 * this, the task that sets the value calls edo_once_try_enter() and edo_once_done(), and the other
 * tasks await edo_once_wait(). */
#define EDO_ONCE_INIT                                                                              \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

EDO_API extern const edo_future_ops edo__once_enter_ops, edo__once_wait_ops;

/* Whether the initialisation is done; if so, the maker's writes are visible. Thread: any. */
static inline bool edo_once_is_done(const edo_once *once)
{
    return edo__load_seen(&once->word) & EDO__ONCE_DONE;
}

/* Waits until the initialisation is done, or until the caller becomes the maker.
 * Result: 0 if the initialisation is done; 1 if the caller is the maker. The maker must call
 * edo_once_done() or edo_once_fail(). If the maker enters again before that, in the same function
 * or in a callee, it waits for itself for ever.
 * Cancel: prompt; the caller is not the maker. */
static inline EDO_MUST_USE edo_op edo_once_enter(edo_once *once)
{
    return edo__op(&edo__once_enter_ops, once, NULL, 0, 0);
}

/* Returns: as edo_once_enter(), and -EBUSY: another maker is at work. Thread: any. */
EDO_API int edo_once_try_enter(edo_once *once);

/* These functions report the maker's success or failure. Success ends all waits. After a failure
 * the next maker is the task that has waited longest in edo_once_enter(). Both functions abort if
 * there is no maker.
 * Thread: any. */
EDO_API void edo_once_done(edo_once *once);
EDO_API void edo_once_fail(edo_once *once);

/* Waits until the initialisation is done; the caller never becomes the maker.
 * Result: 0. Cancel: prompt. If edo_once_done() was called before the cancellation, the result is
 * 0. */
static inline EDO_MUST_USE edo_op edo_once_wait(edo_once *once)
{
    return edo__op(&edo__once_wait_ops, once, NULL, 0, 0);
}

/* Call this before the memory is freed. Aborts if there is a maker, or if a task waits. Thread:
 * that of the last user. */
EDO_API void edo_once_deinit(edo_once *once);

EDO_END_DECLS

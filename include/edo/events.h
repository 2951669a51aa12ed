/* Events for tasks: event, wait group, latch, barrier, once.
 *
 * Plain structs, as the locks of edo/locks.h: they lie where their user puts them, allocate nothing,
 * and have a _deinit() for the case that another thread may still be inside of a call that woke the
 * last user. Any task, of any runtime, and any plain thread (by edo_wait()) may use them.
 *
 *     edo_event           set and reset; a manual one lets all through while it is set, an automatic
 *                         one lets one through for each time it is set
 *     edo_wait_group      counts work that goes on; a wait ends when there is none
 *     edo_latch           counts down once
 *     edo_barrier         a number of callers meet, again and again
 *     edo_once            something is made once, by the first that needs it
 *
 * A notification that finds nobody waiting is lost or kept: see edo/notify.h for the other kinds.
 */
#pragma once

#include <edo/locks.h>

EDO_BEGIN_DECLS

/* ---- event ---- */

/* All private. */
typedef struct edo_event {
    uint32_t word; // atomic: EDO__EVENT_*
    uint32_t lock; // of the waiters
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

/* A manual event stays set until it is reset, and lets all waiters through. An automatic event lets
 * one through, the first waiter or else the next one, and is reset by that. Setting it twice counts
 * once.
 * Thread: any. */
EDO_API void edo_event_set(edo_event *event);
EDO_API void edo_event_reset(edo_event *event);
EDO_API bool edo_event_is_set(const edo_event *event);

/* Returns: 0 if the event is set, and resets an automatic one; -EAGAIN. Thread: any. */
EDO_API int edo_event_try_wait(edo_event *event);

/* Waits until the event is set. Waiters for an automatic event are served first in, first out.
 * Result: 0. Cancel: prompt; an automatic event passes to the next. */
static inline EDO_MUST_USE edo_op edo_event_wait(edo_event *event)
{
    return edo__op(&edo__event_wait_ops, event, NULL, 0, 0);
}

/* Ends the object, before its memory is freed or reused. Aborts if it has waiters.
 * Thread: the last user's. */
EDO_API void edo_event_deinit(edo_event *event);

/* ---- wait group ---- */

/* All private. */
typedef struct edo_wait_group {
    uint32_t word; // atomic: EDO__GROUP_*
    uint32_t lock; // of the waiters
    void *waiters;
} edo_wait_group;

enum {
    EDO__GROUP_WAITERS = 1, // the list of waiters is not empty
    EDO__GROUP_ONE = 2,     // the rest of the word counts
};

#define EDO_WAIT_GROUP_MAX (UINT32_MAX / EDO__GROUP_ONE)

/* count: pieces of work at the beginning, at most EDO_WAIT_GROUP_MAX. */
#define EDO_WAIT_GROUP_INIT(count)                                                                 \
    {                                                                                              \
        (uint32_t)(count) * EDO__GROUP_ONE, 0, NULL                                                \
    }

EDO_API extern const edo_future_ops edo__wait_group_ops;

/* Adds pieces of work; aborts beyond EDO_WAIT_GROUP_MAX. Call it before the work can end.
 * Thread: any. */
EDO_API void edo_wait_group_add(edo_wait_group *group, uint32_t count);

/* Ends one piece of work, or count pieces; the last one wakes all waiters. Aborts when there are
 * fewer pieces.
 * Thread: any. */
EDO_API void edo_wait_group_done(edo_wait_group *group);
EDO_API void edo__wait_group_leave(edo_wait_group *group, uint32_t count, const char *call);

/* Number of pieces of work that have not ended. Thread: any. */
EDO_API uint32_t edo_wait_group_count(const edo_wait_group *group);

/* Waits until all work has ended. The group may be used again then.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_wait_group_wait(edo_wait_group *group)
{
    return edo__op(&edo__wait_group_ops, group, NULL, 0, 0);
}

/* Ends the object, before its memory is freed or reused. Aborts if it has waiters.
 * Thread: the last user's. */
EDO_API void edo_wait_group_deinit(edo_wait_group *group);

/* ---- latch ---- */

/* A wait group that only goes down. */
typedef struct edo_latch {
    edo_wait_group group;
} edo_latch;

#define EDO_LATCH_INIT(count)                                                                      \
    {                                                                                              \
        EDO_WAIT_GROUP_INIT(count)                                                                 \
    }

/* Counts down; reaching 0 wakes all waiters. Aborts below 0. Thread: any. */
static inline void edo_latch_count_down(edo_latch *latch, uint32_t count)
{
    edo__wait_group_leave(&latch->group, count, "edo_latch_count_down");
}

/* Waits until the latch has counted down to 0. Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_latch_wait(edo_latch *latch)
{
    return edo_wait_group_wait(&latch->group);
}

static inline void edo_latch_deinit(edo_latch *latch)
{
    edo_wait_group_deinit(&latch->group);
}

/* ---- barrier ---- */

/* All private. */
typedef struct edo_barrier {
    uint32_t count;
    uint32_t arrived; // the lock
    void *waiters;
    uint32_t lock; // of the waiters
    uint32_t reserved;
} edo_barrier;

/* count: number of callers that meet; 0 counts as 1. */
#define EDO_BARRIER_INIT(count)                                                                    \
    {                                                                                              \
        (count), 0, NULL, 0, 0                                                                     \
    }

EDO_API extern const edo_future_ops edo__barrier_wait_ops;

/* Waits until all callers of a round have arrived; then the barrier may be used again.
 * Result: 1 for the last that arrived, 0 for the others.
 * Cancel: prompt; the arrival does not count. A caller cancelled after all have met answers 0. */
static inline EDO_MUST_USE edo_op edo_barrier_wait(edo_barrier *barrier)
{
    return edo__op(&edo__barrier_wait_ops, barrier, NULL, 0, 0);
}

/* Ends the object, before its memory is freed or reused. Aborts if it has waiters.
 * Thread: the last user's. */
EDO_API void edo_barrier_deinit(edo_barrier *barrier);

/* ---- once ---- */

/* All private. */
typedef struct edo_once {
    uint32_t word; // atomic: EDO__ONCE_*
    uint32_t lock; // of the waiters
    void *waiters;
} edo_once;

enum { EDO__ONCE_DONE = 1, EDO__ONCE_BUSY = 2 };

/* A value, stored anywhere, is made once: by the first caller that needs it, while the others wait.
 *
 *     edo_await(rc, edo_once_enter(&cell->once));       // 1: to be made; 0: it is there
 *     if (rc < 0) edo_return(rc);
 *     if (rc == 1) {
 *         edo_call(rc, connect_database, .url = url, .ret = &cell->database);
 *         if (rc < 0) edo_once_fail(&cell->once);       // the next one tries
 *         else edo_once_done(&cell->once);
 *     }
 *
 * Every function runs to its end, even if it is cancelled, so a maker always reaches one of the two
 * calls. A value that one task sets and others await is simpler: edo_once_try_enter() and
 * edo_once_done() set it, edo_once_wait() awaits it. */
#define EDO_ONCE_INIT                                                                              \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

EDO_API extern const edo_future_ops edo__once_enter_ops, edo__once_wait_ops;

/* Whether the value was made. If so, all that its maker did is visible. Thread: any. */
static inline bool edo_once_is_done(const edo_once *once)
{
    return edo__load_seen(&once->word) & EDO__ONCE_DONE;
}

/* Result: 0: the value is made; 1: the caller is to make the value, and then to call
 * edo_once_done() or edo_once_fail(). A maker that enters again, directly or in a function that it
 * calls, deadlocks.
 * Cancel: prompt; the caller does not become the maker. */
static inline EDO_MUST_USE edo_op edo_once_enter(edo_once *once)
{
    return edo__op(&edo__once_enter_ops, once, NULL, 0, 0);
}

/* Returns: as the result above; -EBUSY: another caller is making the value. Thread: any. */
EDO_API int edo_once_try_enter(edo_once *once);

/* done: the value is made, and all waiters go on. fail: the value could not be made; the caller
 * that has waited longest to enter makes it next. Abort when no maker has entered.
 * Thread: any. */
EDO_API void edo_once_done(edo_once *once);
EDO_API void edo_once_fail(edo_once *once);

/* Waits until the value is made, and never makes it.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_once_wait(edo_once *once)
{
    return edo__op(&edo__once_wait_ops, once, NULL, 0, 0);
}

/* Ends the object, before its memory is freed or reused. Aborts if its value is being made, or
 * if it has waiters. Thread: the last user's. */
EDO_API void edo_once_deinit(edo_once *once);

EDO_END_DECLS

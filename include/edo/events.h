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
 *     edo_barrier         so many meet, again and again
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

/* A manual event stays set until it is reset, and lets all through. An automatic one lets the first
 * that waits through, or the next that comes, and is reset by that; to set it twice is to set it once.
 * Thread: any. */
EDO_API void edo_event_set(edo_event *event);
EDO_API void edo_event_reset(edo_event *event);
EDO_API bool edo_event_is_set(const edo_event *event);

/* Returns: 0 if it is set, which resets an automatic one; -EAGAIN. Thread: any. */
EDO_API int edo_event_try_wait(edo_event *event);

/* Waits until it is set; of an automatic one, first in, first out.
 * Result: 0. Cancel: prompt; an automatic event passes to the next. */
static inline EDO_MUST_USE edo_op edo_event_wait(edo_event *event)
{
    return edo__op(&edo__event_wait_ops, event, NULL, 0, 0);
}

/* Before its memory goes; aborts when it is waited for. Thread: the last user's. */
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

/* It begins with so much work; at most EDO_WAIT_GROUP_MAX. */
#define EDO_WAIT_GROUP_INIT(count)                                                                 \
    {                                                                                              \
        (uint32_t)(count) * EDO__GROUP_ONE, 0, NULL                                                \
    }

EDO_API extern const edo_future_ops edo__wait_group_ops;

/* More work goes on; aborts beyond EDO_WAIT_GROUP_MAX. To be called before the work can end.
 * Thread: any. */
EDO_API void edo_wait_group_add(edo_wait_group *group, uint32_t count);

/* One piece of work, or so many, have ended; the last one wakes all that wait. Aborts when there are
 * not so many.
 * Thread: any. */
EDO_API void edo_wait_group_done(edo_wait_group *group);
EDO_API void edo__wait_group_leave(edo_wait_group *group, uint32_t count, const char *call);

/* The work that goes on at the moment. Thread: any. */
EDO_API uint32_t edo_wait_group_count(const edo_wait_group *group);

/* Waits until no work goes on. It may be used again then.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_wait_group_wait(edo_wait_group *group)
{
    return edo__op(&edo__wait_group_ops, group, NULL, 0, 0);
}

/* Before its memory goes; aborts when it is waited for. Thread: the last user's. */
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

/* Counts down; the last one wakes all that wait. Aborts below 0. Thread: any. */
static inline void edo_latch_count_down(edo_latch *latch, uint32_t count)
{
    edo__wait_group_leave(&latch->group, count, "edo_latch_count_down");
}

/* Result: 0, once it has counted down. Cancel: prompt. */
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

/* So many meet; 0 counts as 1. */
#define EDO_BARRIER_INIT(count)                                                                    \
    {                                                                                              \
        (count), 0, NULL, 0, 0                                                                     \
    }

EDO_API extern const edo_future_ops edo__barrier_wait_ops;

/* Waits until as many have come as meet there; then the barrier may be used again.
 * Result: 1 for one of them, the last that came, and 0 for the others.
 * Cancel: prompt; it has not come. One that is cancelled when all have met answers 0. */
static inline EDO_MUST_USE edo_op edo_barrier_wait(edo_barrier *barrier)
{
    return edo__op(&edo__barrier_wait_ops, barrier, NULL, 0, 0);
}

/* Before its memory goes; aborts when it is waited for. Thread: the last user's. */
EDO_API void edo_barrier_deinit(edo_barrier *barrier);

/* ---- once ---- */

/* All private. */
typedef struct edo_once {
    uint32_t word; // atomic: EDO__ONCE_*
    uint32_t lock; // of the waiters
    void *waiters;
} edo_once;

enum { EDO__ONCE_DONE = 1, EDO__ONCE_BUSY = 2 };

/* Something is made once, wherever it lies: by the first that needs it, while the others wait.
 *
 *     edo_await(rc, edo_once_enter(&cell->once));       // 1: to be made; 0: it is there
 *     if (rc < 0) edo_return(rc);
 *     if (rc == 1) {
 *         edo_call(rc, connect_database, .url = url, .ret = &cell->database);
 *         if (rc < 0) edo_once_fail(&cell->once);       // the next one tries
 *         else edo_once_done(&cell->once);
 *     }
 *
 * As every function runs to its end, also one that is cancelled, one that enters comes to one of the
 * two. A value that is set once by somebody, and awaited by others, needs no more: edo_once_try_enter()
 * and edo_once_done() set it, edo_once_wait() awaits it. */
#define EDO_ONCE_INIT                                                                              \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

EDO_API extern const edo_future_ops edo__once_enter_ops, edo__once_wait_ops;

/* Whether it was made; then what its maker did is visible. Thread: any. */
static inline bool edo_once_is_done(const edo_once *once)
{
    return edo__load_seen(&once->word) & EDO__ONCE_DONE;
}

/* Result: 0: it is made; 1: the caller makes it, and says edo_once_done() or edo_once_fail(). A maker
 * that enters again, in the same function or one that it calls, waits for itself.
 * Cancel: prompt; the caller is not its maker. */
static inline EDO_MUST_USE edo_op edo_once_enter(edo_once *once)
{
    return edo__op(&edo__once_enter_ops, once, NULL, 0, 0);
}

/* Returns: as the result above; -EBUSY: another one is making it. Thread: any. */
EDO_API int edo_once_try_enter(edo_once *once);

/* It is made; all that wait go on. Or it could not be made; the one that has waited longest to enter
 * makes it. Abort when nobody is making it.
 * Thread: any. */
EDO_API void edo_once_done(edo_once *once);
EDO_API void edo_once_fail(edo_once *once);

/* Waits until it is made, and never makes it.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_once_wait(edo_once *once)
{
    return edo__op(&edo__once_wait_ops, once, NULL, 0, 0);
}

/* Before its memory goes; aborts when it is being made or waited for. Thread: the last user's. */
EDO_API void edo_once_deinit(edo_once *once);

EDO_END_DECLS

/* Intervals and delay queues.
 *
 *     edo_interval interval;                                     // in the frame
 *     ...
 *     edo_interval_init(&self->interval, edo_ms(100), EDO_MISSED_SKIP);
 *     for (;;) {
 *         edo_await(rc, edo_interval_next(&self->interval, NULL));
 *         if (rc < 0) break;
 *         ...
 *     }
 *
 * Moments are those of edo_now(): the monotonic clock, or the test clock of the runtime. Intervals
 * and delay queues hold no resources of the system.
 */
#pragma once

#include <edo/time.h>

EDO_BEGIN_DECLS

/* ---- intervals ---- */

/* Treatment of missed ticks. A tick is missed if it is already due when the previous tick is
 * taken. */
typedef enum edo_missed {
    EDO_MISSED_BURST, // missed ticks follow at once, until none is missing
    EDO_MISSED_DELAY, // missed ticks are left out; the next tick is one period after the late
                      // tick was taken
    EDO_MISSED_SKIP,  // missed ticks are left out; later ticks keep their original moments
} edo_missed;

/* An interval, which belongs to one task at a time. The members may be read and set between two
 * ticks. */
typedef struct edo_interval {
    int64_t next;   // moment of the next tick
    int64_t period; // ns, at least 1
    edo_missed missed;
} edo_interval;

/* The first tick is due after one period, or at `first`. A period below 1 is misuse, which aborts.
 * Thread: any; edo_interval_init() reads edo_now(), so call it in the runtime that uses the
 * interval. */
EDO_API void edo_interval_init(edo_interval *interval, int64_t period, edo_missed missed);
EDO_API void edo_interval_init_at(edo_interval *interval, int64_t first, int64_t period,
                                  edo_missed missed);

/* Sets the next tick to one period from now. */
EDO_API void edo_interval_reset(edo_interval *interval);

EDO_API extern const edo_future_ops edo__interval_ops;

/* Waits for the next tick.
 * ret_moment: receives the moment at which the tick was due; may be NULL.
 * Result: 1.
 * Cancel: prompt; no tick is taken. */
static inline EDO_MUST_USE edo_op edo_interval_next(edo_interval *interval, int64_t *ret_moment)
{
    return edo__op(&edo__interval_ops, interval, ret_moment, 0, 0);
}

/* ---- delay queues ---- */

typedef struct edo_delay_queue edo_delay_queue;

/* A struct in the user's own item, which links the item into a queue, and identifies it in the
 * calls of the queue. The struct must be all zero before its first use, and must not move while the
 * item is queued. */
typedef struct edo_delay {
    int64_t when; // moment at which the item is due; the program only reads it

    /* The members below are private. */
    uint64_t order;
    struct edo_delay *child, *next, *prev;
    edo_delay_queue *queue;
} edo_delay;

/* A queue of items. Each item becomes due at its own moment. The queue is a plain struct, all zero
 * at the start. Any number of threads and tasks may use it. Insert takes constant time; remove,
 * reset and next take logarithmic time (amortized). Nothing is allocated. */
struct edo_delay_queue {
    uint32_t lock;
    uint32_t closed;
    void *waiters;
    edo_delay *first;
    size_t count;
    uint64_t order;
};

#define EDO_DELAY_QUEUE_INIT                                                                       \
    {                                                                                              \
        0, 0, NULL, NULL, 0, 0                                                                     \
    }

/* Inserts an item. Returns: 0; -EBUSY: the item is queued already; -ESHUTDOWN: the queue was
 * closed; -EINVAL. All calls of a queue that return an int answer -EINVAL for NULL.
 * Thread: any. */
EDO_API EDO_MUST_USE int edo_delay_queue_insert(edo_delay_queue *queue, edo_delay *item,
                                                int64_t when);

/* Removes an item. Returns: 0; -ENOENT: the item is not queued (it was taken, for example).
 * Thread: any. */
EDO_API int edo_delay_queue_remove(edo_delay_queue *queue, edo_delay *item);

/* Changes the moment of an item. Returns: 0; -ENOENT. Thread: any. */
EDO_API int edo_delay_queue_reset(edo_delay_queue *queue, edo_delay *item, int64_t when);

EDO_API extern const edo_future_ops edo__delay_ops;

/* Waits until an item is due, and takes it. Items are taken in the order of their moments. Items
 * with the same moment are taken in the order of their insertion.
 * Result: 1 with *ret_item; 0: the queue was closed and is empty.
 * Cancel: prompt; no item is taken. */
static inline EDO_MUST_USE edo_op edo_delay_queue_next(edo_delay_queue *queue, edo_delay **ret_item)
{
    return edo__op(&edo__delay_ops, queue, ret_item, 0, 0);
}

/* Takes an item that is due, without waiting. Returns: as edo_delay_queue_next(); -EAGAIN: no item
 * is due. Thread: any. */
EDO_API int edo_try_delay_queue_next(edo_delay_queue *queue, edo_delay **ret_item);

/* Takes the first item, due or not. Returns: NULL: the queue is empty. Thread: any. */
EDO_API edo_delay *edo_delay_queue_take(edo_delay_queue *queue);

/* Number of items. Thread: any; a snapshot. */
EDO_API size_t edo_delay_queue_count(edo_delay_queue *queue);

/* Closes the queue, which then refuses further items. Items in the queue still become due.
 * Thread: any. */
EDO_API void edo_delay_queue_close(edo_delay_queue *queue);

/* Call this before the memory is freed; aborts if a task waits. Items in the queue are
 * forgotten. */
EDO_API void edo_delay_queue_deinit(edo_delay_queue *queue);

EDO_END_DECLS

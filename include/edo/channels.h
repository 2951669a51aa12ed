/* Channels carry values from senders to receivers. Each value is received by one receiver. Values
 * are received in the order of the sends.
 *
 *     typedef edo_sender(struct job) job_sender;
 *     typedef edo_receiver(struct job) job_receiver;
 *
 *     rc = edo_mpsc_create(&self->jobs_in, &self->jobs_out, 128);
 *     edo_await_send(rc, &self->jobs_in, &self->job);        // 0; -EPIPE: no receiver
 *     edo_await_recv(rc, &self->jobs_out, &self->job);       // 1; 0: closed, and all was received
 *
 * An mpsc channel has one receiver. An mpmc channel has any number of receivers:
 * edo_receiver_clone() adds one. A bounded channel has places for a fixed number of values, and a
 * sender waits for a free place. A bounded channel allocates nothing after its creation. An
 * unbounded channel grows by blocks. An empty channel keeps at most three blocks.
 *
 * The end. A channel is closed by the close of its last sender, by the close of its last receiver,
 * or by a shutdown through any end. A closed channel refuses values. Two kinds of values are still
 * received: those in the channel, and those for which a permit is reserved. After these values
 * edo_recv() answers 0. The close of the last receiver drops the remaining values. If the options
 * have a drop function, that function is called for each dropped value.
 *
 * Places. Waiting sends and reservations are served first in, first out. So later requests never
 * overtake a request for many places. That request holds no places before it is served.
 *
 * No value is lost by cancellation. A cancelled receive has taken nothing. The caller still owns
 * the value of a cancelled or refused send. A cancelled reservation holds nothing. Places that were
 * granted to this reservation pass to the next request.
 *
 * edo_await_send() and edo_await_recv() are the short form for async functions. They first try
 * without waiting. If the try fails, they await the operation. The value must be in memory that
 * outlives the await: the frame, the heap or static memory. If the value is a local variable and
 * the operation waits, the process aborts. In debug builds, a local variable always aborts. The
 * macros evaluate their arguments twice. The operations (edo_send(), ...) are for limits,
 * combinators and plain threads: edo_wait(edo_send(&jobs, &job)).
 *
 * Threads. The ends of a channel may be used on any thread, inside and outside of runtimes. Several
 * threads may use a sender or an mpmc receiver at the same time. Only one task or thread at a time
 * may use the receiver of an mpsc channel. While one receive of such a receiver waits, no other
 * receive may wait: the second one aborts the process.
 */
#pragma once

#include <edo/ends.h>

EDO_BEGIN_DECLS

typedef struct edo__channel edo__channel;

/* Reserved places. */
typedef struct edo__permits {
    edo__channel *channel;
    size_t count;
} edo__permits;

enum { EDO__MPSC = 0, EDO__MPMC = 1 };

/* Largest capacity of a bounded channel. */
#define EDO_CHANNEL_MAX (UINT32_MAX >> 1)

/* Options of a creation. A zeroed struct gives an unbounded channel. */
typedef struct edo_channel_options {
    size_t capacity;                          // places; 0: unbounded
    void (*drop)(void *value, void *context); // called for each value never received; may be NULL
    void *context;                            // argument of drop
    void *reserved[3];
} edo_channel_options;

/* State of a channel at one moment. */
typedef struct edo_channel_stats {
    size_t length;   // values in the channel
    size_t capacity; // places; SIZE_MAX: unbounded
    size_t places;   // free places; SIZE_MAX: unbounded
    size_t permits;  // places that are reserved, or were granted to a waiting send
    uint32_t senders, weak_senders, receivers;
    bool is_closed; // refuses values
} edo_channel_stats;

EDO_API extern const edo_future_ops edo__send_ops, edo__send_many_ops, edo__reserve_ops;
EDO_API extern const edo_future_ops edo__recv_ops, edo__sender_closed_ops;

EDO_API EDO_MUST_USE int edo__channel_create(edo__channel **ret_channel, size_t size, int kind,
                                             const edo_channel_options *options);
EDO_API EDO_MUST_USE int edo__channel_create_bounded(edo__channel **ret_channel, size_t size,
                                                     int kind, size_t capacity);
EDO_API void *edo__sender_ref(edo__channel *channel);
EDO_API void *edo__receiver_ref(edo__channel *channel);
EDO_API void *edo__weak_ref(edo__channel *channel);
EDO_API void *edo__weak_downgrade(edo__channel *channel);
EDO_API EDO_MUST_USE int edo__weak_upgrade(edo__channel *channel);
EDO_API void edo__sender_close(edo__channel *channel);
EDO_API void edo__receiver_close(edo__channel *channel);
EDO_API void edo__weak_close(edo__channel *channel);
EDO_API void edo__channel_shutdown(edo__channel *channel);
EDO_API edo_channel_stats edo__channel_stats(edo__channel *channel);
EDO_API EDO_MUST_USE int edo__try_send(edo__channel *channel, const void *value);
EDO_API EDO_MUST_USE int64_t edo__try_send_many(edo__channel *channel, const void *values,
                                                size_t count);
EDO_API EDO_MUST_USE int edo__try_reserve(edo__channel *channel, edo__permits *ret_permits,
                                          size_t count);
EDO_API EDO_MUST_USE int edo__permits_send(edo__permits *permits, const void *value);
EDO_API void edo__permits_release(edo__permits *permits);
EDO_API EDO_MUST_USE int64_t edo__try_recv(edo__channel *channel, void *ret_values, size_t max);
EDO_API EDO_MUST_USE int64_t edo__send_now(edo_cx *cx, edo__channel *channel, const void *value);
EDO_API EDO_MUST_USE int64_t edo__recv_now(edo_cx *cx, edo__channel *channel, void *ret_value);

static inline EDO_MUST_USE edo_op edo__send(edo__channel *channel, const void *value)
{
    return edo__op(&edo__send_ops, channel, (void *)(uintptr_t)value, 1, 1);
}
static inline EDO_MUST_USE edo_op edo__send_many(edo__channel *channel, const void *values,
                                                 size_t count)
{
    return edo__op(&edo__send_many_ops, channel, (void *)(uintptr_t)values, count, 1);
}
static inline EDO_MUST_USE edo_op edo__reserve(edo__channel *channel, edo__permits *ret_permits,
                                               size_t count)
{
    return edo__op(&edo__reserve_ops, channel, ret_permits, count,
                   count <= EDO_CHANNEL_MAX ? (uint32_t)count : UINT32_MAX);
}
static inline EDO_MUST_USE edo_op edo__recv(edo__channel *channel, void *ret_values, size_t max)
{
    return edo__op(&edo__recv_ops, channel, ret_values, max, 0);
}
static inline EDO_MUST_USE edo_op edo__sender_closed(edo__channel *channel)
{
    return edo__op(&edo__sender_closed_ops, channel, NULL, 0, 0);
}

EDO_END_DECLS

/* ---- the ends ---- */

/* Types of the ends. All members are private. */
#define edo_sender(T)                                                                              \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__channel *edo_tx;                                                                      \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_receiver(T)                                                                            \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__channel *edo_rx;                                                                      \
        __typeof__(T) *edo_type;                                                                   \
    }

/* A sender that does not keep the channel open. */
#define edo_weak_sender(T)                                                                         \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__channel *edo_weak;                                                                    \
        __typeof__(T) *edo_type;                                                                   \
    }

/* Reserved places. Values sent into these places are received even after a shutdown of the
 * channel. */
#define edo_permits(T)                                                                             \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__permits edo_held;                                                                     \
        __typeof__(T) *edo_type;                                                                   \
    }

/* ---- creation ---- */

/* Makes a bounded channel with one receiver.
 * capacity: places, 1 .. EDO_CHANNEL_MAX.
 * Returns: 0 with one sender and the receiver; -EINVAL for another capacity; -ENOMEM.
 * Thread: any. */
#define edo_mpsc_create(ret_tx, ret_rx, capacity)                                                  \
    edo__create(ret_tx, ret_rx, edo__channel_create_bounded, EDO__MPSC, (capacity))

/* As edo_mpsc_create(), but for several receivers. */
#define edo_mpmc_create(ret_tx, ret_rx, capacity)                                                  \
    edo__create(ret_tx, ret_rx, edo__channel_create_bounded, EDO__MPMC, (capacity))

/* As edo_mpsc_create() and edo_mpmc_create(), but the channel is unbounded. A send never waits, so
 * there is no back-pressure.
 * Returns: 0; -ENOMEM. Thread: any. */
#define edo_mpsc_create_unbounded(ret_tx, ret_rx)                                                  \
    edo__create(ret_tx, ret_rx, edo__channel_create, EDO__MPSC, NULL)
#define edo_mpmc_create_unbounded(ret_tx, ret_rx)                                                  \
    edo__create(ret_tx, ret_rx, edo__channel_create, EDO__MPMC, NULL)

/* As edo_mpsc_create() and edo_mpmc_create(), but with options (a pointer to
 * edo_channel_options). */
#define edo_mpsc_create_with(ret_tx, ret_rx, options)                                              \
    edo__create(ret_tx, ret_rx, edo__channel_create, EDO__MPSC, (options))
#define edo_mpmc_create_with(ret_tx, ret_rx, options)                                              \
    edo__create(ret_tx, ret_rx, edo__channel_create, EDO__MPMC, (options))

#define edo__create(tx, rx, create, kind, how)                                                     \
    (__extension__({                                                                               \
        edo__check_end(tx, rx);                                                                    \
        edo__channel *edo_channel_ = NULL;                                                         \
        int edo_rc_ = create(&edo_channel_, sizeof *(tx)->edo_type, kind, how);                    \
        if (edo_rc_ == 0) (tx)->edo_tx = (rx)->edo_rx = edo_channel_;                              \
        edo_rc_;                                                                                   \
    }))

/* These calls add an end, and never fail. edo_receiver_clone() aborts for the receiver of an mpsc
 * channel.
 * Return: the new end, which the caller closes. Thread: any. */
#define edo_sender_clone(tx)      edo__new_end(tx, edo__sender_ref((tx)->edo_tx))
#define edo_receiver_clone(rx)    edo__new_end(rx, edo__receiver_ref((rx)->edo_rx))
#define edo_weak_sender_clone(wx) edo__new_end(wx, edo__weak_ref((wx)->edo_weak))

#define edo__new_end(end, core)                                                                    \
    (__extension__({                                                                               \
        __typeof__(*(end)) edo_end_ = { core };                                                    \
        edo_end_;                                                                                  \
    }))

/* Makes a weak sender. The sender is still open afterwards.
 * Thread: any. */
#define edo_sender_downgrade(tx, ret_weak)                                                         \
    (edo__check_end(tx, ret_weak), (void)((ret_weak)->edo_core = edo__weak_downgrade((tx)->edo_tx)))

/* Makes a sender from a weak sender. The weak sender is still open afterwards.
 * Returns: 0; -EPIPE: the last sender or the channel was closed. Thread: any. */
#define edo_sender_upgrade(weak, ret_tx)                                                           \
    (__extension__({                                                                               \
        edo__check_end(weak, ret_tx);                                                              \
        int edo_rc_ = edo__weak_upgrade((weak)->edo_weak);                                         \
        if (edo_rc_ == 0) (ret_tx)->edo_core = (weak)->edo_core;                                   \
        edo_rc_;                                                                                   \
    }))

/* These calls close an end. The close of the last sender aborts if a send, a reservation or an
 * edo_sender_closed() waits. The close of the last receiver aborts if a receive waits.
 * Thread: any. */
#define edo_sender_close(tx)        edo__close_end(tx, edo__sender_close((tx)->edo_tx))
#define edo_receiver_close(rx)      edo__close_end(rx, edo__receiver_close((rx)->edo_rx))
#define edo_weak_sender_close(weak) edo__close_end(weak, edo__weak_close((weak)->edo_weak))

#define edo__close_end(end, close) ((close), (void)((end)->edo_core = NULL))

/* Closes the channel for all its ends. The ends themselves stay open. Values sent later are
 * refused, waiting sends end with -EPIPE, and receivers get the remaining values. A receiver can
 * use a shutdown to refuse further values. A sender can use it to end the work of all other ends.
 * Thread: any. */
#define edo_sender_shutdown(tx)   edo__channel_shutdown((tx)->edo_tx)
#define edo_receiver_shutdown(rx) edo__channel_shutdown((rx)->edo_rx)

/* Reads the state of the channel. Thread: any; a snapshot. */
#define edo_sender_stats(tx)   edo__channel_stats((tx)->edo_tx)
#define edo_receiver_stats(rx) edo__channel_stats((rx)->edo_rx)

/* Waits until the channel is closed: the last receiver was closed, or the channel was shut down.
 * Result: 0. Cancel: prompt. If the channel was closed before the cancellation, the result is 0. */
#define edo_sender_closed(tx) edo__sender_closed((tx)->edo_tx)

/* ---- sending ---- */

/* Sends a value. `value` is a pointer to the value, and must be valid until the operation has
 * ended.
 * Result: 0; -EPIPE: the channel is closed; -ENOMEM (unbounded). If the result is not 0, the
 * caller still owns the value. Cancel: prompt; nothing was sent. */
#define edo_send(tx, value) (edo__check_type(tx, value), edo__send((tx)->edo_tx, (value)))

/* As edo_send() in an async function, but without an await if there is a free place. */
#define edo_await_send(rc, tx, value)                                                              \
    edo__now_or_await(rc, (edo__check_type(tx, value), edo__send_now(cx, (tx)->edo_tx, (value))),  \
                      edo_send(tx, value))

/* Sends without waiting. An unbounded channel always has a place.
 * Returns: as edo_send(); -EAGAIN: no place is free, or other sends wait for a place. Thread:
 * any. */
#define edo_try_send(tx, value) (edo__check_type(tx, value), edo__try_send((tx)->edo_tx, (value)))

/* Sends the values of an array, in order. Values of other senders may come between them.
 * Result: number of values sent; -EPIPE; -ENOMEM. After an error edo_op_progress() is the number of
 * values sent, and the caller still owns the other values.
 * Cancel: prompt; edo_op_progress() values were sent. */
#define edo_send_many(tx, values, count)                                                           \
    (edo__check_type(tx, values), edo__send_many((tx)->edo_tx, (values), (count)))

/* Sends values of an array, in order, until no place is free.
 * Returns: number of values sent; -EAGAIN if it would be 0; -EPIPE; -ENOMEM. If `count` is 0, the
 * result is 0. Thread: any. */
#define edo_try_send_many(tx, values, count)                                                       \
    (edo__check_type(tx, values), edo__try_send_many((tx)->edo_tx, (values), (count)))

/* ---- permits ---- */

/* Waits until `count` places of a bounded channel are free, and reserves all of them at once.
 * count: 1 .. capacity.
 * Result: 0 with *ret_permits; -EPIPE; -EINVAL for another count or an unbounded channel.
 * Cancel: prompt; no place is held. */
#define edo_reserve(tx, ret_permits, count)                                                        \
    (edo__check_end(tx, ret_permits), edo__reserve((tx)->edo_tx, &(ret_permits)->edo_held, (count)))

/* Reserves places without waiting. Returns: as edo_reserve(), and -EAGAIN. Thread: any. */
#define edo_try_reserve(tx, ret_permits, count)                                                    \
    (edo__check_end(tx, ret_permits),                                                              \
     edo__try_reserve((tx)->edo_tx, &(ret_permits)->edo_held, (count)))

/* Sends a value into a reserved place, and uses up one permit. The use of the last permit closes
 * the permits.
 * Returns: 0; -EPIPE: the last receiver was closed, and the caller still owns the value;
 * -EINVAL: no permit remains. Thread: one at a time. */
#define edo_permits_send(permits, value)                                                           \
    (edo__check_type(permits, value), edo__permits_send(&(permits)->edo_held, (value)))

/* Releases the remaining places, if any.
 * Thread: one at a time. */
#define edo_permits_release(permits) edo__permits_release(&(permits)->edo_held)

/* Number of remaining places. */
#define edo_permits_count(permits) ((permits)->edo_held.count)

/* ---- receiving ---- */

/* Receives a value. ret_value points to memory for the value, which must be valid until the
 * operation has ended.
 * Result: 1 with *ret_value; 0: the channel is closed, and all values were received.
 * Cancel: prompt; nothing was taken. */
#define edo_recv(rx, ret_value)                                                                    \
    (edo__check_type(rx, ret_value), edo__recv((rx)->edo_rx, (ret_value), 1))

/* As edo_recv() in an async function, but without an await if a value is there. */
#define edo_await_recv(rc, rx, ret_value)                                                          \
    edo__now_or_await(                                                                             \
        rc, (edo__check_type(rx, ret_value), edo__recv_now(cx, (rx)->edo_rx, (ret_value))),        \
        edo_recv(rx, ret_value))

/* Receives without waiting. Returns: as edo_recv(); -EAGAIN: the channel is empty. A value whose
 * send ended before this call is always found. Thread: any. */
#define edo_try_recv(rx, ret_value)                                                                \
    (edo__check_type(rx, ret_value), edo__try_recv((rx)->edo_rx, (ret_value), 1))

/* Receives the available values, at most max, into an array. Waits only for the first value.
 * Result: number of values, > 0; 0: the channel is closed and all values were received, or max is
 * 0.
 * Cancel: prompt; nothing was taken. */
#define edo_recv_many(rx, ret_values, max)                                                         \
    (edo__check_type(rx, ret_values), edo__recv((rx)->edo_rx, (ret_values), (max)))

/* Receives without waiting. Returns: as edo_recv_many(), and -EAGAIN. Thread: any. */
#define edo_try_recv_many(rx, ret_values, max)                                                     \
    (edo__check_type(rx, ret_values), edo__try_recv((rx)->edo_rx, (ret_values), (max)))

/* Broadcasts. Every receiver gets every value. Typical values are events, log lines, or the
 * messages of a chat room.
 *
 *     typedef edo_broadcast_sender(struct event) event_sender;
 *     typedef edo_broadcast_receiver(struct event) event_receiver;
 *
 *     rc = edo_broadcast_create(&self->events, &self->first, 256);
 *     edo_broadcast_subscribe(&self->events, &self->second);
 *     edo_broadcast_send(&self->events, &self->event);                 // never waits
 *     edo_await_broadcast(rc, &self->second, &self->event);            // 1, EDO_LAGGED, or 0
 *
 * A receiver gets all values that are sent after its subscription. The order is the same for all
 * receivers. The last `capacity` values are kept. A receiver lags if a value is overwritten before
 * the receiver has received it. The next receive of a lagging receiver answers EDO_LAGGED, and
 * edo_broadcast_missed() is the number of values that it missed. The receive after that gets the
 * oldest kept value. EDO_LAGGED is not the end of the broadcast. At the end, the result is 0.
 *
 * Values are copied to each receiver. If a value contains a pointer, all receivers get the same
 * pointer, and none of them owns its object.
 *
 * Cancellation. A cancelled receive has taken nothing.
 *
 * Threads. The ends may be used on any thread, in any runtime and outside of runtimes. Several
 * threads may use a sender at a time, but only one thread at a time may use a receiver. */
#pragma once

#include <edo/ends.h>

EDO_BEGIN_DECLS

typedef struct edo__broadcast edo__broadcast;

/* A receiver. */
typedef struct edo__listening {
    edo__broadcast *broadcast;
    uint64_t next;   // number of the value to receive next
    uint64_t missed; // values missed at the last EDO_LAGGED
} edo__listening;

/* Result of a receive: values were missed. */
enum { EDO_LAGGED = 2 };

/* Largest capacity of a broadcast. */
#define EDO_BROADCAST_MAX (UINT32_MAX >> 1)

EDO_API extern const edo_future_ops edo__broadcast_recv_ops, edo__broadcast_closed_ops;

EDO_API EDO_MUST_USE int edo__broadcast_create(edo__broadcast **ret_broadcast,
                                               edo__listening *ret_receiver, size_t size,
                                               size_t capacity);
EDO_API uint32_t edo__broadcast_send(edo__broadcast *broadcast, const void *value);
EDO_API void *edo__broadcast_sender_ref(edo__broadcast *broadcast);
EDO_API void *edo__broadcast_downgrade(edo__broadcast *broadcast);
EDO_API EDO_MUST_USE int edo__broadcast_upgrade(edo__broadcast *broadcast);
EDO_API void edo__broadcast_sender_close(edo__broadcast *broadcast);
EDO_API void edo__broadcast_weak_close(edo__broadcast *broadcast);
EDO_API void edo__broadcast_subscribe(edo__broadcast *broadcast, edo__listening *ret_receiver);
EDO_API void edo__broadcast_receiver_close(edo__listening *receiver);
EDO_API uint32_t edo__broadcast_receivers(edo__broadcast *broadcast);
EDO_API uint32_t edo__broadcast_senders(edo__broadcast *broadcast);
EDO_API uint32_t edo__broadcast_weak_senders(edo__broadcast *broadcast);
EDO_API size_t edo__broadcast_capacity(const edo__broadcast *broadcast);
EDO_API bool edo__broadcast_is_closed(const edo__listening *receiver);
EDO_API uint64_t edo__broadcast_length(const edo__listening *receiver);
EDO_API EDO_MUST_USE int64_t edo__broadcast_try_recv(edo__listening *receiver, void *ret_value);
EDO_API EDO_MUST_USE int64_t edo__broadcast_recv_now(edo_cx *cx, edo__listening *receiver,
                                                     void *ret_value);

static inline EDO_MUST_USE edo_op edo__broadcast_recv(edo__listening *receiver, void *ret_value)
{
    return edo__op(&edo__broadcast_recv_ops, receiver, ret_value, 0, 0);
}
static inline EDO_MUST_USE edo_op edo__broadcast_closed(edo__broadcast *broadcast)
{
    return edo__op(&edo__broadcast_closed_ops, broadcast, NULL, 0, 0);
}

EDO_END_DECLS

/* Types of the ends. All members are private. Do not move a receiver while its operation waits. */
#define edo_broadcast_sender(T)                                                                    \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__broadcast *edo_broadcast_tx;                                                          \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_broadcast_weak_sender(T)                                                               \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__broadcast *edo_broadcast_weak;                                                        \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_broadcast_receiver(T)                                                                  \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__listening edo_listening;                                                              \
        __typeof__(T) *edo_type;                                                                   \
    }

/* Makes a broadcast with one sender and one receiver.
 * capacity: number of kept values, 1 .. EDO_BROADCAST_MAX; exact, not rounded up.
 * Returns: 0; -EINVAL for another capacity; -ENOMEM. Thread: any. */
#define edo_broadcast_create(ret_tx, ret_rx, capacity)                                             \
    (edo__check_end(ret_tx, ret_rx),                                                               \
     edo__broadcast_create(&(ret_tx)->edo_broadcast_tx, &(ret_rx)->edo_listening,                  \
                           sizeof *(ret_tx)->edo_type, (capacity)))

/* ---- senders ---- */

/* Sends a value to all receivers.
 * Returns: the number of receivers. If it is 0, the value is lost. Thread: any. */
#define edo_broadcast_send(tx, value)                                                              \
    (edo__check_type(tx, value), edo__broadcast_send((tx)->edo_broadcast_tx, (value)))

/* Adds a sender, which the caller closes. Thread: any. */
#define edo_broadcast_sender_clone(tx)                                                             \
    (__extension__({                                                                               \
        __typeof__(*(tx)) edo_end_ = { edo__broadcast_sender_ref((tx)->edo_broadcast_tx) };        \
        edo_end_;                                                                                  \
    }))
#define edo_broadcast_sender_close(tx)                                                             \
    (edo__broadcast_sender_close((tx)->edo_broadcast_tx), (void)((tx)->edo_core = NULL))

/* edo_broadcast_downgrade() makes a weak sender, which does not keep the broadcast open.
 * edo_broadcast_upgrade() makes a sender from a weak sender. After both calls, the end that was the
 * first argument is still open.
 * Returns (upgrade): 0; -EPIPE: the last sender was closed. Thread: any. */
#define edo_broadcast_downgrade(tx, ret_weak)                                                      \
    (edo__check_end(tx, ret_weak),                                                                 \
     (void)((ret_weak)->edo_core = edo__broadcast_downgrade((tx)->edo_broadcast_tx)))
#define edo_broadcast_upgrade(weak, ret_tx)                                                        \
    (__extension__({                                                                               \
        edo__check_end(weak, ret_tx);                                                              \
        int edo_rc_ = edo__broadcast_upgrade((weak)->edo_broadcast_weak);                          \
        if (edo_rc_ == 0) (ret_tx)->edo_core = (weak)->edo_core;                                   \
        edo_rc_;                                                                                   \
    }))
#define edo_broadcast_weak_close(weak)                                                             \
    (edo__broadcast_weak_close((weak)->edo_broadcast_weak), (void)((weak)->edo_core = NULL))

/* Adds a receiver, which gets only later values. Thread: any. */
#define edo_broadcast_subscribe(tx, ret_rx)                                                        \
    (edo__check_end(tx, ret_rx),                                                                   \
     edo__broadcast_subscribe((tx)->edo_broadcast_tx, &(ret_rx)->edo_listening))

/* As edo_broadcast_subscribe(), but the argument is a receiver. */
#define edo_broadcast_resubscribe(rx, ret_rx)                                                      \
    (edo__check_end(rx, ret_rx),                                                                   \
     edo__broadcast_subscribe((rx)->edo_listening.broadcast, &(ret_rx)->edo_listening))

/* Waits until there is no receiver.
 * Result: 0. Cancel: prompt. If the last receiver was closed before the cancellation, the result is
 * 0. */
#define edo_broadcast_closed(tx) edo__broadcast_closed((tx)->edo_broadcast_tx)

/* Number of receivers, of senders, of weak senders, and of kept values (the capacity). Thread: any;
 * snapshots. */
#define edo_broadcast_receivers(tx)    edo__broadcast_receivers((tx)->edo_broadcast_tx)
#define edo_broadcast_senders(tx)      edo__broadcast_senders((tx)->edo_broadcast_tx)
#define edo_broadcast_weak_senders(tx) edo__broadcast_weak_senders((tx)->edo_broadcast_tx)
#define edo_broadcast_capacity(tx)     edo__broadcast_capacity((tx)->edo_broadcast_tx)

/* ---- receivers ---- */

/* Waits for the next value.
 * Result: 1 with *ret_value; EDO_LAGGED: values were missed, and *ret_value is not set; 0: the last
 * sender was closed, and all values were received. Cancel: prompt; nothing was taken. */
#define edo_broadcast_recv(rx, ret_value)                                                          \
    (edo__check_type(rx, ret_value), edo__broadcast_recv(&(rx)->edo_listening, (ret_value)))

/* As edo_broadcast_recv() in an async function, but without an await if the result is there. */
#define edo_await_broadcast(rc, rx, ret_value)                                                     \
    edo__now_or_await(rc,                                                                          \
                      (edo__check_type(rx, ret_value),                                             \
                       edo__broadcast_recv_now(cx, &(rx)->edo_listening, (ret_value))),            \
                      edo_broadcast_recv(rx, ret_value))

/* Receives without waiting. Returns: as edo_broadcast_recv(); -EAGAIN if there is no value. Thread:
 * one at a time. */
#define edo_broadcast_try_recv(rx, ret_value)                                                      \
    (edo__check_type(rx, ret_value), edo__broadcast_try_recv(&(rx)->edo_listening, (ret_value)))

/* Number of values missed at the last EDO_LAGGED of this receiver. */
#define edo_broadcast_missed(rx) ((rx)->edo_listening.missed)

/* Number of values that this receiver has not received yet. If the number exceeds the capacity,
 * some of these values have already been overwritten.
 * Thread: one at a time. */
#define edo_broadcast_length(rx) edo__broadcast_length(&(rx)->edo_listening)

/* Whether the last sender was closed. Values may remain. Thread: one at a time. */
#define edo_broadcast_is_closed(rx) edo__broadcast_is_closed(&(rx)->edo_listening)

#define edo_broadcast_receiver_close(rx) edo__broadcast_receiver_close(&(rx)->edo_listening)

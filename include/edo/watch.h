/* Watches. A watch has only the last value, for any number of receivers. Typical values are a
 * configuration, a state, or the progress of some work.
 *
 *     typedef edo_watch_sender(struct config) config_sender;
 *     typedef edo_watch_receiver(struct config) config_receiver;
 *
 *     rc = edo_watch_create(&self->config, &self->first, &defaults);
 *     edo_watch_send(&self->config, &self->read);                     // never waits
 *     edo_await_watch(rc, &self->watched, &self->now);                // 1: changed; 0: no more
 *
 * A value is stored even if there is no receiver, and a later subscriber can read it. Each receiver
 * remembers which value it has seen last. The value that is stored when a receiver is created
 * counts as seen. A slow receiver skips values, but always receives the last value before the end.
 *
 * Values are copied in and out. No user code runs under the lock. If several senders change a value
 * in steps, a sender must not overwrite the change of another sender. So it reads the value with
 * its version, and stores the new value only if this version is still the current one:
 *
 *     do {
 *         version = edo_watch_read(&self->config, &self->next);
 *         self->next.level++;
 *     } while (edo_watch_send_if(&self->config, &self->next, version) == -EAGAIN);
 *
 * Cancellation. After a cancelled receive, the change still counts as not seen.
 *
 * Threads. The ends may be used on any thread, in any runtime and outside of runtimes. Several
 * threads may use a sender at the same time, but only one thread at a time may use a receiver. */
#pragma once

#include <edo/ends.h>

EDO_BEGIN_DECLS

typedef struct edo__watch edo__watch;

/* A receiver. */
typedef struct edo__watching {
    edo__watch *watch;
    uint64_t seen; // version
} edo__watching;

EDO_API extern const edo_future_ops edo__watch_recv_ops, edo__watch_closed_ops;

EDO_API EDO_MUST_USE int edo__watch_create(edo__watch **ret_watch, edo__watching *ret_receiver,
                                           size_t size, const void *value);
EDO_API uint32_t edo__watch_send(edo__watch *watch, const void *value);
EDO_API EDO_MUST_USE int64_t edo__watch_send_if(edo__watch *watch, const void *value,
                                                uint64_t version);
EDO_API uint32_t edo__watch_exchange(edo__watch *watch, void *value);
EDO_API uint64_t edo__watch_read(edo__watch *watch, void *ret_value);
EDO_API uint32_t edo__watch_receivers(edo__watch *watch);
EDO_API uint32_t edo__watch_senders(edo__watch *watch);
EDO_API void edo__watch_subscribe(edo__watch *watch, edo__watching *ret_receiver);
EDO_API void *edo__watch_sender_ref(edo__watch *watch);
EDO_API void edo__watch_sender_close(edo__watch *watch);
EDO_API void edo__watch_receiver_ref(const edo__watching *receiver, edo__watching *ret_receiver);
EDO_API void edo__watch_receiver_close(edo__watching *receiver);
EDO_API int edo__watch_get(edo__watching *receiver, void *ret_value, bool marks);
EDO_API int edo__watch_has_changed(const edo__watching *receiver);
EDO_API void edo__watch_mark(edo__watching *receiver, bool changed);
EDO_API EDO_MUST_USE int64_t edo__watch_try_recv(edo__watching *receiver, void *ret_value);
EDO_API EDO_MUST_USE int64_t edo__watch_recv_now(edo_cx *cx, edo__watching *receiver,
                                                 void *ret_value);

static inline EDO_MUST_USE edo_op edo__watch_recv(edo__watching *receiver, void *ret_value)
{
    return edo__op(&edo__watch_recv_ops, receiver, ret_value, 0, 0);
}
static inline EDO_MUST_USE edo_op edo__watch_closed(edo__watch *watch)
{
    return edo__op(&edo__watch_closed_ops, watch, NULL, 0, 0);
}

EDO_END_DECLS

/* Types of the ends. All members are private. Do not move a receiver while its operation waits. */
#define edo_watch_sender(T)                                                                        \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__watch *edo_watch_tx;                                                                  \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_watch_receiver(T)                                                                      \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__watching edo_watching;                                                                \
        __typeof__(T) *edo_type;                                                                   \
    }

/* Makes a watch with one sender and one receiver. `value` is a pointer to the first value.
 * Returns: 0; -ENOMEM. Thread: any. */
#define edo_watch_create(ret_tx, ret_rx, value)                                                    \
    (edo__check_end(ret_tx, ret_rx), edo__check_type(ret_tx, value),                               \
     edo__watch_create(&(ret_tx)->edo_watch_tx, &(ret_rx)->edo_watching,                           \
                       sizeof *(ret_tx)->edo_type, (value)))

/* ---- senders ---- */

/* Stores a value and wakes the receivers.
 * Returns: number of receivers; 0: there is none. Thread: any. */
#define edo_watch_send(tx, value)                                                                  \
    (edo__check_type(tx, value), edo__watch_send((tx)->edo_watch_tx, (value)))

/* As edo_watch_send(), but only if `version` is still the version of the stored value.
 * Returns: as edo_watch_send(); -EAGAIN: the value was changed meanwhile. Thread: any. */
#define edo_watch_send_if(tx, value, version)                                                      \
    (edo__check_type(tx, value), edo__watch_send_if((tx)->edo_watch_tx, (value), (version)))

/* Stores *value, and then sets *value to the value that was stored before.
 * Returns: as edo_watch_send(). Thread: any. */
#define edo_watch_exchange(tx, value)                                                              \
    (edo__check_type(tx, value), edo__watch_exchange((tx)->edo_watch_tx, (value)))

/* Copies the value. Returns: the version of the value. Thread: any. */
#define edo_watch_read(tx, ret_value)                                                              \
    (edo__check_type(tx, ret_value), edo__watch_read((tx)->edo_watch_tx, (ret_value)))

/* Adds a sender, which the caller closes. Thread: any. */
#define edo_watch_sender_clone(tx)                                                                 \
    (__extension__({                                                                               \
        __typeof__(*(tx)) edo_end_ = { edo__watch_sender_ref((tx)->edo_watch_tx) };                \
        edo_end_;                                                                                  \
    }))
#define edo_watch_sender_close(tx)                                                                 \
    (edo__watch_sender_close((tx)->edo_watch_tx), (void)((tx)->edo_core = NULL))

/* Adds a receiver, which has seen the present value. Thread: any. */
#define edo_watch_subscribe(tx, ret_rx)                                                            \
    (edo__check_end(tx, ret_rx), edo__watch_subscribe((tx)->edo_watch_tx, &(ret_rx)->edo_watching))

/* Waits until there is no receiver.
 * Result: 0. Cancel: prompt; if the last receiver was closed during the wait, the result is still
 * 0. */
#define edo_watch_closed(tx) edo__watch_closed((tx)->edo_watch_tx)

/* Numbers of receivers and of senders. Thread: any; snapshots. */
#define edo_watch_receivers(tx) edo__watch_receivers((tx)->edo_watch_tx)
#define edo_watch_senders(tx)   edo__watch_senders((tx)->edo_watch_tx)

/* ---- receivers ---- */

/* Waits until there is a value that this receiver has not seen, and copies the last value.
 * Result: 1 with *ret_value; 0: the last sender was closed, and the last value was seen.
 * Cancel: prompt; nothing was seen. */
#define edo_watch_recv(rx, ret_value)                                                              \
    (edo__check_type(rx, ret_value), edo__watch_recv(&(rx)->edo_watching, (ret_value)))

/* As edo_watch_recv() in an async function, but without an await if there is an unseen value. */
#define edo_await_watch(rc, rx, ret_value)                                                         \
    edo__now_or_await(rc,                                                                          \
                      (edo__check_type(rx, ret_value),                                             \
                       edo__watch_recv_now(cx, &(rx)->edo_watching, (ret_value))),                 \
                      edo_watch_recv(rx, ret_value))

/* Receives without waiting. Returns: as edo_watch_recv(), and -EAGAIN. Thread: one at a time. */
#define edo_watch_try_recv(rx, ret_value)                                                          \
    (edo__check_type(rx, ret_value), edo__watch_try_recv(&(rx)->edo_watching, (ret_value)))

/* As edo_watch_recv(), but without a copy. The value counts as seen afterwards. */
#define edo_watch_changed(rx) edo__watch_recv(&(rx)->edo_watching, NULL)

/* These calls copy the last value, seen or not, even after the end. edo_watch_get() marks the value
 * as seen, and edo_watch_peek() does not.
 * Returns: 1: this receiver had not seen the value; 0: the receiver had seen it. Thread: one at a
 * time. */
#define edo_watch_get(rx, ret_value)                                                               \
    (edo__check_type(rx, ret_value), edo__watch_get(&(rx)->edo_watching, (ret_value), true))
#define edo_watch_peek(rx, ret_value)                                                              \
    (edo__check_type(rx, ret_value), edo__watch_get(&(rx)->edo_watching, (ret_value), false))

/* Tests whether there is an unseen value.
 * Returns: 1: there is one; 0: none; -EPIPE: none, and the last sender was closed.
 * Thread: one at a time. */
#define edo_watch_has_changed(rx) edo__watch_has_changed(&(rx)->edo_watching)

/* These calls mark the value as not seen, or as seen. Thread: one at a time. */
#define edo_watch_mark_changed(rx)   edo__watch_mark(&(rx)->edo_watching, true)
#define edo_watch_mark_unchanged(rx) edo__watch_mark(&(rx)->edo_watching, false)

/* Adds a receiver, which has seen the same value as this one. Thread: one at a time. */
#define edo_watch_receiver_clone(rx, ret_rx)                                                       \
    (edo__check_end(rx, ret_rx),                                                                   \
     edo__watch_receiver_ref(&(rx)->edo_watching, &(ret_rx)->edo_watching))
#define edo_watch_receiver_close(rx) edo__watch_receiver_close(&(rx)->edo_watching)

/* Oneshots: one value from one sender to one receiver, such as a reply or the result of a job.
 *
 *     typedef edo_oneshot_sender(struct reply) reply_sender;
 *     typedef edo_oneshot_receiver(struct reply) reply_receiver;
 *
 *     rc = edo_oneshot_create(&self->request.reply, &self->reply);     // the sender is passed on
 *     edo_await_oneshot(rc, &self->reply, &self->answer);              // 1; 0: there will be none
 *
 * A send never waits. A send always closes the sender, whatever the send returns. A receive that
 * answers 1 or 0 closes the receiver; another receive then answers 0. The program must close each
 * end that is still open.
 *
 * Even if a send returns 0, the value may never be received, because the receiver may be closed
 * afterwards. The value is then dropped. If edo_oneshot_create_with() was given a function, that
 * function is called with the value.
 *
 * Cancellation. A cancelled receive has taken nothing. The value is still in the oneshot.
 *
 * Threads. The two ends may be used on any threads, in any runtimes and outside of runtimes. Only
 * one task or thread at a time may use an end. */
#pragma once

#include <edo/ends.h>

EDO_BEGIN_DECLS

typedef struct edo__oneshot edo__oneshot;

EDO_API extern const edo_future_ops edo__oneshot_recv_ops, edo__oneshot_closed_ops;

EDO_API EDO_MUST_USE int edo__oneshot_create(edo__oneshot **ret_oneshot, size_t size,
                                             void (*drop)(void *value, void *context),
                                             void *context);
EDO_API EDO_MUST_USE int edo__oneshot_send(void **end, const void *value);
EDO_API void edo__oneshot_sender_close(edo__oneshot *oneshot);
EDO_API bool edo__oneshot_is_closed(const edo__oneshot *oneshot);
EDO_API EDO_MUST_USE int64_t edo__oneshot_try_recv(void **end, void *ret_value);
EDO_API EDO_MUST_USE int64_t edo__oneshot_recv_now(edo_cx *cx, void **end, void *ret_value);
EDO_API bool edo__oneshot_has_value(const edo__oneshot *oneshot);
EDO_API void edo__oneshot_shutdown(edo__oneshot *oneshot);
EDO_API void edo__oneshot_receiver_close(edo__oneshot *oneshot);

static inline EDO_MUST_USE edo_op edo__oneshot_recv(void **end, void *ret_value)
{
    return edo__op(&edo__oneshot_recv_ops, end, ret_value, 0, 0);
}
static inline EDO_MUST_USE edo_op edo__oneshot_closed(edo__oneshot *oneshot)
{
    return edo__op(&edo__oneshot_closed_ops, oneshot, NULL, 0, 0);
}

EDO_END_DECLS

/* Types of the ends. All members are private. */
#define edo_oneshot_sender(T)                                                                      \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__oneshot *edo_oneshot_tx;                                                              \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_oneshot_receiver(T)                                                                    \
    union {                                                                                        \
        void *edo_core;                                                                            \
        edo__oneshot *edo_oneshot_rx;                                                              \
        __typeof__(T) *edo_type;                                                                   \
    }

/* Makes a oneshot, as one block of memory (48 bytes for a value of one word). The block comes from
 * the worker's heap if the caller runs on a worker, otherwise from the allocator.
 * Returns: 0 with both ends; -ENOMEM. Thread: any. */
#define edo_oneshot_create(ret_tx, ret_rx) edo_oneshot_create_with(ret_tx, ret_rx, NULL, NULL)

/* As edo_oneshot_create(), but with a function void drop(void *value, void *context) for a value
 * that is never received. */
#define edo_oneshot_create_with(ret_tx, ret_rx, drop, context)                                     \
    (__extension__({                                                                               \
        edo__check_end(ret_tx, ret_rx);                                                            \
        edo__oneshot *edo_oneshot_ = NULL;                                                         \
        int edo_rc_ = edo__oneshot_create(&edo_oneshot_, sizeof *(ret_tx)->edo_type, (drop),       \
                                          (context));                                              \
        if (edo_rc_ == 0) (ret_tx)->edo_oneshot_tx = (ret_rx)->edo_oneshot_rx = edo_oneshot_;      \
        edo_rc_;                                                                                   \
    }))

/* Sends the value, and closes the sender.
 * Returns: 0; -EPIPE: the receiver was closed, and the caller still owns the value. Thread: any. */
#define edo_oneshot_send(tx, value)                                                                \
    (edo__check_type(tx, value), (void)sizeof((tx)->edo_oneshot_tx),                               \
     edo__oneshot_send(&(tx)->edo_core, (value)))

/* Closes the sender without a value. A receive then answers 0. Thread: any. */
#define edo_oneshot_sender_close(tx)                                                               \
    (edo__oneshot_sender_close((tx)->edo_oneshot_tx), (void)((tx)->edo_core = NULL))

/* Waits until the receiver is closed. The sender must not be used while the operation is in flight.
 * The operation does not close the sender.
 * Result: 0. Cancel: prompt; if the receiver was closed during the wait, the result is still 0. */
#define edo_oneshot_closed(tx)    edo__oneshot_closed((tx)->edo_oneshot_tx)
#define edo_oneshot_is_closed(tx) edo__oneshot_is_closed((tx)->edo_oneshot_tx)

/* Waits for the value.
 * Result: 1 with *ret_value; 0: the sender was closed without a value. Both results close the
 * receiver.
 * Cancel: prompt; nothing was taken. */
#define edo_oneshot_recv(rx, ret_value)                                                            \
    (edo__check_type(rx, ret_value), (void)sizeof((rx)->edo_oneshot_rx),                           \
     edo__oneshot_recv(&(rx)->edo_core, (ret_value)))

/* As edo_oneshot_recv() in an async function, but without an await if the value was sent. */
#define edo_await_oneshot(rc, rx, ret_value)                                                       \
    edo__now_or_await(rc,                                                                          \
                      (edo__check_type(rx, ret_value), (void)sizeof((rx)->edo_oneshot_rx),         \
                       edo__oneshot_recv_now(cx, &(rx)->edo_core, (ret_value))),                   \
                      edo_oneshot_recv(rx, ret_value))

/* Receives without waiting. Returns: as edo_oneshot_recv(), and -EAGAIN. Thread: any. */
#define edo_oneshot_try_recv(rx, ret_value)                                                        \
    (edo__check_type(rx, ret_value), (void)sizeof((rx)->edo_oneshot_rx),                           \
     edo__oneshot_try_recv(&(rx)->edo_core, (ret_value)))

/* Whether a value was sent. Thread: any. */
#define edo_oneshot_has_value(rx) edo__oneshot_has_value((rx)->edo_oneshot_rx)

/* Refuses later sends. A value that was sent before is still received. Thread: any. */
#define edo_oneshot_receiver_shutdown(rx) edo__oneshot_shutdown((rx)->edo_oneshot_rx)

/* Closes the receiver. A value that was sent is dropped. Thread: any. */
#define edo_oneshot_receiver_close(rx)                                                             \
    (edo__oneshot_receiver_close((rx)->edo_oneshot_rx), (void)((rx)->edo_core = NULL))

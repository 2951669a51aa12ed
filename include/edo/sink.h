/* Sinks: destinations of items, the counterpart of streams.
 *
 *     edo_sender_sink_of(struct job) jobs;                     // in the frame
 *     ...
 *     edo_sender_sink_init(&self->jobs, &self->tx);
 *     edo_await(rc, edo_sink_send(&self->jobs, &self->job));
 *     edo_await(rc, edo_sink_flush(&self->jobs));
 *
 * A send waits until the sink has room, and then takes the item. So a slow sink slows its sender
 * down (back-pressure). If an item was not taken, because of a cancellation or an error, the item
 * is still the caller's. A flush waits until all items that were taken have been passed on.
 *
 * Sinks are plain structs in a frame, typed as streams are (edo/sequence.h), and belong to one task
 * at a time. When an operation has answered, nothing of the sink is in flight.
 */
#pragma once

#include <edo/features.h>

#include <edo/sequence.h>

#if EDO_HAS_SYNC
#include <edo/channels.h>
#endif

EDO_BEGIN_DECLS

typedef struct edo_sink edo_sink;

/* A kind of sink. The functions are called in a poll of the sink's task. `ready`, `flush` and
 * `close` return 0, a negative errno, or EDO_NEXT_WAITS after arranging a wake. After
 * EDO_NEXT_WAITS of one of these three functions, the next call of any of the three continues the
 * same work. When edo_cx_fate() is no longer EDO_LIVE, an answer must come soon, and is -ECANCELED
 * if the work is not done. */
typedef struct edo_sink_ops {
    const char *name;
    int64_t (*ready)(edo_sink *sink, edo_cx *cx);

    /* Takes an item, after `ready` has returned 0 in this poll or in an earlier one. Returns: 0; a
     * negative errno, and the item is still the caller's. */
    int64_t (*put)(edo_sink *sink, const void *item);

    int64_t (*flush)(edo_sink *sink, edo_cx *cx);

    /* As `put`, with up to `count` items (> 0), in order, as long as there is room. Returns: number
     * of items taken, > 0; a negative errno if the first item was refused. NULL: `put` is called
     * instead. */
    int64_t (*put_many)(edo_sink *sink, const void *items, size_t count);

    /* Flushes, and releases the sink's resources. NULL: `flush` is called instead. */
    int64_t (*close)(edo_sink *sink, edo_cx *cx);
    const void *reserved[1];
} edo_sink_ops;

/* Head of every sink. The members are for authors of sinks. */
struct edo_sink {
    const edo_sink_ops *ops;
    const edo_op *user; // operation in flight
    uint32_t size;      // bytes of an item
    bool is_free;       // the last item was put into memory, and used no budget
    uint8_t free_count; // number of items put into memory, modulo 256; used by the kind of sink
    uint8_t reserved[2];
};

/* Value of the head of a new sink: its kind, and the size of its items. */
#define EDO_SINK_INIT(sink_ops, item_size)                                                         \
    {                                                                                              \
        (sink_ops), NULL, (item_size), false, 0,                                                   \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

EDO_API extern const edo_future_ops edo__sink_send_ops, edo__sink_send_many_ops,
    edo__sink_flush_ops, edo__sink_close_ops;
EDO_API extern const edo_future_ops edo__forward_ops;
EDO_API EDO_MUST_USE int64_t edo__sink_send_now(edo_cx *cx, edo_sink *sink, const void *item);
EDO_API EDO_MUST_USE int64_t edo__sink_send_many_now(edo_cx *cx, edo_sink *sink, const void *items,
                                                     size_t count);

EDO_END_DECLS

/* A sink of any kind, for items of type T; used by pointer: edo_as_sink(int_sink, &self->jobs). */
#define edo_sink_of(T)                                                                             \
    union {                                                                                        \
        edo_sink sink;                                                                             \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo__sink_kind_of(T, impl)                                                                 \
    union {                                                                                        \
        impl edo_impl;                                                                             \
        edo_sink sink;                                                                             \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_as_sink(type, out)                                                                     \
    (edo__check_type(out, ((type *)0)->edo_type), (type *)(void *)&(out)->sink)

/* ---- operations ---- */

/* Sends an item. `item` points to the item, whose memory must be valid until the operation has
 * ended.
 * Result: 0; a negative errno of the sink, -EBUSY. If the result is not 0, the item is still the
 * caller's. Cancel: waits; the item was not taken. */
#define edo_sink_send(out, item)                                                                   \
    (edo__check_type(out, item),                                                                   \
     edo__op(&edo__sink_send_ops, &(out)->sink, (void *)(uintptr_t)(item), 0, 0))

/* As edo_sink_send() in an async function, but without an await if there is room. */
#define edo_await_sink_send(rc, out, item)                                                         \
    edo__step_or_await(rc,                                                                         \
                       (edo__check_type(out, item), edo__sink_send_now(cx, &(out)->sink, (item))), \
                       edo_sink_send(out, item))

/* Sends items of an array, in order, as long as the sink has room. Waits only for the first item.
 * Result: number of items sent, > 0; -EINVAL: count is 0; a negative errno of the sink for the
 * first item. The items that were not sent are still the caller's.
 * Cancel: waits; nothing was sent. */
#define edo_sink_send_many(out, items, count)                                                      \
    (edo__check_type(out, items),                                                                  \
     edo__op(&edo__sink_send_many_ops, &(out)->sink, (void *)(uintptr_t)(items), (count), 0))

/* edo_sink_send_many() in an async function, without an await if there is room. */
#define edo_await_sink_send_many(rc, out, items, count)                                            \
    edo__step_or_await(rc,                                                                         \
                       (edo__check_type(out, items),                                               \
                        edo__sink_send_many_now(cx, &(out)->sink, (items), (count))),              \
                       edo_sink_send_many(out, items, count))

/* These operations wait until all items have been passed on. edo_sink_close() also releases the
 * sink's resources, and the sink must not be used afterwards. Result: 0, or an error of the sink.
 * Cancel: waits for what is in flight in the sink; items may remain, and the next flush or close
 * passes them on. */
#define edo_sink_flush(out) edo__op(&edo__sink_flush_ops, &(out)->sink, NULL, 0, 0)
#define edo_sink_close(out) edo__op(&edo__sink_close_ops, &(out)->sink, NULL, 0, 0)

/* ---- kinds ---- */

EDO_BEGIN_DECLS

typedef int64_t edo_sink_fn(void *context, const void *item);

typedef struct edo__function_sink {
    edo_sink sink;
    edo_sink_fn *fn;
    void *context;
} edo__function_sink;

typedef struct edo__pair_sink {
    edo_sink sink;
    edo_sink *first, *second;
    edo_sink_fn *test; // NULL: both sinks get each item
    void *context;
    int32_t error;    // first error that was not answered yet; 0: none
    uint8_t step;     // step in flight; 0: none
    uint8_t answered; // sinks that have answered the step
    uint8_t closed;   // sinks that have closed
    uint8_t reserved[1];
} edo__pair_sink;

EDO_API void edo__function_sink_init(edo__function_sink *sink, edo_sink_fn *fn, void *context,
                                     uint32_t size);
EDO_API void edo__pair_sink_init(edo__pair_sink *sink, edo_sink *first, edo_sink *second,
                                 edo_sink_fn *test, void *context, uint32_t size);

#if EDO_HAS_SYNC
typedef struct edo__sender_sink {
    edo_sink sink;
    edo__channel *channel;
    edo__permits permits; // the reserved place, while there is one
    edo_op inner;         // in flight while base.ops is set
    bool is_unbounded;
} edo__sender_sink;

EDO_API void edo__sender_sink_init(edo__sender_sink *sink, edo__channel *channel, uint32_t size);
#endif

EDO_END_DECLS

/* A sink that calls fn(context, item) with each item. fn does not wait, and returns 0 or a negative
 * errno. */
#define edo_function_sink_of(T) edo__sink_kind_of(T, edo__function_sink)
#define edo_function_sink_init(s, fn, context)                                                     \
    edo__function_sink_init(&(s)->edo_impl, (fn), (context), edo__item_size(s))

#define edo_pair_sink_of(T) edo__sink_kind_of(T, edo__pair_sink)

/* Splits items by a predicate: items for which fn(context, item) returns > 0 go to `yes`, others to
 * `no`. A negative errno of fn refuses the item. The split has room when both sinks have room. If
 * both sinks are senders of channels, two tasks can receive the two parts. */
#define edo_split_sink_init(s, yes, no, fn, context)                                               \
    (edo__check_end(yes, s), edo__check_end(no, s),                                                \
     edo__pair_sink_init(&(s)->edo_impl, &(yes)->sink, &(no)->sink, (fn), (context),               \
                         edo__item_size(s)))

/* Sends each item to both sinks. If the second sink refuses an item, the first sink has already
 * taken it. An error of one sink is answered when the other sink no longer waits. */
#define edo_both_sink_init(s, first, second)                                                       \
    (edo__check_end(first, s), edo__check_end(second, s),                                          \
     edo__pair_sink_init(&(s)->edo_impl, &(first)->sink, &(second)->sink, NULL, NULL,              \
                         edo__item_size(s)))

#if EDO_HAS_SYNC
/* A sink that sends to a channel. The sink borrows the sender. A sink of a bounded channel reserves
 * a place in the channel before it is ready for an item, and keeps that place until its next item
 * or its close. To share a stream among several receivers, forward it to the sink of an mpmc
 * sender. */
#define edo_sender_sink_of(T) edo__sink_kind_of(T, edo__sender_sink)
#define edo_sender_sink_init(s, tx)                                                                \
    (edo__check_end(s, tx), edo__sender_sink_init(&(s)->edo_impl, (tx)->edo_tx, edo__item_size(s)))
#endif

/* ---- forwarding ---- */

EDO_BEGIN_DECLS

typedef struct edo__forward {
    edo_stream *in;
    edo_sink *out;
    void *slot;
    int64_t error; // error that the operation answers after the flush or pull in flight; 0: none
    uint8_t phase;
    bool has_item, is_over, is_unflushed;
} edo__forward;

EDO_END_DECLS

/* Sends all items of a stream to a sink. While the sink has no room, the struct holds an item. So a
 * cancellation or an error loses no item, and another edo_forward() continues with that item. */
#define edo_forward_of(T)                                                                          \
    struct {                                                                                       \
        edo__forward edo_impl;                                                                     \
        __typeof__(T) edo_slot;                                                                    \
    }
#define edo_forward_init(f, from, to)                                                              \
    (edo__check_type(from, &(f)->edo_slot), edo__check_type(to, &(f)->edo_slot),                   \
     (void)((f)->edo_impl = __extension__(edo__forward){                                           \
                &(from)->stream, &(to)->sink, &(f)->edo_slot, 0, 0, false, false, false }))

/* The sink is flushed whenever the stream waits, and before an error of the stream is answered.
 * Result: 0: the stream has ended, and the sink was flushed; the first error of the stream or of
 * the sink; -EBUSY: an operation of the stream or of the sink is in flight. edo_op_progress() is
 * the number of items sent.
 * Cancel: waits; no item is lost. */
#define edo_forward(f) edo__op(&edo__forward_ops, &(f)->edo_impl, NULL, 0, 0)

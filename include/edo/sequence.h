/* Streams: sequences of items that are pulled one at a time.
 *
 *     edo_array_of(int) numbers;                       // all in the frame
 *     edo_step_of(int) even;
 *     int number;
 *     ...
 *     edo_array_init(&self->numbers, table, 100);
 *     edo_filter_init(&self->even, &self->numbers, is_even, NULL);      // edo/combinators.h
 *     edo_for_each(rc, &self->even, &self->number)
 *         printf("%d\n", self->number);
 *
 * A stream has one operation, edo_next(), which answers 1 with an item, 0 at the end, or a negative
 * errno. A negative errno is one answer, not the end: the next edo_next() continues. After the end
 * every edo_next() answers 0.
 *
 * Streams are plain structs in a frame; neither a stream nor an item is allocated. A stream begins
 * with an edo_stream, which has the size of the items. The type of a stream carries the type of its
 * items, and the macros compare these types at compile time. Items are copied by size, as by
 * memcpy(). A stream must not move after its initialisation. A function that accepts streams of any
 * kind takes a pointer of type edo_stream_of(int) *, and its caller makes this pointer by
 * edo_as_stream().
 *
 * Cancellation. A cancelled edo_next() gives no item and loses none, at any depth of combinators.
 * If a combinator has already taken an item from its input, the combinator keeps the item, and the
 * next edo_next() continues with it. When edo_next() has answered, nothing of the stream is in
 * flight, so the stream may be dropped at any time. The exceptions are the streams of
 * edo/together.h. They keep operations in flight, which end when the function of the stream
 * returns.
 *
 * Owner. A stream belongs to one task at a time, and has one operation in flight (-EBUSY for a
 * second one). A stream borrows the object that it reads: the receiver, the listener, the array.
 *
 * Your own kinds. A kind of stream has two parts: a struct that begins with an edo_stream, and a
 * table of type edo_stream_ops. EDO_STREAM_INIT() is the initial value of the edo_stream. A
 * combinator pulls its input by edo_pull(). */
#pragma once

#include <edo/ends.h>

EDO_BEGIN_DECLS

typedef struct edo_stream edo_stream;

/* Answer of edo_stream_ops.next: no item yet, and a wake is arranged. */
#define EDO_NEXT_WAITS INT64_MIN

/* A kind of stream. */
typedef struct edo_stream_ops {
    const char *name;

    /* Makes one step towards the next item. Called in a poll of the stream's task.
     * Returns: 1 with *ret_item; 0 at the end; a negative errno; EDO_NEXT_WAITS after arranging a
     * wake. After EDO_NEXT_WAITS, `next` is called again with the same ret_item, until it returns
     * something else: an answer. When edo_cx_fate() is no longer EDO_LIVE, an answer must come
     * soon: the item, or -ECANCELED if there is none. After an answer nothing is in flight. */
    int64_t (*next)(edo_stream *stream, edo_cx *cx, void *ret_item);

    /* As `next`, but may also write further items that are already in memory. Writes at most `most`
     * items in all; `most` is at least 1. Returns: the number of items written; otherwise 0, a
     * negative errno or EDO_NEXT_WAITS, as `next` does. NULL: `next` is called instead. */
    int64_t (*next_many)(edo_stream *stream, edo_cx *cx, void *ret_items, size_t most);
    const void *reserved[1];
} edo_stream_ops;

/* Head of every stream. The members are for authors of streams. */
struct edo_stream {
    const edo_stream_ops *ops;
    const edo_op *user; // edo_next() in flight
    uint32_t size;      // bytes of an item
    bool has_ended;
    bool is_free;       // the last answer was an item from memory, and used no budget
    uint8_t free_count; // for the kind's own use: number of items from memory (modulo 256), or
                        // whether the last answer came without a wait
    uint8_t reserved[1];
};

/* Value of the head of a new stream: its kind, and the size of its items. */
#define EDO_STREAM_INIT(stream_ops, item_size)                                                     \
    {                                                                                              \
        (stream_ops), NULL, (item_size), false, false, 0,                                          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

EDO_API extern const edo_future_ops edo__next_ops, edo__next_many_ops, edo__each_ops,
    edo__gather_ops;

/* Pulls another stream by one step, for authors of combinators. */
static inline int64_t edo_pull(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    if (stream->has_ended) return 0;
    int64_t result = stream->ops->next(stream, cx, ret_item);
    if (result == 0) stream->has_ended = true;
    return result;
}

EDO_API EDO_MUST_USE int64_t edo__next_now(edo_cx *cx, edo_stream *stream, void *ret_item);
EDO_API EDO_MUST_USE int64_t edo__next_many_now(edo_cx *cx, edo_stream *stream, void *ret_items,
                                                size_t most);

static inline EDO_MUST_USE edo_op edo__next(edo_stream *stream, void *ret_item)
{
    return edo__op(&edo__next_ops, stream, ret_item, 0, 0);
}

EDO_END_DECLS

/* ---- types ---- */

/* A stream of any kind, with items of type T; used by pointer. */
#define edo_stream_of(T)                                                                           \
    union {                                                                                        \
        edo_stream stream;                                                                         \
        __typeof__(T) *edo_type;                                                                   \
    }

/* A stream with the private struct `impl`. */
#define edo__kind_of(T, impl)                                                                      \
    union {                                                                                        \
        impl edo_impl;                                                                             \
        edo_stream stream;                                                                         \
        __typeof__(T) *edo_type;                                                                   \
    }

/* Converts a pointer to a stream of any kind to a pointer to `type`, such as a typedef of
 * edo_stream_of(T): edo_as_stream(int_stream, &self->even). */
#define edo_as_stream(type, in)                                                                    \
    (edo__check_type(in, ((type *)0)->edo_type), (type *)(void *)&(in)->stream)

#define edo__item_size(s) ((uint32_t)sizeof *(s)->edo_type)

/* ---- pulling ---- */

/* Takes the next item. ret_item points to memory for the item. This memory must be valid until the
 * operation has ended.
 * Result: 1 with *ret_item; 0: the end; a negative errno of the stream. If there is no item,
 * *ret_item is unspecified.
 * Cancel: waits; nothing was taken. */
#define edo_next(in, ret_item) (edo__check_type(in, ret_item), edo__next(&(in)->stream, (ret_item)))

/* As edo_next() in an async function, but without an await if an item is ready. The macro evaluates
 * its arguments twice. */
#define edo_await_next(rc, in, ret_item)                                                           \
    edo__step_or_await(                                                                            \
        rc, (edo__check_type(in, ret_item), edo__next_now(cx, &(in)->stream, (ret_item))),         \
        edo_next(in, ret_item))

/* Takes the items that are in memory already, at most `max`, into an array. Waits only for the
 * first item. Only some kinds of streams, such as streams of frames (edo/codec.h), give more than
 * one item per call. All frames of one call are valid until the next pull.
 * Result: number of items, > 0; 0: the end; -EINVAL: max is 0; a negative errno of the stream.
 * Cancel: waits; nothing was taken. */
#define edo_next_many(in, ret_items, max)                                                          \
    (edo__check_type(in, ret_items),                                                               \
     edo__op(&edo__next_many_ops, &(in)->stream, (ret_items), (max), 0))

/* edo_next_many() in an async function, without an await if an item is ready. */
#define edo_await_next_many(rc, in, ret_items, max)                                                \
    edo__step_or_await(rc,                                                                         \
                       (edo__check_type(in, ret_items),                                            \
                        edo__next_many_now(cx, &(in)->stream, (ret_items), (max))),                \
                       edo_next_many(in, ret_items, max))

/* Evaluates the expression `step`, and awaits the operation only if the value is
 * EDO_NEXT_WAITS. */
#define edo__step_or_await(rc, step, ...)                                                          \
    do {                                                                                           \
        edo__check_signed(rc);                                                                     \
        int64_t edo_step_ = (step);                                                                \
        rc = (__typeof__(rc))edo_step_;                                                            \
        if (edo_step_ == EDO_NEXT_WAITS) edo_await(rc, __VA_ARGS__);                               \
    } while (0)

/* Loops over the items of a stream, in an async function: edo_for_each(rc, &self->in, &self->item)
 * { ... }. After the loop, rc is 0 at the end of the stream, or the first negative errno. */
#define edo_for_each(rc, in, ret_item)                                                             \
    edo__for_each(EDO__CAT(edo_item_, __COUNTER__), rc, in, ret_item)
#define edo__for_each(body, rc, in, ret_item)                                                      \
    for (;;)                                                                                       \
        if (1) {                                                                                   \
            edo_await_next(rc, in, ret_item);                                                      \
            if (rc != 1) break;                                                                    \
            goto body;                                                                             \
        } else                                                                                     \
body:

/* ---- consuming a whole stream ---- */

/* A function that is called with each item. Returns: 0 to continue; another value ends the loop
 * with that result. */
typedef int64_t edo_item_fn(void *context, const void *item);

static inline EDO_MUST_USE edo_op edo__each(const edo_future_ops *ops, edo_stream *in, void *item,
                                            edo_item_fn *fn, void *context, uint32_t mode)
{
    edo_op op = edo__op(ops, in, item, (uint64_t)(uintptr_t)fn, mode);
    op.link.at.extra = context;
    return op;
}

enum { EDO__FOLD, EDO__ALL, EDO__ANY };

/* Calls fn(context, item) with each item. item: a pointer to memory for one item. In a fold, the
 * context is the accumulator.
 * Result: 0 at the end; a value other than 0 that fn returned; a negative errno of the stream.
 * edo_op_progress() is the number of items taken.
 * Cancel: waits; edo_op_progress() items were taken, and given to fn. */
#define edo_fold(in, item, fn, context)                                                            \
    (edo__check_type(in, item),                                                                    \
     edo__each(&edo__each_ops, &(in)->stream, (item), (fn), (context), EDO__FOLD))

/* Checks whether fn returns a value above 0 for all items (edo_all_items), or for at least one item
 * (edo_any_item). The loop ends as soon as the answer is certain.
 * Result: 1 or 0; a negative errno of fn or of the stream. Cancel: as edo_fold(). */
#define edo_all_items(in, item, fn, context)                                                       \
    (edo__check_type(in, item),                                                                    \
     edo__each(&edo__each_ops, &(in)->stream, (item), (fn), (context), EDO__ALL))
#define edo_any_item(in, item, fn, context)                                                        \
    (edo__check_type(in, item),                                                                    \
     edo__each(&edo__each_ops, &(in)->stream, (item), (fn), (context), EDO__ANY))

/* Takes and counts all items.
 * Result: their number, or a negative errno of the stream. Cancel: as edo_fold(). */
#define edo_count(in, item)                                                                        \
    (edo__check_type(in, item),                                                                    \
     edo__each(&edo__each_ops, &(in)->stream, (item), NULL, NULL, EDO__FOLD))

/* Collects at most `max` items into an array.
 * Result: number of items, fewer than `max` only at the end; or a negative errno of the stream.
 * After an error or a cancellation, edo_op_progress() items are in the array.
 * Cancel: waits. */
#define edo_collect(in, ret_items, max)                                                            \
    (edo__check_type(in, ret_items),                                                               \
     edo__op(&edo__gather_ops, &(in)->stream, (ret_items), (max), 0))

/* ---- sources ---- */

EDO_BEGIN_DECLS

typedef int64_t edo_source_fn(void *context, void *ret_item);
typedef edo_op edo_source_op_fn(void *context, void *ret_item);
/* Makes one attempt, without the operation. Returns: as the operation; -EAGAIN: it would wait. */
typedef int64_t edo_source_now_fn(edo_cx *cx, void *context, void *ret_item);
/* Converts a result of the operation to an answer of the stream. */
typedef int64_t edo_source_answer_fn(void *context, int64_t result, void *ret_item);

/* Structs of sources; all members are private. */
typedef struct edo__array {
    edo_stream stream; // 24 bytes
    const char *items;
    uint64_t count; // number of items not yet given; UINT64_MAX: repeat without end
} edo__array;

typedef struct edo__range {
    edo_stream stream;
    int64_t next, end, step;
} edo__range;

typedef struct edo__function {
    edo_stream stream;
    edo_source_fn *fn;
    void *context;
} edo__function;

/* A source that repeats an operation. */
typedef struct edo__op_source {
    edo_stream stream;
    edo_source_op_fn *make;
    edo_source_answer_fn *answer; // NULL: the result itself
    edo_source_now_fn *now;       // NULL: always by the operation
    void *context;
    edo_op inner; // in flight while base.ops is set
} edo__op_source;

EDO_API void edo__array_init(edo__array *source, const void *items, uint64_t count, uint32_t size);
EDO_API void edo__range_init(edo__range *source, int64_t begin, int64_t end, int64_t step);
EDO_API void edo__pending_init(edo_stream *source, uint32_t size);
EDO_API void edo__function_init(edo__function *source, edo_source_fn *fn, void *context,
                                uint32_t size);
EDO_API void edo__op_source_init(edo__op_source *source, edo_source_op_fn *make,
                                 edo_source_answer_fn *answer, void *context, uint32_t size);

EDO_END_DECLS

/* Sizes with 8-byte pointers: edo_array_of, edo_function_of 40 bytes; edo_range 48;
 * edo_op_source_of 152. */
#define edo_array_of(T) edo__kind_of(T, edo__array)
#define edo_range       edo__kind_of(int64_t, edo__range)

/* Gives the items of an array. The array must outlive the stream. A pointer to one item and the
 * count 1 make a stream of one item. A count of 0 makes an empty stream. */
#define edo_array_init(s, items, count)                                                            \
    (edo__check_type(s, items),                                                                    \
     edo__array_init(&(s)->edo_impl, (items), (count), edo__item_size(s)))
#define edo_once_init(s, item) edo_array_init(s, item, 1)
#define edo_empty_init(s)      edo__array_init(&(s)->edo_impl, NULL, 0, edo__item_size(s))

/* Repeats the item *item without end. */
#define edo_repeat_init(s, item) edo_array_init(s, item, UINT64_MAX)

/* Gives the numbers from `begin` up to, but not including, `end`, at intervals of `step`. A step of
 * 0 aborts. */
#define edo_range_init(s, begin, end, step) edo__range_init(&(s)->edo_impl, (begin), (end), (step))

/* A stream that never answers, except to a cancellation. s: a pointer to any edo_stream_of(T). */
#define edo_never_init(s) edo__pending_init(&(s)->stream, edo__item_size(s))

/* Gives the items that fn(context, ret_item) makes. fn does not wait. fn returns 1 with an item, 0
 * at the end, or a negative errno. */
#define edo_function_of(T) edo__kind_of(T, edo__function)
#define edo_function_init(s, fn, context)                                                          \
    edo__function_init(&(s)->edo_impl, (fn), (context), edo__item_size(s))

/* Repeats an operation, and gives its items. fn(context, ret_item) makes the operation. The
 * operation answers 1 after writing an item to ret_item, 0 at the end, or a negative errno. So
 * every operation with such answers can be a stream: edo_scope_next(), edo_read_line(),
 * edo_peek(). */
#define edo_op_source_of(T) edo__kind_of(T, edo__op_source)
#define edo_op_source_init(s, fn, context)                                                         \
    edo__op_source_init(&(s)->edo_impl, (fn), NULL, (context), edo__item_size(s))

/* Combinators. A combinator is a stream that gets its items from another stream, its input.
 *
 *     edo_map_of(int, double) halves;                   // from int to double
 *     edo_step_of(double) first;
 *     ...
 *     edo_map_init(&self->halves, &self->numbers, halve, NULL);
 *     edo_take_init(&self->first, &self->halves, 10);
 *
 * A combinator lies in the frame and points to its input. The input must outlive the combinator.
 * Initialisation takes nothing from the input. If a combinator has taken an item from its input and
 * is cancelled, the item stays in the combinator (edo/sequence.h).
 *
 * User functions are plain functions with a context pointer. They are called in the poll of the
 * stream's task, and do not wait. To call an async function for each item, use edo_then_init().
 *
 * Errors. A negative errno of the input passes through every combinator unchanged, and does not end
 * the stream. Such an error is not counted, tested or mapped. If a user function returns a negative
 * errno for an item, the stream answers that errno in place of the item. So user functions may fail
 * in every combinator, and there are no separate try_ forms. edo_fold() and edo_for_each() end at
 * the first error. edo_stop_on_error_init() ends a stream at its first error.
 *
 * The end. After the end of a stream, edo_pull() always answers 0, without calling the stream's
 * `next` again.
 *
 * Sizes in bytes with 8-byte pointers: edo_step_of has 64; edo_map_of has 72 plus an item;
 * edo_paced_of has 80 plus an item; edo_flat_map_of has 64 plus an item; edo_then_of has 72 plus an
 * item and the frame; edo_chunks_of has 104 plus its items.
 */
#pragma once

#include <edo/sequence.h>

EDO_BEGIN_DECLS

/* Tests an item. Returns: > 0: yes; 0: no; a negative errno. */
typedef int64_t edo_test_fn(void *context, const void *item);

/* Makes an item from another item.
 * Returns: > 0 with *ret_item; 0: `item` is left out; EDO_NEXT_END: `item` is left out, and the
 * stream ends; a negative errno. */
typedef int64_t edo_map_fn(void *context, const void *item, void *ret_item);
#define EDO_NEXT_END (INT64_MIN + 1)

/* Receives a pointer to an item, and may change the item. */
typedef void edo_see_fn(void *context, void *item);

/* Structs of combinators; all members are private. */
typedef struct edo__step {
    edo_stream stream;
    edo_stream *in;
    union {
        edo_test_fn *test;
        edo_map_fn *map;
        edo_see_fn *see;
    };
    void *context; // context of the function, or the second stream
    union {
        uint64_t count;
        int64_t moment; // kinds with a clock: end of the current period; ns of edo_now()
    };
    uint8_t ending; // see edo__pull_until()
    bool is_over, has_item;
    bool is_pulling; // kinds with a clock: the last pull of the input waits
} edo__step;

typedef struct edo__paced {
    edo__step step;
    int64_t period; // ns
    char *slot;     // for an item of the combinator
} edo__paced;

typedef struct edo__map {
    edo__step step;
    void *slot; // for an item of the input
} edo__map;

typedef struct edo__flat {
    edo_stream stream;
    edo_stream *in;
    int64_t (*open)(void *context, const void *item, edo_stream **ret_stream);
    void *context;
    edo_stream *current; // stream of the last item; NULL: none
    void *slot;
} edo__flat;

typedef struct edo__then {
    edo_stream stream;
    edo_stream *in;
    const edo_future_ops *fn;
    edo_future *frame;
    void *context;
    void *slot;
    bool has_item, is_running;
} edo__then;

typedef struct edo__chunks {
    edo_stream stream;
    edo_stream *in;
    char *memory;       // room for `most` items
    uint64_t count;     // items in the memory
    uint64_t most;      // > 0
    uint64_t item_size; // bytes
    int64_t limit;      // ns; INT64_MAX: none
    int64_t moment;     // end of the limit; ns of edo_now()
    int64_t later;      // answer that follows the chunk
    uint64_t keep;      // number of items at the chunk's end that also begin the next chunk
    uint8_t ending;     // see edo__pull_until()
    bool was_given;
} edo__chunks;

/* Several items: the item type of edo_chunks_of() and edo_windows_of(). */
typedef struct edo_items {
    void *data;   // first item; valid until the next edo_next()
    size_t count; // number of items
} edo_items;

enum {
    EDO__FILTER,
    EDO__TAKE_WHILE,
    EDO__SKIP_WHILE,
    EDO__TAKE,
    EDO__SKIP,
    EDO__STEP_BY,
    EDO__SEE,
    EDO__NUMBER,
    EDO__CHAIN,
    EDO__STOP_ON_ERROR,
    EDO__RECOVER,
    EDO__END_NOTICE,
};

EDO_API void edo__step_init(edo__step *step, int kind, edo_stream *in, uint64_t count,
                            void *context);
EDO_API void edo__test_init(edo__step *step, int kind, edo_stream *in, edo_test_fn *fn,
                            void *context);
EDO_API void edo__see_init(edo__step *step, int kind, edo_stream *in, edo_see_fn *fn,
                           void *context);
EDO_API void edo__map_init(edo__map *map, edo_stream *in, void *slot, edo_map_fn *fn, void *context,
                           uint32_t size);
EDO_API void edo__flat_init(edo__flat *flat, edo_stream *in, void *slot,
                            int64_t (*open)(void *, const void *, edo_stream **), void *context,
                            uint32_t size);
EDO_API void edo__then_init(edo__then *then, edo_stream *in, void *slot, edo_future *frame,
                            const edo_future_ops *fn, void *context, uint32_t size);
EDO_API void edo__chunks_init(edo__chunks *chunks, edo_stream *in, void *memory, uint64_t most,
                              uint64_t keep, int64_t limit);
EDO_API void edo__dedup_init(edo__paced *dedup, edo_stream *in, void *slot, edo_map_fn *is_same,
                             void *context);
EDO_API void edo__peekable_init(edo__paced *peekable, edo_stream *in, void *slot);
EDO_API void edo__debounce_init(edo__paced *debounce, edo_stream *in, void *slot, int64_t period);
EDO_API void edo__rate_init(edo__paced *rate, edo_stream *in, int64_t period, uint64_t burst);
EDO_API void edo__item_timeout_init(edo__paced *timeout, edo_stream *in, int64_t limit,
                                    bool repeats);
EDO_API void edo__total_timeout_init(edo__paced *timeout, edo_stream *in, int64_t limit);

EDO_API extern const edo_future_ops edo__peek_item_ops;

EDO_END_DECLS

/* ---- one item in, one item out ---- */

#define edo_step_of(T) edo__kind_of(T, edo__step)

#define edo__test(s, kind, in, fn, context)                                                        \
    (edo__check_end(in, s), edo__test_init(&(s)->edo_impl, (kind), &(in)->stream, (fn), (context)))
#define edo__count(s, kind, in, count)                                                             \
    (edo__check_end(in, s), edo__step_init(&(s)->edo_impl, (kind), &(in)->stream, (count), NULL))

/* Gives the items for which fn returns > 0. */
#define edo_filter_init(s, in, fn, context) edo__test(s, EDO__FILTER, in, fn, context)

/* Gives the items before the first item for which fn returns 0. That item is dropped. */
#define edo_take_while_init(s, in, fn, context) edo__test(s, EDO__TAKE_WHILE, in, fn, context)

/* Gives the first item for which fn returns 0, and all items after that item. */
#define edo_skip_while_init(s, in, fn, context) edo__test(s, EDO__SKIP_WHILE, in, fn, context)

/* Gives the first `count` items. The input is not pulled after these items. */
#define edo_take_init(s, in, count) edo__count(s, EDO__TAKE, in, count)

/* Gives the items after the first `count` items. */
#define edo_skip_init(s, in, count) edo__count(s, EDO__SKIP, in, count)

/* Gives the first item, and each `count`-th item after it. A count of 0 aborts. */
#define edo_step_by_init(s, in, count) edo__count(s, EDO__STEP_BY, in, count)

/* Gives all items. fn(context, item) is called with each item, and may change the item. */
#define edo_inspect_init(s, in, fn, context)                                                       \
    (edo__check_end(in, s), edo__see_init(&(s)->edo_impl, EDO__SEE, &(in)->stream, (fn), (context)))

/* Gives all items. *ret_number, a uint64_t, is the number of the last item, counted from 0. */
#define edo_enumerate_init(s, in, ret_number)                                                      \
    (edo__check_end(in, s), (void)sizeof((ret_number) == (uint64_t *)0),                           \
     edo__step_init(&(s)->edo_impl, EDO__NUMBER, &(in)->stream, 0, (ret_number)))

/* Gives the items of `in`, and then the items of `second`. */
#define edo_chain_init(s, in, second)                                                              \
    (edo__check_end(in, s), edo__check_end(second, s),                                             \
     edo__step_init(&(s)->edo_impl, EDO__CHAIN, &(in)->stream, 0, &(second)->stream))

/* Ends the stream after its first error; the error itself is answered. */
#define edo_stop_on_error_init(s, in) edo__count(s, EDO__STOP_ON_ERROR, in, 0)

/* Calls fn(context, &error) for each error. The error is an int64_t. fn returns > 0 to leave the
 * error out, 0 to end the stream, or a negative errno, which the stream answers in place of the
 * error. */
#define edo_recover_init(s, in, fn, context) edo__test(s, EDO__RECOVER, in, fn, context)

/* Gives all items. fn(context, NULL) is called once, when the end is reached. */
#define edo_at_end_init(s, in, fn, context)                                                        \
    (edo__check_end(in, s),                                                                        \
     edo__see_init(&(s)->edo_impl, EDO__END_NOTICE, &(in)->stream, (fn), (context)))

/* ---- items of another type ---- */

/* Makes items of type Out of items of type In, by fn(context, item, ret_item). fn returns > 0 with
 * an item, 0 to leave the item out, EDO_NEXT_END to end the stream, or a negative errno. The
 * context may have a state that fn changes, such as a running sum. */
#define edo_map_of(In, Out)                                                                        \
    struct {                                                                                       \
        edo__kind_of(Out, edo__map);                                                               \
        __typeof__(In) edo_slot;                                                                   \
    }
#define edo_map_init(s, in, fn, context)                                                           \
    (edo__check_type(in, &(s)->edo_slot),                                                          \
     edo__map_init(&(s)->edo_impl, &(in)->stream, &(s)->edo_slot, (fn), (context),                 \
                   edo__item_size(s)))

/* Gives the items of several streams, one stream after the other. For each item of `in`,
 * fn(context, item, ret_stream) chooses a stream. fn returns 1 with *ret_stream, 0 to leave the
 * item out, or a negative errno. The chosen stream lies in memory of the user, which must stay
 * valid until that stream's end. edo_flatten_init() needs no fn, because there the items of `in`
 * are pointers to streams (edo_stream *). */
#define edo_flat_map_of(In, Out)                                                                   \
    struct {                                                                                       \
        edo__kind_of(Out, edo__flat);                                                              \
        __typeof__(In) edo_slot;                                                                   \
    }
#define edo_flat_map_init(s, in, fn, context)                                                      \
    (edo__check_type(in, &(s)->edo_slot),                                                          \
     edo__flat_init(&(s)->edo_impl, &(in)->stream, &(s)->edo_slot, (fn), (context),                \
                    edo__item_size(s)))
#define edo_flatten_init(s, in) edo_flat_map_init(s, in, NULL, NULL)

/* ---- async functions ---- */

/* The arguments of an async function that is called with items. fn reads *item, and writes an item
 * of type Out to *ret_item. */
#define edo_item_args(In, Out)                                                                     \
    edo_args(__typeof__(In) *item; __typeof__(Out) *ret_item; void *context;)

typedef struct edo__item_args {
    void *item, *ret_item, *context;
} edo__item_args;

/* Calls the async function of `struct fn` with each item, one after the other, as in
 * edo_then_of(In, Out, fetch) pages. If the function returns >= 0, the stream gives the item
 * *ret_item. If the function returns a negative errno, the stream answers that errno in place of
 * the item.
 *
 * Cancel: the function sees the cancellation. If it returns -ECANCELED, the item stays in the
 * combinator, and the next edo_next() calls the function again with that item. */
#define edo_then_of(In, Out, fn)                                                                   \
    struct {                                                                                       \
        edo__kind_of(Out, edo__then);                                                              \
        __typeof__(In) edo_slot;                                                                   \
        struct fn edo_callee;                                                                      \
    }
#define edo_then_init(s, in, fn, context)                                                          \
    (edo__check_type(in, &(s)->edo_slot), edo__check_type(s, (s)->edo_callee.args.ret_item),       \
     edo__check_type(in, (s)->edo_callee.args.item),                                               \
     edo__then_init(&(s)->edo_impl, &(in)->stream, &(s)->edo_slot, &(s)->edo_callee.base,          \
                    &fn##_async, (context), edo__item_size(s)))

/* ---- several items ---- */

/* Chunks of n items. The last chunk may have fewer items. */
#define edo_chunks_of(T, n)                                                                        \
    struct {                                                                                       \
        edo__kind_of(edo_items, edo__chunks);                                                      \
        __typeof__(T) edo_memory[n];                                                               \
    }
#define edo__chunks(s, in, keep, limit)                                                            \
    (edo__check_type(in, &(s)->edo_memory[0]),                                                     \
     edo__chunks_init(&(s)->edo_impl, &(in)->stream, (s)->edo_memory,                              \
                      sizeof(s)->edo_memory / sizeof(s)->edo_memory[0], (keep), (limit)))
#define edo_chunks_init(s, in) edo__chunks(s, in, 0, INT64_MAX)

/* As edo_chunks_init(), but a chunk is also given when `limit` nanoseconds have passed since its
 * first item. If the input has an error, the items before the error are given first, as a chunk,
 * and then the error is answered. */
#define edo_chunks_within_init(s, in, limit) edo__chunks(s, in, 0, limit)

/* Gives windows of n items. Each window begins `step` items after the window before. step: 1 to n;
 * another value aborts. If `step` is n, the windows are chunks, and the last one may have fewer
 * items. If `step` is smaller, items at the end that do not fill a window are left out. */
#define edo_windows_init(s, in, step)                                                              \
    edo__chunks(s, in, sizeof(s)->edo_memory / sizeof(s)->edo_memory[0] - (step), INT64_MAX)

/* ---- one item kept ---- */

#define edo_paced_of(T)                                                                            \
    struct {                                                                                       \
        edo__kind_of(T, edo__paced);                                                               \
        __typeof__(T) edo_slot[1];                                                                 \
    }

/* Leaves out each item that is equal to the item before it. fn(context, item, before) returns > 0
 * if the two are equal. If fn is NULL, the bytes of the items are compared. */
#define edo_dedup_init(s, in, fn, context)                                                         \
    (edo__check_end(in, s),                                                                        \
     edo__dedup_init(&(s)->edo_impl, &(in)->stream, (s)->edo_slot, (fn), (context)))

/* Gives all items. edo_peek_item() shows the next item. */
#define edo_peekable_init(s, in)                                                                   \
    (edo__check_end(in, s), edo__peekable_init(&(s)->edo_impl, &(in)->stream, (s)->edo_slot))

/* Waits for the next item of a peekable stream, without taking it. *ret_item is set to a pointer to
 * the item, which is valid until the next edo_next().
 * Result: as edo_next(). Cancel: waits; nothing was taken. */
#define edo_peek_item(s, ret_item)                                                                 \
    (edo__check_type(s, *(ret_item)),                                                              \
     edo__op(&edo__peek_item_ops, &(s)->edo_impl, (ret_item), 0, 0))

/* ---- time; durations in nanoseconds ---- */

/* Gives only the last item of each burst. An item is given when `period` has passed without a
 * further item, or when the input ends. Errors pass at once. */
#define edo_debounce_init(s, in, period)                                                           \
    (edo__check_end(in, s),                                                                        \
     edo__debounce_init(&(s)->edo_impl, &(in)->stream, (s)->edo_slot, (period)))

/* Lets at least `period` pass between two items, and does not pull the input meanwhile. */
#define edo_throttle_init(s, in, period) edo_rate_init(s, in, period, 1)

/* Gives at most one item per `period` on average. After a pause, it gives up to `burst` items at
 * once. A burst of 0 aborts. */
#define edo_rate_init(s, in, period, burst)                                                        \
    (edo__check_end(in, s), edo__rate_init(&(s)->edo_impl, &(in)->stream, (period), (burst)))

/* Limits the wait for each item. The limit begins with the first edo_next() after the previous
 * item. When the limit passes, the stream of edo_item_timeout_init() answers -ETIMEDOUT once, and
 * then waits for the item without a limit. The stream of edo_item_timeout_repeats_init() answers
 * -ETIMEDOUT each time when the limit has passed again without an item. */
#define edo_item_timeout_init(s, in, limit)                                                        \
    (edo__check_end(in, s), edo__item_timeout_init(&(s)->edo_impl, &(in)->stream, (limit), false))
#define edo_item_timeout_repeats_init(s, in, limit)                                                \
    (edo__check_end(in, s), edo__item_timeout_init(&(s)->edo_impl, &(in)->stream, (limit), true))

/* Limits the time of the whole stream, from the first edo_next() on. When the limit passes, the
 * answer is -ETIMEDOUT, then the end. */
#define edo_total_timeout_init(s, in, limit)                                                       \
    (edo__check_end(in, s), edo__total_timeout_init(&(s)->edo_impl, &(in)->stream, (limit)))

/* Streams that have several things in flight: merges, maps of streams, zips, generators, and calls
 * of an async function that run at the same time, one for each item.
 *
 *     edo_merge_of(struct event, 2) both;
 *     ...
 *     edo_merge_init(&self->both);
 *     edo_merge_add(&self->both, &self->keys);
 *     edo_merge_add(&self->both, &self->ticks);
 *     edo_for_each(rc, &self->both, &self->event) ...
 *
 * Between two edo_next() these streams keep operations in flight. So each stream belongs to the
 * async function in whose frame it lies, as a scope does, and is initialised in that function. The
 * stream's operations continue at every await of the function, and no item is lost. When the
 * function returns, the operations in flight are cancelled, and the function ends after they have
 * ended. Only the function's task may pull such a stream; a pull by another task aborts.
 *
 * To initialise a stream again before the function returns, or to use its memory for another
 * purpose, first end the stream: edo_merge_end(), edo_zip_end(), edo_generator_end(),
 * edo_buffered_end().
 *
 * At its end, a stream may hold items that were never pulled. These items are dropped. If a
 * function was set by edo_drop_items(), it is called with each of them, to close or free it. For
 * buffered calls, the items are results. A zip has no such function, because it holds items of two
 * types.
 *
 * Sizes in bytes with 8-byte pointers: edo_merge_of(T, n) has 176, plus 96 and an item for each
 * input. edo_stream_map_of(T) has 176, and each of its entries has 96 plus an item. edo_zip_of has
 * 392 plus two items. edo_generator_of has 168 plus an item and the frame. edo_buffered_of has 720
 * plus an item, and for each call 8 plus two items.
 */
#pragma once

#include <edo/combinators.h>
#include <edo/scope.h>

EDO_BEGIN_DECLS

typedef void edo_drop_fn(void *context, void *item);

/* Links a stream into the frame of its function. All members of these structs are private. */
typedef struct edo__hold {
    edo_future base; // kept by the frame; base.result: number of things in flight
    edo_future *owner;
    edo_task *task;
    edo_wakeable *waker; // waker of the function's poll
    edo_drop_fn *drop;
    void *context;
    bool ends; // set by edo_merge_end() and similar calls
} edo__hold;

/* A waker that outlives the polls of the stream, for operations that stay in flight. */
typedef struct edo__relay {
    edo_user_wakeable wakeable;
    edo_wakeable *to; // guarded by the lock
    uint32_t lock;
    uint32_t reserved;
} edo__relay;

typedef struct edo__input {
    edo_user_wakeable wakeable;
    struct edo__set *set;
    edo_stream *stream;
    struct edo__input *next;     // next in the queue `ready`
    struct edo__input *woken;    // next in the list `woken`; guarded by the lock
    struct edo__input *all_next; // next of all inputs of the set
    void *slot;
    uint64_t key;
    int64_t deadline;  // ns; deadline of a waiting input
    int64_t result;    // result of the last pull, once the input has an answer
    uint32_t is_woken; // atomic: is in the list `woken`, or is about to be
    uint8_t state;
    bool is_ready; // is in the queue `ready`
} edo__input;

typedef struct edo__set {
    edo_stream stream;
    edo__hold hold;
    edo__input *ready, *last_ready; // first and last of the queue
    edo__input *woken;              // list, latest wake first; guarded by the lock
    edo__input *all;                // inputs that have not ended
    edo_wakeable *waker;            // guarded by the lock
    int64_t deadline;               // ns; not later than the deadline of any waiting input
    uint64_t last_key;
    uint32_t lock;
    uint32_t added; // inputs of a merge
    bool is_open;   // stays open without inputs: a pull waits until an input is added
    bool waits;     // a pull waits
} edo__set;

typedef struct edo__zip {
    edo__set set;
    edo__input inputs[2];
    int64_t (*fn)(void *context, const void *left, const void *right, void *ret_item);
    void *context;
    int64_t later; // error that a later edo_next() gives
} edo__zip;

typedef struct edo__generator {
    edo_stream stream;
    edo__hold hold;
    edo__relay relay;
    edo_future *body;
    void *slot;
    const edo_op *emitting; // the edo_emit() whose item is in the slot
    bool has_item, was_reported;
} edo__generator;

typedef struct edo__call {
    struct edo__call *next; // next free call
} edo__call;

typedef struct edo__buffered {
    edo_stream stream;
    edo__hold hold;
    edo__set source; // a set with one entry: the input
    edo__input input;
    edo_scope scope;
    edo__relay relay;
    const edo_site *site;
    void *context;
    edo__call *calls, *free;
    char *items, *results; // arrays for `most` calls
    edo_op ended;          // in flight while base.ops is set
    edo_member member;
    uint32_t item_size;
    bool is_over;
} edo__buffered;

EDO_API void edo__set_init(edo__set *set, uint32_t size, bool is_open, edo_future *owner,
                           edo_cx *cx);
EDO_API void edo__set_add(edo__set *set, edo__input *input, edo_stream *in, void *slot,
                          uint64_t key);
EDO_API EDO_MUST_USE bool edo__set_has(const edo__set *set, uint64_t key);
EDO_API size_t edo__set_count(const edo__set *set);
EDO_API void edo__merge_add(edo__set *set, edo__input *inputs, size_t most, edo_stream *in,
                            void *slots);
EDO_API void edo__zip_init(edo__zip *zip, edo_stream *left, void *left_slot, edo_stream *right,
                           void *right_slot,
                           int64_t (*fn)(void *, const void *, const void *, void *), void *context,
                           uint32_t size, edo_future *owner, edo_cx *cx);
EDO_API void edo__generator_init(edo__generator *generator, edo_future *body, void *slot,
                                 uint32_t size, edo_future *owner, edo_cx *cx);
EDO_API void edo__buffered_init(edo__buffered *buffered, edo_stream *in, edo__call *calls,
                                void *items, void *results, void *slot, uint32_t most,
                                uint32_t flags, const edo_site *site, void *context, uint32_t size,
                                edo_future *owner, edo_cx *cx);
EDO_API extern const edo_future_ops edo__remove_ops, edo__emit_ops, edo__end_ops;

EDO_END_DECLS

/* Sets the function that drops items that were never pulled. The function must not use the
 * stream. */
#define edo_drop_items(s, fn, fn_context)                                                          \
    ((void)((s)->edo_impl.hold.drop = (fn)), (void)((s)->edo_impl.hold.context = (fn_context)))

/* Each of these operations cancels the stream's operations in flight, waits for their ends, and
 * drops the items that the stream holds. The stream must not be pulled afterwards. edo_merge_end()
 * also ends maps of streams.
 * Result: 0. Cancel: waits; the stream ends nevertheless. */
#define edo_merge_end(s)     edo__end(&(s)->edo_impl.hold, NULL)
#define edo_zip_end(s)       edo__end(&(s)->edo_impl.set.hold, NULL)
#define edo_generator_end(s) edo__end(&(s)->edo_impl.hold, NULL)
#define edo_buffered_end(s)  edo__end(&(s)->edo_impl.hold, &(s)->edo_impl.source.hold)

#define edo__end(hold, other) edo__op(&edo__end_ops, (hold), (other), 0, 0)

/* ---- merge ---- */

/* Gives the items of up to n streams, in the order in which the items arrive. The streams take
 * turns, so each stream gets an equal share when all are ready. The end is reached when all streams
 * have ended. A new merge has no streams. */
#define edo_merge_of(T, n)                                                                         \
    struct {                                                                                       \
        edo__kind_of(T, edo__set);                                                                 \
        edo__input edo_inputs[n];                                                                  \
        __typeof__(T) edo_slots[n];                                                                \
    }
#define edo_merge_init(s) edo__set_init(&(s)->edo_impl, edo__item_size(s), false, &self->base, cx)

/* Adds a stream. A call for more than n streams aborts. The streams are numbered from 0. */
#define edo_merge_add(s, in)                                                                       \
    (edo__check_end(in, s), edo__merge_add(&(s)->edo_impl, (s)->edo_inputs,                        \
                                           sizeof(s)->edo_inputs / sizeof(s)->edo_inputs[0],       \
                                           &(in)->stream, (s)->edo_slots))

/* Number of the stream that gave the last answer. */
#define edo_merge_which(s) ((size_t)(s)->edo_impl.last_key)

/* ---- maps of streams ---- */

/* Gives the items of any number of streams, in the order in which the items arrive. Ready streams
 * take turns. Each stream has a key. The cost of an item does not depend on the number of streams.
 * Streams are inserted and removed at any time, also between two edo_next() of a loop. A stream
 * that ends is removed. A map without streams waits for the next insertion if is_open is set, and
 * ends otherwise. */
#define edo_stream_map_of(T) edo__kind_of(T, edo__set)
#define edo_stream_map_init(s, is_open)                                                            \
    edo__set_init(&(s)->edo_impl, edo__item_size(s), (is_open), &self->base, cx)

/* Memory that an inserted stream uses until it has ended or was removed. */
#define edo_stream_entry_of(T)                                                                     \
    struct {                                                                                       \
        edo__input edo_input;                                                                      \
        __typeof__(T) edo_slot;                                                                    \
    }

/* Inserts a stream. key: any number; several streams may have the same key. */
#define edo_stream_map_insert(s, entry, in, key)                                                   \
    (edo__check_end(in, s), edo__check_type(s, &(entry)->edo_slot),                                \
     edo__set_add(&(s)->edo_impl, &(entry)->edo_input, &(in)->stream, &(entry)->edo_slot, (key)))

/* Removes a stream, and cancels its operations in flight. An item that the map had taken from the
 * stream goes to *ret_item.
 * Result: 1 with *ret_item; 0: no item; -ENOENT: the stream has ended, or is not in the map.
 * Cancel: waits; the stream is removed. */
#define edo_stream_map_remove(s, entry, ret_item)                                                  \
    (edo__check_type(s, ret_item), edo__check_type(s, &(entry)->edo_slot),                         \
     edo__op(&edo__remove_ops, &(s)->edo_impl, (ret_item),                                         \
             (uint64_t)(uintptr_t) & (entry)->edo_input, 0))

/* Key of the stream that gave the last answer. */
#define edo_stream_map_key(s) ((s)->edo_impl.last_key)

/* Whether a stream with that key is in the map, and the number of streams in the map. Both calls
 * walk through all streams. */
#define edo_stream_map_has(s, key) edo__set_has(&(s)->edo_impl, (key))
#define edo_stream_map_count(s)    edo__set_count(&(s)->edo_impl)

/* ---- zip ---- */

/* Pairs the items of two streams, which are pulled at the same time. For each pair, fn(context,
 * left, right, ret_item) is called. It returns > 0 with an item, 0 to leave the pair out, or a
 * negative errno. The zip ends when one of its streams ends. If an item was already taken from the
 * other stream, that item is dropped. */
#define edo_zip_of(Left, Right, Out)                                                               \
    struct {                                                                                       \
        edo__kind_of(Out, edo__zip);                                                               \
        __typeof__(Left) edo_left;                                                                 \
        __typeof__(Right) edo_right;                                                               \
    }
#define edo_zip_init(s, left, right, fn, context)                                                  \
    (edo__check_type(left, &(s)->edo_left), edo__check_type(right, &(s)->edo_right),               \
     edo__zip_init(&(s)->edo_impl, &(left)->stream, &(s)->edo_left, &(right)->stream,              \
                   &(s)->edo_right, (fn), (context), edo__item_size(s), &self->base, cx))

/* ---- generators ---- */

/* A stream whose items an async function makes:
 *
 *     typedef edo_emitter_of(int) int_emitter;
 *     struct count { edo_frame(); edo_args(int_emitter *out; int end;); int i; };
 *     edo_async(count)
 *     {
 *         edo_body {
 *             int rc;
 *             for (self->i = 0; self->i < self->end; self->i++) {
 *                 edo_await(rc, edo_emit(self->out, &self->i));
 *                 if (rc < 0) edo_return(rc);
 *             }
 *             edo_return(0);
 *         }
 *     }
 *
 *     edo_generator_of(int, count) numbers;                      // in another frame
 *     edo_generator_init(&self->numbers, count, .end = 10);      // sets .out
 *
 * The function first runs at the first edo_next(), and waits in edo_emit() until its item is
 * pulled. If the result of the function is negative, it is the last answer before the end. A
 * cancelled edo_next() does not cancel the function. The owner of a generator is the function in
 * whose frame the generator lies. When the owner returns or is cancelled, the generator's function
 * sees -ECANCELED, and runs to its end. */
#define edo_emitter_of(T)                                                                          \
    union {                                                                                        \
        edo__generator edo_impl;                                                                   \
        __typeof__(T) *edo_type;                                                                   \
    }
#define edo_generator_of(T, fn)                                                                    \
    struct {                                                                                       \
        edo__kind_of(T, edo__generator);                                                           \
        __typeof__(T) edo_slot;                                                                    \
        struct fn edo_callee;                                                                      \
    }
#define edo_generator_init(s, ...)                                                                 \
    (edo__check_type(s, (s)->edo_callee.args.out->edo_type),                                       \
     edo__generator_callee(s, __VA_ARGS__, ),                                                      \
     edo__generator_init(&(s)->edo_impl, &(s)->edo_callee.base, &(s)->edo_slot, edo__item_size(s), \
                         &self->base, cx))
#define edo__generator_callee(s, fn, ...)                                                          \
    edo__init(&(s)->edo_callee, fn, .out = (void *)&(s)->edo_impl, __VA_ARGS__)

/* Gives an item to the stream, in the generator's function.
 * Result: 0: the item was pulled. Cancel: prompt; the item was not pulled. */
#define edo_emit(out, item)                                                                        \
    (edo__check_type(out, item),                                                                   \
     edo__op(&edo__emit_ops, &(out)->edo_impl, (void *)(uintptr_t)(item), 0, 0))

/* ---- calls of an async function, for several items at the same time ---- */

/* Calls an async function (edo_item_args) once for each item, with up to n calls in flight. Each
 * call is a task of its own, so the calls continue while no item is pulled. When the owner returns,
 * the calls are cancelled. A negative result of a call is answered in place of its item.
 * - edo_buffer_ordered_init: the results come in the order of the items. An error of the input is
 *   answered at its place in this order.
 * - edo_buffer_unordered_init: the results come in the order in which the calls end. An error of
 *   the input is answered at once.
 *
 * To process items concurrently in a loop (for_each_concurrent in other libraries), use
 * edo_for_each() over an edo_buffer_unordered_init(). */
#define edo_buffered_of(In, Out, n)                                                                \
    struct {                                                                                       \
        edo__kind_of(Out, edo__buffered);                                                          \
        edo__call edo_calls[n];                                                                    \
        __typeof__(In) edo_slot, edo_items_[n];                                                    \
        __typeof__(Out) edo_results[n];                                                            \
    }
#define edo_buffer_ordered_init(s, in, fn, context)                                                \
    edo__buffered(s, in, fn, context, EDO_SCOPE_IN_ORDER)
#define edo_buffer_unordered_init(s, in, fn, context) edo__buffered(s, in, fn, context, 0)

#define edo__buffered(s, in, fn, context, flags)                                                   \
    do {                                                                                           \
        _Static_assert(sizeof(s)->edo_calls > 0, "no call at once: nothing would ever run");       \
        edo__check_type(in, &(s)->edo_items_[0]);                                                  \
        edo__check_type(in, ((struct fn *)0)->args.item);                                          \
        edo__check_type(s, ((struct fn *)0)->args.ret_item);                                       \
        edo__buffered_init(&(s)->edo_impl, &(in)->stream, (s)->edo_calls, (s)->edo_items_,         \
                           (s)->edo_results, &(s)->edo_slot,                                       \
                           (uint32_t)(sizeof(s)->edo_calls / sizeof(s)->edo_calls[0]), (flags),    \
                           edo__site_of(fn, ), (context), edo__item_size(s), &self->base, cx);     \
    } while (0)

/* Calls of an async function that run at the same time, one for each item. Each call is a task, and
 * a member of the stream's scope. The item and the result of a call lie in the arrays of the
 * stream. A scope is usually linked into the frame, so that its tasks end before the frame ends.
 * Here the frame's hold ends the calls, so the scope is not linked. */
#include "sequence/set.h"

#include "base/base.h"
#include "base/list.h"
#include "task/scope.h"

static uint32_t place_of(const edo__buffered *buffered, const edo__call *call)
{
    return (uint32_t)(call - buffered->calls);
}

static char *item_of(edo__buffered *buffered, const edo__call *call)
{
    return buffered->items + (size_t)place_of(buffered, call) * buffered->item_size;
}

static char *result_of(edo__buffered *buffered, const edo__call *call)
{
    return buffered->results + (size_t)place_of(buffered, call) * buffered->stream.size;
}

static void free_call(edo__buffered *buffered, edo__call *call)
{
    call->next = buffered->free;
    buffered->free = call;
}

/* Starts a call with the item in the slot of the input. Returns: 0; a negative errno: the item
 * stays in the slot. */
static int start(edo__buffered *buffered)
{
    edo__call *call = buffered->free;
    edo__copy_item(item_of(buffered, call), buffered->input.slot, buffered->item_size);
    edo__item_args args = { item_of(buffered, call), result_of(buffered, call), buffered->context };
    edo_spawn_options options = { .user = call };
    int rc = edo__scope_spawn(&buffered->scope, &options, buffered->site, &args);
    if (rc < 0) return rc;
    buffered->free = call->next;
    buffered->hold.base.result++;
    return 0;
}

/* Whether an error of the input has to wait for the results of the items before it. */
static bool is_too_early(const edo__buffered *buffered, int64_t result)
{
    return result < 0 && (buffered->scope.flags & EDO_SCOPE_IN_ORDER) &&
           buffered->hold.base.result > 0;
}

/* Uses an answer of the input. Returns: 0: continue; EDO_NEXT_WAITS: the answer is kept for later;
 * a negative errno. */
static int64_t use_input(edo__buffered *buffered, edo__input *input)
{
    int64_t result = input->result;
    bool is_early = is_too_early(buffered, result);
    int rc = result == 1 ? start(buffered) : 0;
    if (rc < 0 || is_early) {
        edo__set_put_aside(&buffered->source, input); // the next take returns this input again
        return rc < 0 ? rc : EDO_NEXT_WAITS;
    }
    edo__set_give_back(&buffered->source, input);
    return result < 0 ? result : 0;
}

/* Starts calls while there are items and free places. Returns: 0; an error of the input, or of a
 * spawn. */
static int64_t fill(edo__buffered *buffered, edo_cx *cx)
{
    while (buffered->free && !buffered->is_over) {
        int64_t result;
        edo__input *input = edo__set_take(&buffered->source, cx, &result);
        if (input)
            result = use_input(buffered, input);
        else
            buffered->is_over = result == 0;
        if (result == EDO_NEXT_WAITS) return 0;
        if (result < 0) return result;
    }
    return 0;
}

/* Takes the next call that has ended. The operation that waits for such a call stays in flight
 * between two edo_next(). So the operation is polled with the relay's waker. */
static int64_t take_ended(edo__buffered *buffered, edo_cx *cx)
{
    edo_wakeable *waker = cx->waker;
    if (!buffered->ended.base.ops)
        buffered->ended = edo_scope_next(&buffered->scope, &buffered->member);
    cx->waker = &buffered->relay.wakeable.head;
    edo_poll poll = edo_poll_future(&buffered->ended.base, cx);
    cx->waker = waker;
    if (poll == EDO_PENDING) return EDO_NEXT_WAITS;
    buffered->ended.base.ops = NULL;
    return buffered->ended.base.result;
}

/* Uses the result of the call that has ended. */
static int64_t use_ended(edo__buffered *buffered, void *ret_item)
{
    edo__call *call = buffered->member.user;
    int64_t result = buffered->member.result;
    if (result >= 0) edo__copy_item(ret_item, result_of(buffered, call), buffered->stream.size);
    free_call(buffered, call);
    buffered->hold.base.result--;
    return result < 0 ? result : 1;
}

static int64_t step(edo__buffered *buffered, edo_cx *cx, void *ret_item)
{
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    edo__relay_set(&buffered->relay, cx->waker);
    int64_t result = fill(buffered, cx);
    if (result < 0) return result;
    result = take_ended(buffered, cx);
    if (result == 1) return use_ended(buffered, ret_item);
    return result == 0 && !buffered->is_over ? EDO_NEXT_WAITS : result; // no call runs yet
}

static int64_t buffered_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__buffered *buffered = (edo__buffered *)(void *)stream;
    edo__hold_check(&buffered->hold, cx, "edo_next");
    int64_t result = step(buffered, cx, ret_item);
    if (result == EDO_NEXT_WAITS) return result;
    edo__set_rest(&buffered->source);
    edo__relay_set(&buffered->relay, buffered->hold.waker);
    return result;
}

/* ---- between pulls ---- */

/* Cancels the calls, and waits for their ends. Returns: whether all have ended. */
static bool end_calls(edo__buffered *buffered, edo_cx *cx)
{
    uint32_t asked = cx->asked;
    int64_t result;
    if (!buffered->scope.cancelled) edo_scope_cancel(&buffered->scope);
    cx->asked = 0; // hides the cancellation, so that edo_scope_next() waits
    while ((result = take_ended(buffered, cx)) == 1) {
        if (buffered->member.result >= 0)
            edo__hold_drop(&buffered->hold, result_of(buffered, buffered->member.user));
        buffered->hold.base.result--;
    }
    cx->asked = asked;
    return result == 0;
}

static edo_poll hold_poll(edo_future *future, edo_cx *cx)
{
    edo__buffered *buffered = edo__container(future, edo__buffered, hold.base);
    if (buffered->hold.waker != cx->waker) {
        bool rests = buffered->relay.to == buffered->hold.waker;
        buffered->hold.waker = cx->waker;
        if (rests) edo__relay_set(&buffered->relay, cx->waker);
    }
    if (!edo__hold_ends(&buffered->hold)) return EDO_PENDING;
    edo__relay_set(&buffered->relay, cx->waker);
    if (!end_calls(buffered, cx)) return EDO_PENDING;
    edo__scope_leave(&buffered->scope.base);
    return EDO_READY;
}

void edo__buffered_init(edo__buffered *buffered, edo_stream *in, edo__call *calls, void *items,
                        void *results, void *slot, uint32_t most, uint32_t flags,
                        const edo_site *site, void *context, uint32_t size, edo_future *owner,
                        edo_cx *cx)
{
    static const edo_stream_ops ops = { .name = "buffered", .next = buffered_next };
    static const edo_future_ops hold_ops = { .name = "buffered calls",
                                             .poll = hold_poll,
                                             .kind = EDO_KIND_OWNER };
    edo__hold_open(&buffered->hold, &hold_ops, owner, cx, "edo_buffer_ordered_init");
    edo__set_init(&buffered->source, in->size, false, owner, cx);
    edo__set_add(&buffered->source, &buffered->input, in, slot, 0);
    edo__scope_prepare(&buffered->scope, owner, EDO_SCOPE_RESULTS | EDO_SCOPE_IGNORE | flags);
    buffered->stream = (edo_stream)EDO_STREAM_INIT(&ops, size);
    buffered->site = site;
    buffered->context = context;
    buffered->calls = calls;
    buffered->free = NULL;
    buffered->items = items;
    buffered->results = results;
    buffered->item_size = in->size;
    buffered->is_over = false;
    buffered->ended.base.ops = NULL;
    edo__relay_init(&buffered->relay, cx->waker);
    for (uint32_t i = most; i > 0; i--)
        free_call(buffered, &calls[i - 1]);
}

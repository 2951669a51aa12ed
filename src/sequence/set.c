/* Sets of inputs: see set.h. */
#include "sequence/set.h"

#include "base/lock.h"
#include "task/task.h"

/* ---- the queue and the list ---- */

static void append(edo__set *set, edo__input *input)
{
    if (input->is_ready) return;
    input->is_ready = true;
    input->next = NULL;
    if (set->ready)
        set->last_ready->next = input;
    else
        set->ready = input;
    set->last_ready = input;
}

static edo__input *pop(edo__set *set)
{
    edo__input *input = set->ready;
    if (!input) return NULL;
    set->ready = input->next;
    input->is_ready = false;
    return input;
}

static void unlink_ready(edo__set *set, edo__input *input)
{
    edo__input **link = &set->ready, *before = NULL;
    if (!input->is_ready) return;
    for (; *link != input; link = &(*link)->next)
        before = *link;
    *link = input->next;
    if (set->last_ready == input) set->last_ready = before;
    input->is_ready = false;
}

static void input_wake(edo_user_wakeable *wakeable)
{
    edo__input *input = (edo__input *)(void *)wakeable;
    edo__set *set = input->set;
    if (edo_swap_acq_rel(&input->is_woken, 1)) return;
    edo__lock_take(&set->lock);
    input->woken = set->woken;
    edo_store_relaxed(&set->woken, input);
    edo_wakeable *prepared = edo__wake_prepare(set->waker);
    edo__lock_give(&set->lock);
    edo__wake_commit(prepared);
}

/* Takes the list, and puts it into the order of the wakes. The check without the lock may miss an
 * input that is being added. No wake is lost: the thread that adds this input then wakes the
 * set. */
static edo__input *take_list(edo__set *set)
{
    edo__input *list = NULL;
    if (edo__likely(!edo_load_relaxed(&set->woken))) return NULL;
    edo__lock_take(&set->lock);
    edo__input *woken = set->woken;
    edo_store_relaxed(&set->woken, NULL);
    edo__lock_give(&set->lock);
    for (edo__input *next; woken; woken = next) {
        next = woken->woken;
        woken->woken = list;
        list = woken;
    }
    return list;
}

/* Takes the first input from a list of take_list(). From then on the input may be woken again. */
static edo__input *pop_woken(edo__input **list)
{
    edo__input *input = *list;
    if (!input) return NULL;
    *list = input->woken;
    (void)edo_swap_acq_rel(&input->is_woken, 0);
    return input;
}

static void queue_woken(edo__set *set)
{
    edo__input *list = take_list(set);
    for (edo__input *input; (input = pop_woken(&list));)
        if (input->state == EDO__INPUT_WAITING) append(set, input);
}

/* Queues the waiting inputs whose deadline has passed, and finds the next deadline. */
static void queue_due(edo__set *set, const edo_cx *cx)
{
    if (cx->now < set->deadline) return;
    set->deadline = INT64_MAX;
    for (edo__input *input = set->all; input; input = input->all_next) {
        if (input->state != EDO__INPUT_WAITING) continue;
        if (input->deadline <= cx->now)
            append(set, input);
        else if (input->deadline < set->deadline)
            set->deadline = input->deadline;
    }
}

/* Sets the waker. Returns: whether the list of woken inputs is empty. */
static bool set_waker(edo__set *set, edo_wakeable *waker)
{
    edo__lock_take(&set->lock);
    bool is_quiet = !set->woken;
    set->waker = waker;
    edo__lock_give(&set->lock);
    return is_quiet;
}

void edo__set_rest(edo__set *set)
{
    if (!set->waits) return;
    set->waits = false;
    set_waker(set, set->hold.waker);
}

/* Waits for a wake or the set's deadline. Returns: whether the set waits; false: an input was
 * woken meanwhile. */
static bool wait_here(edo__set *set, edo_cx *cx)
{
    set->waits = true;
    if (!set_waker(set, cx->waker)) return false;
    if (set->deadline != INT64_MAX) edo_cx_deadline(cx, set->deadline);
    return true;
}

/* ---- pulling one input ---- */

static void note_waiting(edo__set *set, edo__input *input, const edo_cx *cx)
{
    input->state = EDO__INPUT_WAITING;
    input->deadline = cx->next_deadline;
    if (input->deadline < set->deadline) set->deadline = input->deadline;
    if (cx->requeue) append(set, input);
}

/* Pulls an input with the input's own waker, and stores the deadline that the input requests.
 * Returns: true if the input is to be pulled again in the next poll, because it has used up the
 * budget or yields. */
static bool pull(edo__set *set, edo__input *input, edo_cx *cx)
{
    edo_wakeable *waker = cx->waker;
    int64_t deadline = cx->next_deadline;
    bool requeue = cx->requeue, was_waiting = input->state == EDO__INPUT_WAITING;
    cx->waker = &input->wakeable.head;
    cx->next_deadline = INT64_MAX;
    cx->requeue = false;
    input->result = edo_pull(input->stream, cx, input->slot);
    bool is_waiting = input->result == EDO_NEXT_WAITS, yields = is_waiting && cx->requeue;
    if (is_waiting)
        note_waiting(set, input, cx);
    else
        input->state = EDO__INPUT_HELD;
    set->hold.base.result += is_waiting - was_waiting;
    cx->waker = waker;
    cx->next_deadline = deadline;
    cx->requeue |= requeue;
    return yields;
}

/* ---- members ---- */

void edo__set_add(edo__set *set, edo__input *input, edo_stream *in, void *slot, uint64_t key)
{
    *input = (edo__input){ .set = set,
                           .stream = in,
                           .all_next = set->all,
                           .slot = slot,
                           .key = key,
                           .state = EDO__INPUT_IDLE };
    edo_user_wakeable_init(&input->wakeable, input_wake);
    set->all = input;
    set->stream.has_ended = false;
    append(set, input);
    if (set->waits) edo_wake(set->waker); // a pull waits in another branch of the task
}

static edo__input **link_of(edo__set *set, const edo__input *input)
{
    edo__input **link = &set->all;
    while (*link && *link != input)
        link = &(*link)->all_next;
    return link;
}

/* Removes an input from the set. The input has nothing in flight, so no wake is in progress. But an
 * earlier wake may have left the input in the list `woken`. So the input is removed from this list,
 * too. */
static void remove_input(edo__set *set, edo__input *input)
{
    edo__input **link = link_of(set, input);
    if (*link) *link = input->all_next;
    input->state = EDO__INPUT_REMOVED;
    unlink_ready(set, input);
    if (!edo_load_acquire(&input->is_woken)) return;
    edo__lock_take(&set->lock);
    for (edo__input **woken = &set->woken; *woken; woken = &(*woken)->woken) {
        if (*woken != input) continue;
        edo_store_relaxed(woken, input->woken);
        break;
    }
    edo__lock_give(&set->lock);
}

void edo__set_put_aside(edo__set *set, edo__input *input)
{
    append(set, input);
}

void edo__set_give_back(edo__set *set, edo__input *input)
{
    if (input->result == 0) {
        remove_input(set, input);
        return;
    }
    input->state = EDO__INPUT_IDLE;
    append(set, input);
}

/* ---- pulling the set ---- */

edo__input *edo__set_take(edo__set *set, edo_cx *cx, int64_t *ret_result)
{
    edo__hold_check(&set->hold, cx, "edo_next");
    *ret_result = -ECANCELED;
    if (edo__unlikely(cx->fate != EDO_LIVE)) return NULL;
    for (;;) {
        queue_woken(set);
        queue_due(set, cx);
        edo__input *input = pop(set);
        bool waited = input && input->state == EDO__INPUT_WAITING;
        bool yields = input && input->state != EDO__INPUT_HELD && pull(set, input, cx);
        if (input && input->state == EDO__INPUT_HELD) return input;
        if (edo__unlikely(waited)) edo__use_budget(cx); // an input may be woken again and again
        *ret_result = set->all || set->is_open ? EDO_NEXT_WAITS : 0;
        if (*ret_result == 0) return NULL;
        if (yields || cx->budget <= 0) break;
        if (!set->ready && wait_here(set, cx)) return NULL;
    }
    set->waits = true; // keeps the former waker, because the task is requeued anyway
    cx->requeue = true;
    return NULL;
}

static int64_t set_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__set *set = (edo__set *)(void *)stream;
    int64_t result;
    do {
        edo__input *input = edo__set_take(set, cx, &result);
        if (!input) {
            if (result != EDO_NEXT_WAITS) edo__set_rest(set);
            return result;
        }
        result = input->result;
        if (result == 1) edo__copy_item(ret_item, input->slot, stream->size);
        set->last_key = input->key;
        edo__set_give_back(set, input);
    } while (result == 0); // the end of one input
    edo__set_rest(set);
    return result;
}

/* ---- between pulls ---- */

static void pull_woken(edo__set *set, edo_cx *cx)
{
    edo__input *list = take_list(set);
    for (edo__input *input; (input = pop_woken(&list));) {
        if (input->state != EDO__INPUT_WAITING) continue;
        pull(set, input, cx);
        if (input->state == EDO__INPUT_HELD) append(set, input);
    }
}

/* Ends the operations that an input has in flight, by a pull in a cancelled poll. If this pull
 * gives an answer other than -ECANCELED, the input is HELD with that answer. */
static void end_input(edo__set *set, edo__input *input, edo_cx *cx)
{
    if (input->state != EDO__INPUT_WAITING) return;
    pull(set, input, cx);
    if (input->state != EDO__INPUT_HELD) return;
    if (input->result == -ECANCELED) input->state = EDO__INPUT_IDLE;
    append(set, input);
}

bool edo__set_tend(edo__set *set, edo_cx *cx)
{
    if (set->hold.waker != cx->waker) {
        set->hold.waker = cx->waker;
        if (!set->waits) set_waker(set, cx->waker);
    }
    if (cx->fate == EDO_LIVE)
        pull_woken(set, cx);
    else if (set->hold.base.result)
        for (edo__input *input = set->all; input; input = input->all_next)
            end_input(set, input, cx);
    return set->hold.base.result == 0;
}

void edo__set_drop(edo__set *set)
{
    for (edo__input *input = set->all; input; input = input->all_next)
        if (input->state == EDO__INPUT_HELD && input->result == 1)
            edo__hold_drop(&set->hold, input->slot);
    set->all = NULL;
}

static edo_poll hold_poll(edo_future *future, edo_cx *cx)
{
    edo__set *set = edo__container(future, edo__set, hold.base);
    bool is_quiet = edo__set_tend(set, cx);
    if (cx->fate == EDO_LIVE || !is_quiet) return EDO_PENDING;
    if (!edo__hold_ends(&set->hold)) return EDO_PENDING;
    edo__set_drop(set);
    return EDO_READY;
}

/* ---- initialisation ---- */

void edo__set_init(edo__set *set, uint32_t size, bool is_open, edo_future *owner, edo_cx *cx)
{
    static const edo_stream_ops ops = { .name = "merge", .next = set_next };
    static const edo_future_ops hold_ops = { .name = "streams in flight",
                                             .poll = hold_poll,
                                             .kind = EDO_KIND_OWNER };
    edo__hold_open(&set->hold, &hold_ops, owner, cx, "edo_merge_init");
    edo__hold hold = set->hold;
    *set = (edo__set){ .stream = EDO_STREAM_INIT(&ops, size),
                       .hold = hold,
                       .waker = cx->waker,
                       .deadline = INT64_MAX,
                       .is_open = is_open };
}

void edo__merge_add(edo__set *set, edo__input *inputs, size_t most, edo_stream *in, void *slots)
{
    uint32_t place = set->added++;
    if (place >= most) edo__misuse("edo_merge_add", "more than the %zu streams of the merge", most);
    edo__set_add(set, &inputs[place], in, (char *)slots + place * in->size, place);
}

bool edo__set_has(const edo__set *set, uint64_t key)
{
    for (const edo__input *input = set->all; input; input = input->all_next)
        if (input->key == key) return true;
    return false;
}

size_t edo__set_count(const edo__set *set)
{
    size_t count = 0;
    for (const edo__input *input = set->all; input; input = input->all_next)
        count++;
    return count;
}

/* ---- removal ---- */

/* Waits until the next wake of the input, which wakes the set and thereby the task. */
static edo_poll wait_for_end(edo__set *set, edo_cx *cx)
{
    if (!set->waits && !set_waker(set, cx->waker)) cx->requeue = true;
    return EDO_PENDING;
}

static edo_poll remove_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__set *set = op->object;
    edo__input *input = (edo__input *)(uintptr_t)op->length;
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    if (!*link_of(set, input)) return edo__op_finish(op, cx, -ENOENT);
    uint32_t asked = cx->asked;
    cx->fate = cx->bare = EDO_CANCELLED;
    cx->overdue = 0;
    end_input(set, input, cx);
    cx->asked = asked;
    if (input->state == EDO__INPUT_WAITING) return wait_for_end(set, cx);
    bool has_item = input->state == EDO__INPUT_HELD && input->result == 1;
    if (has_item) edo__copy_item(op->data, input->slot, set->stream.size);
    remove_input(set, input);
    if (set->waits && !set->all) edo_wake(set->waker); // the pull of another branch finds the end
    return edo__op_finish(op, cx, has_item);
}

const edo_future_ops edo__remove_ops = { .name = "edo_stream_map_remove",
                                         .poll = remove_poll,
                                         .kind = EDO_KIND_OWNER };

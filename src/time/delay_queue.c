/* Delay queues. A delay queue consists of a pairing heap of the user's items (Fredman, Sedgewick,
 * Sleator and Tarjan, "The Pairing Heap", 1986) and a wait list.
 *
 * Each waiting operation sets its task's timer to the moment of the first item. An insertion that
 * changes the first item causes all waiting tasks to be polled again, so that they set their timers
 * to the new moment.
 *
 * The lock guards all state. A thread that wakes the waiting tasks does so under the lock, and each
 * poll of an operation takes the lock. So when the last waiting operation has ended, no other
 * thread still uses the queue on behalf of that operation. */
#include <edo/timers.h>

#include "base/base.h"
#include "task/executor.h"
#include "task/wait_list.h"

static edo__wait_list *waiters_of(edo_delay_queue *queue)
{
    _Static_assert(sizeof(edo__wait_list) == sizeof(void *), "a list is one pointer");
    return (edo__wait_list *)(void *)&queue->waiters;
}

/* ---- the heap; an item has a list of children, and the first child's `prev` is the item ---- */

static bool is_before(const edo_delay *a, const edo_delay *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

/* Joins two heaps. Each of the two may be NULL. */
static edo_delay *meld(edo_delay *a, edo_delay *b)
{
    if (!a || !b) return a ? a : b;
    edo_delay *top = is_before(b, a) ? b : a, *below = top == a ? b : a;
    below->next = top->child;
    if (top->child) top->child->prev = below;
    below->prev = top;
    top->child = below;
    top->next = top->prev = NULL;
    return top;
}

/* Joins the heaps of a list. First joins pairs of neighbouring heaps, from left to right. Then
 * joins the resulting heaps to one, from right to left. */
static edo_delay *meld_all(edo_delay *list)
{
    edo_delay *pairs = NULL, *all = NULL;
    while (list) {
        edo_delay *a = list, *b = a->next;
        list = b ? b->next : NULL;
        edo_delay *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        edo_delay *next = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = next;
    }
    if (all) all->next = all->prev = NULL;
    return all;
}

static void cut(edo_delay *item)
{
    if (item->prev->child == item)
        item->prev->child = item->next;
    else
        item->prev->next = item->next;
    if (item->next) item->next->prev = item->prev;
}

/* Called under the lock. */
static void heap_remove(edo_delay_queue *queue, edo_delay *item)
{
    edo_delay *below = meld_all(item->child);
    if (queue->first == item) {
        queue->first = below;
    } else {
        cut(item);
        queue->first = meld(queue->first, below);
    }
    item->child = item->next = item->prev = NULL;
    item->queue = NULL;
    queue->count--;
}

static void heap_insert(edo_delay_queue *queue, edo_delay *item, int64_t when)
{
    *item = (edo_delay){ .when = when, .order = queue->order++, .queue = queue };
    queue->first = meld(queue->first, item);
    queue->count++;
}

/* ---- changes ---- */

static bool is_queued(const edo_delay_queue *queue, const edo_delay *item)
{
    return item->queue == queue;
}

/* Releases the lock. If `wakes_all` is true, causes all waiting tasks to be polled again. Returns:
 * 0. */
static int conclude(edo_delay_queue *queue, bool wakes_all)
{
    edo__wakes wakes = { NULL, NULL };
    if (wakes_all) edo__wait_repoll_all(waiters_of(queue), &wakes);
    edo__lock_give(&queue->lock);
    edo__wakes_commit(&wakes);
    return 0;
}

int edo_delay_queue_insert(edo_delay_queue *queue, edo_delay *item, int64_t when)
{
    if (!queue || !item) return -EINVAL;
    edo__lock_take(&queue->lock);
    int rc = queue->closed ? -ESHUTDOWN : 0;
    if (item->queue) rc = -EBUSY;
    if (rc == 0) {
        heap_insert(queue, item, when);
        return conclude(queue, queue->first == item);
    }
    edo__lock_give(&queue->lock);
    return rc;
}

int edo_delay_queue_remove(edo_delay_queue *queue, edo_delay *item)
{
    if (!queue || !item) return -EINVAL;
    edo__lock_take(&queue->lock);
    int rc = is_queued(queue, item) ? 0 : -ENOENT;
    if (rc == 0) heap_remove(queue, item);
    bool wakes_all = queue->closed && !queue->first;
    conclude(queue, wakes_all);
    return rc;
}

int edo_delay_queue_reset(edo_delay_queue *queue, edo_delay *item, int64_t when)
{
    if (!queue || !item) return -EINVAL;
    edo__lock_take(&queue->lock);
    if (!is_queued(queue, item)) {
        edo__lock_give(&queue->lock);
        return -ENOENT;
    }
    heap_remove(queue, item);
    heap_insert(queue, item, when);
    return conclude(queue, queue->first == item);
}

/* Called under the lock. */
static edo_delay *take_first(edo_delay_queue *queue)
{
    edo_delay *item = queue->first;
    if (item) heap_remove(queue, item);
    return item;
}

edo_delay *edo_delay_queue_take(edo_delay_queue *queue)
{
    edo__lock_take(&queue->lock);
    edo_delay *item = take_first(queue);
    conclude(queue, queue->closed && !queue->first);
    return item;
}

size_t edo_delay_queue_count(edo_delay_queue *queue)
{
    edo__lock_take(&queue->lock);
    size_t count = queue->count;
    edo__lock_give(&queue->lock);
    return count;
}

void edo_delay_queue_close(edo_delay_queue *queue)
{
    edo__lock_take(&queue->lock);
    queue->closed = 1;
    conclude(queue, true);
}

void edo_delay_queue_deinit(edo_delay_queue *queue)
{
    edo__lock_take(&queue->lock);
    if (!edo__wait_list_is_empty(waiters_of(queue)))
        edo__misuse("edo_delay_queue_deinit", "a task waits for the queue");
    edo__lock_give(&queue->lock);
}

/* ---- taking items ---- */

/* Takes the first item if it is due. Called under the lock. Returns: 1 with the item in *ret_item;
 * 0 if the queue is closed and empty; -EAGAIN otherwise. */
static int take_due(edo_delay_queue *queue, int64_t now, edo_delay **ret_item)
{
    if (!queue->first) return queue->closed ? 0 : -EAGAIN;
    if (queue->first->when > now) return -EAGAIN;
    *ret_item = take_first(queue);
    return 1;
}

int edo_try_delay_queue_next(edo_delay_queue *queue, edo_delay **ret_item)
{
    if (!queue || !ret_item) return -EINVAL;
    edo__lock_take(&queue->lock);
    int rc = take_due(queue, edo_now(), ret_item);
    conclude(queue, rc == 1 && queue->closed && !queue->first);
    return rc;
}

/* Makes one step of an operation. Called under the lock. Returns: the operation's result; -EAGAIN
 * if the operation waits. */
static int64_t step(edo_delay_queue *queue, edo_op *op, edo_cx *cx)
{
    bool is_parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    int64_t result = -ECANCELED;
    if (cx->fate == EDO_LIVE) result = take_due(queue, cx->now, op->data);
    if (result != -EAGAIN) {
        if (is_parked) edo__wait_leave(waiters_of(queue), op);
        return result;
    }
    if (is_parked)
        edo__wait_goes_on(op, cx->waker);
    else
        edo__wait_enqueue(waiters_of(queue), op, cx->waker);
    if (queue->first) edo_cx_deadline(cx, queue->first->when);
    return -EAGAIN;
}

static edo_poll delay_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_delay_queue *queue = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!queue || !op->data) return edo__op_finish(op, cx, -EINVAL);
    edo__lock_take(&queue->lock);
    int64_t result = step(queue, op, cx);
    conclude(queue, result >= 0 && queue->closed && !queue->first);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

const edo_future_ops edo__delay_ops = { .name = "edo_delay_queue_next", .poll = delay_poll };

#include "task/wait_list.h"

#include "base/base.h"

void edo__wait_append(edo__wait_list *list, edo_op *op)
{
    edo_op *first = list->first ? list->first : op, *last = list->first ? edo__wait_last(list) : op;
    op->link.node.next = first;
    op->link.node.prev = last;
    last->link.node.next = op;
    first->link.node.prev = op;
    list->first = first;
}

void edo__wait_enqueue(edo__wait_list *list, edo_op *op, edo_wakeable *waker)
{
    edo__wait_append(list, op);
    op->waker = waker;
    edo_store_relaxed(&op->word, EDO__OP_PARKED);
}

static void check_place(const edo_op *op)
{
    const edo_op *next = op->link.node.next;
    if (!next || next->link.node.prev != op)
        edo__misuse(op->base.ops->name, "the operation was moved after its first poll");
}

void edo__wait_unlink(edo__wait_list *list, edo_op *op)
{
    edo_op *next = op->link.node.next, *prev = op->link.node.prev;
    next->link.node.prev = prev;
    prev->link.node.next = next;
    if (list->first == op) list->first = next == op ? NULL : next;
    op->link.node.next = op->link.node.prev = NULL;
}

bool edo__wait_leave(edo__wait_list *list, edo_op *op)
{
    bool parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (parked) {
        check_place(op);
        edo__wait_unlink(list, op);
    }
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return parked;
}

bool edo__wait_goes_on(edo_op *op, edo_wakeable *waker)
{
    if (edo_load_relaxed(&op->word) != EDO__OP_PARKED) {
        edo_store_relaxed(&op->word, EDO__OP_IDLE);
        return false;
    }
    check_place(op);
    op->waker = waker;
    return true;
}

void edo__wakes_add(edo__wakes *wakes, edo_wakeable *prepared)
{
    edo_task *task = (edo_task *)(void *)prepared;
    if (!task) return;
    task->queue_next = NULL;
    if (wakes->first)
        wakes->last->queue_next = task;
    else
        wakes->first = task;
    wakes->last = task;
}

/* The wake is prepared before the word is stored, because the task may already be running. A poll
 * that reads WOKEN may end the task, and so free the waker, which is part of the task. The store
 * releases, because the poll may read the grant without the lock (edo__wait_is_over). */
void edo__wait_wake(edo__wait_list *list, edo_op *op, edo__wakes *wakes)
{
    edo__wait_unlink(list, op);
    edo__wakes_add(wakes, edo__wake_prepare(op->waker));
    edo_store_release(&op->word, EDO__OP_WOKEN);
}

void edo__wait_wake_all(edo__wait_list *list, edo__wakes *wakes)
{
    while (list->first)
        edo__wait_wake(list, list->first, wakes);
}

void edo__wait_repoll_all(edo__wait_list *list, edo__wakes *wakes)
{
    for (edo_op *op = list->first; op; op = edo__wait_next(list, op))
        edo__wakes_add(wakes, edo__wake_prepare(op->waker));
}

void edo__wakes_commit(edo__wakes *wakes)
{
    edo__task_push_chain(wakes->first);
    *wakes = (edo__wakes){ NULL, NULL };
}

#include "runtime/schedule/queue.h"

/* Reads the head into *ret_head. Returns: the number of entries above this head; 0 if this head is
 * stale.
 *
 * The head is read first. The tail is never below the head, and only grows. So the tail that is
 * read second is not below the head that was read. If the tail is more than one ring above that
 * head, the head has moved since it was read, and a compare-and-swap of the head would fail. */
static uint64_t snapshot(edo__queue *queue, uint64_t *ret_head)
{
    *ret_head = edo_load_acquire(&queue->head);
    uint64_t count = edo_load_acquire(&queue->tail) - *ret_head;
    return count <= EDO__QUEUE_SLOTS ? count : 0;
}

uint64_t edo__queue_steal(edo__queue *victim, edo__queue *mine)
{
    uint64_t head, count = snapshot(victim, &head), room = edo__queue_room(mine);
    count -= count / 2;
    if (count > room) count = room;
    if (count == 0) return 0;
    uint64_t tail = edo_load_own(&mine->tail);
    for (uint64_t i = 0; i < count; i++) {
        edo_task *task = edo_load_relaxed(&victim->slots[(head + i) % EDO__QUEUE_SLOTS]);
        edo_store_relaxed(&mine->slots[(tail + i) % EDO__QUEUE_SLOTS], task);
    }
    if (!edo_cas_release(&victim->head, &head, head + count)) return 0;
    edo_store_release(&mine->tail, tail + count);
    return count;
}

uint64_t edo__queue_spill(edo__queue *queue, edo_task **ret_first, edo_task **ret_last)
{
    uint64_t head = edo_load_relaxed(&queue->head);
    if (edo_load_own(&queue->tail) - head != EDO__QUEUE_SLOTS) return 0;
    if (!edo_cas_release(&queue->head, &head, head + EDO__QUEUE_HALF)) return 0;
    edo_task *next = NULL;
    for (uint64_t i = EDO__QUEUE_HALF; i-- > 0;) { // the slots belong to the owner now
        edo_task *task = edo_load_relaxed(&queue->slots[(head + i) % EDO__QUEUE_SLOTS]);
        if (i == EDO__QUEUE_HALF - 1) *ret_last = task;
        edo_plain_write(&task->queue_next);
        task->queue_next = next;
        next = task;
    }
    *ret_first = next;
    return EDO__QUEUE_HALF;
}

void edo__backlog_append(edo__backlog *backlog, edo_task *first, edo_task *last, uint64_t count)
{
    edo_plain_write(&last->queue_next);
    last->queue_next = NULL;
    if (backlog->last) {
        edo_plain_write(&backlog->last->queue_next);
        backlog->last->queue_next = first;
    } else {
        backlog->first = first;
    }
    backlog->last = last;
    edo_store_relaxed(&backlog->count, backlog->count + count);
}

uint64_t edo__backlog_take(edo__backlog *backlog, edo__queue *mine, uint64_t most)
{
    uint64_t taken = 0;
    while (backlog->first && taken < most) {
        edo_task *task = backlog->first;
        edo_plain_read(&task->queue_next);
        backlog->first = task->queue_next;
        edo__queue_push(mine, task);
        taken++;
    }
    if (!backlog->first) backlog->last = NULL;
    edo_store_relaxed(&backlog->count, backlog->count - taken);
    return taken;
}

edo__backlog edo__backlog_split(edo__backlog *backlog, uint64_t most)
{
    edo_task *first = backlog->first, *last = NULL;
    uint64_t count = 0;
    for (; backlog->first && count < most; count++) {
        last = backlog->first;
        edo_plain_read(&last->queue_next);
        backlog->first = last->queue_next;
    }
    if (!backlog->first) backlog->last = NULL;
    edo_store_relaxed(&backlog->count, backlog->count - count);
    return (edo__backlog){ count ? first : NULL, last, count };
}

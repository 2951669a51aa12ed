/* The run queue of a worker is a ring of 256 tasks. The owner pushes at the tail. The owner and
 * thieves take from the head. The algorithm is the one of Go's scheduler, but with indices that
 * never wrap.
 *
 * tail: only the owner writes the tail, with release. A reader that acquires the tail sees the
 * slots below the tail, and the state of the tasks in these slots.
 *
 * head: a thread takes entries by a compare-and-swap of the head, which moves the head past these
 * entries. The compare-and-swap is a release, so the thread's reads of the slots precede it. Before
 * the owner fills a slot again, it reads with acquire a head that is past the slot's old entry. So
 * the owner fills a slot again only after the thread that took the old entry has read the slot. If
 * a thief reads a slot that was filled again, the head has moved since the thief read the head. The
 * thief's compare-and-swap then fails, because indices never wrap.
 *
 * A task in the ring may be RUNNING, because a task that yields can be KEPT (task/state.h). The
 * thread that takes the entry owns the task. */
#pragma once

#include "task/task.h"

enum {
#ifdef EDO_MODEL
    EDO__QUEUE_SLOTS = 4,
#else
    EDO__QUEUE_SLOTS = 256,
#endif
    EDO__QUEUE_HALF = EDO__QUEUE_SLOTS / 2, // greatest number of tasks of a theft or a spill
    EDO__CACHE_LINE = 64,
};

typedef struct edo__queue {
    edo_atomic(uint64_t) head;
    char gap[EDO__CACHE_LINE - sizeof(uint64_t)]; // puts head and tail on different cache lines
    edo_atomic(uint64_t) tail;
    edo_atomic(edo_task *) slots[EDO__QUEUE_SLOTS];
} edo__queue;

/* Number of entries. Thread: any. */
static inline uint64_t edo__queue_length(const edo__queue *queue)
{
    uint64_t head = edo_load_acquire(&queue->head);
    uint64_t tail = edo_load_relaxed(&queue->tail); // read after the head, so never below the head
    return tail - head;
}

/* Number of free slots. Thread: the owner. */
static inline uint64_t edo__queue_room(const edo__queue *queue)
{
    return EDO__QUEUE_SLOTS - (edo_load_own(&queue->tail) - edo_load_acquire(&queue->head));
}

/* Pushes a task. Thread: the owner. Returns: false when the ring is full. */
static inline bool edo__queue_push(edo__queue *queue, edo_task *task)
{
    uint64_t tail = edo_load_own(&queue->tail);
    if (tail - edo_load_acquire(&queue->head) >= EDO__QUEUE_SLOTS) return false;
    edo_store_relaxed(&queue->slots[tail % EDO__QUEUE_SLOTS], task);
    edo_store_release(&queue->tail, tail + 1);
    return true;
}

/* Prefetches the task in the slot with the index `at`, which is probably the next task. Does
 * nothing if `at` is the tail. The task itself is not read, because a thief may take it at any
 * time. Thread: the owner. */
static inline void edo__queue_prefetch(const edo__queue *queue, uint64_t at, uint64_t tail)
{
    if (at != tail) edo__task_prefetch(edo_load_figure(&queue->slots[at % EDO__QUEUE_SLOTS]));
}

/* Pops the oldest task, or NULL, and prefetches the next. Thread: the owner. */
static inline edo_task *edo__queue_pop(edo__queue *queue)
{
    uint64_t tail = edo_load_own(&queue->tail), head = edo_load_relaxed(&queue->head);
    while (head != tail) {
        edo_task *task = edo_load_relaxed(&queue->slots[head % EDO__QUEUE_SLOTS]);
        if (!edo_cas_release(&queue->head, &head, head + 1)) continue;
        edo__queue_prefetch(queue, head + 1, tail);
        return task;
    }
    return NULL;
}

/* A list of tasks, linked through queue_next: an overflow list, a yielded list or the inject queue.
 * The user of the list guards it by a lock. */
typedef struct edo__backlog {
    edo_task *first, *last;     // NULL: empty
    edo_atomic(uint64_t) count; // changed under the lock
} edo__backlog;

/* Appends a list of `count` tasks. */
void edo__backlog_append(edo__backlog *backlog, edo_task *first, edo_task *last, uint64_t count);

/* Moves at most `most` of the oldest tasks to `mine`, which must have room for them. Thread: the
 * owner of `mine`. Returns: the number of moved tasks. */
uint64_t edo__backlog_take(edo__backlog *backlog, edo__queue *mine, uint64_t most);

/* Removes at most `most` of the oldest tasks. Returns: a list of the removed tasks. */
edo__backlog edo__backlog_split(edo__backlog *backlog, uint64_t most);

/* Moves half of the tasks of `victim`, rounded up, to `mine`, as far as `mine` has room. Thread:
 * the owner of `mine`.
 * Returns: the number of moved tasks; 0 if `victim` was empty, or if another thread took tasks
 * first. */
uint64_t edo__queue_steal(edo__queue *victim, edo__queue *mine);

/* Takes the older half out of a full queue, as a list through queue_next. Thread: the owner.
 * Returns: the number of tasks; 0 if thieves have made room meanwhile. */
uint64_t edo__queue_spill(edo__queue *queue, edo_task **ret_first, edo_task **ret_last);

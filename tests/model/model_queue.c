/* The run queue of a worker, with four slots: its owner against thieves. Every pushed task is taken
 * once, and the taker sees all earlier writes to the task.
 *
 * model-sources: runtime/schedule/queue.c
 */
#include <string.h>

#include "model/model.h"
#include "runtime/schedule/queue.h"

enum { TASKS = 8, QUEUES = 3 };

static struct {
    edo__queue queues[QUEUES]; // queues of the owner and of its thieves
    edo_task tasks[TASKS];
    unsigned taken[TASKS];
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
}

static void push(edo_task *task)
{
    edo_plain_write(&task->id);
    task->id++;
    model_assert(edo__queue_push(&s->queues[0], task));
}

static void push_some(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        push(&s->tasks[i]);
}

static bool take(edo_task *task)
{
    if (!task) return false;
    edo_plain_write(&task->id); // as a poll does; ordered after the push and before any other taker
    s->taken[task - s->tasks]++;
    return true;
}

static unsigned take_all(edo__queue *queue)
{
    unsigned count = 0;
    while (take(edo__queue_pop(queue)))
        count++;
    return count;
}

static void check_taken(unsigned count)
{
    for (unsigned i = 0; i < TASKS; i++)
        model_assert(s->taken[i] == (i < count));
}

/* Steals once, and runs the loot. */
static void steal_into(unsigned thief)
{
    uint64_t count = edo__queue_steal(&s->queues[0], &s->queues[thief]);
    model_assert(count <= EDO__QUEUE_HALF);
    model_assert(take_all(&s->queues[thief]) == count);
}

THREAD(steal_once)
{
    steal_into(1);
}

THREAD(steal_too)
{
    steal_into(2);
}

THREAD(steal_twice)
{
    steal_into(1);
    steal_into(1);
}

MODEL(queue_basic, "a task is popped or stolen, once, and who takes it sees what was done before")
{
    set_up();
    int thief = model_start(steal_once, NULL);
    push_some(0, 2);
    take(edo__queue_pop(&s->queues[0]));
    push_some(2, 3);
    take_all(&s->queues[0]);
    model_join(thief);
    check_taken(3);
}

MODEL(queue_wraps, "no slot is filled anew before the thief that gets its task has read it")
{
    set_up();
    push_some(0, 3);
    int thief = model_start(steal_once, NULL);
    for (unsigned i = 3; i < TASKS; i++) {
        if (!edo__queue_push(&s->queues[0], &s->tasks[i])) {
            take(edo__queue_pop(&s->queues[0]));
            model_assert(edo__queue_push(&s->queues[0], &s->tasks[i]));
        }
    }
    take_all(&s->queues[0]);
    model_join(thief);
    check_taken(TASKS);
}

MODEL(queue_last, "of the owner and two thieves one gets the last task")
{
    set_up();
    int first = model_start(steal_once, NULL), second = model_start(steal_too, NULL);
    push_some(0, 1);
    take_all(&s->queues[0]);
    model_join(first);
    model_join(second);
    check_taken(1);
}

/* ---- overflow ---- */

static void take_list(edo_task *task, const edo_task *last, uint64_t count)
{
    for (edo_task *next; count-- > 0; task = next) {
        model_assert((count == 0) == (task == last));
        edo_plain_write(&task->queue_next);
        next = task->queue_next;
        take(task);
    }
}

/* A push by the owner, with a spill when the ring is full. */
static void push_or_spill(edo_task *task)
{
    edo_task *first, *last;
    while (!edo__queue_push(&s->queues[0], task)) {
        uint64_t count = edo__queue_spill(&s->queues[0], &first, &last);
        if (!count) continue;
        model_assert(count == EDO__QUEUE_HALF);
        take_list(first, last, count);
    }
}

MODEL(queue_overflow, "a full ring spills its older half, or a thief makes room, and none is lost")
{
    set_up();
    int thief = model_start(steal_once, NULL);
    for (unsigned i = 0; i < 6; i++)
        push_or_spill(&s->tasks[i]);
    take_all(&s->queues[0]);
    model_join(thief);
    check_taken(6);
}

MODEL(queue_spilled_order, "what is spilled is the older half, the oldest first")
{
    edo_task *first, *last;
    set_up();
    push_some(0, EDO__QUEUE_SLOTS);
    model_assert(!edo__queue_push(&s->queues[0], &s->tasks[EDO__QUEUE_SLOTS]));
    model_assert(edo__queue_spill(&s->queues[0], &first, &last) == EDO__QUEUE_HALF);
    model_assert(first == &s->tasks[0] && last == &s->tasks[EDO__QUEUE_HALF - 1]);
    model_assert(edo__queue_room(&s->queues[0]) == EDO__QUEUE_HALF);
    model_assert(edo__queue_pop(&s->queues[0]) == &s->tasks[EDO__QUEUE_HALF]);
}

MODEL(queue_spill_needs_full, "a ring that thieves have made room in is not spilled")
{
    edo_task *first, *last;
    set_up();
    push_some(0, EDO__QUEUE_SLOTS - 1);
    model_assert(edo__queue_spill(&s->queues[0], &first, &last) == 0);
}

/* ---- several thieves ---- */

MODEL(queue_two_thieves, "two thieves and the owner share what is there")
{
    set_up();
    push_some(0, 3);
    int first = model_start(steal_once, NULL), second = model_start(steal_too, NULL);
    take(edo__queue_pop(&s->queues[0]));
    take_all(&s->queues[0]);
    model_join(first);
    model_join(second);
    check_taken(3);
}

MODEL(queue_steal_and_push, "a thief comes again while the owner pushes")
{
    set_up();
    int thief = model_start(steal_twice, NULL);
    push_some(0, 3);
    take_all(&s->queues[0]);
    model_join(thief);
    check_taken(3);
}

THREAD(steal_and_keep)
{
    edo__queue_steal(&s->queues[0], &s->queues[1]);
    take_all(&s->queues[1]);
}

THREAD(steal_from_thief)
{
    edo__queue_steal(&s->queues[1], &s->queues[2]);
    take_all(&s->queues[2]);
}

MODEL(queue_chained, "a thief is robbed itself of what it has just stolen")
{
    set_up();
    push_some(0, 4);
    int first = model_start(steal_and_keep, NULL), second = model_start(steal_from_thief, NULL);
    take(edo__queue_pop(&s->queues[0]));
    model_join(first);
    model_join(second);
    take_all(&s->queues[0]);
    check_taken(4);
}

THREAD(fill_own_and_steal)
{
    for (unsigned i = 5; i < TASKS; i++)
        model_assert(edo__queue_push(&s->queues[1], &s->tasks[i]));
    edo__queue_steal(&s->queues[0], &s->queues[1]); // with room for one task
    take_all(&s->queues[1]);
}

MODEL(queue_little_room, "a thief takes no more than it has room for")
{
    set_up();
    push_some(0, 4);
    int thief = model_start(fill_own_and_steal, NULL);
    take(edo__queue_pop(&s->queues[0]));
    push_some(4, 5);
    take_all(&s->queues[0]);
    model_join(thief);
    check_taken(TASKS);
}

/* ---- its length ---- */

THREAD(measure)
{
    for (int i = 0; i < 2; i++)
        model_assert(edo__queue_length(&s->queues[0]) <= TASKS);
}

MODEL(queue_length_spilled, "nor below zero while the owner spills")
{
    edo_task *first, *last;
    set_up();
    int looker = model_start(measure, NULL);
    push_some(0, EDO__QUEUE_SLOTS);
    model_assert(edo__queue_spill(&s->queues[0], &first, &last) == EDO__QUEUE_HALF);
    model_join(looker);
}

MODEL(queue_length, "no onlooker sees a length below zero, whoever takes")
{
    set_up();
    int looker = model_start(measure, NULL), thief = model_start(steal_once, NULL);
    push_some(0, 2);
    take(edo__queue_pop(&s->queues[0]));
    model_join(looker);
    model_join(thief);
}

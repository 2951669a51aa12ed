/* Choice of the next task, from the slot, the ring, the lists, or other workers. */
#include "runtime/schedule/work.h"
#include "base/duration.h"
#include "runtime/runtime.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/idle.h"
#include "runtime/time/clock.h"

enum {
    LONGEST_STREAK = 3, // number of tasks from the slot in a row; as in Tokio
    LEAST_SHARE = 8,    // a share is at least 1 / LEAST_SHARE of a turn's polls
};

/* If the tasks do not fit into the ring, each yielding task shall be polled about once in this
 * time. */
#define ROUND edo_ms(10)

/* Bounds of the time between two exchanges of ring and overflow list. An exchange costs time, and
 * separates tasks that are adjacent in memory. */
#define MIN_STAY edo_us(128)
#define MAX_STAY edo_ms(4)

static edo_task *pop_pinned(edo__worker *worker)
{
    edo_task *task = edo__worker_pop_local(worker);
    if (task) worker->local.count--;
    return task;
}

/* ---- the ring ---- */

static void append(edo__worker *worker, edo__backlog *to, edo_task *first, edo_task *last,
                   uint64_t count)
{
    edo__lock_take(&worker->overflow_lock);
    edo__backlog_append(to, first, last, count);
    edo__lock_give(&worker->overflow_lock);
}

/* Moves the older half of a full ring to the overflow list. Then appends the task `with` to the
 * list, unless `with` is NULL. Returns: false if thieves have made room meanwhile. */
static bool spill(edo__worker *worker, edo_task *with)
{
    edo_task *first, *last;
    if (edo__unlikely(edo__runtime_is_stale(worker->runtime))) return true; // in a forked child
    uint64_t count = edo__queue_spill(&worker->queue, &first, &last);
    if (count == 0) return false;
    edo_add_counter(&worker->counters.overflows, 1);
    if (with) {
        last->queue_next = with;
        last = with;
        count++;
    }
    append(worker, &worker->overflow, first, last, count);
    return true;
}

static void push_ring(edo__worker *worker, edo_task *task)
{
    while (!edo__queue_push(&worker->queue, task))
        if (spill(worker, task)) return;
}

/* Wakes another worker if the waiting tasks are worth the cost of a wake. A wake sets notify_at to
 * twice the number of the waiting tasks, for the rest of the turn. So one long queue does not wake
 * all other workers at once.
 *
 * The partner of the fence is the fence in edo__idle_enter. The tasks and keeps_ready were written
 * before the fence. Either a worker that is about to sleep sees them, or this function sees that
 * worker among the sleepers. */
void edo__worker_consider_waking(edo__worker *worker)
{
    uint64_t length = edo__worker_length(worker);
    if (length == 0 || length < worker->notify_at) return;
    worker->notify_at = 2 * length;
    edo_fence_seq_cst();
    edo__idle_wake_one(worker->runtime);
}

void edo__worker_push_shared(edo__worker *worker, edo_task *task)
{
    push_ring(worker, task);
    edo__worker_consider_waking(worker);
}

/* Queues a task that is ready again after a long poll, and wakes another worker. Each such task is
 * worth the cost of a wake, because its polls are long. The fence has the same purpose as the fence
 * in edo__worker_consider_waking. */
void edo__worker_push_yielded(edo__worker *worker, edo_task *task)
{
    if (!worker->is_shared || edo__task_home(task)) {
        edo__worker_push_local(worker, task);
        return;
    }
    append(worker, &worker->yielded, task, task, 1);
    edo_fence_seq_cst();
    edo__idle_wake_one(worker->runtime);
}

/* ---- the next-task slot; the last woken or spawned task runs next, with warm caches ---- */

/* Puts a task into the slot. Only the owner fills the slot, but a helper may empty it. The release
 * publishes the task. The partner of the release is the acquire in take_next. */
static void push_next(edo__worker *worker, edo_task *task)
{
    edo_task *old = edo_load_relaxed(&worker->next);
    if (old)
        old = edo_swap_release(&worker->next, task);
    else
        edo_store_release(&worker->next, task);
    if (!old) return;
    push_ring(worker, old);
    edo__worker_consider_waking(worker);
}

static edo_task *take_next(edo__worker *worker)
{
    return edo_load_relaxed(&worker->next) ? edo_swap_acquire(&worker->next, NULL) : NULL;
}

void edo__worker_push(edo__worker *worker, edo_task *task)
{
    worker->local_pushes++;
    if (edo__self.cx && worker->is_shared && !edo__task_home(task))
        push_next(worker, task);
    else
        edo__worker_push_back(worker, task);
}

/* ---- taking ---- */

edo_task *edo__worker_pop_shared(edo__worker *worker)
{
    edo_task *task = NULL;
    if (worker->local.first && worker->cx.polls % 2) return pop_pinned(worker); // every second poll
    if (worker->streak < LONGEST_STREAK) task = take_next(worker);
    worker->streak = task ? worker->streak + 1 : 0;
    if (!task) task = edo__queue_pop(&worker->queue);
    if (!task) task = take_next(worker);
    return task ? task : pop_pinned(worker);
}

bool edo__worker_has_tasks(const edo__worker *worker)
{
    if (worker->local.first || edo_load_relaxed(&worker->inject)) return true;
    return worker->is_shared && (edo_load_relaxed(&worker->next) || edo__worker_length(worker) ||
                                 edo_load_relaxed(&worker->yielded.count));
}

/* ---- tasks of other lists and workers ---- */

/* Number of tasks to take from a backlog in this turn. `there` is the length of the backlog, and
 * `sharers` is the number of workers that take from it. The number is the backlog's proportional
 * share of the turn's polls, with two bounds:
 * - At most the polls that the tasks in the ring do not need.
 * - At least about 1 / LEAST_SHARE of the turn's polls, so that the backlog does not starve. */
static uint64_t share_of(const edo__worker *worker, uint64_t there, uint32_t sharers)
{
    uint64_t here = edo__queue_length(&worker->queue), turn = worker->interval;
    uint64_t fair = turn * there / (there + here * sharers);
    uint64_t spare = here < turn ? turn - here : 0, least = turn / LEAST_SHARE + 1;
    uint64_t share = fair < spare ? fair : spare;
    return share > least ? share : least;
}

static uint64_t take_overflow(edo__worker *worker, edo__worker *of, uint64_t most)
{
    uint64_t room = edo__queue_room(&worker->queue);
    edo__lock_take(&of->overflow_lock);
    uint64_t count = edo__backlog_take(&of->overflow, &worker->queue, most < room ? most : room);
    edo__lock_give(&of->overflow_lock);
    return count;
}

/* From time to time, exchanges the older half of the ring with the head of the overflow list.
 * Without exchanges, tasks of the overflow list would starve, because a ring with yielding tasks
 * always has enough tasks for a turn. Between two exchanges, the worker makes at least one poll for
 * each slot of the ring. So a task that enters the ring is polled before an exchange can remove the
 * task. */
static void exchange(edo__worker *worker, uint64_t there, int64_t now)
{
    int64_t stay = edo__clamp(ROUND / (int64_t)there * EDO__QUEUE_HALF, MIN_STAY, MAX_STAY);
    if (worker->cx.polls - worker->exchanged.polls < EDO__QUEUE_SLOTS) return;
    if (now - worker->exchanged.at < stay && !edo__clock_is_paused(worker->runtime)) return;
    worker->exchanged.polls = worker->cx.polls;
    worker->exchanged.at = now;
    if (edo__queue_room(&worker->queue) == 0) spill(worker, NULL);
    take_overflow(worker, worker, EDO__QUEUE_HALF);
}

/* Takes one yielded task if the ring is empty. Otherwise takes one yielded task in every
 * LEAST_SHARE turns. A long poll of that task ends the turn. So a task that becomes ready waits for
 * at most one such poll, not for a poll of each yielded task. */
void edo__worker_take_yielded(edo__worker *worker)
{
    if (!edo_load_relaxed(&worker->yielded.count)) return;
    bool is_first = edo__queue_length(&worker->queue) == 0;
    if (!is_first && ++worker->passed_over < LEAST_SHARE) return;
    worker->passed_over = 0;
    edo__lock_take(&worker->overflow_lock);
    edo__backlog one = edo__backlog_split(&worker->yielded, 1);
    edo__lock_give(&worker->overflow_lock);
    if (one.first) push_ring(worker, one.first);
}

void edo__worker_take_overflow(edo__worker *worker, int64_t now)
{
    uint64_t there = edo_load_relaxed(&worker->overflow.count);
    uint64_t room = edo__queue_room(&worker->queue);
    if (!there) return;
    if (room > 0 && EDO__QUEUE_SLOTS - room < worker->interval)
        take_overflow(worker, worker, share_of(worker, there, 1));
    else
        exchange(worker, there, now);
}

void edo__worker_take_injected(edo__worker *worker)
{
    uint64_t there = edo_load_relaxed(&worker->runtime->idle.injected.count);
    if (!edo__baton_admits(worker) || !there) return;
    uint64_t share = share_of(worker, there, worker->runtime->base.worker_count);
    uint64_t room = edo__queue_room(&worker->queue);
    if (room == 0 && spill(worker, NULL)) room = EDO__QUEUE_HALF;
    edo__inject_take(worker, share < room ? share : room);
}

static bool note_stolen(edo__worker *worker, uint64_t count)
{
    if (count == 0) return false;
    edo_add_counter(&worker->counters.steals, 1);
    edo_add_counter(&worker->counters.stolen, count);
    return true;
}

/* Moves tasks from a list of another worker to a list of this worker. Returns: the number of moved
 * tasks. */
static uint64_t move(edo__worker *worker, edo__backlog *to, edo__worker *victim, edo__backlog *from,
                     uint64_t most)
{
    edo__lock_take(&victim->overflow_lock);
    edo__backlog moved = edo__backlog_split(from, most);
    edo__lock_give(&victim->overflow_lock);
    if (moved.first) append(worker, to, moved.first, moved.last, moved.count);
    return moved.count;
}

static uint64_t steal_yielded(edo__worker *worker, edo__worker *victim)
{
    uint64_t there = edo_load_relaxed(&victim->yielded.count), most = there - there / 2;
    if (!there) return 0;
    return move(worker, &worker->yielded, victim, &victim->yielded, most);
}

/* Steals half of the victim's ring, half of its overflow list, and half of its yielded list. The
 * overflow list is walked under its lock. So at most half a ring of tasks is taken from that
 * list. */
static bool steal_from(edo__worker *worker, edo__worker *victim)
{
    uint64_t count = edo__queue_steal(&victim->queue, &worker->queue);
    uint64_t there = edo_load_relaxed(&victim->overflow.count);
    uint64_t half = there - there / 2;
    if (there)
        count += take_overflow(worker, victim, half < EDO__QUEUE_HALF ? half : EDO__QUEUE_HALF);
    count += steal_yielded(worker, victim);
    return note_stolen(worker, count);
}

/* Searches the workers in order. The first victim is random, so that thieves begin with different
 * victims. */
bool edo__worker_steal(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    uint32_t count = edo__worker_total(runtime);
    uint32_t start = edo__random_below(&worker->cx, count);
    for (uint32_t i = 0; i < count; i++) {
        edo__worker *victim = runtime->workers[(start + i) % count];
        if (victim == worker || !edo__worker_is_worth_stealing(victim)) continue;
        if (steal_from(worker, victim)) return true;
    }
    return false;
}

bool edo__worker_search(edo__worker *worker)
{
    if (!edo__idle_begin_search(worker)) return false;
    if (!edo__worker_steal(worker)) edo__worker_take_injected(worker);
    bool found = edo__worker_has_tasks(worker);
    if (found) {
        edo__idle_end_search(worker);
        edo__worker_consider_waking(worker);
    }
    return found;
}

/* ---- tasks pushed by other threads ---- */

/* Pushes a task to a worker's inject stack. The release orders the pusher's work before the poll of
 * the task. The partner of the release is the acquire in take_inject. */
static void hand_to(edo__worker *worker, edo_task *task)
{
    edo_task *head = edo_load_relaxed(&worker->inject);
    do {
        edo_plain_write(&task->queue_next);
        task->queue_next = head;
    } while (!edo_cas_release(&worker->inject, &head, task));
    edo__worker_notify(worker);
}

void edo__worker_push_foreign(edo__worker *worker, edo_task *task)
{
    edo_add_figure(&worker->handed, 1);
    hand_to(worker, task);
}

/* Empties the inject stack of a worker. Returns: a list of its tasks, oldest first. */
static edo_task *take_inject(edo__worker *of)
{
    if (!edo_load_relaxed(&of->inject)) return NULL;
    edo_task *stack = edo_swap_acquire(&of->inject, NULL), *queue = NULL;
    while (stack) { // the stack has the newest task first; the loop reverses the order
        edo_plain_write(&stack->queue_next);
        edo_task *next = stack->queue_next;
        stack->queue_next = queue;
        queue = stack;
        stack = next;
    }
    return queue;
}

void edo__worker_drain_inject(edo__worker *worker)
{
    uint64_t count = 0;
    for (edo_task *task = take_inject(worker), *next; task; task = next) {
        next = task->queue_next;
        edo__worker_push_back(worker, task);
        count++;
    }
    if (count) edo_add_figure(&worker->taken, count);
}

/* ---- from a stuck worker ----
 *
 * A helper takes tasks of a ring only if its own ring is empty, and tasks of a list only if its own
 * list of that kind is empty. Without this rule, the helper could queue the taken tasks behind a
 * long task of its own. Another helper could then take them again before any of them has run, and
 * this could repeat without end.
 *
 * With this rule, the tasks keep their order, and the helper polls the first of them in its present
 * turn. The helper cannot be found stuck before that poll, because a mark for an earlier turn does
 * not count (edo__worker_is_stuck()). So a task with n tasks before it is polled after at most n
 * polls, even if helpers take it several times. */

/* Takes a whole list of the victim if the helper's own list of that kind is empty. */
static void rob_list(edo__worker *worker, edo__backlog *to, edo__worker *victim, edo__backlog *from)
{
    if (edo_load_relaxed(&from->count) && !edo_load_relaxed(&to->count))
        note_stolen(worker, move(worker, to, victim, from, UINT64_MAX));
}

/* Takes the victim's overflow list and yielded list, each by rob_list(). If the helper's ring is
 * empty, also takes the following from the victim: half of the ring, the task in the slot, and the
 * tasks of the inject stack that are not pinned. */
void edo__worker_rob(edo__worker *worker, edo__worker *victim)
{
    rob_list(worker, &worker->overflow, victim, &victim->overflow);
    rob_list(worker, &worker->yielded, victim, &victim->yielded);
    if (edo__queue_length(&worker->queue)) return;
    note_stolen(worker, edo__queue_steal(&victim->queue, &worker->queue));
    uint64_t count = 0;
    edo_task *slot = take_next(victim);
    if (slot) edo__worker_push_back(worker, slot);
    for (edo_task *task = take_inject(victim), *next; task; task = next) {
        next = task->queue_next;
        if (edo__task_home(task)) {
            hand_to(victim, task);
        } else {
            edo__worker_push_back(worker, task);
            count++;
        }
    }
    if (count) edo_add_figure(&victim->taken, count);
}

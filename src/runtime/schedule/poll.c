/* Polls of ready tasks. */
#include "runtime/schedule/poll.h"
#include "runtime/hooks.h"
#include "runtime/inspect/observe.h"
#include "runtime/registry.h"
#include "runtime/schedule/work.h"
#include "runtime/time/timers.h"
#include "task/end.h"
#include "task/future.h"
#include "task/op.h"

/* The functions of a poll are inlined into their loop, for two reasons. First, the support for
 * observed polls then costs an unobserved poll only one test. Second, after a fiber has run, the
 * processor mispredicts each return up to the loop (docs/internals/fiber.md). */

/* Cancels a task whose deadline has passed. The bit CANCELLED tells failure.c and scope.c that the
 * result -ECANCELED is not a failure. The write of the bit is relaxed, because the bit publishes no
 * data, and is read where the poller ends the task. The write disturbs no transition of the state,
 * because any thread may cancel a RUNNING task, and each transition changes only its own bits. A
 * later edo_task_cancel() finds the bit set, and does not wake the task. No wake is needed, because
 * this poll already passes the fate on. */
static __attribute__((noinline, cold)) void cancel_late(edo_task *task)
{
    edo_or_relaxed(&task->state, EDO__CANCELLED);
    edo__raise_fate(edo__task_frame(task), EDO_CANCELLED);
}

/* Applies a cancellation or abort of the task, and the deadline of the task's context. */
static edo__always_inline void bring_fate(edo_task *task, uint64_t state, edo_cx *cx)
{
    edo_future *frame = edo__task_frame(task);
    if (edo__unlikely(state & EDO__ABORTED))
        edo__raise_fate(frame, EDO_ABORTED);
    else if (edo__unlikely(state & EDO__CANCELLED))
        edo__raise_fate(frame, EDO_CANCELLED);
    const edo_context *context = edo__task_context(task);
    int64_t deadline = context ? edo_context_values_of(context)->deadline : 0;
    if (edo__likely(!deadline)) return;
    if (deadline > cx->now)
        edo_cx_deadline(cx, deadline);
    else if (!(state & EDO__CANCELLED))
        cancel_late(task);
}

static edo__always_inline void begin_poll(edo__worker *worker, edo_task *task)
{
    edo_cx *cx = &worker->cx;
    cx->asked = 0;
    cx->requeue = false;
    cx->budget = (int32_t)cx->runtime->config.budget;
    cx->slice_end = 0;
    cx->next_deadline = EDO_NEVER;
    cx->task = task;
    cx->waker = &task->head;
    edo_store_figure(&task->poll_start, cx->now);
    edo_store_figure(&worker->beat, 2 * cx->polls + 1); // odd, for the monitor
}

/* Aborts if the thread has taken a lock of edo during the poll, and still holds it. Such a lock
 * would be released later, possibly by another thread. */
static inline void check_locks(uint32_t held_before)
{
    if (edo__thread_locks_held > held_before) edo_load_relaxed (&edo__at_kept_lock)();
}

static edo__always_inline edo_poll poll_frame(edo__worker *worker, edo_task *task, uint64_t state)
{
    edo_cx *cx = &worker->cx;
    begin_poll(worker, task);
    bring_fate(task, state, cx);
    edo_fence_signal(); // a signal handler that finds this cx in edo__self also finds cx->task
    edo__self.cx = cx;
    edo__self.stack = (uintptr_t)__builtin_frame_address(0);
    uint32_t locks = EDO_DEBUG ? edo__thread_locks_held : 0;
    edo_poll poll = edo__poll_root(edo__task_frame(task), cx);
    if (EDO_DEBUG) check_locks(locks);
    edo__self.cx = NULL;
    edo__self.stack = 0;
    edo_fence_signal();
    edo_store_figure(&worker->beat, 2 * cx->polls + 2);
    return poll;
}

static edo__always_inline void end_task(edo__worker *worker, edo_task *task)
{
    worker->ended++;
    edo__timer_cancel(task);
    edo__hooks_end(worker->runtime, task);
    worker->in_hand = NULL;
    edo__runtime_dismiss(task);
    edo__task_finish(task);
}

static edo__always_inline void requeue(edo__worker *worker, edo_task *task,
                                       void (*push)(edo__worker *, edo_task *))
{
    if (worker->cx.budget <= 0) edo_add_counter(&worker->counters.budget_yields, 1);
    if (!worker->keeps_yielded || !edo__state_keep(&task->state)) edo__state_requeue(&task->state);
    push(worker, task);
}

/* Requeues a task that was woken during its poll. */
static edo__always_inline void push_again(edo__worker *worker, edo_task *task,
                                          void (*push)(edo__worker *, edo_task *))
{
    edo__task_note_queued(task);
    push(worker, task);
}

/* Ends, requeues or parks a task after its poll. `push` queues a task that is ready again. */
static edo__always_inline void settle(edo__worker *worker, edo_task *task, edo_poll poll,
                                      void (*push)(edo__worker *, edo_task *))
{
    if (poll == EDO_READY) {
        end_task(worker, task);
        return;
    }
    edo__timer_set(worker, task, worker->cx.next_deadline);
    if (worker->cx.requeue)
        requeue(worker, task, push);
    else if (edo__state_pause(&task->state))
        push_again(worker, task, push);
}

/* Measures the time of a poll, but only after recent long polls. Otherwise the clock is not read,
 * because a read of the clock costs as much as a short poll.
 * Returns: whether the poll was long, which ends the turn. */
static bool was_long(edo__worker *worker)
{
    if (!(worker->observed & EDO__POLL_TIMED)) return false;
    int64_t now = edo__sys_now();
    bool is_long = now - worker->polled_at >= TURN_TARGET / 2;
    worker->polled_at = now;
    if (is_long) edo_store_figure(&worker->is_hurried, true);
    return is_long;
}

/* Polls a task that is observed or timed. A task that is ready again after a long poll is put
 * behind the tasks that the next events and timers make ready. Otherwise those tasks would have to
 * wait for one long poll of each yielding task. */
static __attribute__((noinline, cold)) void poll_observed(edo__worker *worker, edo_task *task,
                                                          uint64_t state)
{
    worker->in_hand = task;
    int64_t start = edo__observe_begin(worker, task);
    edo_poll poll = poll_frame(worker, task, state);
    edo__observe_end(worker, task, start);
    if (poll != EDO_READY) worker->in_hand = NULL;
    settle(worker, task, poll, was_long(worker) ? edo__worker_push_yielded : edo__worker_push_back);
}

static edo__always_inline void poll_task(edo__worker *worker, edo_task *task)
{
    uint64_t state = edo__state_start(&task->state);
    if (edo__unlikely(state & EDO__INSPECTED)) {
        uint32_t tries = EDO__BRIEF_TRIES;   // makes the wait sleep at once
        edo__worker_push_back(worker, task); // polled later; an inspection is short
        edo__sys_wait_briefly(&tries);
        return;
    }
    worker->cx.polls++;
    if (edo__unlikely((worker->observed | task->head.flags) & EDO__POLL_OBSERVED))
        poll_observed(worker, task, state);
    else
        settle(worker, task, poll_frame(worker, task, state), edo__worker_push_back);
}

void edo__poll_task(edo__worker *worker, edo_task *task)
{
    poll_task(worker, task);
}

void edo__publish_polls(edo__worker *worker, uint32_t popped)
{
    edo__counters *counters = &worker->counters;
    if (!worker->is_shared) worker->local.count -= popped;
    edo_store_figure(&counters->polls, worker->cx.polls);
    edo_store_figure(&counters->local_schedules, worker->local_pushes);
    edo_store_figure(&counters->local_depth, worker->local.count);
}

bool edo__run_ready(edo__worker *worker)
{
    uint64_t ended = worker->ended;
    uint32_t popped = 0;
    while (popped < worker->interval) {
        edo_task *task = edo__worker_pop(worker);
        if (!task) break;
        popped++;
        poll_task(worker, task);
        if (edo__unlikely(worker->cx.slice_end == EDO__SLICE_SPENT)) break;
        if (edo__unlikely(edo_load_figure(&worker->is_hurried))) break;
    }
    edo__publish_polls(worker, popped);
    return worker->ended != ended;
}

/* A turn of the runtime: ready tasks, the driver, timers, and the way to sleep. */
#include "runtime/runtime.h"
#include "sys/sys.h"
#include "task/op.h"

enum { SLICE_SPENT = -1 }; // edo_cx.slice_end, behind a poll that took all its time

/* ---- the ready queue ---- */

static void push_ready(edo_runtime *runtime, edo_task *task)
{
    task->queue_next = NULL;
    *runtime->ready.end = task;
    runtime->ready.end = &task->queue_next;
}

static edo_task *pop_ready(edo_runtime *runtime)
{
    edo_task *task = runtime->ready.first;
    if (!task) return NULL;
    runtime->ready.first = task->queue_next;
    if (!runtime->ready.first) runtime->ready.end = &runtime->ready.first;
    return task;
}

/* ---- wakes from other threads ---- */

/* Release: what the pusher did comes before the poll. Partner: the swap in drain_inject. The swap
 * of `park` is last but for `visitors`, which keeps the runtime from going meanwhile. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task)
{
    edo_add_relaxed(&runtime->visitors, 1);
    edo_task *head = edo_load_relaxed(&runtime->inject);
    do {
        edo_plain_write(&task->queue_next);
        task->queue_next = head;
    } while (!edo_cas_release(&runtime->inject, &head, task));
    if (edo_swap_release(&runtime->park, EDO__NOTIFIED_PARK) == EDO__PARKED)
        runtime->driver->ops->unpark(runtime->driver);
    edo_sub_release(&runtime->visitors, 1); // partner: the wait in edo_runtime_destroy
}

void edo__runtime_push(edo_runtime *runtime, edo_task *task)
{
    if (edo__likely(edo__self.runtime == runtime))
        push_ready(runtime, task);
    else
        edo__runtime_push_foreign(runtime, task);
}

static void drain_inject(edo_runtime *runtime)
{
    if (!edo_load_relaxed(&runtime->inject)) return;
    edo_task *stack = edo_swap_acquire(&runtime->inject, NULL), *queue = NULL;
    while (stack) { // the last pushed lies on top: turn it around
        edo_plain_write(&stack->queue_next);
        edo_task *next = stack->queue_next;
        stack->queue_next = queue;
        queue = stack;
        stack = next;
    }
    while (queue) {
        edo_task *next = queue->queue_next;
        push_ready(runtime, queue);
        queue = next;
    }
}

/* ---- one poll ---- */

/* The task's timer moves only when it must fire earlier: one that fires too early costs a poll, one
 * per period of a limit that is always renewed. */
static void set_timer(edo_runtime *runtime, edo_task *task, int64_t deadline)
{
    edo__timer *timer = &task->timer;
    if (deadline == EDO_NEVER || (edo__timer_is_armed(timer) && timer->when <= deadline)) return;
    edo__wheel_disarm(&runtime->wheel, timer);
    edo__wheel_arm(&runtime->wheel, timer, deadline);
}

/* The fate that was asked of the task, and the deadline of its context. */
static void bring_fate(edo_task *task, uint64_t state, edo_cx *cx)
{
    edo_future *frame = edo__task_frame(task);
    if (edo__unlikely(state & EDO__ABORTED))
        edo__raise_fate(frame, EDO_ABORTED);
    else if (edo__unlikely(state & EDO__CANCELLED))
        edo__raise_fate(frame, EDO_CANCELLED);
    int64_t deadline = task->context ? edo_context_values_of(task->context)->deadline : 0;
    if (edo__likely(!deadline)) return;
    if (deadline <= cx->now)
        edo__raise_fate(frame, EDO_CANCELLED);
    else
        edo_cx_deadline(cx, deadline);
}

static void begin_poll(edo_runtime *runtime, edo_task *task)
{
    edo_cx *cx = &runtime->cx;
    cx->asked = 0;
    cx->requeue = false;
    cx->budget = (int32_t)runtime->config.budget;
    cx->slice_end = 0;
    cx->next_deadline = EDO_NEVER;
    cx->task = task;
    cx->waker = &task->head;
    edo_store_relaxed(&task->poll_start, cx->now);
}

static edo_poll poll_frame(edo_runtime *runtime, edo_task *task, uint64_t state)
{
    edo_cx *cx = &runtime->cx;
    begin_poll(runtime, task);
    bring_fate(task, state, cx);
    edo__self.cx = cx;
    edo__self.stack = (uintptr_t)__builtin_frame_address(0);
    edo_poll poll = edo_poll_future(edo__task_frame(task), cx);
    edo__self.cx = NULL;
    edo__self.stack = 0;
    return poll;
}

static void end_task(edo_runtime *runtime, edo_task *task)
{
    runtime->ended++;
    edo__wheel_disarm(&runtime->wheel, &task->timer);
    edo__lock_take(&runtime->registry_lock);
    edo__list_remove(&task->registry);
    edo_store_relaxed(&runtime->task_count, runtime->task_count - 1);
    edo__lock_give(&runtime->registry_lock);
    edo__task_finish(task);
}

void edo__poll_task(edo_runtime *runtime, edo_task *task)
{
    uint64_t state = edo__state_start(&task->state);
    if (edo__unlikely(state & EDO__INSPECTED)) {
        push_ready(runtime, task); // somebody looks at it, briefly
        edo__sys_yield_thread();
        return;
    }
    runtime->cx.polls++;
    if (poll_frame(runtime, task, state) == EDO_READY) {
        end_task(runtime, task);
        return;
    }
    set_timer(runtime, task, runtime->cx.next_deadline);
    if (runtime->cx.requeue) {
        if (!runtime->keeps_yielded || !edo__state_keep(&task->state))
            edo__state_requeue(&task->state);
        push_ready(runtime, task);
    } else if (edo__state_pause(&task->state)) {
        push_ready(runtime, task);
    }
}

void edo__check_time_slice(edo_cx *cx)
{
    int64_t now = edo__sys_now(); // also under a test clock: it is computing that is limited
    if (!cx->slice_end) {
        cx->slice_end = edo__later(now, cx->runtime->config.time_slice);
    } else if (now >= cx->slice_end) {
        cx->slice_end = SLICE_SPENT;
        cx->budget = 0;
        cx->now = edo__runtime_now(cx->runtime); // limits pass although the turn goes on
    }
}

/* ---- timers ---- */

static edo_task *task_of_timer(edo__timer *timer)
{
    return edo__container(timer, edo_task, timer);
}

/* A paused clock that was advanced goes from deadline to deadline, so that they are met in
 * order. */
static void step_test_clock(edo_runtime *runtime)
{
    edo__clock *clock = &runtime->clock;
    if (!clock->paused || clock->frozen >= clock->target) return;
    int64_t next = edo__wheel_next(&runtime->wheel);
    if (next > clock->frozen) clock->frozen = next < clock->target ? next : clock->target;
}

static void fire_timers(edo_runtime *runtime)
{
    runtime->cx.now = edo__runtime_now(runtime);
    edo__timer *timer = edo__wheel_expire(&runtime->wheel, runtime->cx.now);
    while (timer) {
        edo__timer *next = timer->next;
        edo__wake_commit(edo__wake_prepare(&task_of_timer(timer)->head));
        timer = next;
    }
}

/* ---- sleeping ---- */

static bool is_clock_moving(const edo_runtime *runtime)
{
    return runtime->clock.paused && runtime->clock.frozen < runtime->clock.target;
}

static int64_t until_next_timer(edo_runtime *runtime, int64_t limit)
{
    int64_t next = edo__wheel_next(&runtime->wheel);
    if (next == EDO_NEVER || runtime->clock.paused) return limit;
    int64_t wait = next - edo__runtime_now(runtime);
    if (wait < 0) wait = 0;
    return wait < limit ? wait : limit;
}

static bool is_anything_ready(const edo_runtime *runtime)
{
    return runtime->ready.first || edo_load_relaxed(&runtime->inject);
}

/* All is idle, also on other threads: a test clock goes on to the next deadline instead of
 * sleeping. */
static bool auto_advance(edo_runtime *runtime)
{
    edo__clock *clock = &runtime->clock;
    if (!clock->paused || !clock->auto_advance || is_anything_ready(runtime)) return false;
    if (edo__blocking_is_busy(&runtime->blocking)) return false;
    int64_t next = edo__wheel_next(&runtime->wheel);
    if (next == EDO_NEVER) return false;
    if (next > clock->target) clock->target = next;
    return true;
}

static int turn_driver(edo_runtime *runtime, int64_t timeout)
{
    return runtime->driver->ops->turn(runtime->driver, timeout);
}

static void sleep_in_driver(edo_runtime *runtime, int64_t timeout)
{
    uint32_t park = EDO__AWAKE;
    if (!edo_cas_relaxed(&runtime->park, &park, EDO__PARKED) && park == EDO__NOTIFIED_PARK)
        timeout = 0; // pushed meanwhile; the swap below acquires what came before
    turn_driver(runtime, timeout);
    edo_swap_acquire(&runtime->park, EDO__AWAKE);
}

static void wait_for_work(edo_runtime *runtime, int64_t limit)
{
    if (is_anything_ready(runtime) || is_clock_moving(runtime) || limit == 0) {
        turn_driver(runtime, 0);
        return;
    }
    if (runtime->clock.paused && runtime->clock.auto_advance)
        if (turn_driver(runtime, 0) > 0 || auto_advance(runtime)) return;
    int64_t timeout = until_next_timer(runtime, limit);
    if (timeout == 0)
        turn_driver(runtime, 0);
    else
        sleep_in_driver(runtime, timeout);
}

/* One event interval of tasks, or less when one took all its time: driver and timers have waited.
 * Returns: whether one has ended, which its owner may be turning for. */
static bool run_ready(edo_runtime *runtime)
{
    uint64_t ended = runtime->ended;
    for (uint32_t i = 0; i < runtime->config.event_interval; i++) {
        edo_task *task = pop_ready(runtime);
        if (!task) break;
        edo__poll_task(runtime, task);
        if (edo__unlikely(runtime->cx.slice_end == SLICE_SPENT)) break;
    }
    return runtime->ended != ended;
}

int edo__turn(edo_runtime *runtime, int64_t timeout)
{
    edo_runtime *outer = edo__self.runtime;
    edo__self.runtime = runtime;
    runtime->turning = true;
    drain_inject(runtime);
    bool ended = run_ready(runtime);
    wait_for_work(runtime, ended ? 0 : timeout);
    step_test_clock(runtime);
    fire_timers(runtime);
    drain_inject(runtime);
    runtime->turning = false;
    edo__self.runtime = outer;
    return is_anything_ready(runtime) || is_clock_moving(runtime);
}

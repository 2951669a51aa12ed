/* The current-thread runtime against wakes, spawns, cancels and joins from other threads.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"
#include "runtime/push.h"
#include "runtime/schedule/wait.h"
#include "runtime/time/clock.h"
#include "task/state.h"

static struct {
    edo_runtime *runtime, *other;
    edo_task *task;
    edo_wakeable *waker;
    uint32_t flag;
    unsigned polls, cause;
    int64_t joined;
    int rc;
} * s;

/* A future that another thread makes ready. */
struct told {
    edo_frame();
    edo_args(uint32_t *flag; unsigned *polls;);
};

static edo_poll told_poll(edo_future *future, edo_cx *cx)
{
    struct told *self = (struct told *)(void *)future;
    edo_plain_write(self->polls);
    (*self->polls)++;
    if (edo_cx_fate(cx) != EDO_LIVE) edo_plain_read(&s->cause);
    future->result = edo_cx_fate(cx) == EDO_LIVE ? 7 : -ECANCELED;
    return edo_load_relaxed(self->flag) || edo_cx_fate(cx) != EDO_LIVE ? EDO_READY : EDO_PENDING;
}

POLLED(told);

static int spawn_told(edo_runtime *runtime, edo_task **ret_task)
{
    return edo_spawn_with(ret_task, &(edo_spawn_options){ .runtime = runtime }, told,
                          .flag = &s->flag, .polls = &s->polls);
}

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    int rc = spawn_told(s->runtime, &s->task);
    model_assert(rc == 0);
}

static int64_t turn_to_end(void)
{
    while (!edo_task_is_done(s->task))
        edo_turn(s->runtime, EDO_NEVER);
    return edo__task_frame(s->task)->result;
}

static void tear_down(int other)
{
    model_join(other);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* ---- wakes ---- */

THREAD(tell)
{
    edo_store_relaxed(&s->flag, 1);
    edo_wake(s->waker);
    edo_waker_unref(s->waker);
}

MODEL(wake_against_park, "a wake from another thread is not lost, whatever the owner is doing")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    int other = model_start(tell, NULL);
    model_assert(turn_to_end() == 7);
    edo_detach(s->task);
    tear_down(other);
}

/* As a signal handler does. */
THREAD(tell_by_signal)
{
    edo_store_relaxed(&s->flag, 1);
    if (edo__state_prepare(&s->task->state)) edo__runtime_push_foreign(s->runtime, s->task);
    edo_waker_unref(s->waker);
}

MODEL(wake_by_signal,
      "the same for a wake that takes no lock; the runtime waits for its last touch")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    int other = model_start(tell_by_signal, NULL);
    model_assert(turn_to_end() == 7);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
}

THREAD(wake_only)
{
    edo_wake(s->waker);
    edo_waker_unref(s->waker);
}

MODEL(wake_after_end, "a counted waker may be woken while, and after, its task and runtime end")
{
    set_up();
    s->flag = 1;
    s->waker = edo_task_waker(s->task);
    int other = model_start(wake_only, NULL);
    model_assert(turn_to_end() == 7);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
}

/* The second waker ends before the first turn, which keeps the model small. */
MODEL(two_wakers, "two wakes at once make one queue entry, and neither is lost")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    edo_waker_ref(s->waker);
    edo_turn(s->runtime, 0); // waits now
    int first = model_start(tell, NULL), second = model_start(wake_only, NULL);
    model_join(second);
    model_assert(turn_to_end() == 7);
    edo_detach(s->task);
    tear_down(first);
}

/* ---- cancel, abort, detach ---- */

THREAD(cancel)
{
    edo_plain_write(&s->cause); // visible to a poll that sees the cancellation
    edo_task_cancel(s->task);
    edo_detach(s->task);
}

MODEL(cancel_and_detach,
      "a cancel from another thread has a waiting task polled; the last handle may go at any time")
{
    set_up();
    edo_wakeable *kept = edo_task_waker(s->task);
    int other = model_start(cancel, NULL);
    edo_task *task = s->task;
    while (!(edo_load_acquire(&task->state) & EDO__COMPLETE))
        edo_turn(s->runtime, EDO_NEVER);
    model_assert(edo__task_frame(task)->result == -ECANCELED);
    edo_waker_unref(kept);
    tear_down(other);
}

THREAD(abort_task)
{
    edo_task_abort(s->task);
}

MODEL(cancel_and_abort, "a cancel and an abort at once: both are seen")
{
    set_up();
    int other = model_start(abort_task, NULL);
    edo_task_cancel(s->task);
    model_assert(turn_to_end() == -ECANCELED);
    model_join(other);
    model_assert((s->task->state & (EDO__CANCELLED | EDO__ABORTED)) ==
                 (EDO__CANCELLED | EDO__ABORTED));
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

THREAD(detach)
{
    edo_detach(s->task);
}

MODEL(detach_against_end, "whoever lets go last frees the task, once")
{
    set_up();
    s->flag = 1;
    int other = model_start(detach, NULL);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, 0);
    tear_down(other);
}

/* ---- inspections ---- */

static void look_at(void *context, const edo_trace_line *line)
{
    (void)context;
    model_assert(line->depth <= 1); // the awaited operation is one deeper
    edo_plain_read(&s->polls);
}

THREAD(inspect)
{
    int rc = edo_task_trace(s->task, look_at, NULL);
    model_assert(rc == 0 || rc == -EBUSY || rc == -ESRCH);
    edo_detach(s->task);
}

MODEL(inspect_against_run, "a task that is looked at is not run meanwhile, and is run afterwards")
{
    set_up();
    s->flag = 1;
    int other = model_start(inspect, NULL);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, 0);
    tear_down(other);
}

THREAD(inspect_then_wake)
{
    edo_task_trace(s->task, look_at, NULL);
    edo_detach(s->task);
}

MODEL(inspect_against_wake, "a wake of a task that is looked at is not lost: the looker pushes it")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    edo_turn(s->runtime, 0);
    int teller = model_start(tell, NULL);
    int other = model_start(inspect_then_wake, NULL);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(teller);
    tear_down(other);
}

MODEL(inspect_after_poll,
      "who looks at a task sees what its last poll did, and is seen by the next")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    int other = model_start(inspect_then_wake, NULL);
    edo_turn(s->runtime, 0);
    tell(NULL);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    tear_down(other);
}

/* ---- spawning ---- */

THREAD(spawn)
{
    s->rc = spawn_told(s->runtime, NULL);
    edo_runtime_unref(s->runtime);
}

MODEL(spawn_against_destroy,
      "a spawn from another thread is refused, or its task is run to its end")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_runtime_ref(s->runtime);
    int other = model_start(spawn, NULL);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
    model_assert(s->rc == 0 || s->rc == -ESHUTDOWN);
    model_assert((s->rc == 0) == (s->polls > 0));
}

struct stubborn {
    edo_frame();
    edo_args(int unused;);
};

static edo_poll stubborn_poll(edo_future *future, edo_cx *cx)
{
    future->result = -ECANCELED;
    return edo_cx_fate(cx) == EDO_ABORTED ? EDO_READY : EDO_PENDING;
}

POLLED(stubborn);

MODEL(destroy_aborts, "a task that does not end when it is cancelled is aborted")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .drain_limit = 1 });
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(NULL, &here, stubborn, .unused = 0) == 0);
    model_assert(edo_runtime_destroy(s->runtime) == 0); // else a deadlock
}

/* ---- a foreign loop that sleeps on the runtime's descriptor ---- */

MODEL(foreign_loop, "a wake from another thread makes the descriptor readable, whenever it comes")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    model_assert(edo_runtime_fd(s->runtime) >= 0);
    int other = model_start(tell, NULL);
    while (!edo_task_is_done(s->task)) {
        fake_wait_readable(s->runtime);
        edo_turn(s->runtime, 0);
    }
    edo_detach(s->task);
    tear_down(other);
}

MODEL(hurried_turn,
      "a turn that is to be short ends behind one poll, and the rest is not forgotten")
{
    set_up();
    s->flag = 1;
    model_assert(spawn_told(s->runtime, NULL) == 0);
    s->runtime->workers[0]->is_hurried = true;
    edo_turn(s->runtime, 0);
    model_assert(s->polls == 1);
    edo_turn(s->runtime, 0);
    model_assert(s->polls == 2);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* ---- yielding: requeue against a wake ---- */

struct yielder {
    edo_frame();
    edo_args(int unused;);
};

edo_async(yielder)
{
    edo_body {
        int rc;
        edo_plain_write(&s->polls);
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

MODEL(yield_against_wake, "a task that yields and is woken meanwhile has one queue entry")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, yielder, .unused = 0) == 0);
    s->waker = edo_task_waker(s->task);
    int other = model_start(wake_only, NULL);
    model_assert(turn_to_end() == 0);
    edo_detach(s->task);
    tear_down(other);
}

MODEL(inspect_against_yield, "who looks at a task that yields sees what its poll did")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, yielder, .unused = 0) == 0);
    int other = model_start(inspect_then_wake, NULL);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    tear_down(other);
}

/* ---- timers ---- */

enum { LIMIT = 1000000000 };

static edo_poll limited_poll(edo_future *future, edo_cx *cx)
{
    future->result = edo_load_relaxed(&s->flag);
    if (fake_now >= LIMIT) return EDO_READY;
    edo_cx_deadline(cx, LIMIT);
    return EDO_PENDING;
}

struct limited {
    edo_frame();
    edo_args(int unused;);
};

POLLED(limited);

MODEL(timer_fires, "a task is polled when its limit has passed, although nobody wakes it")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, limited, .unused = 0) == 0);
    edo_turn(s->runtime, 0);
    fake_now = 2 * (int64_t)LIMIT;
    edo_turn(s->runtime, 0);
    turn_to_end();
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

MODEL(timer_of_foreign_loop,
      "a foreign loop sleeps until the next timer; a clock that stands still has none for it")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .test_clock = true });
    edo__self.runtime = s->runtime;
    edo_clock_auto_advance(false);
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, limited, .unused = 0) == 0);
    model_assert(edo_runtime_fd(s->runtime) >= 0);
    edo_turn(s->runtime, 0);
    model_assert(fake_timer == EDO_NEVER);
    model_assert(edo_clock_resume() == 0);
    edo_turn(s->runtime, 0);
    model_assert(fake_timer > 0 && fake_timer <= LIMIT); // a wheel may answer earlier
    edo__self = (struct edo__thread){ 0 };
    fake_now = LIMIT;
    turn_to_end();
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* Ends when it is told, or when its limit has passed by the runtime's clock. */
static edo_poll clocked_poll(edo_future *future, edo_cx *cx)
{
    future->result = edo_now();
    if (edo_load_relaxed(&s->flag) || edo_now() >= LIMIT) return EDO_READY;
    edo_cx_deadline(cx, LIMIT);
    return EDO_PENDING;
}

struct clocked {
    edo_frame();
    edo_args(int unused;);
};

POLLED(clocked);

static void set_up_clock(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .test_clock = true });
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, clocked, .unused = 0) == 0);
    edo_turn(s->runtime, 0); // the task waits
}

MODEL(clock_skips,
      "a paused clock goes to the next deadline when nothing else is to do, and at once")
{
    set_up_clock();
    fake_events = 1;
    edo_turn(s->runtime, EDO_NEVER);
    model_assert(edo__runtime_now(s->runtime) == 0); // the event's task may be ready next
    model_assert(turn_to_end() == LIMIT);
    model_assert(fake_now == 0);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

MODEL(clock_stands, "one that does not advance by itself waits for a wake, past any deadline")
{
    set_up_clock();
    edo__self.runtime = s->runtime;
    edo_clock_auto_advance(false);
    edo__self = (struct edo__thread){ 0 };
    s->waker = edo_task_waker(s->task);
    int other = model_start(tell, NULL);
    model_assert(turn_to_end() == 0);
    model_assert(fake_now == 0);
    edo_detach(s->task);
    tear_down(other);
}

MODEL(follows_clock, "a runtime that follows the thread's clock shows its time, paused or running")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .test_clock = true });
    s->other = fake_runtime_create();
    edo__self.runtime = s->runtime;
    model_assert(edo_clock_advance(LIMIT / 2) == 0);
    edo_turn(s->runtime, 0);
    edo_spawn_options there = { .runtime = s->other };
    model_assert(edo_spawn_with(&s->task, &there, limited, .unused = 0) == 0);
    edo_turn(s->other, 0);
    edo__clock_follow(s->other);
    model_assert(edo_now() == LIMIT / 2 && edo__runtime_now(s->other) == edo_now());
    model_assert(edo__worker_has_work(s->other->workers[0])); // its timers are armed anew
    edo_turn(s->other, 0);
    edo__clock_follow(s->other);
    model_assert(!edo__worker_has_work(s->other->workers[0]));
    fake_now = 10;
    model_assert(edo_clock_resume() == 0);
    fake_now = 15;
    edo__clock_follow(s->other);
    model_assert(edo__runtime_now(s->other) == edo_now());
    edo__self = (struct edo__thread){ 0 };
    fake_now = LIMIT;
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->other) == 0);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

MODEL(timer_against_wake, "a task whose limit has passed is polled, whether it is woken too or not")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(&s->task, &here, limited, .unused = 0) == 0);
    s->waker = edo_task_waker(s->task);
    edo_turn(s->runtime, 0);
    fake_now = 2 * (int64_t)LIMIT;
    int other = model_start(tell, NULL);
    turn_to_end();
    edo_detach(s->task);
    tear_down(other);
}

/* ---- contexts ---- */

MODEL(context_counted, "whoever lets go last of a context frees it, after all others have read it")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    edo_context *context;
    model_assert(edo_context_create(&(edo_context_values){ .priority = 1 }, &context) == 0);
    edo_spawn_options here = { .runtime = s->runtime, .context = context };
    model_assert(edo_spawn_with(NULL, &here, yielder, .unused = 0) == 0);
    int other = model_start((void (*)(void *))edo_context_unref, context);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    tear_down(other);
}

/* ---- the end ---- */

MODEL(destroy_against_wake,
      "a task that waits when its runtime ends sees the cancel; a wake may come too")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    edo_turn(s->runtime, 0); // waits now
    int other = model_start(wake_only, NULL);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
}

MODEL(destroy_waiting,
      "a task that waits when its runtime ends is woken by that, if by nobody else")
{
    set_up();
    edo_turn(s->runtime, 0);
    edo_detach(s->task);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_assert(s->polls == 2);
}

/* ---- a failure that ends the runtime ---- */

THREAD(fail_first)
{
    edo__runtime_fail(s->runtime, -EIO);
}

THREAD(fail_second)
{
    edo__runtime_fail(s->runtime, -EPIPE);
}

MODEL(fail_twice,
      "of two failures one is recorded; all tasks are cancelled, and spawns are refused")
{
    set_up();
    int first = model_start(fail_first, NULL), second = model_start(fail_second, NULL);
    model_assert(turn_to_end() == -ECANCELED);
    int64_t failure = edo_runtime_failure(s->runtime);
    model_assert(failure == -EIO || failure == -EPIPE);
    model_assert(spawn_told(s->runtime, NULL) == -ESHUTDOWN);
    model_join(first);
    model_assert(edo_runtime_failure(s->runtime) == failure);
    edo_detach(s->task);
    tear_down(second);
}

/* Event, wait group, barrier, once, condition variable, cancellation token: lost wakes, hand-overs of
 * what was done before, cancellation against grants, and objects that end with their last user.
 *
 * model-sources: @runtime sync/queue.c sync/mutex.c sync/event.c sync/wait_group.c sync/barrier.c
 * model-sources: sync/once.c sync/condvar.c sync/cancel_token.c
 */
#include <edo/cancel_token.h>
#include <edo/condvar.h>
#include <edo/events.h>

#include "model/one_wait.h"
#include "model/runner.h"

#include "task/task.h"

enum { RUNNERS = 4 };

static struct {
    edo_event *event;
    edo_wait_group *group;
    edo_barrier barrier;
    edo_once once;
    edo_mutex mutex;
    edo_condvar condvar;
    edo_cancel_token *token, *child;
    runner runners[RUNNERS];
    int64_t results[RUNNERS];
    int plain;
    bool flag; // the mutex
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->event = model_alloc(sizeof *s->event);
    s->group = model_alloc(sizeof *s->group);
    *s->event = (edo_event)EDO_EVENT_INIT;
    *s->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(0);
}

static void tear_down(void)
{
    model_assert(!s->event->waiters && !s->group->waiters);
    model_assert(!(s->event->word & EDO__EVENT_WAITERS) && !(s->group->word & EDO__GROUP_WAITERS));
    model_free(s->event);
    model_free(s->group);
}

static void touch(void)
{
    runner_touch(&s->plain);
}

#define runner_of(argument) (&s->runners[index_of(argument)])

static void queue_up(int i, edo_op op)
{
    model_assert(!runner_begin(&s->runners[i], op));
}

THREAD(finish_it)
{
    s->results[index_of(argument)] = runner_finish(runner_of(argument));
}

THREAD(cancel_it)
{
    s->results[index_of(argument)] = runner_cancel(runner_of(argument));
}

/* ---- with tasks: each call that wakes pushes those it has woken ---- */

static edo_task *start_task(edo_runtime *runtime, edo_op op)
{
    edo_task *task = spawn_one_wait(runtime, op);
    edo_turn(runtime, 0); // it waits
    return task;
}

static void finish_task(edo_runtime *runtime, edo_task *task, int64_t expected)
{
    while (!edo_task_is_done(task))
        edo_turn(runtime, EDO_NEVER);
    model_assert(edo__task_result(task) == expected);
    edo_detach(task);
}

static void serve_task(edo_op op, void (*give)(void *), int64_t expected)
{
    edo_runtime *runtime = fake_runtime_create();
    edo_task *task = start_task(runtime, op);
    int giver = model_start(give, number(0));
    finish_task(runtime, task, expected);
    model_join(giver);
    model_assert(edo_runtime_destroy(runtime) == 0);
}

/* ---- event ---- */

THREAD(set_event)
{
    touch();
    edo_event_set(s->event);
}

THREAD(await_event)
{
    model_assert(run_op(runner_of(argument), edo_event_wait(s->event)) == 0);
}

MODEL(event_reaches, "a set is never missed, and brings what was done before it")
{
    set_up();
    int setter = model_start(set_event, NULL);
    await_event(number(0));
    touch();
    model_join(setter);
    tear_down();
}

MODEL(event_reaches_all, "a manual event lets all through that wait")
{
    set_up();
    int setter = model_start(set_event, NULL);
    int other = model_start(await_event, number(1));
    await_event(number(0));
    model_join(setter);
    model_join(other);
    tear_down();
}

static void set_up_automatic(void)
{
    set_up();
    *s->event = (edo_event)EDO_AUTOMATIC_EVENT_INIT;
}

THREAD(only_set)
{
    edo_event_set(s->event);
}

MODEL(event_automatic, "each set of an automatic event that waits for its reset lets one through")
{
    set_up_automatic();
    queue_up(0, edo_event_wait(s->event));
    queue_up(1, edo_event_wait(s->event));
    int first = model_start(finish_it, number(0));
    int second = model_start(finish_it, number(1));
    int setter = model_start(only_set, NULL);
    edo_event_set(s->event);
    model_join(first);
    model_join(second);
    model_join(setter);
    model_assert(!edo_event_is_set(s->event));
    tear_down();
}

MODEL(event_automatic_is_taken_once, "one that is set lets one through")
{
    set_up_automatic();
    edo_event_set(s->event);
    int setter = model_start(only_set, NULL);
    int taken = (edo_event_try_wait(s->event) == 0) + (edo_event_try_wait(s->event) == 0);
    model_join(setter);
    taken += edo_event_try_wait(s->event) == 0;
    model_assert(taken == 1 || taken == 2);
    tear_down();
}

THREAD(take_event)
{
    while (edo_event_try_wait(s->event) < 0)
        model_yield(MODEL_HERE);
    touch();
}

MODEL(event_hands_over, "what was done before a set is seen by the one that it lets through")
{
    set_up_automatic();
    queue_up(0, edo_event_wait(s->event));
    int canceller = model_start(cancel_it, number(0));
    int setter = model_start(set_event, NULL);
    take_event(NULL);
    model_join(canceller);
    model_join(setter);
    model_assert(!edo_event_is_set(s->event));
    tear_down();
}

THREAD(set_and_say)
{
    touch();
    edo_event_set(s->event);
    edo_store_relaxed(&s->results[0], 1); // orders nothing
}

MODEL(event_void_set, "a set that finds it set brings what came before it too")
{
    set_up_automatic();
    edo_event_set(s->event);
    int setter = model_start(set_and_say, NULL);
    bool was_said = edo_load_relaxed(&s->results[0]);
    model_assert(edo_event_try_wait(s->event) == 0);
    if (was_said) touch();
    model_join(setter);
    tear_down();
}

MODEL(event_is_seen, "one that sees it set sees what came before")
{
    set_up();
    int setter = model_start(set_event, NULL);
    if (edo_event_is_set(s->event)) touch();
    model_join(setter);
    tear_down();
}

MODEL(event_cancel_against_set, "one that is let through and cancelled passes it on")
{
    set_up_automatic();
    queue_up(0, edo_event_wait(s->event));
    queue_up(1, edo_event_wait(s->event));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_it, number(1));
    edo_event_set(s->event);
    model_join(canceller);
    model_join(waiter);
    model_assert(!edo_event_is_set(s->event));
    tear_down();
}

MODEL(event_cancels, "the last one that is cancelled leaves it set")
{
    set_up_automatic();
    queue_up(0, edo_event_wait(s->event));
    int canceller = model_start(cancel_it, number(0));
    edo_event_set(s->event);
    model_join(canceller);
    model_assert(edo_event_is_set(s->event));
    tear_down();
}

MODEL(event_in_a_frame, "one that was let through may free it")
{
    set_up();
    int setter = model_start(set_event, NULL);
    if (run_op_impatiently(&s->runners[0], edo_event_wait(s->event)) < 0) take_event(NULL);
    edo_event_deinit(s->event);
    model_free(s->event);
    model_join(setter);
    model_free(s->group);
}

MODEL(event_wakes_task, "a set has the task polled that waits")
{
    set_up();
    serve_task(edo_event_wait(s->event), set_event, 0);
    tear_down();
}

/* ---- wait group ---- */

THREAD(work_done)
{
    edo_plain_write(&s->runners[index_of(argument)].wakes); // work
    edo_wait_group_done(s->group);
}

static void read_work(int count)
{
    for (int i = 1; i <= count; i++)
        edo_plain_read(&s->runners[i].wakes);
}

MODEL(group_waits_for_all, "the wait ends after the last piece of work, and sees all of it")
{
    set_up();
    edo_wait_group_add(s->group, 2);
    int first = model_start(work_done, number(1));
    int second = model_start(work_done, number(2));
    model_assert(run_op(&s->runners[0], edo_wait_group_wait(s->group)) == 0);
    read_work(2);
    model_join(first);
    model_join(second);
    tear_down();
}

MODEL(group_in_a_frame, "one that has waited, and given up before, may free it")
{
    set_up();
    edo_wait_group_add(s->group, 2);
    int first = model_start(work_done, number(1));
    int second = model_start(work_done, number(2));
    if (run_op_impatiently(&s->runners[0], edo_wait_group_wait(s->group)) < 0)
        model_assert(run_op(&s->runners[0], edo_wait_group_wait(s->group)) == 0);
    read_work(2);
    edo_wait_group_deinit(s->group);
    model_free(s->group);
    model_join(first);
    model_join(second);
    model_free(s->event);
}

MODEL(group_is_read, "a count of 0 shows what was done")
{
    set_up();
    edo_wait_group_add(s->group, 1);
    int worker = model_start(work_done, number(1));
    if (edo_wait_group_count(s->group) == 0) read_work(1);
    model_join(worker);
    tear_down();
}

MODEL(group_is_read_late, "the same when the last piece of work found a waiter, which gives up")
{
    set_up();
    edo_wait_group_add(s->group, 1);
    queue_up(0, edo_wait_group_wait(s->group));
    int canceller = model_start(cancel_it, number(0));
    int worker = model_start(work_done, number(1));
    while (edo_wait_group_count(s->group))
        model_yield(MODEL_HERE);
    read_work(1);
    model_join(canceller);
    model_join(worker);
    tear_down();
}

MODEL(group_wakes_task, "the last piece of work has the task polled that waits")
{
    set_up();
    edo_wait_group_add(s->group, 1);
    serve_task(edo_wait_group_wait(s->group), work_done, 0);
    tear_down();
}

/* ---- barrier ---- */

THREAD(meet)
{
    s->results[index_of(argument)] = run_op(runner_of(argument), edo_barrier_wait(&s->barrier));
}

MODEL(barrier_has_one_leader, "of those that meet one leads, and all go on")
{
    set_up();
    s->barrier = (edo_barrier)EDO_BARRIER_INIT(3);
    int first = model_start(meet, number(1));
    int second = model_start(meet, number(2));
    meet(number(0));
    model_join(first);
    model_join(second);
    model_assert(s->results[0] + s->results[1] + s->results[2] == 1);
    model_assert(s->barrier.arrived == 0 && !s->barrier.waiters);
    tear_down();
}

MODEL(barrier_cancel, "one that is cancelled has come, or not come")
{
    set_up();
    s->barrier = (edo_barrier)EDO_BARRIER_INIT(2);
    queue_up(0, edo_barrier_wait(&s->barrier));
    int canceller = model_start(cancel_it, number(0));
    if (runner_begin(&s->runners[1], edo_barrier_wait(&s->barrier))) {
        model_join(canceller);
        model_assert(s->results[0] == 0 && s->runners[1].op.base.result == 1);
    } else {
        model_join(canceller);
        model_assert(s->results[0] == -ECANCELED && s->barrier.arrived == 1);
        model_assert(runner_cancel(&s->runners[1]) == -ECANCELED);
    }
    model_assert(s->barrier.arrived == 0);
    tear_down();
}

MODEL(barrier_wakes_task, "the last that comes has the task polled that waits")
{
    set_up();
    s->barrier = (edo_barrier)EDO_BARRIER_INIT(2);
    serve_task(edo_barrier_wait(&s->barrier), meet, 0);
    tear_down();
}

/* ---- once ---- */

THREAD(enter_once)
{
    int64_t rc = run_op(runner_of(argument), edo_once_enter(&s->once));
    if (rc == 1) {
        touch();
        edo_once_done(&s->once);
    } else {
        edo_plain_read(&s->plain);
    }
    s->results[index_of(argument)] = rc;
}

MODEL(once_is_made_once, "one of two makes it, and both see it")
{
    set_up();
    int other = model_start(enter_once, number(1));
    enter_once(number(0));
    model_join(other);
    model_assert(s->plain == 1 && s->results[0] + s->results[1] == 1);
    tear_down();
}

THREAD(fail_once)
{
    if (edo_once_try_enter(&s->once) != 1) return;
    edo_once_fail(&s->once);
}

MODEL(once_fails, "when it fails, the one that waits makes it")
{
    set_up();
    int other = model_start(fail_once, NULL);
    enter_once(number(0));
    model_join(other);
    model_assert(s->plain == 1 && s->results[0] == 1);
    tear_down();
}

THREAD(fail_it)
{
    edo_once_fail(&s->once);
}

MODEL(once_cancel_against_fail, "one that is to make it and is cancelled passes it on")
{
    set_up();
    model_assert(edo_once_try_enter(&s->once) == 1);
    queue_up(0, edo_once_enter(&s->once));
    queue_up(1, edo_once_enter(&s->once));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_it, number(1));
    fail_it(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->results[1] == 1);
    edo_once_done(&s->once);
    tear_down();
}

MODEL(once_cancels, "the last that is cancelled leaves it unmade")
{
    set_up();
    model_assert(edo_once_try_enter(&s->once) == 1);
    queue_up(0, edo_once_enter(&s->once));
    int canceller = model_start(cancel_it, number(0));
    fail_it(NULL);
    model_join(canceller);
    model_assert(edo_once_try_enter(&s->once) == 1);
    tear_down();
}

THREAD(make_once)
{
    touch();
    edo_once_done(&s->once);
}

MODEL(once_is_seen, "one that finds it made sees it, and so does one that waited")
{
    set_up();
    model_assert(edo_once_try_enter(&s->once) == 1);
    int maker = model_start(make_once, NULL);
    if (edo_once_try_enter(&s->once) == 0) edo_plain_read(&s->plain);
    model_assert(run_op(&s->runners[0], edo_once_wait(&s->once)) == 0);
    edo_plain_read(&s->plain);
    model_join(maker);
    tear_down();
}

MODEL(once_wakes_task, "a task that waits is polled when it is made")
{
    set_up();
    model_assert(edo_once_try_enter(&s->once) == 1);
    serve_task(edo_once_wait(&s->once), make_once, 0);
    tear_down();
}

MODEL(once_fail_wakes_task, "a task that waits to enter is polled when it fails")
{
    set_up();
    model_assert(edo_once_try_enter(&s->once) == 1);
    serve_task(edo_once_enter(&s->once), fail_it, 1);
    tear_down();
}

/* ---- condition variable ---- */

THREAD(signal_flag)
{
    model_assert(run_op(runner_of(argument), edo_mutex_lock(&s->mutex)) == 0);
    s->flag = true;
    edo_mutex_unlock(&s->mutex);
    edo_condvar_signal(&s->condvar);
}

static void await_flag(int i)
{
    runner *r = &s->runners[i];
    model_assert(run_op(r, edo_mutex_lock(&s->mutex)) == 0);
    while (!s->flag)
        model_assert(run_op(r, edo_condvar_wait(&s->condvar, &s->mutex)) == 0);
    touch();
    edo_mutex_unlock(&s->mutex);
}

MODEL(condvar_signal, "a change and a signal are not missed")
{
    set_up();
    int other = model_start(signal_flag, number(1));
    await_flag(0);
    model_join(other);
    model_assert(s->mutex.word == 0 && s->condvar.word == 0);
    tear_down();
}

static void wait_locked(int i)
{
    model_assert(edo_mutex_try_lock(&s->mutex) == 0);
    queue_up(i, edo_condvar_wait(&s->condvar, &s->mutex));
}

THREAD(finish_wait)
{
    model_assert(runner_finish(runner_of(argument)) == 0);
    touch();
    edo_mutex_unlock(&s->mutex);
}

MODEL(condvar_broadcast, "two that wait come back, one after the other")
{
    set_up();
    wait_locked(0);
    wait_locked(1);
    int first = model_start(finish_wait, number(0));
    int second = model_start(finish_wait, number(1));
    edo_condvar_broadcast(&s->condvar);
    model_join(first);
    model_join(second);
    model_assert(s->plain == 2 && s->mutex.word == 0 && s->condvar.word == 0);
    tear_down();
}

/* A cancelled one takes the mutex first, which may take more polls. */
THREAD(cancel_wait)
{
    runner *r = runner_of(argument);
    while (runner_poll(r, EDO_CANCELLED) == EDO_PENDING)
        model_wait(&r->woken);
    edo_plain_write(&r->wakes);
    model_assert(r->op.base.result == -ECANCELED || r->op.base.result == 0);
    touch();
    edo_mutex_unlock(&s->mutex);
    s->results[index_of(argument)] = r->op.base.result;
}

MODEL(condvar_cancel_against_signal, "one that was signalled and is cancelled passes it on")
{
    set_up();
    wait_locked(0);
    wait_locked(1);
    int canceller = model_start(cancel_wait, number(0));
    int waiter = model_start(finish_wait, number(1));
    edo_condvar_signal(&s->condvar);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->results[0] == -ECANCELED && s->plain == 2);
    model_assert(s->mutex.word == 0 && s->condvar.word == 0);
    tear_down();
}

MODEL(condvar_cancel, "one that is cancelled leaves no trace")
{
    set_up();
    wait_locked(0);
    cancel_wait(number(0));
    model_assert(s->condvar.word == 0 && !s->condvar.waiters);
    tear_down();
}

THREAD(signal_only)
{
    edo_condvar_signal(&s->condvar);
}

THREAD(broadcast_only)
{
    edo_condvar_broadcast(&s->condvar);
}

MODEL(condvar_wakes_task, "a signal has the task polled that waits")
{
    set_up();
    model_assert(edo_mutex_try_lock(&s->mutex) == 0);
    serve_task(edo_condvar_wait(&s->condvar, &s->mutex), signal_only, 0);
    edo_mutex_unlock(&s->mutex);
    tear_down();
}

MODEL(condvar_broadcast_wakes_task, "so does a broadcast")
{
    set_up();
    model_assert(edo_mutex_try_lock(&s->mutex) == 0);
    serve_task(edo_condvar_wait(&s->condvar, &s->mutex), broadcast_only, 0);
    edo_mutex_unlock(&s->mutex);
    tear_down();
}

MODEL(condvar_cancel_wakes_task, "so does one that passes the signal on")
{
    set_up();
    wait_locked(0);
    edo_condvar_signal(&s->condvar);
    edo_runtime *runtime = fake_runtime_create();
    model_assert(edo_mutex_try_lock(&s->mutex) == 0);
    edo_task *task = start_task(runtime, edo_condvar_wait(&s->condvar, &s->mutex));
    cancel_wait(number(0));
    finish_task(runtime, task, 0);
    edo_mutex_unlock(&s->mutex);
    model_assert(edo_runtime_destroy(runtime) == 0);
    tear_down();
}

/* ---- cancellation token ---- */

static void set_up_tokens(void)
{
    set_up();
    model_assert(edo_cancel_token_create(NULL, &s->token) == 0);
    model_assert(edo_cancel_token_create(s->token, &s->child) == 0);
}

static void unref_both(void)
{
    edo_cancel_token_unref(s->token);
    edo_cancel_token_unref(s->child);
    tear_down();
}

THREAD(cancel_token)
{
    touch();
    edo_cancel_token_cancel(s->token);
}

MODEL(token_wakes, "one that waits for a child is woken, and sees what came before")
{
    set_up_tokens();
    int canceller = model_start(cancel_token, NULL);
    model_assert(run_op(&s->runners[0], edo_cancel_token_wait(s->child)) == 0);
    touch();
    model_join(canceller);
    unref_both();
}

MODEL(token_is_seen, "one that sees it cancelled sees what came before")
{
    set_up_tokens();
    int canceller = model_start(cancel_token, NULL);
    if (edo_cancel_token_is_cancelled(s->child)) touch();
    model_join(canceller);
    unref_both();
}

THREAD(cancel_only)
{
    edo_cancel_token_cancel(s->token);
    model_assert(edo_cancel_token_is_cancelled(s->child));
}

MODEL(token_cancelled_by_two, "for each that cancels all below is cancelled when it returns")
{
    set_up_tokens();
    int other = model_start(cancel_only, NULL);
    cancel_only(NULL);
    model_join(other);
    unref_both();
}

MODEL(token_child_against_cancel, "a child that is made meanwhile is cancelled")
{
    edo_cancel_token *late;
    set_up_tokens();
    int canceller = model_start(cancel_only, NULL);
    model_assert(edo_cancel_token_create(s->child, &late) == 0);
    model_join(canceller);
    model_assert(edo_cancel_token_is_cancelled(late));
    edo_cancel_token_unref(late);
    unref_both();
}

THREAD(drop_child)
{
    edo_cancel_token_unref(s->child);
}

MODEL(token_drop_against_cancel, "one that goes meanwhile leaves its children cancelled")
{
    edo_cancel_token *below;
    set_up_tokens();
    model_assert(edo_cancel_token_create(s->child, &below) == 0);
    int dropper = model_start(drop_child, NULL);
    edo_cancel_token_cancel(s->token);
    model_assert(edo_cancel_token_is_cancelled(below));
    model_join(dropper);
    edo_cancel_token_unref(s->token);
    edo_cancel_token_unref(below);
    tear_down();
}

MODEL(token_last_two, "the last two tokens of a tree go, and the tree with them")
{
    set_up_tokens();
    int dropper = model_start(drop_child, NULL);
    edo_cancel_token_unref(s->token);
    model_join(dropper);
    tear_down();
}

THREAD(drop_reference)
{
    touch();
    edo_cancel_token_unref(s->token);
}

MODEL(token_last_reference, "the last reference frees it, after all that others did with it")
{
    set_up_tokens();
    edo_cancel_token_ref(s->token);
    int dropper = model_start(drop_reference, NULL);
    edo_cancel_token_unref(s->token);
    model_join(dropper);
    edo_cancel_token_unref(s->child);
    tear_down();
}

MODEL(token_cancel_against_wait_cancel,
      "a wait that is cancelled as the token is ends by one of both")
{
    set_up_tokens();
    queue_up(0, edo_cancel_token_wait(s->child));
    int canceller = model_start(cancel_it, number(0));
    edo_cancel_token_cancel(s->token);
    model_join(canceller);
    model_assert(s->results[0] == 0 || s->results[0] == -ECANCELED);
    unref_both();
}

MODEL(token_wakes_task, "a cancellation has the task polled that waits")
{
    set_up_tokens();
    serve_task(edo_cancel_token_wait(s->child), cancel_token, 0);
    unref_both();
}

struct binds {
    edo_frame();
    edo_args(edo_cancel_token *token;);
    edo_scope scope;
    edo_cancel_binding binding;
};

edo_async(binds)
{
    edo_body {
        edo_scope_open(&self->scope, 0);
        edo_cancel_token_bind(self->token, &self->binding, &self->scope);
        if (edo_cancel_token_is_cancelled(self->token)) s->results[0] = 1;
        edo_cancel_token_unbind(&self->binding);
        edo_return(0);
    }
}

MODEL(token_bind_against_cancel, "a scope is bound and unbound while the token is cancelled")
{
    set_up_tokens();
    edo_runtime *runtime = fake_runtime_create();
    int canceller = model_start(cancel_only, NULL);
    model_assert(edo_block_on(runtime, binds, s->child) == 0);
    model_join(canceller);
    model_assert(edo_runtime_destroy(runtime) == 0);
    unref_both();
}

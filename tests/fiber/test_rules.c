/* Rules of cancellation, in async functions and in fibers: a cancelled wait has had no effect, its
 * answer stays, and clean-up works. */
#include "fiber/forms.h"

/* ---- a cancelled operation has had no effect ---- */

struct cancelled_receive_takes_nothing {
    edo_frame();
    edo_args(world *w;);
};

edo_async(cancelled_receive_takes_nothing)
{
    edo_body {
        edo_try(edo_recv(&self->w->rx, &self->w->number));
        edo_return(0);
    }
}

static int64_t cancelled_receive_takes_nothing_in_fiber(void *arg)
{
    world *w = arg;
    return edo_wait(edo_recv(&w->rx, &w->number));
}

in_both_forms(cancelled_receive_takes_nothing)
{
    world w;
    int value = 7;
    world_init(&w);
    assert_int_equal(cancel_and_join(start(spawn, &w)), -ECANCELED);
    assert_int_equal(edo_try_send(&w.tx, &value), 0);
    assert_int_equal(w.number, 0);
    assert_int_equal(edo_try_recv(&w.rx, &w.number), 1);
    world_deinit(&w);
}

struct cancelled_lock_holds_nothing {
    edo_frame();
    edo_args(world *w;);
};

edo_async(cancelled_lock_holds_nothing)
{
    edo_body {
        edo_try(edo_mutex_lock(&self->w->mutex));
        edo_mutex_unlock(&self->w->mutex);
        edo_return(0);
    }
}

static int64_t cancelled_lock_holds_nothing_in_fiber(void *arg)
{
    world *w = arg;
    int64_t rc = edo_wait(edo_mutex_lock(&w->mutex));
    if (rc == 0) edo_mutex_unlock(&w->mutex);
    return rc;
}

in_both_forms(cancelled_lock_holds_nothing)
{
    world w;
    world_init(&w);
    assert_int_equal(edo_mutex_try_lock(&w.mutex), 0);
    assert_int_equal(cancel_and_join(start(spawn, &w)), -ECANCELED);
    edo_mutex_unlock(&w.mutex);
    assert_int_equal(edo_mutex_try_lock(&w.mutex), 0);
    edo_mutex_unlock(&w.mutex);
    world_deinit(&w);
}

/* Never a short count; the operation tells how far it got. */
struct cancelled_exact_read_answers_no_count {
    edo_frame();
    edo_args(world *w;);
    edo_op read;
};

edo_async(cancelled_exact_read_answers_no_count)
{
    edo_body {
        int64_t rc;
        self->read = edo_read_exact(self->w->near, self->w->bytes, 8);
        edo_await_on(rc, &self->read.base);
        self->w->seen[0] = (int64_t)edo_op_progress(&self->read);
        edo_return(rc);
    }
}

static int64_t cancelled_exact_read_answers_no_count_in_fiber(void *arg)
{
    world *w = arg;
    edo_op read = edo_read_exact(w->near, w->bytes, 8);
    int64_t rc = edo_wait_on(&read.base);
    w->seen[0] = (int64_t)edo_op_progress(&read);
    return rc;
}

in_both_forms(cancelled_exact_read_answers_no_count)
{
    world w;
    world_init(&w);
    edo_task *task = start(spawn, &w);
    assert_int_equal(edo_wait(edo_write_all(w.far, "abc", 3)), 3);
    let_all_wait();
    assert_int_equal(cancel_and_join(task), -ECANCELED);
    assert_int_equal(w.seen[0], 3);
    assert_memory_equal(w.bytes, "abc", 3);
    world_deinit(&w);
}

/* ---- a result wins over a cancellation that comes at the same moment ---- */

struct a_result_wins_over_a_cancellation {
    edo_frame();
    edo_args(world *w;);
};

edo_async(a_result_wins_over_a_cancellation)
{
    edo_body {
        edo_await(self->w->seen[0], edo_sleep(edo_s(1)));
        edo_await(self->w->seen[1], edo_sleep(edo_s(1000)));
        edo_return(0);
    }
}

static int64_t a_result_wins_over_a_cancellation_in_fiber(void *arg)
{
    world *w = arg;
    w->seen[0] = edo_wait(edo_sleep(edo_s(1)));
    w->seen[1] = edo_wait(edo_sleep(edo_s(1000)));
    return 0;
}

/* The sleep of start() ends with that of the subject, and was begun before it. */
in_both_forms(a_result_wins_over_a_cancellation)
{
    world w;
    world_init(&w);
    assert_int_equal(cancel_and_join(start(spawn, &w)), 0);
    assert_int_equal(w.seen[0], 0);
    assert_int_equal(w.seen[1], -ECANCELED); // the next wait sees it
    world_deinit(&w);
}

/* ---- the answer stays, and costs budget ---- */

enum { MANY = 100000 };

struct a_careless_loop_lets_others_run {
    edo_frame();
    edo_args(world *w;);
    int i;
};

static bool is_over(const world *w)
{
    return __atomic_load_n(&w->step, __ATOMIC_ACQUIRE) == 2;
}

edo_async(a_careless_loop_lets_others_run)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_sleep(edo_s(1000)));
        for (self->i = 0; self->i < MANY && rc == -ECANCELED && !is_over(self->w); self->i++)
            edo_await(rc, edo_sleep(0));
        edo_return(rc == -ECANCELED && is_over(self->w) ? 0 : -EPROTO);
    }
}

static int64_t a_careless_loop_lets_others_run_in_fiber(void *arg)
{
    world *w = arg;
    int64_t rc = edo_wait(edo_sleep(edo_s(1000)));
    for (int i = 0; i < MANY && rc == -ECANCELED && !is_over(w); i++)
        rc = edo_wait(edo_sleep(0));
    return rc == -ECANCELED && is_over(w) ? 0 : -EPROTO;
}

in_both_forms(a_careless_loop_lets_others_run)
{
    world w;
    world_init(&w);
    log_capture(); // the loop is reported
    edo_task *task = start(spawn, &w);
    edo_task_cancel(task);
    assert_int_equal(edo_wait(edo_yield()), 0); // the loop begins
    __atomic_store_n(&w.step, 2, __ATOMIC_RELEASE);
    assert_int_equal(edo_wait(edo_join(task)), 0);
    log_release();
    world_deinit(&w);
}

/* ---- a limit that passes after the cancellation changes nothing ---- */

/* Ends three seconds after its cancellation, with that answer. */
struct ends_late {
    edo_frame();
    edo_args();
    int64_t answer;
};

edo_async(ends_late)
{
    edo_body {
        edo_await(self->answer, edo_sleep(edo_s(1000)));
        edo_shield();
        edo_await_void(edo_sleep(edo_s(3)));
        edo_return(self->answer);
    }
}

struct a_late_limit_changes_nothing {
    edo_frame(struct ends_late ends_late;);
    edo_args(world *w;);
};

edo_async(a_late_limit_changes_nothing)
{
    edo_body {
        edo_call_for(self->w->seen[0], edo_s(2), ends_late);
        edo_return(0);
    }
}

static int64_t a_late_limit_changes_nothing_in_fiber(void *arg)
{
    world *w = arg;
    w->seen[0] = edo_wait_call_for(edo_s(2), ends_late);
    return 0;
}

in_both_forms(a_late_limit_changes_nothing)
{
    world w;
    edo_task *task;
    world_init(&w);
    int64_t began = edo_now();
    assert_int_equal(cancel_and_join(start(spawn, &w)), 0); // cancelled after a second
    assert_int_equal(w.seen[0], -ECANCELED);
    assert_int_equal(edo_now() - began, edo_s(4));

    assert_int_equal(spawn(&task, &w), 0); // not cancelled
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_int_equal(w.seen[0], -ETIMEDOUT);
    world_deinit(&w);
}

/* ---- a ready operation wins over a limit that has passed ---- */

struct a_ready_operation_wins_over_its_limit {
    edo_frame();
    edo_args(world *w;);
};

edo_async(a_ready_operation_wins_over_its_limit)
{
    edo_body {
        edo_await_for(self->w->seen[0], 0, edo_recv(&self->w->rx, &self->w->number));
        edo_await_for(self->w->seen[1], 0, edo_recv(&self->w->rx, &self->w->number));
        edo_return(0);
    }
}

static int64_t a_ready_operation_wins_over_its_limit_in_fiber(void *arg)
{
    world *w = arg;
    w->seen[0] = edo_wait_for(0, edo_recv(&w->rx, &w->number));
    w->seen[1] = edo_wait_for(0, edo_recv(&w->rx, &w->number));
    return 0;
}

in_both_forms(a_ready_operation_wins_over_its_limit)
{
    world w;
    int value = 7;
    edo_task *task;
    world_init(&w);
    assert_int_equal(edo_try_send(&w.tx, &value), 0);
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_int_equal(w.seen[0], 1);
    assert_int_equal(w.seen[1], -ETIMEDOUT);
    world_deinit(&w);
}

/* ---- abort: no shield holds it off; to cancel twice, or what has ended, does nothing ---- */

struct an_abort_ends_the_clean_up {
    edo_frame();
    edo_args(world *w;);
};

edo_async(an_abort_ends_the_clean_up)
{
    edo_body {
        edo_await(self->w->seen[0], edo_sleep(edo_s(1000)));
        edo_shield();
        edo_await(self->w->seen[1], edo_sleep(edo_s(1000)));
        edo_await(self->w->seen[2], edo_sleep(edo_s(1000)));
        edo_return(5);
    }
}

static int64_t an_abort_ends_the_clean_up_in_fiber(void *arg)
{
    world *w = arg;
    w->seen[0] = edo_wait(edo_sleep(edo_s(1000)));
    edo_fiber_shield();
    w->seen[1] = edo_wait(edo_sleep(edo_s(1000)));
    w->seen[2] = edo_wait(edo_sleep(edo_s(1000)));
    return 5;
}

in_both_forms(an_abort_ends_the_clean_up)
{
    world w;
    world_init(&w);
    edo_task *task = start(spawn, &w);
    int64_t began = edo_now();
    edo_task_cancel(task);
    edo_task_cancel(task);
    let_all_wait();
    assert_false(edo_task_is_done(task));
    edo_task_abort(task);
    let_all_wait();
    edo_task_cancel(task); // it has ended
    assert_int_equal(edo_wait(edo_join(task)), 5);
    assert_int_equal(edo_now() - began, edo_s(2));
    for (int i = 0; i < 3; i++)
        assert_int_equal(w.seen[i], -ECANCELED);
    world_deinit(&w);
}

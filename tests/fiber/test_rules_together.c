/* Rules of waits for several, of joins and of scopes, in async functions and in fibers. */
#include "fiber/forms.h"

/* A callee with clean-up: it ends two seconds after its cancellation. */
struct cleans_up {
    edo_frame();
    edo_args(int *step;);
};

edo_async(cleans_up)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_sleep(edo_s(1000)));
        edo_shield();
        edo_await(rc, edo_sleep(edo_s(2)));
        *self->step += 1;
        edo_return(rc);
    }
}

/* ---- select ---- */

struct a_loser_has_cleaned_up_before_the_answer {
    edo_frame();
    edo_args(world *w;);
    struct cleans_up slow;
    edo_op fast;
};

edo_async(a_loser_has_cleaned_up_before_the_answer)
{
    edo_body {
        int64_t which;
        edo_init(&self->slow, cleans_up, .step = &self->w->step);
        self->fast = edo_sleep(edo_s(1));
        edo_select(which, &self->slow.base, &self->fast.base);
        edo_return(which + 10 * self->w->step);
    }
}

static int64_t a_loser_has_cleaned_up_before_the_answer_in_fiber(void *arg)
{
    world *w = arg;
    struct cleans_up slow;
    edo_op fast = edo_sleep(edo_s(1));
    edo_init(&slow, cleans_up, .step = &w->step);
    int64_t which = edo_wait_select(&slow.base, &fast.base);
    return which + 10 * w->step;
}

in_both_forms(a_loser_has_cleaned_up_before_the_answer)
{
    world w;
    edo_task *task;
    world_init(&w);
    int64_t began = edo_now();
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_join(task)), 11);
    assert_int_equal(edo_now() - began, edo_s(3));
    world_deinit(&w);
}

/* Two messages are ready, and one is taken. */
struct only_one_of_two_ready_ones_is_taken {
    edo_frame();
    edo_args(world *w;);
    edo_op number, bytes;
};

edo_async(only_one_of_two_ready_ones_is_taken)
{
    edo_body {
        int64_t which;
        self->number = edo_recv(&self->w->rx, &self->w->number);
        self->bytes = edo_read(self->w->near, self->w->bytes, 8);
        edo_select_biased(which, &self->number.base, &self->bytes.base);
        self->w->seen[0] = self->bytes.base.result;
        edo_return(which);
    }
}

static int64_t only_one_of_two_ready_ones_is_taken_in_fiber(void *arg)
{
    world *w = arg;
    edo_op number = edo_recv(&w->rx, &w->number), bytes = edo_read(w->near, w->bytes, 8);
    int64_t which = edo_wait_select_biased(&number.base, &bytes.base);
    w->seen[0] = bytes.base.result;
    return which;
}

in_both_forms(only_one_of_two_ready_ones_is_taken)
{
    world w;
    int value = 7;
    edo_task *task;
    world_init(&w);
    assert_int_equal(edo_try_send(&w.tx, &value), 0);
    assert_int_equal(edo_wait(edo_write_all(w.far, "abc", 3)), 3);
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_int_equal(w.number, 7);
    assert_int_equal(w.seen[0], -ECANCELED);
    assert_int_equal(edo_wait(edo_read(w.near, w.bytes, 8)), 3); // it is still there
    world_deinit(&w);
}

/* ---- all, and its first failure ---- */

struct the_first_failure_cancels_the_rest {
    edo_frame();
    edo_args(world *w;);
    struct cleans_up slow;
    edo_op join;
};

edo_async(the_first_failure_cancels_the_rest)
{
    edo_body {
        int64_t rc;
        edo_init(&self->slow, cleans_up, .step = &self->w->step);
        self->join = edo_join(self->w->task);
        edo_try_all(rc, &self->slow.base, &self->join.base);
        edo_return(rc - self->w->step);
    }
}

static int64_t the_first_failure_cancels_the_rest_in_fiber(void *arg)
{
    world *w = arg;
    struct cleans_up slow;
    edo_op join = edo_join(w->task);
    edo_init(&slow, cleans_up, .step = &w->step);
    int64_t rc = edo_wait_try_all(&slow.base, &join.base);
    return rc - w->step;
}

static int64_t fails(void *arg)
{
    int64_t rc = edo_wait(edo_sleep(edo_s(1)));
    return rc < 0 ? rc : (int64_t)(intptr_t)arg;
}

in_both_forms(the_first_failure_cancels_the_rest)
{
    world w;
    edo_task *task;
    world_init(&w);
    assert_int_equal(edo_fiber_spawn(&w.task, NULL, fails, (void *)(intptr_t)-EIO), 0);
    int64_t began = edo_now();
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_join(task)), -EIO - 1);
    assert_int_equal(edo_now() - began, edo_s(3));
    world_deinit(&w);
}

/* ---- any: what is kept goes on ---- */

struct a_kept_one_goes_on_in_other_waits {
    edo_frame();
    edo_args(world *w;);
    edo_op receive, sleep;
};

edo_async(a_kept_one_goes_on_in_other_waits)
{
    edo_body {
        int64_t which, rc;
        self->receive = edo_recv(&self->w->rx, &self->w->number);
        self->sleep = edo_sleep(edo_s(1));
        edo_any(which, &self->receive.base, &self->sleep.base);
        if (which != 1) edo_return(-EPROTO);
        edo_await(rc, edo_sleep(edo_s(10)));
        if (rc < 0) edo_return(rc);
        edo_await_on(rc, &self->receive.base);
        edo_return(rc);
    }
}

static int64_t a_kept_one_goes_on_in_other_waits_in_fiber(void *arg)
{
    world *w = arg;
    edo_op receive EDO_ENDS = edo_recv(&w->rx, &w->number), sleep = edo_sleep(edo_s(1));
    if (edo_wait_any(&receive.base, &sleep.base) != 1) return -EPROTO;
    int64_t rc = edo_wait(edo_sleep(edo_s(10)));
    return rc < 0 ? rc : edo_wait_on(&receive.base);
}

in_both_forms(a_kept_one_goes_on_in_other_waits)
{
    world w;
    int value = 7;
    edo_task *task;
    world_init(&w);
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_sleep(edo_s(3))), 0);
    assert_int_equal(edo_try_send(&w.tx, &value), 0);
    let_all_wait();
    assert_int_equal(w.number, 7); // received in the middle of the sleep
    assert_int_equal(edo_wait(edo_join(task)), 1);
    world_deinit(&w);
}

/* ---- joins ---- */

struct a_cancelled_join_leaves_the_task {
    edo_frame();
    edo_args(world *w;);
};

edo_async(a_cancelled_join_leaves_the_task)
{
    edo_body {
        edo_await_for(self->w->seen[0], edo_s(2), edo_join(self->w->task));
        edo_await(self->w->seen[1], edo_join(self->w->task));
        edo_return(0);
    }
}

static int64_t a_cancelled_join_leaves_the_task_in_fiber(void *arg)
{
    world *w = arg;
    w->seen[0] = edo_wait_for(edo_s(2), edo_join(w->task));
    w->seen[1] = edo_wait(edo_join(w->task));
    return 0;
}

static int64_t sleeps(void *arg)
{
    int64_t rc = edo_wait(edo_sleep(edo_s(5)));
    return rc < 0 ? rc : (int64_t)(intptr_t)arg;
}

in_both_forms(a_cancelled_join_leaves_the_task)
{
    world w;
    edo_task *task;
    world_init(&w);
    assert_int_equal(edo_fiber_spawn(&w.task, NULL, sleeps, (void *)9), 0);
    assert_int_equal(spawn(&task, &w), 0);
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_int_equal(w.seen[0], -ETIMEDOUT);
    assert_int_equal(w.seen[1], 9);
    world_deinit(&w);
}

struct a_join_of_oneself_is_refused {
    edo_frame();
    edo_args(world *w;);
};

edo_async(a_join_of_oneself_is_refused)
{
    edo_body {
        edo_try(edo_recv(&self->w->rx, &self->w->number)); // the handle stands in the world
        edo_await(self->w->seen[0], edo_join(self->w->task));
        edo_return(0);
    }
}

static int64_t a_join_of_oneself_is_refused_in_fiber(void *arg)
{
    world *w = arg;
    int64_t rc = edo_wait(edo_recv(&w->rx, &w->number));
    if (rc < 0) return rc;
    w->seen[0] = edo_wait(edo_join(w->task));
    return 0;
}

in_both_forms(a_join_of_oneself_is_refused)
{
    world w;
    int value = 7;
    world_init(&w);
    w.task = start(spawn, &w);
    assert_int_equal(edo_try_send(&w.tx, &value), 0);
    assert_int_equal(edo_wait(edo_join(w.task)), 0);
    assert_int_equal(w.seen[0], -EDEADLK);
    world_deinit(&w);
}

/* ---- a scope ends with its owner's cancellation, and not before its members ---- */

static int64_t member(void *arg)
{
    world *w = arg;
    int64_t rc = edo_wait(edo_sleep(edo_s(1000)));
    edo_fiber_shield();
    edo_wait(edo_sleep(edo_s(2)));
    __atomic_add_fetch(&w->step, 1, __ATOMIC_RELAXED);
    return rc;
}

struct members_end_before_a_cancelled_owner {
    edo_frame();
    edo_args(world *w;);
    edo_scope scope;
};

edo_async(members_end_before_a_cancelled_owner)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(edo_fiber_scope_spawn(&self->scope, NULL, member, self->w), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        self->w->seen[0] = self->w->step;
        edo_return(rc);
    }
}

static int64_t members_end_before_a_cancelled_owner_in_fiber(void *arg)
{
    world *w = arg;
    edo_fiber_scope(scope, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(edo_fiber_scope_spawn(&scope, NULL, member, w), 0);
    int64_t rc = edo_wait(edo_scope_join(&scope));
    w->seen[0] = w->step;
    return rc;
}

in_both_forms(members_end_before_a_cancelled_owner)
{
    world w;
    world_init(&w);
    edo_task *task = start(spawn, &w);
    int64_t began = edo_now();
    assert_int_equal(cancel_and_join(task), -ECANCELED);
    assert_int_equal(w.seen[0], 3);
    assert_int_equal(edo_now() - began, edo_s(2));
    world_deinit(&w);
}

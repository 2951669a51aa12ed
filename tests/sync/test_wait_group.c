/* Wait groups, latches, barriers. */
#include "sync/steps.h"

#include <edo/events.h>

static void assert_count(const edo_wait_group *group, uint32_t count)
{
    assert_int_equal(group->word, count * EDO__GROUP_ONE);
    assert_int_equal(group->lock, 0);
    assert_null(group->waiters);
}

/* ---- wait group ---- */

async_test(without_work_there_is_no_wait, edo_wait_group group; edo_op op;)
{
    edo_body {
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(0);
        self->op = edo_wait_group_wait(&self->group);
        assert_ends(&self->op, 0);
        assert_count(&self->group, 0);
        edo_return(0);
    }
}

async_test(the_last_piece_of_work_wakes_all, edo_wait_group group; edo_op a, b;)
{
    edo_body {
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(1);
        edo_wait_group_add(&self->group, 2);
        assert_int_equal(edo_wait_group_count(&self->group), 3);
        self->a = edo_wait_group_wait(&self->group);
        self->b = edo_wait_group_wait(&self->group);
        assert_waits(&self->a);
        assert_waits(&self->b);
        edo_wait_group_done(&self->group);
        edo_wait_group_done(&self->group);
        edo_wait_group_add(&self->group, 0);
        assert_waits(&self->a);
        edo_wait_group_add(&self->group, 1);
        edo_wait_group_done(&self->group);
        assert_waits(&self->b);
        edo_wait_group_done(&self->group);
        assert_ends(&self->b, 0);
        assert_ends(&self->a, 0);
        assert_count(&self->group, 0);
        edo_return(0);
    }
}

async_test(it_may_be_used_again, edo_wait_group group; edo_op op; int i;)
{
    edo_body {
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_wait_group_add(&self->group, 1);
            self->op = edo_wait_group_wait(&self->group);
            assert_waits(&self->op);
            edo_wait_group_done(&self->group);
            edo_wait_group_add(&self->group, 1); // the wait is over nevertheless
            assert_ends(&self->op, 0);
            edo_wait_group_done(&self->group);
        }
        assert_count(&self->group, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_wait_leaves_no_trace, edo_wait_group group; edo_op a, b;)
{
    edo_body {
        int rc;
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(1);
        self->a = edo_wait_group_wait(&self->group);
        self->b = edo_wait_group_wait(&self->group);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_cancelled(&self->a);
        assert_int_equal(self->group.word, EDO__GROUP_ONE | EDO__GROUP_WAITERS);
        assert_cancelled(&self->b);
        assert_count(&self->group, 1);
        edo_await_for(rc, edo_ms(3), edo_wait_group_wait(&self->group));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_count(&self->group, 1);
        self->a = edo_wait_group_wait(&self->group);
        assert_waits(&self->a);
        edo_wait_group_done(&self->group);
        assert_int_equal(cancel(&self->a), 0); // cancelled too late: the count was 0 before
        edo_await_for(rc, 0, edo_wait_group_wait(&self->group));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

enum { WORKERS = 4, ROUNDS = 200 };

struct worker {
    edo_frame();
    edo_args(edo_wait_group *group; int *sum;);
};

edo_async(worker)
{
    edo_body {
        edo_await_void(edo_yield());
        edo_add_relaxed(self->sum, 1);
        edo_wait_group_done(self->group);
        edo_return(0);
    }
}

struct manager {
    edo_frame();
    edo_args();
    edo_wait_group group;
    int sum, i;
};

edo_async(manager)
{
    edo_body {
        int rc;
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(0);
        self->sum = 0;
        for (self->i = 0; self->i < WORKERS; self->i++) {
            edo_wait_group_add(&self->group, 1);
            assert_int_equal(edo_go(worker, &self->group, &self->sum), 0);
        }
        edo_await_for(rc, 1, edo_wait_group_wait(&self->group)); // may time out
        edo_await(rc, edo_wait_group_wait(&self->group));
        assert_int_equal(rc, 0);
        assert_int_equal(self->sum, WORKERS);
        edo_wait_group_deinit(&self->group);
        edo_return(0);
    }
}

async_test(it_may_lie_in_the_frame_of_the_one_who_waits, edo_task *task; int i;)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            assert_int_equal(edo_spawn(&self->task, manager), 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

struct world {
    edo_wait_group group;
    edo_latch latch;
    edo_barrier barrier;
    int64_t plain[WORKERS];
    int leaders;
};

static void work(unsigned index, void *arg)
{
    struct world *world = arg;
    if (index == 0) {
        insist(edo_wait(edo_wait_group_wait(&world->group)) == 0);
        for (int i = 0; i < WORKERS; i++)
            insist(world->plain[i] == i + 1);
        return;
    }
    world->plain[index - 1] = index;
    edo_wait_group_done(&world->group);
}

test(a_thread_waits_for_others)
{
    for (int i = 0; i < 20; i++) {
        struct world world = { .group = EDO_WAIT_GROUP_INIT(WORKERS) };
        run_threads(WORKERS + 1, work, &world);
        assert_count(&world.group, 0);
    }
}

/* ---- latch ---- */

async_test(a_latch_counts_down_once, edo_latch latch; edo_op op;)
{
    edo_body {
        int rc;
        self->latch = (edo_latch)EDO_LATCH_INIT(3);
        self->op = edo_latch_wait(&self->latch);
        assert_waits(&self->op);
        edo_latch_count_down(&self->latch, 2);
        assert_waits(&self->op);
        edo_latch_count_down(&self->latch, 0);
        edo_latch_count_down(&self->latch, 1);
        assert_ends(&self->op, 0);
        edo_await(rc, edo_latch_wait(&self->latch));
        assert_int_equal(rc, 0);
        edo_latch_deinit(&self->latch);
        edo_return(0);
    }
}

static void start_together(unsigned index, void *arg)
{
    struct world *world = arg;
    world->plain[index] = 1;
    edo_latch_count_down(&world->latch, 1);
    insist(edo_wait(edo_latch_wait(&world->latch)) == 0);
    for (int i = 0; i < WORKERS; i++)
        insist(world->plain[i] == 1);
}

test(threads_start_together)
{
    for (int i = 0; i < 20; i++) {
        struct world world = { .latch = EDO_LATCH_INIT(WORKERS) };
        run_threads(WORKERS, start_together, &world);
        assert_count(&world.latch.group, 0);
    }
}

/* ---- barrier ---- */

static void assert_empty(const edo_barrier *barrier)
{
    assert_int_equal(barrier->arrived, 0);
    assert_int_equal(barrier->lock, 0);
    assert_null(barrier->waiters);
}

async_test(of_none_or_one_nobody_waits, edo_barrier barrier; int i;)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 4; self->i++) {
            self->barrier = (edo_barrier)EDO_BARRIER_INIT((uint32_t)self->i / 2);
            edo_await(rc, edo_barrier_wait(&self->barrier));
            assert_int_equal(rc, 1);
            assert_empty(&self->barrier);
        }
        edo_return(0);
    }
}

#define CROWD                                                                                      \
    edo_barrier barrier;                                                                           \
    edo_op a, b, c;
#define begin_crowd()                                                                              \
    do {                                                                                           \
        self->a = edo_barrier_wait(&self->barrier);                                                \
        self->b = edo_barrier_wait(&self->barrier);                                                \
        self->c = edo_barrier_wait(&self->barrier);                                                \
    } while (0)

async_test(the_last_that_comes_leads_again_and_again, CROWD int i;)
{
    edo_body {
        self->barrier = (edo_barrier)EDO_BARRIER_INIT(3);
        for (self->i = 0; self->i < 3; self->i++) {
            begin_crowd();
            assert_waits(&self->a);
            assert_waits(&self->b);
            assert_waits(&self->a);
            assert_ends(&self->c, 1);
            assert_ends(&self->a, 0);
            assert_ends(&self->b, 0);
            assert_empty(&self->barrier);
        }
        edo_barrier_deinit(&self->barrier);
        edo_return(0);
    }
}

async_test(the_next_round_begins_before_the_last_has_run, CROWD edo_op d, e, f;)
{
    edo_body {
        self->barrier = (edo_barrier)EDO_BARRIER_INIT(3);
        begin_crowd();
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_ends(&self->c, 1);
        self->d = edo_barrier_wait(&self->barrier);
        self->e = edo_barrier_wait(&self->barrier);
        self->f = edo_barrier_wait(&self->barrier);
        assert_waits(&self->d);
        assert_waits(&self->e);
        assert_ends(&self->a, 0);
        assert_ends(&self->f, 1);
        assert_ends(&self->b, 0);
        assert_ends(&self->d, 0);
        assert_ends(&self->e, 0);
        assert_empty(&self->barrier);
        edo_return(0);
    }
}

async_test(one_that_is_cancelled_has_not_come, CROWD edo_op d;)
{
    edo_body {
        int rc;
        self->barrier = (edo_barrier)EDO_BARRIER_INIT(3);
        begin_crowd();
        self->d = edo_barrier_wait(&self->barrier);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_cancelled(&self->a);
        assert_waits(&self->c);
        assert_waits(&self->b);
        assert_ends(&self->d, 1); // the third wait that is not cancelled
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        edo_await_for(rc, edo_ms(1), edo_barrier_wait(&self->barrier));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_empty(&self->barrier);
        edo_return(0);
    }
}

async_test(one_that_is_cancelled_too_late_has_come, CROWD)
{
    edo_body {
        self->barrier = (edo_barrier)EDO_BARRIER_INIT(3);
        begin_crowd();
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_ends(&self->c, 1);
        assert_int_equal(cancel(&self->a), 0);
        assert_ends(&self->b, 0);
        assert_empty(&self->barrier);
        edo_return(0);
    }
}

async_test(without_budget_nobody_comes, CROWD)
{
    edo_body {
        self->barrier = (edo_barrier)EDO_BARRIER_INIT(2);
        begin_crowd();
        assert_waits(&self->a);
        spend_budget();
        assert_waits(&self->b);
        assert_int_equal(self->barrier.arrived, 1);
        edo_await_void(edo_yield());
        assert_ends(&self->b, 1);
        assert_ends(&self->a, 0);
        edo_return(0);
    }
}

struct meets {
    edo_frame();
    edo_args(struct world *world; int index;);
    int i, led;
};

edo_async(meets)
{
    edo_body {
        int rc;
        self->led = 0;
        for (self->i = 1; self->i <= ROUNDS; self->i++) {
            self->world->plain[self->index] = self->i;
            edo_await(rc, edo_barrier_wait(&self->world->barrier));
            assert_true(rc == 0 || rc == 1);
            self->led += rc;
            for (int k = 0; k < WORKERS; k++)
                assert_int_equal(self->world->plain[k], self->i);
            edo_await(rc, edo_barrier_wait(&self->world->barrier)); // all have read
            assert_true(rc >= 0);
        }
        edo_add_relaxed(&self->world->leaders, self->led);
        edo_return(0);
    }
}

async_test(tasks_meet_again_and_again, struct world world; edo_scope scope; int i;)
{
    edo_body {
        int rc;
        self->world = (struct world){ .barrier = EDO_BARRIER_INIT(WORKERS) };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < WORKERS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, meets, &self->world, self->i), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->world.leaders, ROUNDS);
        assert_empty(&self->world.barrier);
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void end_more_than_was_added(void *arg)
{
    (void)arg;
    edo_wait_group group = EDO_WAIT_GROUP_INIT(1);
    edo_wait_group_done(&group);
    edo_wait_group_done(&group);
}

static void count_down_too_far(void *arg)
{
    (void)arg;
    edo_latch latch = EDO_LATCH_INIT(1);
    edo_latch_count_down(&latch, 2);
}

static void add_too_much(void *arg)
{
    (void)arg;
    edo_wait_group group = EDO_WAIT_GROUP_INIT(1);
    edo_wait_group_add(&group, EDO_WAIT_GROUP_MAX);
}

struct ends_a_waited_one {
    edo_frame();
    edo_args(bool barrier;);
    edo_wait_group group;
    edo_barrier meeting;
    edo_op op;
};

edo_async(ends_a_waited_one)
{
    edo_body {
        self->group = (edo_wait_group)EDO_WAIT_GROUP_INIT(1);
        self->meeting = (edo_barrier)EDO_BARRIER_INIT(2);
        self->op = self->barrier ? edo_barrier_wait(&self->meeting)
                                 : edo_wait_group_wait(&self->group);
        assert_waits(&self->op);
        if (self->barrier)
            edo_barrier_deinit(&self->meeting);
        else
            edo_wait_group_deinit(&self->group);
        edo_return(0);
    }
}

static void end_a_waited_one(void *arg)
{
    edo_runtime *runtime;
    insist(edo_runtime_create(NULL, &runtime) == 0);
    edo_block_on(runtime, ends_a_waited_one, .barrier = arg != NULL);
}

test(misuse_is_named)
{
    expect_abort(end_more_than_was_added, NULL,
                 "edo_wait_group_done: the count would fall below 0");
    expect_abort(count_down_too_far, NULL, "edo_latch_count_down: the count would fall below 0");
    expect_abort(add_too_much, NULL,
                 "edo_wait_group_add: the count would exceed EDO_WAIT_GROUP_MAX");
    expect_abort(end_a_waited_one, NULL, "edo_wait_group_deinit: waiters remain in its queue");
    expect_abort(end_a_waited_one, "", "edo_barrier_deinit: waiters remain in its queue");
}

/* edo-test: ct, because it makes its own workers. The end of a runtime with workers, while its
 * tasks run and others spawn. */
#include "runtime/fixture.h"

#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "runtime/gate.h"
#include "runtime/pool/blocking.h"
#include "task/op.h"

enum { WORKERS = 2 };

static edo_runtime *make_workers(edo_config config)
{
    config.workers = WORKERS;
    config.stall_limit = EDO_NEVER;
    return make_runtime_with(&config);
}

/* ---- spawns that race with the end ---- */

enum { SPAWNERS = 3, SPAWNS = 200, ROUNDS = 10 };

typedef struct race {
    edo_runtime *runtime;
    edo_atomic(uint32_t) spawned, ended, begun;
} race;

struct counted {
    edo_frame();
    edo_args(edo_atomic(uint32_t) *ended; bool waits;);
};

edo_async(counted)
{
    edo_body {
        int rc;
        if (self->waits)
            edo_await(rc, edo_sleep(EDO_NEVER));
        else
            edo_await(rc, edo_yield());
        edo_add_acq_rel(self->ended, 1);
        edo_return(rc);
    }
}

static void spawn_and_destroy(unsigned index, void *arg)
{
    race *r = arg;
    edo_spawn_options options = { .runtime = r->runtime };
    if (index == 0) {
        while (edo_load_acquire(&r->begun) < SPAWNERS)
            sched_yield();
        insist(edo_runtime_destroy(r->runtime) == 0);
        return;
    }
    int rc = 0;
    for (unsigned i = 0; rc == 0; i++) {
        rc = edo_spawn_with(NULL, &options, counted, .ended = &r->ended, .waits = i % 2);
        insist(rc == 0 || rc == -ESHUTDOWN);
        if (rc == 0) edo_add_acq_rel(&r->spawned, 1);
        if (i == SPAWNS || (i < SPAWNS && rc < 0)) edo_add_acq_rel(&r->begun, 1);
        if (i > SPAWNS) sched_yield();
    }
    edo_runtime_unref(r->runtime);
}

/* Each spawn is refused, or its task runs and ends. */
clean_test(spawns_race_with_the_end)
{
    for (int i = 0; i < ROUNDS; i++) {
        race r = { .runtime = make_workers((edo_config){ 0 }) };
        for (int k = 0; k < SPAWNERS; k++)
            edo_runtime_ref(r.runtime);
        run_threads(SPAWNERS + 1, spawn_and_destroy, &r);
        assert_int_equal(r.spawned, r.ended);
    }
}

/* ---- the two levels ---- */

/* Cleans up behind a shield, for longer than the drain waits. */
struct cleans_up {
    edo_frame();
    edo_args(edo_atomic(uint32_t) *began, *ended;);
};

edo_async(cleans_up)
{
    edo_body {
        int rc;
        edo_add_acq_rel(self->began, 1);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_add_acq_rel(self->ended, 1);
        edo_return(rc);
    }
}

clean_test(shields_hold_until_the_abort)
{
    edo_atomic(uint32_t) began = 0, ended = 0;
    edo_task *tasks[8];
    edo_runtime *runtime = make_workers(
        (edo_config){ .drain_limit = edo_ms(2), .abort_limit = EDO_NEVER });
    edo_spawn_options options = { .runtime = runtime };
    for (size_t i = 0; i < ARRAY_LENGTH(tasks); i++)
        assert_int_equal(
            edo_spawn_with(&tasks[i], &options, cleans_up, .began = &began, .ended = &ended), 0);
    while (edo_load_acquire(&began) < ARRAY_LENGTH(tasks))
        sched_yield();
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(ended, ARRAY_LENGTH(tasks));
    for (size_t i = 0; i < ARRAY_LENGTH(tasks); i++) {
        assert_true(edo_task_is_done(tasks[i]));
        edo_detach(tasks[i]);
    }
}

/* ---- through both levels ---- */

static const edo_config impatient = { .name = "mine",
                                      .drain_limit = 2000000,
                                      .abort_limit = 20000000 };

static edo_atomic(uint32_t) spinning;

struct spins_for_ever {
    edo_frame();
    edo_args();
};

edo_async(spins_for_ever)
{
    edo_body {
        edo_store_release(&spinning, 1);
        for (;;)
            sched_yield();
        edo_return(0);
    }
}

static edo_task *start_spinner(edo_runtime *runtime)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, spins_for_ever), 0);
    while (!edo_load_acquire(&spinning))
        sched_yield();
    return task;
}

static edo_atomic(uint32_t) joining;
static edo_task *joined;

static void join_or_destroy(unsigned index, void *arg)
{
    if (index == 0) {
        while (!edo_load_acquire(&joining))
            sched_yield();
        insist(edo_runtime_destroy(arg) == -ETIMEDOUT);
    } else {
        edo_store_release(&joining, 1);
        insist(edo_wait(edo_join(joined)) == -ESHUTDOWN);
    }
}

static void give_up(void *arg)
{
    (void)arg;
    edo_runtime *runtime = edo_runtime_ref(make_workers(impatient));
    edo_spawn_options options = { .runtime = runtime };
    joined = start_spinner(runtime);
    log_capture();
    run_threads(2, join_or_destroy, runtime);
    assert_int_equal(log_lines("mine: task 'spins_for_ever' #"), 1);
    assert_int_equal(edo_runtime_task_count(runtime), 1);
    assert_int_equal(edo_spawn_with(NULL, &options, answer, 0), -ESHUTDOWN);
    edo_runtime_unref(runtime);
    _exit(0); // its thread is still spinning
}

test(a_spinning_task_is_given_up)
{
    for (int i = 0; i < 3; i++)
        expect_success_in_child(give_up, NULL);
}

/* The spinning task holds the baton, and the other worker waits at the gate. */
static void give_up_under_test_clock(void *arg)
{
    (void)arg;
    edo_config config = impatient;
    config.test_clock = true;
    config.max_spare = -1;
    edo_runtime *runtime = make_workers(config);
    edo_task *task = start_spinner(runtime);
    log_capture();
    insist(edo_runtime_destroy(runtime) == -ETIMEDOUT);
    edo_detach(task);
    _exit(0); // its thread is still spinning
}

test(a_spinning_task_is_given_up_under_a_test_clock)
{
    expect_success_in_child(give_up_under_test_clock, NULL);
}

struct leaves_a_spinner {
    edo_frame();
    edo_args();
};

edo_async(leaves_a_spinner)
{
    edo_body {
        int rc;
        assert_int_equal(edo_go(spins_for_ever), 0);
        while (!edo_load_acquire(&spinning))
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

static void must_not_be_called(void)
{
    fprintf(stderr, "exit handlers run beside what was leaked\n");
}

static void run_program(void *arg)
{
    (void)arg;
    edo_config config = impatient;
    config.workers = WORKERS;
    atexit(must_not_be_called);
    edo_run_with(&config, leaves_a_spinner);
    fprintf(stderr, "edo_run has returned\n");
}

test(a_program_ends_nevertheless)
{
    char text[4096];
    int status = run_in_child(run_program, NULL, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
    assert_non_null(strstr(text, "mine: task 'spins_for_ever' #"));
    assert_null(strstr(text, "exit handlers run"));
    assert_null(strstr(text, "edo_run has returned"));
}

/* ---- budget: a task that never waits does not block its queue ---- */

struct greedy {
    edo_frame();
    edo_args(edo_atomic(uint32_t) *stop;);
};

edo_async(greedy)
{
    edo_body {
        int rc;
        while (!edo_load_acquire(self->stop))
            edo_await(rc, edo_sleep(0)); // always ready: only the budget ends its polls
        edo_return(0);
    }
}

struct stops_them {
    edo_frame();
    edo_args(edo_atomic(uint32_t) *stop;);
};

edo_async(stops_them)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(100)));
        edo_store_release(self->stop, 1);
        edo_return(rc);
    }
}

/* Runs its tasks on one worker. The tasks are pinned, so no helper runs them. */
struct shares_a_worker {
    edo_frame();
    edo_args();
    edo_task *tasks[5];
    edo_atomic(uint32_t) stop;
    int i;
};

edo_async(shares_a_worker)
{
    edo_body {
        int rc;
        self->stop = 0;
        for (int i = 0; i < 4; i++)
            assert_int_equal(edo_spawn_on(&self->tasks[i], 0, greedy, .stop = &self->stop), 0);
        assert_int_equal(edo_spawn_on(&self->tasks[4], 0, stops_them, .stop = &self->stop), 0);
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

clean_test(greedy_tasks_share_a_worker)
{
    edo_runtime *runtime = make_workers((edo_config){ 0 });
    assert_int_equal(edo_block_on(runtime, shares_a_worker), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- the pools of a runtime with a task that was given up while it computed ---- */

/* A task that spins until the runtime was destroyed, and what it then saw. */
typedef struct survivor {
    edo_pool *pool;
    gate job;
    edo_atomic(uint32_t) spins, is_destroyed, is_past;
    edo_atomic(int64_t) results[2];
} survivor;

static void spin(survivor *s)
{
    edo_store_release(&s->spins, 1);
    while (!edo_load_acquire(&s->is_destroyed))
        sched_yield();
}

/* Destroys a runtime with a task that spins, and lets the task go on. */
static void destroy_under(edo_runtime *runtime, survivor *s)
{
    while (!edo_load_acquire(&s->spins))
        sched_yield();
    log_capture();
    insist(edo_runtime_destroy(runtime) == -ETIMEDOUT);
    edo_store_release(&s->is_destroyed, 1);
    while (!edo_load_acquire(&s->is_past))
        sched_yield();
}

struct spins_then_blocks {
    edo_frame();
    edo_args(survivor *s;);
};

edo_async(spins_then_blocks)
{
    edo_body {
        int64_t rc;
        spin(self->s);
        edo_await(rc, edo_blocking_on(self->s->pool, echo_back, NULL));
        edo_store_relaxed(&self->s->results[0], rc);
        edo_await(rc, edo_blocking(echo_back, NULL));
        edo_store_relaxed(&self->s->results[1], rc);
        edo_store_release(&self->s->is_past, 1);
        edo_return(0);
    }
}

static void block_after_the_end(void *arg)
{
    (void)arg;
    static survivor s;
    test_allocator_install(); // overwrites freed memory
    edo_runtime *runtime = make_workers(impatient);
    edo_spawn_options options = { .runtime = runtime };
    insist(edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "own" }) == 0);
    insist(edo_runtime_pool(runtime, "own", &s.pool) == 0);
    insist(edo_spawn_with(NULL, &options, spins_then_blocks, .s = &s) == 0);
    destroy_under(runtime, &s);
    insist(s.results[0] == -ESHUTDOWN && s.results[1] == -ESHUTDOWN);
    _exit(0);
}

test(a_task_that_was_given_up_still_has_its_pools)
{
    expect_success_in_child(block_after_the_end, NULL);
}

static int64_t pass_job(edo_op *op)
{
    return pass(op->object);
}

static edo_poll file_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) {
        int rc = edo__files_run(op, pass_job, cx);
        return rc < 0 ? edo__op_finish(op, cx, rc) : EDO_PENDING;
    }
    return edo__files_poll(op, cx, false);
}

static const edo_future_ops file_ops = { .name = "file", .poll = file_poll };

struct spins {
    edo_frame();
    edo_args(survivor *s;);
};

edo_async(spins)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        gate_await(&self->s->job, 1);
        spin(self->s);
        edo_return(rc);
    }
}

struct passes {
    edo_frame();
    edo_args(survivor *s;);
};

edo_async(passes)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_store_release(&self->s->is_past, 1);
        edo_return(rc);
    }
}

/* The second poll of `both` spins, polls the file operation whose job runs, and then passes. */
struct both {
    edo_frame();
    edo_args(survivor *s;);
    struct spins spins;
    struct passes passes;
    edo_op file;
};

edo_async(both)
{
    edo_body {
        edo_init(&self->spins, spins, .s = self->s);
        edo_init(&self->passes, passes, .s = self->s);
        self->file = edo__op(&file_ops, &self->s->job, NULL, 0, 0);
        edo_all(&self->spins.base, &self->file.base, &self->passes.base);
        edo_return(0);
    }
}

static void poll_a_file_after_the_end(void *arg)
{
    (void)arg;
    static survivor s = { .job = GATE };
    edo_runtime *runtime = make_workers(impatient);
    edo_spawn_options options = { .runtime = runtime };
    insist(edo_spawn_with(NULL, &options, both, .s = &s) == 0);
    destroy_under(runtime, &s);
    _exit(0);
}

test(a_task_that_was_given_up_still_polls_its_jobs)
{
    expect_success_in_child(poll_a_file_after_the_end, NULL);
}

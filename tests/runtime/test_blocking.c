/* Blocking work as operations and as tasks: results, cancellation, the test clock. */
#include "runtime/gate.h"

#include <string.h>

/* ---- results ---- */

struct results {
    edo_frame();
    edo_args();
};

edo_async(results)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_blocking(echo_back, word_arg(42)));
        assert_int_equal(rc, 42);
        assert_int_equal(edo_op_progress(edo_last_op()), 1);
        edo_await(rc, edo_blocking(echo_back, word_arg(-EIO)));
        assert_int_equal(rc, -EIO);
        edo_await(rc, edo_blocking(NULL, NULL));
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(edo_op_progress(edo_last_op()), 0);
        edo_return(0);
    }
}

clean_test(results)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, results), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(a_destroyed_runtime_without_jobs)
{
    edo_pool *pool;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_pool(runtime, "files", &pool), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a job runs on a thread of the pool; other tasks run meanwhile ---- */

static int64_t is_this_thread(void *arg)
{
    return pthread_equal(*(pthread_t *)arg, pthread_self());
}

clean_test(elsewhere)
{
    edo_runtime *runtime = make_runtime();
    pthread_t self = pthread_self();
    assert_int_equal(result_of(runtime, spawn_job(runtime, NULL, is_this_thread, &self)), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct opener {
    edo_frame();
    edo_args(struct gate *gate;);
};

edo_async(opener)
{
    edo_body {
        gate_open(self->gate);
        edo_return(0);
    }
}

clean_test(others_run_meanwhile)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    edo_task *task = spawn_job(runtime, NULL, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(edo_spawn_with(NULL, &options, opener, .gate = &g), 0);
    assert_int_equal(result_of(runtime, task), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- as tasks ---- */

static void count_lines(void *context, const edo_trace_line *line)
{
    assert_string_equal(line->name, "echo_back");
    ++*(int *)context;
}

current_thread_only("the task waits for a turn while it is looked at")
clean_test(tasks_are_named)
{
    int lines = 0;
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime, .name = "digest" };
    edo_task *task;
    assert_int_equal(edo_spawn_blocking_with(&task, &options, NULL, echo_back, word_arg(1)), 0);
    assert_string_equal(edo_task_name(task), "digest");
    assert_string_equal(edo_task_site(task)->function, __func__);
    assert_int_equal(edo_task_trace(task, count_lines, &lines), 0);
    assert_int_equal(lines, 1);
    assert_int_equal(result_of(runtime, task), 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct spawner {
    edo_frame();
    edo_args(struct gate *gate;);
    edo_task *task;
};

edo_async(spawner)
{
    edo_body {
        int64_t rc;
        assert_int_equal(edo_spawn_blocking(NULL, pass, self->gate), 0);
        assert_int_equal(edo_spawn_blocking(&self->task, pass, self->gate), 0);
        assert_string_equal(edo_task_name(self->task), "pass");
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

clean_test(spawned_inside_of_a_task)
{
    gate g = GATE;
    gate_open(&g);
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, spawner, .gate = &g), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_true(g.left >= 1);
}

clean_test(nowhere)
{
    edo_task *task = NULL;
    assert_int_equal(edo_spawn_blocking(&task, echo_back, NULL), -EINVAL);
    assert_null(task);
}

static void *wait_in_a_plain_thread(void *arg)
{
    (void)arg;
    insist(edo_wait(edo_blocking(echo_back, word_arg(5))) == 5);
    return NULL;
}

clean_test(from_a_plain_thread)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_a_plain_thread, NULL), 0);
    pthread_join(thread, NULL);
}

/* ---- cancellation, at each point ---- */

current_thread_only("a worker polls it at once")
clean_test(cancelled_before_its_first_poll)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_task *task = spawn_job(runtime, NULL, pass, &g);
    edo_task_cancel(task);
    assert_int_equal(result_of(runtime, task), -ECANCELED);
    assert_int_equal(gate_entered(&g), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

enum { FIRST, QUEUED, WAITING, LAST, JOBS };

/* One job runs, one is queued, two wait for a place. */
static void fill(edo_runtime *runtime, edo_pool *pool, gate gates[JOBS], edo_task *tasks[JOBS])
{
    for (int i = 0; i < JOBS; i++) {
        tasks[i] = spawn_job(runtime, pool, pass, &gates[i]);
        turn_all(runtime);
        if (i == FIRST) gate_await(&gates[FIRST], 1);
    }
    edo_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.threads, 1);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.queued, 1);
    assert_int_equal(stats.waiting, 2);
}

static const edo_pool_config narrow = { .name = "narrow", .max_threads = 1, .max_queue = 1 };

static void check_cancelled_while(int which)
{
    gate gates[JOBS] = { GATE, GATE, GATE, GATE };
    edo_task *tasks[JOBS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&narrow);
    fill(runtime, pool, gates, tasks);
    edo_task_cancel(tasks[which]);
    turn_all(runtime);
    assert_int_equal(edo_task_is_done(tasks[which]), which != FIRST);
    edo_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.queued, 1); // the next job has taken the free place
    assert_int_equal(stats.waiting, which == FIRST ? 2 : 1);
    for (int i = 0; i < JOBS; i++) {
        gate_open(&gates[i]); // one by one: each job ends without help of later jobs
        bool ran = i != which || which == FIRST;
        assert_int_equal(result_of(runtime, tasks[i]), ran ? THROUGH : -ECANCELED);
        assert_int_equal(gate_entered(&gates[i]), ran);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

clean_test(cancelled_while_it_runs)
{
    check_cancelled_while(FIRST);
}

clean_test(cancelled_in_the_queue)
{
    check_cancelled_while(QUEUED);
}

clean_test(cancelled_while_it_waits_for_a_place)
{
    check_cancelled_while(WAITING);
    check_cancelled_while(LAST);
}

/* A time limit on a running job. The limit passes at its time, but the operation ends only at the
 * job's end. */
struct limited {
    edo_frame();
    edo_args(struct gate *gate;);
};

edo_async(limited)
{
    edo_body {
        int64_t rc;
        edo_await_for(rc, edo_s(1), edo_blocking(pass, self->gate));
        edo_return(rc);
    }
}

struct advance {
    edo_frame();
    edo_args();
};

edo_async(advance)
{
    edo_body {
        edo_return(edo_clock_advance(edo_s(2)));
    }
}

clean_test(a_limit_waits_for_a_running_job)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, limited, .gate = &g), 0);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(edo_block_on(runtime, advance), 0);
    turn_all(runtime); // the limit has passed
    assert_false(edo_task_is_done(task));
    gate_open(&g);
    assert_int_equal(result_of(runtime, task), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- the test clock ---- */

struct nap {
    edo_frame();
    edo_args();
};

edo_async(nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

enum { SOME_TURNS = 20 };

clean_test(the_clock_waits_for_jobs)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    edo_spawn_options options = { .runtime = runtime };
    edo_task *job = spawn_job(runtime, NULL, pass, &g), *sleeper;
    assert_int_equal(edo_spawn_with(&sleeper, &options, nap), 0);
    for (int i = 0; i < SOME_TURNS; i++)
        assert_true(turn_runtime(runtime, 1) >= 0);
    assert_false(edo_task_is_done(sleeper));
    gate_open(&g);
    while (!edo_task_is_done(job)) // the job's end ends the wait of a turn
        assert_true(turn_runtime(runtime, EDO_NEVER) >= 0);
    assert_int_equal(result_of(runtime, sleeper), 0);
    assert_int_equal(result_of(runtime, job), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- out of memory; misuse ---- */

static void run_with_failures(void *arg)
{
    edo_runtime *runtime;
    edo_task *task;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    edo_spawn_options options = { .runtime = runtime };
    if (edo_spawn_blocking_with(&task, &options, NULL, echo_back, word_arg(1)) == 0) {
        while (!edo_task_is_done(task))
            assert_true(turn_runtime(runtime, EDO_NEVER) >= 0);
        edo_detach(task);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(without_memory)
{
    assert_true(with_each_allocation_failing(run_with_failures, NULL) > 3);
}

struct dangling {
    edo_frame();
    edo_args();
};

edo_async(dangling)
{
    edo_body {
        int rc, local = 0;
        // edo-lint: allow(edo-local-address) the test expects this abort
        edo_await(rc, edo_blocking(echo_back, &local));
        edo_return(rc);
    }
}

static void run_dangling(void *arg)
{
    (void)arg;
    edo_block_on(make_runtime(), dangling);
}

test(an_argument_on_the_stack)
{
    expect_abort(run_dangling, NULL, "edo_blocking.*argument");
}

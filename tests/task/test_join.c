/* Joining: the result, the handle, and the end of the function. */
#include "task/probe.h"

#include <pthread.h>
#include <stdlib.h>

#include "runtime/runtime.h"

/* ---- results ---- */

struct result_of {
    edo_frame();
    edo_args(int64_t result; bool wait;);
};

edo_async(result_of)
{
    edo_body {
        int rc;
        if (self->wait) edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(self->result);
    }
}

static const int64_t results[] = { 0, 1, -EIO, -ECANCELED, INT64_MAX, INT64_MIN };

async_test(join_answers_the_result, edo_task *task; size_t i;)
{
    edo_body {
        int64_t result;
        for (self->i = 0; self->i < 2 * ARRAY_LENGTH(results); self->i++) {
            assert_int_equal(
                edo_spawn(&self->task, result_of, .result = results[self->i / 2], self->i % 2), 0);
            edo_await(result, edo_join(self->task));
            assert_int_equal(result, results[self->i / 2]);
        }
        edo_return(0);
    }
}

/* At once: in the same poll. */
async_test(a_task_that_has_ended_is_joined_at_once,
    struct gate gate;
    edo_task *task;
    const edo_cx *cx;
    uint64_t polls;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->task));
        gate_open(&self->gate, 3);
        edo_await(rc, settle());
        assert_true(edo_task_is_done(self->task));
        self->cx = cx;
        self->polls = cx->polls;
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 3);
        assert_ptr_equal(cx, self->cx);
        assert_int_equal(cx->polls, self->polls);
        edo_return(0);
    }
}

async_test(nonsense_is_refused)
{
    edo_body {
        int rc;
        edo_await(rc, edo_join(NULL));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_join(edo_current_task()));
        assert_int_equal(rc, -EDEADLK);
        edo_return(0);
    }
}

/* ---- the handle ---- */

async_test(a_cancelled_join_leaves_the_handle,
    struct gate gate;
    edo_task *task;
    edo_op sleep, join;
    unsigned ended;
    int i;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate, .ended = &self->ended),
                         0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await_for(rc, edo_ms(1), edo_join(self->task));
            assert_int_equal(rc, -ETIMEDOUT);
            self->sleep = edo_sleep(edo_ms(1));
            self->join = edo_join(self->task);
            edo_select(rc, &self->join.base, &self->sleep.base);
            assert_int_equal(rc, 1);
            assert_int_equal(self->ended, 0); // the task goes on
        }
        gate_open(&self->gate, 6);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 6);
        edo_return(0);
    }
}

/* The task ends in the same round in which the join is cancelled. */
async_test(a_join_that_is_cancelled_at_the_end_answers_the_result,
    struct gate gate;
    edo_task *task;
    edo_op join;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        self->join = edo_join(self->task);
        assert_int_equal(edo_poll_future(&self->join.base, cx), EDO_PENDING);
        edo_await(rc, settle());
        gate_open(&self->gate, 6);
        edo_await(rc, settle());
        edo_cancel(&self->join.base);
        edo_await_on(rc, &self->join.base);
        assert_int_equal(rc, 6);
        edo_return(0);
    }
}

async_test(a_join_may_be_kept_and_polled_often, edo_task *task; edo_op join, sleep; int i;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, result_of, .result = 9, .wait = true), 0);
        self->join = edo_join(self->task);
        self->sleep = edo_sleep(0);
        edo_any(rc, &self->sleep.base, &self->join.base);
        for (self->i = 0; self->i < 10; self->i++)
            edo_await(rc, settle());
        edo_await_on(rc, &self->join.base);
        assert_int_equal(rc, 9);
        edo_return(0);
    }
}

/* ---- the function has ended ---- */

enum { TEARDOWNS = 2000 };

/* Memory that a task uses to its last statement, and that its joiner frees at once. */
struct shared {
    uint64_t words[8];
};

struct tears_down {
    edo_frame();
    edo_args(struct shared *shared; int round;);
    char room[512];
};

edo_async(tears_down)
{
    edo_body {
        int rc;
        if (self->round % 2) edo_await(rc, settle());
        for (int i = 0; i < 8; i++)
            self->shared->words[i] = (uint64_t)self->round;
        edo_return(self->round);
    }
}

/* The joiner's runtime is on another thread: only the join orders the two. */
static void join_round(edo_runtime *runtime, int round)
{
    edo_task *task;
    struct shared *shared = malloc(sizeof *shared);
    edo_spawn_options options = { .runtime = runtime };
    if (edo_spawn_with(&task, &options, tears_down, .shared = shared, .round = round) < 0) abort();
    if (edo_wait(edo_join(task)) != round) abort();
    for (int i = 0; i < 8; i++)
        if (shared->words[i] != (uint64_t)round) abort();
    memset(shared, 0, sizeof *shared);
    free(shared);
}

struct theatre {
    edo_runtime *runtime;
    int done;
};

static void *join_rounds(void *arg)
{
    struct theatre *theatre = arg;
    for (int round = 0; round < TEARDOWNS; round++)
        join_round(theatre->runtime, round);
    __atomic_store_n(&theatre->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

struct until_done {
    edo_frame();
    edo_args(int *done;);
};

edo_async(until_done)
{
    edo_body {
        int rc;
        while (!__atomic_load_n(self->done, __ATOMIC_ACQUIRE))
            edo_await(rc, settle());
        edo_return(0);
    }
}

test(the_function_has_ended_and_what_it_did_is_seen)
{
    struct theatre theatre = { 0 };
    pthread_t thread;
    assert_int_equal(create_runtime(NULL, &theatre.runtime), 0);
    assert_int_equal(pthread_create(&thread, NULL, join_rounds, &theatre), 0);
    assert_int_equal(edo_block_on(theatre.runtime, until_done, .done = &theatre.done), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(edo_runtime_destroy(theatre.runtime), 0);
}

/* ---- chains ---- */

struct joins_the_next {
    edo_frame();
    edo_args(int depth;);
    edo_task *next;
};

edo_async(joins_the_next)
{
    edo_body {
        int64_t result;
        if (self->depth == 0) edo_return(0);
        result = edo_spawn(&self->next, joins_the_next, .depth = self->depth - 1);
        if (result < 0) edo_return(result);
        edo_await(result, edo_join(self->next));
        edo_return(result + 1);
    }
}

async_test(joins_make_chains, edo_task *task;)
{
    edo_body {
        int64_t result;
        assert_int_equal(edo_spawn(&self->task, joins_the_next, .depth = 1000), 0);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 1000);
        edo_return(0);
    }
}

/* Helpers for tests of blocking work: jobs that wait at a gate, and turns until a condition
 * holds. */
#pragma once

#include "runtime/fixture.h"

#include <sched.h>

/* A gate for jobs. A job enters the gate, and leaves when the gate is open. Any thread. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside, most_inside, entered, left;
    bool is_open;
} gate;

#define GATE                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

enum { THROUGH = 7 }; // result of a job that passed the gate

static inline int64_t pass(void *arg)
{
    gate *g = arg;
    pthread_mutex_lock(&g->lock);
    g->entered++;
    if (++g->inside > g->most_inside) g->most_inside = g->inside;
    pthread_cond_broadcast(&g->changed);
    while (!g->is_open)
        pthread_cond_wait(&g->changed, &g->lock);
    g->inside--;
    g->left++;
    pthread_mutex_unlock(&g->lock);
    return THROUGH;
}

static inline void gate_open(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->is_open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static inline bool gate_is_open(gate *g)
{
    pthread_mutex_lock(&g->lock);
    bool is_open = g->is_open;
    pthread_mutex_unlock(&g->lock);
    return is_open;
}

/* Waits until `entered` jobs have entered, counted from the beginning. */
static inline void gate_await(gate *g, unsigned entered)
{
    pthread_mutex_lock(&g->lock);
    while (g->entered < entered)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static inline unsigned gate_entered(gate *g)
{
    pthread_mutex_lock(&g->lock);
    unsigned entered = g->entered;
    pthread_mutex_unlock(&g->lock);
    return entered;
}

static inline int64_t echo_back(void *arg)
{
    return (int64_t)(intptr_t)arg;
}

#define word_arg(n) ((void *)(intptr_t)(n))

/* ---- tasks of a runtime that the test turns ---- */

static inline edo_task *spawn_job(edo_runtime *runtime, edo_pool *pool, edo_blocking_fn fn,
                                  void *arg)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_blocking_with(&task, &options, pool, fn, arg), 0);
    return task;
}

/* Runs all tasks that are ready now. */
static inline void turn_all(edo_runtime *runtime)
{
    int more;
    do {
        more = turn_runtime(runtime, 0);
        assert_true(more >= 0);
    } while (more);
}

struct take {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(take)
{
    edo_body {
        int64_t result;
        edo_await(result, edo_join(self->task));
        edo_return(result);
    }
}

/* Joins a task. Returns: its result. */
static inline int64_t result_of(edo_runtime *runtime, edo_task *task)
{
    return edo_block_on(runtime, take, .task = task);
}

static inline edo_pool *make_pool(const edo_pool_config *config)
{
    edo_pool *pool;
    assert_int_equal(edo_pool_create(config, &pool), 0);
    return pool;
}

static inline edo_pool_stats stats_of(edo_pool *pool)
{
    edo_pool_stats stats;
    edo_pool_read(pool, &stats);
    return stats;
}

/* Waits until the pool's statistics meet the condition. */
#define await_stats(pool, condition)                                                               \
    for (edo_pool_stats stats = stats_of(pool); !(condition); stats = stats_of(pool))              \
    sched_yield()

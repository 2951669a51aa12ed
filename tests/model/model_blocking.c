/* Blocking work of a runtime: its pools are made with the first job and end with the runtime. The
 * pools have models of their own (model_pool.c).
 *
 * model-sources: @runtime runtime/pool/blocking.c runtime/pool/pool.c runtime/pool/pool_thread.c
 * model-sources: runtime/schedule/help.c runtime/schedule/threads.c time/sleep.c
 */
#include <string.h>

#include <edo/blocking.h>
#include <edo/time.h>

#include "model/fake_sys.h"
#include "runtime/pool/blocking.h"
#include "runtime/run.h"

enum { SAMPLES = 10000 };

static struct {
    edo_runtime *runtime;
    edo_task *task;
    unsigned ran;
    edo_pool *pools[2];
    int64_t rc;
} * s;

static void set_up(const edo_config *config)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(config);
}

static int64_t work(void *arg)
{
    edo_plain_write(&s->ran);
    s->ran++;
    return (int64_t)(intptr_t)arg;
}

static int spawn_work(edo_task **ret_task)
{
    edo_spawn_options here = { .runtime = s->runtime };
    return edo_spawn_blocking_with(ret_task, &here, NULL, work, (void *)(intptr_t)4);
}

static void check_result(int64_t result)
{
    edo_plain_read(&s->ran);
    model_assert(s->ran ? result == 4 : result == -ECANCELED || result == -ESHUTDOWN);
}

/* Destroys the runtime, which ends the job at any stage. */
static void destroy_and_check(void)
{
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    if (!s->task) return;
    model_assert(edo_task_is_done(s->task));
    check_result(edo__task_result(s->task));
    edo_detach(s->task);
}

MODEL_SAMPLED(blocking_task, "a task on a pool's thread ends, and who joins it sees what it did",
              SAMPLES)
{
    set_up(&(edo_config){ 0 });
    model_assert(spawn_work(&s->task) == 0);
    edo__run_until(s->runtime, s->task, &(edo__waiter){ 0 });
    model_assert(edo__task_result(s->task) == 4);
    destroy_and_check();
}

MODEL_SAMPLED(blocking_then_destroy, "one that was spawned before the runtime ends resolves",
              SAMPLES)
{
    set_up(&(edo_config){ 0 });
    model_assert(spawn_work(&s->task) == 0);
    edo_turn(s->runtime, 0); // the pool has the job
    destroy_and_check();
}

MODEL_SAMPLED(blocking_of_worker, "the same on a runtime with a worker", SAMPLES)
{
    set_up(&(edo_config){ .workers = 1 });
    model_assert(spawn_work(&s->task) == 0);
    destroy_and_check();
}

THREAD(spawn_late)
{
    s->rc = spawn_work(&s->task);
    edo_runtime_unref(s->runtime);
}

MODEL_SAMPLED(blocking_against_destroy, "one that races with the end is refused, or resolves",
              SAMPLES)
{
    set_up(&(edo_config){ 0 });
    edo_runtime_ref(s->runtime);
    int spawner = model_start(spawn_late, NULL);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(spawner);
    model_assert(s->rc == 0 || s->rc == -ESHUTDOWN);
    model_assert((s->rc == 0) == (s->task != NULL));
    if (s->task) check_result(edo__task_result(s->task));
    edo_detach(s->task);
}

/* ---- the pools of a runtime ---- */

THREAD(find_pool)
{
    s->rc = edo_runtime_pool(s->runtime, "user", &s->pools[1]);
    edo_runtime_unref(s->runtime);
}

MODEL(pool_made_once, "a runtime makes one pool of a name, whoever asks first")
{
    set_up(&(edo_config){ 0 });
    edo_runtime_ref(s->runtime);
    int other = model_start(find_pool, NULL);
    model_assert(edo_runtime_pool(s->runtime, "user", &s->pools[0]) == 0);
    model_join(other);
    model_assert(s->rc == 0 && s->pools[0] == s->pools[1]);
    model_assert(edo_runtime_add_pool(s->runtime, &(edo_pool_config){ .name = "user" }) == -EEXIST);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

MODEL(pool_against_destroy, "who asks for a pool while the runtime ends gets it, or is refused")
{
    set_up(&(edo_config){ 0 });
    edo_runtime_ref(s->runtime);
    int other = model_start(find_pool, NULL);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
    model_assert(s->rc == 0 || s->rc == -ESHUTDOWN);
}

THREAD(read_figures)
{
    edo_pool_stats stats;
    edo__blocking_read(s->runtime, &stats);
    model_assert(stats.threads == 0 && stats.queued == 0);
    edo_runtime_unref(s->runtime);
}

MODEL(figures_against_destroy,
      "who reads the figures of the pools while they end reads no freed one")
{
    set_up(&(edo_config){ 0 });
    model_assert(edo_runtime_pool(s->runtime, "user", &s->pools[0]) == 0);
    edo_runtime_ref(s->runtime);
    int other = model_start(read_figures, NULL);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
}

struct two_jobs {
    edo_frame();
    edo_args(int unused;);
};

edo_async(two_jobs)
{
    edo_body {
        int64_t result;
        edo_await(result, edo_blocking(work, NULL));
        model_assert(result == 0);
        edo_plain_read(&s->ran);
        edo_await(result, edo_blocking(work, (void *)(intptr_t)4));
        edo_return(result);
    }
}

MODEL_SAMPLED(blocking_twice, "one job after the other, on threads that idle meanwhile", SAMPLES)
{
    set_up(&(edo_config){ 0 });
    model_assert(edo_block_on(s->runtime, two_jobs, .unused = 0) == 4);
    model_assert(s->ran == 2);
    destroy_and_check();
}

MODEL_SAMPLED(blocking_in_made_pool, "on a pool that another thread has just made", SAMPLES)
{
    set_up(&(edo_config){ 0 });
    edo_runtime_ref(s->runtime);
    int other = model_start(find_pool, NULL);
    model_assert(edo_block_on(s->runtime, two_jobs, .unused = 0) == 4);
    model_join(other);
    destroy_and_check();
}

MODEL_SAMPLED(blocking_of_two_workers, "the same from one of two workers", SAMPLES)
{
    set_up(&(edo_config){ .workers = 2 });
    model_assert(edo_block_on(s->runtime, two_jobs, .unused = 0) == 4);
    destroy_and_check();
}

THREAD(destroy_pool)
{
    edo_pool_destroy(s->pools[0]);
}

MODEL_SAMPLED(pool_ends_under_job,
              "a job on a pool of no runtime ends, or is refused, with its pool", SAMPLES)
{
    set_up(&(edo_config){ 0 });
    model_assert(edo_pool_create(NULL, &s->pools[0]) == 0);
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_blocking_with(&s->task, &here, s->pools[0], work, (void *)(intptr_t)4) ==
                 0);
    edo_turn(s->runtime, 0); // the pool has the job
    int other = model_start(destroy_pool, NULL);
    edo__run_until(s->runtime, s->task, &(edo__waiter){ 0 });
    model_join(other);
    destroy_and_check();
}

/* ---- a test clock ---- */

struct clocked {
    edo_frame();
    edo_args(int unused;);
    int64_t start;
};

edo_async(clocked)
{
    edo_body {
        int64_t result;
        self->start = edo_now();
        edo_await(result, edo_blocking(work, NULL));
        model_assert(edo_now() == self->start);
        edo_await(result, edo_sleep(edo_s(1)));
        edo_return(edo_now() - self->start);
    }
}

MODEL_SAMPLED(blocking_when_paused, "a test clock stands still while a job runs, and then goes on",
              SAMPLES)
{
    set_up(&(edo_config){ .test_clock = true });
    model_assert(edo_block_on(s->runtime, clocked, .unused = 0) >= edo_s(1));
    destroy_and_check();
}

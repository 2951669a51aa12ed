/* Whole runtimes, whose workers have threads: from create to destroy, with whole turns. Without a
 * monitor; for that see model_monitor.c.
 *
 * model-sources: @runtime runtime/schedule/help.c runtime/schedule/threads.c
 */
#include <string.h>

#include "model/fake_sys.h"
#include "runtime/run.h"

enum { SAMPLES = 10000 };

static struct {
    edo_runtime *runtime;
    edo_task *task, *other;
    uint32_t flag;
    unsigned polls, ends;
    int64_t rc;
} * s;

static void set_up(int workers)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .workers = workers });
}

/* Time passes only when all threads wait, so no step of the end has waited for a time-out. */
static void destroy(void)
{
    int64_t begin = fake_now;
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_assert(fake_now == begin);
}

/* ---- tasks ---- */

/* Waits for the flag, or for its own cancellation. */
struct told {
    edo_frame();
    edo_args(int unused;);
};

static edo_poll told_poll(edo_future *future, edo_cx *cx)
{
    edo_plain_write(&s->polls);
    s->polls++;
    bool live = edo_cx_fate(cx) == EDO_LIVE;
    future->result = live ? 7 : -ECANCELED;
    return live && !edo_load_relaxed(&s->flag) ? EDO_PENDING : EDO_READY;
}

POLLED(told);

static int spawn_told(edo_task **ret_task)
{
    return edo_spawn_with(ret_task, &(edo_spawn_options){ .runtime = s->runtime }, told,
                          .unused = 0);
}

struct ender {
    edo_frame();
    edo_args(int64_t answer;);
};

edo_async(ender)
{
    edo_body {
        edo_plain_write(&s->ends);
        s->ends++;
        edo_return(self->answer);
    }
}

struct yielder {
    edo_frame();
    edo_args(int times;);
};

edo_async(yielder)
{
    edo_body {
        int rc;
        while (self->times-- > 0)
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

/* Spawns a task and joins it. */
struct parent {
    edo_frame();
    edo_args(int64_t answer;);
    edo_task *child;
};

edo_async(parent)
{
    edo_body {
        int64_t result = edo_spawn(&self->child, ender, .answer = self->answer);
        model_assert(result == 0);
        edo_await(result, edo_join(self->child));
        edo_return(result);
    }
}

/* ---- from start to end ---- */

MODEL_SAMPLED(threads_idle, "workers that have never had a task leave when the runtime ends",
              SAMPLES)
{
    set_up(2);
    destroy();
}

MODEL_SAMPLED(threads_block_on,
              "a plain thread that waits for a task is woken by its end, and it ends", SAMPLES)
{
    set_up(1);
    model_assert(edo_block_on(s->runtime, ender, .answer = 5) == 5);
    edo_plain_read(&s->ends);
    model_assert(s->ends == 1);
    destroy();
}

MODEL_SAMPLED(threads_two_block_on, "the same with two workers, of which one gets it", SAMPLES)
{
    set_up(2);
    model_assert(edo_block_on(s->runtime, ender, .answer = 5) == 5);
    destroy();
}

MODEL_SAMPLED(threads_join,
              "a task that joins what it has spawned gets the result, wherever that ran", SAMPLES)
{
    set_up(2);
    model_assert(edo_block_on(s->runtime, parent, .answer = 5) == 5);
    destroy();
}

MODEL_SAMPLED(threads_yield, "a task that yields goes on, also with nobody else about", SAMPLES)
{
    set_up(1);
    model_assert(edo_block_on(s->runtime, yielder, .times = 2) == 0);
    destroy();
}

/* ---- wakes ---- */

THREAD(tell)
{
    edo_store_relaxed(&s->flag, 1);
    edo_wake(&s->task->head);
}

static void join_task(void)
{
    edo__run_until(s->runtime, s->task, &(edo__waiter){ 0 });
    s->rc = edo__task_result(s->task);
    edo_detach(s->task);
}

MODEL_SAMPLED(threads_wake, "a wake by a plain thread is not lost, whatever the workers are doing",
              SAMPLES)
{
    set_up(1);
    model_assert(spawn_told(&s->task) == 0);
    tell(NULL);
    join_task();
    model_assert(s->rc == 7);
    destroy();
}

THREAD(tell_and_let_go)
{
    edo_wakeable *waker = edo_task_waker(s->task);
    edo_wake(waker);
    edo_store_relaxed(&s->flag, 1);
    edo_wake(waker);
    edo_waker_unref(waker);
    edo_detach(s->task);
}

MODEL_SAMPLED(threads_two_wakes, "a second wake is not lost when the first has just been seen",
              SAMPLES)
{
    set_up(1);
    edo_wakeable *kept;
    model_assert(spawn_told(&s->task) == 0);
    kept = edo_task_waker(s->task);
    tell_and_let_go(NULL);
    destroy();
    model_assert(s->polls >= 1);
    edo_waker_unref(kept);
}

/* ---- the end ---- */

MODEL_SAMPLED(threads_end_waiting,
              "a task that waits when its runtime ends sees the cancel, and ends", SAMPLES)
{
    set_up(1);
    model_assert(spawn_told(&s->task) == 0);
    destroy();
    model_assert(edo_task_is_done(s->task));
    model_assert(edo__task_result(s->task) == -ECANCELED);
    edo_detach(s->task);
}

THREAD(wake_late)
{
    edo_wakeable *waker = (edo_wakeable *)(void *)s->task;
    edo_wake(waker);
    edo_waker_unref(waker);
}

MODEL_SAMPLED(threads_end_against_wake, "a wake that races with the end of the runtime is harmless",
              SAMPLES)
{
    set_up(1);
    model_assert(spawn_told(&s->task) == 0);
    edo_task_waker(s->task);
    edo_detach(s->task);
    int waker = model_start(wake_late, NULL);
    destroy();
    model_join(waker);
}

THREAD(spawn_late)
{
    s->rc = spawn_told(NULL);
    edo_runtime_unref(s->runtime);
}

MODEL_SAMPLED(threads_end_against_spawn,
              "a spawn that races with the end is refused, or its task ends", SAMPLES)
{
    set_up(1);
    edo_runtime_ref(s->runtime);
    int spawner = model_start(spawn_late, NULL);
    destroy();
    model_join(spawner);
    model_assert(s->rc == 0 || s->rc == -ESHUTDOWN);
    model_assert((s->rc == 0) == (s->polls > 0));
}

THREAD(join_late)
{
    join_task();
    edo_runtime_unref(s->runtime);
}

MODEL_SAMPLED(threads_end_against_join, "who waits for a task while its runtime ends is told",
              SAMPLES)
{
    set_up(1);
    model_assert(spawn_told(&s->task) == 0);
    edo_runtime_ref(s->runtime);
    int joiner = model_start(join_late, NULL);
    destroy();
    model_join(joiner);
    model_assert(s->rc == -ECANCELED);
}

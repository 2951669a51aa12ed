/* The counters of a runtime with workers, also while others read them. edo-test: ct */
#include "runtime/metrics.h"

#include "runtime/runtime.h"

enum { WORKERS = 2 };

static edo_runtime *make_workers(int32_t workers, int32_t max_spare)
{
    edo_metrics_config metrics = { .poll_time = { .scale = EDO_HISTOGRAM_LOG },
                                   .schedule_latency = { .scale = EDO_HISTOGRAM_LINEAR } };
    edo_config config = {
        .workers = workers, .max_spare = max_spare, .stall_limit = EDO_NEVER, .metrics = &metrics
    };
    return make_runtime_with(&config);
}

static bool do_all_sleep(edo_runtime *runtime)
{
    edo_metrics m = read_all(runtime);
    for (unsigned i = 0; i < m.workers + m.spares; i++)
        if (read_one(runtime, i).park_unparks % 2 == 0) return false;
    return true;
}

clean_test(threads)
{
    edo_runtime *runtime = make_workers(WORKERS, 0);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.workers, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        await_true(read_one(runtime, i).thread_id != 0);
    uint64_t first = read_one(runtime, 0).thread_id, second = read_one(runtime, 1).thread_id;
    assert_int_not_equal(first, second);
    assert_int_not_equal(first, edo__sys_thread_id());
    assert_int_not_equal(second, edo__sys_thread_id());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- sleeping ---- */

clean_test(asleep)
{
    edo_runtime *runtime = make_workers(WORKERS, -1);
    await_true(do_all_sleep(runtime)); // the counts show that all workers sleep
    edo_worker_metrics before = read_one(runtime, 0);
    edo__worker_notify(runtime->workers[0]); // a wake without work
    await_true(read_one(runtime, 0).noops > before.noops);
    await_true(read_one(runtime, 0).park_unparks % 2 == 1);
    edo_worker_metrics after = read_one(runtime, 0);
    assert_true(after.parks > before.parks);
    assert_int_equal(after.polls, before.polls);
    assert_true(after.busy > before.busy);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- queues ---- */

/* Spawns more tasks than the queue holds. */
struct flood {
    edo_frame();
    edo_args(unsigned count; edo_metrics *ret_metrics;);
    unsigned i;
};

edo_async(flood)
{
    edo_body {
        for (self->i = 0; self->i < self->count; self->i++)
            insist(edo_go(answer, .result = 0) == 0);
        *self->ret_metrics = read_all(edo_current_runtime());
        edo_return(0);
    }
}

clean_test(overflows)
{
    enum { COUNT = 1000, SPILLED = EDO__QUEUE_HALF + 1 };
    edo_metrics m;
    edo_runtime *runtime = make_workers(1, -1);
    assert_int_equal(edo_block_on(runtime, flood, .count = COUNT, .ret_metrics = &m), 0);
    assert_int_equal(m.overflows, (COUNT - 2 - EDO__QUEUE_SLOTS) / SPILLED + 1);
    assert_int_equal(m.inject_depth, 0);
    assert_int_equal(m.local_depth + 1, COUNT); // one task is in the next-task slot
    assert_int_equal(m.spawned_tasks, COUNT + 1);
    await_true(read_all(runtime).alive_tasks == 0);
    await_true(read_all(runtime).polls == COUNT + 1);
    m = read_all(runtime);
    assert_int_equal(m.local_depth, 0);
    assert_int_equal(m.local_schedules, COUNT);
    assert_int_equal(m.remote_schedules, 1);
    assert_int_equal(count_all(runtime, EDO_POLL_TIME, EDO_ALL_WORKERS), COUNT + 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct raise_word {
    edo_frame();
    edo_args(uint32_t *word;);
};

edo_async(raise_word)
{
    edo_body {
        edo_add_acq_rel(self->word, 1);
        edo_return(0);
    }
}

/* Spawns tasks, and occupies its worker until another worker has run some of them. */
struct keep {
    edo_frame();
    edo_args(uint32_t *word;);
};

edo_async(keep)
{
    edo_body {
        for (int i = 0; i < 100; i++)
            insist(edo_go(raise_word, .word = self->word) == 0);
        while (!edo_load_acquire(self->word))
            continue;
        edo_return(0);
    }
}

clean_test(steals)
{
    uint32_t word = 0;
    edo_runtime *runtime = make_workers(WORKERS, 0);
    assert_int_equal(edo_block_on(runtime, keep, .word = &word), 0);
    edo_runtime_ref(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0); // no worker is between two counters
    edo_metrics m = read_all(runtime);
    assert_true(m.steals >= 1);
    assert_true(m.stolen >= m.steals);
    uint64_t steals = 0;
    for (unsigned i = 0; i < m.workers + m.spares; i++)
        steals += read_one(runtime, i).steals;
    assert_int_equal(steals, m.steals);
    edo_runtime_unref(runtime);
}

clean_test(pinned)
{
    enum { COUNT = 10 };
    edo_runtime *runtime = make_workers(WORKERS, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        edo_spawn_options options = { .runtime = runtime, .pinned = 2 };
        assert_int_equal(edo_spawn_with(NULL, &options, yielder, .yields = 2), 0);
    }
    await_true(read_one(runtime, 1).polls == 3 * COUNT);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.polls, 3 * COUNT);
    assert_int_equal(m.remote_schedules, COUNT);
    assert_int_equal(m.local_depth, 0);
    assert_int_equal(m.inject_depth, 0);
    assert_int_equal(count_all(runtime, EDO_SCHEDULE_LATENCY, 1), 3 * COUNT);
    assert_int_equal(count_all(runtime, EDO_SCHEDULE_LATENCY, 0), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- reading meanwhile ---- */

typedef struct crowd {
    edo_runtime *runtime;
    edo_task *task; // one of the running tasks
    uint32_t done;
} crowd;

static void check_growth(const edo_metrics *before, const edo_metrics *after)
{
    insist(after->polls >= before->polls);
    insist(after->spawned_tasks >= before->spawned_tasks);
    insist(after->alive_tasks <= after->spawned_tasks);
    insist(after->parks >= before->parks);
    insist(after->busy >= before->busy);
    insist(after->local_schedules >= before->local_schedules);
    insist(after->remote_schedules >= before->remote_schedules);
    insist(after->stolen >= before->stolen);
}

static void *watch(void *arg)
{
    crowd *c = arg;
    edo_metrics before = read_all(c->runtime);
    uint64_t polls = 0, counted = 0;
    while (!edo_load_acquire(&c->done)) {
        edo_metrics m = read_all(c->runtime);
        check_growth(&before, &m);
        before = m;
        edo_task_metrics t = read_task(c->task);
        insist(t.polls >= polls);
        polls = t.polls;
        uint64_t all = count_all(c->runtime, EDO_POLL_TIME, EDO_ALL_WORKERS);
        insist(all >= counted);
        counted = all;
    }
    return NULL;
}

struct family {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned i;
};

edo_async(family)
{
    edo_body {
        int rc = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (self->i = 0; self->i < 300 && rc == 0; self->i++) {
            rc = edo_scope_spawn(&self->scope, yielder, .yields = self->i % 7);
            if (rc == 0 && self->i % 50 == 0) edo_await(rc, edo_sleep(edo_us(50)));
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

clean_test(read_meanwhile)
{
    enum { ROUNDS = 20 };
    crowd c = { .runtime = make_workers(WORKERS, 0) };
    edo_spawn_options options = { .runtime = c.runtime };
    assert_int_equal(edo_spawn_with(&c.task, &options, yielder, .yields = 10000), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, watch, &c), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(edo_block_on(c.runtime, family), 0);
    await_true(edo_task_is_done(c.task));
    edo_runtime_ref(c.runtime);
    assert_int_equal(edo_runtime_destroy(c.runtime), 0); // while another thread reads
    edo_store_release(&c.done, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    edo_metrics m = read_all(c.runtime);
    assert_int_equal(m.alive_tasks, 0);
    assert_int_equal(m.spawned_tasks, 1 + ROUNDS * 301);
    assert_int_equal(count_all(c.runtime, EDO_POLL_TIME, EDO_ALL_WORKERS), m.polls);
    edo_detach(c.task);
    edo_runtime_unref(c.runtime);
}

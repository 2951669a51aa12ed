/* The counters of a current-thread runtime: each counts its own events. edo-test: ct */
#include "runtime/metrics.h"

#include <string.h>
#include <sys/socket.h>

static edo_task *spawn(edo_runtime *runtime, unsigned yields, int64_t spins)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, yielder, .yields = yields, .spins = spins), 0);
    return task;
}

static bool is_chaos(const edo_runtime *runtime)
{
    return strcmp(edo_runtime_driver(runtime), "chaos") == 0;
}

/* ---- tasks and queues ---- */

clean_test(spawned_and_alive)
{
    enum { COUNT = 3, LONG = 1000 };
    edo_runtime *runtime = make_runtime();
    edo_task *tasks[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        tasks[i] = spawn(runtime, i == COUNT - 1 ? LONG : i, 0);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.workers, 1);
    assert_int_equal(m.spares, 0);
    assert_int_equal(m.spawned_tasks, COUNT);
    assert_int_equal(m.alive_tasks, COUNT);
    assert_int_equal(edo_block_on(runtime, take, .task = tasks[1]), 0);
    m = read_all(runtime);
    assert_int_equal(m.spawned_tasks, COUNT + 1);
    assert_int_equal(m.alive_tasks, 1); // the last
    edo_detach(tasks[0]);
    edo_detach(tasks[2]);
    edo_runtime_ref(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    m = read_all(runtime);
    assert_int_equal(m.spawned_tasks, COUNT + 1);
    assert_int_equal(m.alive_tasks, 0);
    edo_runtime_unref(runtime);
}

clean_test(queues_and_polls)
{
    enum { COUNT = 5, TURNS = 10 };
    edo_runtime *runtime = make_runtime();
    for (unsigned i = 0; i < COUNT; i++)
        edo_detach(spawn(runtime, TURNS, 0));
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.inject_depth, COUNT); // the runtime was not turned yet
    assert_int_equal(m.local_depth, 0);
    assert_int_equal(m.polls, 0);
    turn_all(runtime);
    m = read_all(runtime);
    assert_int_equal(m.inject_depth, 0);
    assert_int_equal(m.local_depth, 0);
    assert_int_equal(m.alive_tasks, 0);
    assert_int_equal(m.polls, COUNT * (TURNS + 1));
    edo_worker_metrics w = read_one(runtime, 0);
    assert_int_equal(w.polls, m.polls);
    assert_int_equal(w.mean_poll_time, 0);
    assert_false(w.is_spare);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Ready tasks wait in the worker's own queue between two turns. */
clean_test(local_depth)
{
    enum { COUNT = 200, INTERVAL = 61 };
    edo_runtime *runtime = make_runtime();
    for (unsigned i = 0; i < COUNT; i++)
        edo_detach(spawn(runtime, 0, 0));
    for (unsigned left = COUNT; left > 0;) {
        edo_turn(runtime, 0);
        left = left > INTERVAL ? left - INTERVAL : 0;
        assert_int_equal(read_one(runtime, 0).local_depth, left);
        assert_int_equal(read_all(runtime).local_depth, left);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct spawner {
    edo_frame();
    edo_args(unsigned count;);
};

edo_async(spawner)
{
    edo_body {
        int rc = 0;
        while (self->count-- > 0 && rc == 0)
            rc = edo_go(answer, .result = 0);
        edo_return(rc);
    }
}

static void wake_it(unsigned index, void *arg)
{
    (void)index;
    flag_set(arg);
}

clean_test(local_and_remote)
{
    flag flags[2];
    edo_runtime *runtime = make_runtime();
    edo_task *tasks[2];
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_block_on(runtime, spawner, .count = 4), 0);
    turn_all(runtime);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.local_schedules, 4);
    assert_int_equal(m.remote_schedules,
                     1); // the first spawn: outside of turns this thread counts as foreign
    for (int i = 0; i < 2; i++) {
        flag_init(&flags[i]);
        assert_int_equal(edo_spawn_with(&tasks[i], &options, wait_for_flag, .flag = &flags[i]), 0);
    }
    turn_all(runtime);
    run_threads(1, wake_it, &flags[0]);
    flag_set(&flags[1]);
    assert_int_equal(read_all(runtime).inject_depth, 2);
    turn_all(runtime);
    m = read_all(runtime);
    assert_int_equal(m.remote_schedules, 1 + 2 + 2);
    assert_int_equal(m.local_schedules, 4);
    assert_int_equal(read_one(runtime, 0).local_schedules, 4);
    edo_detach(tasks[0]);
    edo_detach(tasks[1]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Ten operations. One poll makes four of them. */
struct ten {
    edo_frame();
    edo_args();
    int i;
};

edo_async(ten)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < 10 && rc == 0; self->i++)
            edo_await(rc, edo_sleep(0));
        edo_return(rc);
    }
}

clean_test(budget_yields)
{
    edo_config config = { .budget = 4, .test_clock = true };
    edo_runtime *runtime = make_runtime_with(&config);
    assert_int_equal(edo_block_on(runtime, ten), 0);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.budget_yields, 2);
    assert_int_equal(m.polls, 3);
    edo_detach(spawn(runtime, 5, 0));
    turn_all(runtime);
    assert_int_equal(read_all(runtime).budget_yields,
                     2); // a yield by the task itself does not count
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- sleeping ---- */

clean_test(parks_and_noops)
{
    edo_runtime *runtime = make_runtime();
    edo_turn(runtime, 0);
    assert_int_equal(read_all(runtime).parks, 0); // a turn without timeout is no sleep
    edo_turn(runtime, 1);
    edo_worker_metrics w = read_one(runtime, 0);
    assert_int_equal(w.parks, 1);
    assert_int_equal(w.park_unparks, 2);
    assert_int_equal(w.noops, 0);
    edo_turn(runtime, 1);
    w = read_one(runtime, 0);
    assert_int_equal(w.parks, 2);
    assert_int_equal(w.noops, 1); // no poll after the first sleep
    edo_detach(spawn(runtime, 0, 0));
    turn_all(runtime);
    edo_turn(runtime, 1);
    assert_int_equal(read_one(runtime, 0).noops, 1); // the second sleep was followed by a poll
    edo_turn(runtime, 1);
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.noops, 2);
    assert_int_equal(m.parks, 4);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

typedef struct sleeper {
    edo_runtime *runtime;
    flag flag;
} sleeper;

static void wake_when_asleep(unsigned index, void *arg)
{
    (void)index;
    sleeper *s = arg;
    await_true(read_one(s->runtime, 0).park_unparks % 2 == 1);
    flag_set(&s->flag);
}

static void *run_waker(void *arg)
{
    wake_when_asleep(0, arg);
    return NULL;
}

clean_test(odd_while_asleep)
{
    sleeper s = { .runtime = make_runtime() };
    flag_init(&s.flag);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_waker, &s), 0);
    assert_int_equal(edo_block_on(s.runtime, wait_for_flag, .flag = &s.flag), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(read_one(s.runtime, 0).park_unparks % 2, 0);
    assert_int_equal(edo_runtime_destroy(s.runtime), 0);
}

clean_test(busy)
{
    edo_runtime *runtime = make_runtime();
    int64_t start = edo__sys_now();
    assert_int_equal(edo_block_on(runtime, yielder, .yields = 1, .spins = edo_ms(1)), 0);
    int64_t wall = edo__sys_now() - start;
    uint64_t busy = read_all(runtime).busy;
    assert_in_range(busy, edo_ms(2), wall);
    spin(edo_ms(1)); // this does not count as busy time of the runtime
    assert_int_equal(read_one(runtime, 0).busy, busy);
    if (!is_chaos(runtime)) { // sleeps of chaos may be short
        start = edo__sys_now();
        edo_turn(runtime, edo_ms(5));
        wall = edo__sys_now() - start;
        assert_in_range(read_all(runtime).busy - busy, 1, wall - edo_ms(5));
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void turn_here(unsigned index, void *arg)
{
    (void)index;
    sleeper *s = arg;
    insist(edo_turn(s->runtime, 0) >= 0);
    insist(read_one(s->runtime, 0).thread_id == edo__sys_thread_id());
}

clean_test(thread_id)
{
    sleeper s = { .runtime = make_runtime() };
    assert_int_equal(read_one(s.runtime, 0).thread_id, 0);
    run_threads(1, turn_here, &s);
    assert_int_not_equal(read_one(s.runtime, 0).thread_id, edo__sys_thread_id());
    assert_int_equal(edo_runtime_destroy(s.runtime), 0);
}

/* ---- the driver ---- */

struct read_some {
    edo_frame();
    edo_args(edo_io *io; unsigned count; unsigned *ret_got;);
    char byte;
};

edo_async(read_some)
{
    edo_body {
        ssize_t n = 1;
        while (self->count-- > 0 && n == 1) {
            edo_await(n, edo_read(self->io, &self->byte, 1));
            ++*self->ret_got;
        }
        edo_return(n);
    }
}

clean_test(descriptors)
{
    enum { COUNT = 3 };
    unsigned got = 0;
    int fds[2];
    edo_io *io;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(edo_io_from_fd(fds[0], &io), 0);
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(&task, &options, read_some, .io = io, .count = COUNT, .ret_got = &got), 0);
    turn_all(runtime);
    bool is_epoll = strcmp(edo_runtime_driver(runtime), "epoll") == 0;
    uint64_t before = read_all(runtime).ready_events;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(write(fds[1], "x", 1), 1);
        while (got == i)
            edo_turn(runtime, 0);
    }
    assert_int_equal(edo_block_on(runtime, take, .task = task), 1);
    edo_worker_metrics w = read_one(runtime, 0);
    if (!is_chaos(runtime)) assert_in_range(w.ready_events - before, 1, 2 * COUNT);
    if (is_epoll) assert_int_equal(w.fds_registered, 1);
    assert_int_equal(w.fds_deregistered, 0);
    edo_close(io);
    turn_all(runtime);
    if (is_epoll) assert_int_equal(read_all(runtime).fds_deregistered, 1);
    edo_runtime_ref(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_metrics m = read_all(runtime); // the counts outlive the driver
    assert_int_equal(m.fds_registered, is_epoll ? 1 : 0);
    assert_true(m.ready_events >= w.ready_events);
    edo_runtime_unref(runtime);
    close(fds[1]);
}

/* ---- blocking work ---- */

clean_test(blocking)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_pool_config one = {
        .name = "user", .max_threads = 1, .max_queue = 2, .keep_alive = EDO_NEVER
    };
    edo_task *tasks[4];
    assert_int_equal(edo_runtime_add_pool(runtime, &one), 0);
    assert_int_equal(read_all(runtime).blocking_threads, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(tasks); i++) {
        tasks[i] = spawn_job(runtime, NULL, pass, &g);
        turn_all(runtime);
        if (i == 0) gate_await(&g, 1);
    }
    edo_metrics m = read_all(runtime);
    assert_int_equal(m.blocking_threads, 1);
    assert_int_equal(m.blocking_idle, 0);
    assert_int_equal(m.blocking_running, 1);
    assert_int_equal(m.blocking_queued, 2);
    assert_int_equal(m.blocking_waiting, 1);
    gate_open(&g);
    for (size_t i = 0; i < ARRAY_LENGTH(tasks); i++)
        assert_int_equal(result_of(runtime, tasks[i]), THROUGH);
    await_true(read_all(runtime).blocking_idle == 1); // the thread is about to sleep
    edo_runtime_ref(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(read_all(runtime).blocking_threads, 0);
    edo_runtime_unref(runtime);
}

/* ---- histograms ---- */

static edo_runtime *make_measured(edo_histogram_scale scale)
{
    edo_metrics_config metrics = { .poll_time = { .scale = scale },
                                   .schedule_latency = { .scale = scale } };
    edo_config config = { .metrics = &metrics };
    return make_runtime_with(&config);
}

static uint64_t count_from(edo_runtime *runtime, edo_histogram histogram, int64_t least)
{
    uint64_t counts[256], sum = 0;
    uint32_t buckets = edo_histogram_buckets(runtime, histogram);
    assert_int_equal(edo_histogram_read(runtime, histogram, 0, counts, 256), 0);
    for (uint32_t i = 0; i < buckets; i++) {
        int64_t from, to;
        assert_int_equal(edo_histogram_range(runtime, histogram, i, &from, &to), 0);
        if (to > least) sum += counts[i];
    }
    return sum;
}

clean_test(histograms)
{
    enum { LONG = 3 };
    for (edo_histogram_scale scale = EDO_HISTOGRAM_LINEAR; scale <= EDO_HISTOGRAM_LOG; scale++) {
        edo_runtime *runtime = make_measured(scale);
        edo_detach(spawn(runtime, LONG - 1, edo_ms(1)));
        turn_all(runtime);
        assert_int_equal(count_from(runtime, EDO_POLL_TIME, edo_ms(1)), LONG);
        edo_task *late = spawn(runtime, 9, 0);
        spin(edo_ms(1));
        turn_all(runtime);
        edo_detach(late);
        assert_true(count_from(runtime, EDO_SCHEDULE_LATENCY, edo_ms(1)) >= 1);
        uint64_t polls = read_all(runtime).polls;
        assert_int_equal(polls, LONG + 10);
        assert_int_equal(count_all(runtime, EDO_POLL_TIME, 0), polls);
        assert_int_equal(count_all(runtime, EDO_SCHEDULE_LATENCY, EDO_ALL_WORKERS), polls);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

clean_test(no_histograms)
{
    uint64_t count;
    int64_t from, to;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_histogram_buckets(runtime, EDO_POLL_TIME), 0);
    assert_int_equal(edo_histogram_buckets(runtime, (edo_histogram)2), 0);
    assert_int_equal(edo_histogram_range(runtime, EDO_POLL_TIME, 0, &from, &to), -EINVAL);
    assert_int_equal(edo_histogram_read(runtime, EDO_POLL_TIME, 0, &count, 1), -ENODATA);
    assert_int_equal(edo_histogram_read(runtime, EDO_POLL_TIME, 1, &count, 1), -EINVAL);
    assert_int_equal(edo_histogram_read(runtime, EDO_POLL_TIME, -2, &count, 1), -EINVAL);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- the interface ---- */

clean_test(other_sizes)
{
    edo_runtime *runtime = make_runtime();
    struct {
        edo_metrics m;
        uint64_t more;
    } newer = { .more = 1 };
    assert_int_equal(edo__metrics_read(runtime, &newer.m, sizeof newer), 0);
    assert_int_equal(newer.m.workers, 1);
    assert_int_equal(newer.more, 0); // a member unknown to the library
    edo_metrics older;
    memset(&older, 0xff, sizeof older);
    assert_int_equal(edo__metrics_read(runtime, &older, offsetof(edo_metrics, polls)), 0);
    assert_int_equal(older.spawned_tasks, 0);
    assert_int_equal(older.polls, UINT64_MAX); // a member unknown to the caller
    edo_worker_metrics w;
    assert_int_equal(edo_metrics_read_worker(runtime, 1, &w), -EINVAL);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void read_inherited(void *arg)
{
    edo_runtime *runtime = arg;
    edo_metrics m;
    edo_worker_metrics w;
    uint64_t count;
    assert_int_equal(edo_metrics_read(runtime, &m), -ESTALE);
    assert_int_equal(edo_metrics_read_worker(runtime, 0, &w), -ESTALE);
    assert_int_equal(edo_histogram_read(runtime, EDO_POLL_TIME, 0, &count, 1), -ESTALE);
}

clean_test(after_fork)
{
    edo_runtime *runtime = make_runtime();
    expect_success_in_child(read_inherited, runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* The counts of tasks that are spawned with `metrics`. edo-test: ct */
#include "runtime/metrics.h"

static edo_task *spawn(edo_runtime *runtime, unsigned yields, int64_t spins)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime, .metrics = true };
    assert_int_equal(edo_spawn_with(&task, &options, yielder, .yields = yields, .spins = spins), 0);
    return task;
}

clean_test(polls_and_times)
{
    edo_runtime *runtime = make_runtime();
    edo_task *task = spawn(runtime, 2, edo_ms(1));
    edo_task_metrics m = read_task(task);
    assert_int_equal(m.polls, 0);
    assert_int_equal(m.scheduled, 0);
    spin(edo_ms(1));
    int64_t start = edo__sys_now();
    turn_all(runtime);
    int64_t wall = edo__sys_now() - start;
    m = read_task(task); // also after the task's end
    assert_int_equal(m.polls, 3);
    assert_int_equal(m.wakes, 0); // a yield is no wake
    assert_in_range(m.busy, edo_ms(3), wall);
    assert_in_range(m.longest_poll, edo_ms(1), m.busy - edo_ms(2));
    assert_true(m.scheduled >= edo_ms(1)); // time in the queue before the first poll
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(wakes)
{
    enum { WAKES = 5 };
    flag f;
    flag_init(&f);
    edo_runtime *runtime = make_runtime();
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime, .metrics = true };
    assert_int_equal(edo_spawn_with(&task, &options, wait_for_flag, .flag = &f), 0);
    turn_all(runtime);
    edo_wakeable *waker = edo_task_waker(task);
    for (int i = 0; i < WAKES; i++)
        edo_wake(waker); // one poll serves all of these wakes
    turn_all(runtime);
    edo_task_metrics m = read_task(task);
    assert_int_equal(m.wakes, WAKES);
    assert_int_equal(m.polls, 2);
    spin(edo_ms(1)); // the task waits, and is not queued
    int64_t before = m.scheduled;
    int64_t start = edo__sys_now();
    flag_set(&f);
    spin(edo_ms(2));
    turn_all(runtime);
    int64_t wall = edo__sys_now() - start;
    m = read_task(task);
    assert_int_equal(m.wakes, WAKES + 1);
    assert_in_range(m.scheduled - before, edo_ms(2), wall);
    edo_wake(waker); // after the task's end
    edo_waker_unref(waker);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Wakes without edo_wake(): by timers, and by the cancellation of all tasks. */
struct naps {
    edo_frame();
    edo_args();
    int i;
};

edo_async(naps)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < 3 && rc == 0; self->i++)
            edo_await(rc, edo_sleep(edo_ms(10)));
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

clean_test(timers_and_the_end)
{
    edo_config config = { .test_clock = true };
    edo_runtime *runtime = make_runtime_with(&config);
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime, .metrics = true };
    assert_int_equal(edo_spawn_with(&task, &options, naps), 0);
    while (read_task(task).polls < 4)
        edo_turn(runtime, edo_ms(1));
    assert_int_equal(read_task(task).wakes, 3);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_task_metrics m = read_task(task);
    assert_int_equal(m.wakes, 4);
    assert_int_equal(m.polls, 5);
    edo_detach(task);
}

/* The counts of a task that has other optional members too. */
struct members {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_task *task;
};

edo_async(members)
{
    edo_body {
        int rc;
        edo_spawn_options options = { .name = "named", .user = self, .metrics = true };
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        rc = edo_scope_spawn(&self->scope, yielder, .yields = 1);
        assert_int_equal(rc, 0);
        rc = edo_spawn_with(&self->task, &options, yielder, .yields = 3);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_string_equal(edo_task_name(self->task), "named");
        assert_ptr_equal(edo_task_user(self->task), self);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

clean_test(beside_names_and_scopes)
{
    edo_metrics_config metrics = { .tasks = true };
    edo_config config = { .metrics = &metrics };
    edo_runtime *all = make_runtime_with(&config), *some = make_runtime();
    assert_int_equal(edo_block_on(all, members), 0);
    assert_int_equal(edo_block_on(some, members), 0);
    assert_int_equal(edo_runtime_destroy(some), 0);
    assert_int_equal(edo_runtime_destroy(all), 0);
}

clean_test(who_is_counted)
{
    edo_task_metrics m;
    edo_metrics_config all = { .tasks = true },
                       latency = { .schedule_latency = { .scale = EDO_HISTOGRAM_LOG } };
    edo_config configs[] = { { 0 }, { .metrics = &all }, { .metrics = &latency } };
    for (size_t i = 0; i < ARRAY_LENGTH(configs); i++) {
        edo_runtime *runtime = make_runtime_with(&configs[i]);
        edo_task *task;
        edo_spawn_options options = { .runtime = runtime };
        assert_int_equal(edo_spawn_with(&task, &options, answer, .result = 1), 0);
        assert_int_equal(edo_task_metrics_read(task, &m), i ? 0 : -ENODATA);
        edo_detach(task);
        task = spawn(runtime, 0, 0);
        assert_int_equal(edo_task_metrics_read(task, &m), 0);
        assert_int_equal(edo_task_metrics_read(task, &m), 0);
        edo_detach(task);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* Wakes its own task. The poller queues a task that was woken during its poll, and the time in the
 * queue begins at that moment. */
static edo_poll wake_self(edo_future *future, edo_cx *cx)
{
    bool again = future->reserved++ == 0;
    future->result = 0;
    spin(edo_ms(1));
    if (!again) return EDO_READY;
    edo_wake(edo_cx_waker(cx));
    spin(edo_ms(5));
    return EDO_PENDING;
}

static const edo_future_ops self_waker_ops = { .name = "self_waker", .poll = wake_self };

struct self_waking {
    edo_frame();
    edo_args();
    edo_future waker;
};

edo_async(self_waking)
{
    edo_body {
        int rc;
        self->waker = (edo_future){ .ops = &self_waker_ops };
        edo_await_on(rc, &self->waker);
        edo_return(rc);
    }
}

clean_test(woken_while_polled)
{
    edo_config config = { .event_interval = 1 };
    edo_runtime *runtime = make_runtime_with(&config);
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime, .metrics = true };
    int64_t start = edo__sys_now();
    assert_int_equal(edo_spawn_with(&task, &options, self_waking), 0);
    assert_int_equal(edo_turn(runtime, 0), 1);
    edo_task_metrics m = read_task(task);
    assert_int_equal(m.polls, 1);
    assert_int_equal(m.wakes, 1);
    int64_t before = m.scheduled;
    spin(edo_ms(2));
    turn_all(runtime);
    int64_t wall = edo__sys_now() - start;
    m = read_task(task);
    assert_int_equal(m.polls, 2);
    assert_in_range(m.busy, edo_ms(7), wall);
    assert_in_range(m.scheduled - before, edo_ms(2), wall - m.busy);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Wakes the inspected task. A task that is woken during an inspection is queued at an unknown
 * moment. */
static void wake_while_looking(void *context, const edo_trace_line *line)
{
    (void)line;
    edo_wake(context);
}

clean_test(woken_while_looked_at)
{
    edo_runtime *runtime = make_runtime();
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime, .metrics = true };
    assert_int_equal(edo_spawn_with(&task, &options, wait_forever), 0);
    turn_all(runtime);
    edo_wakeable *waker = edo_task_waker(task);
    int64_t before = read_task(task).scheduled;
    spin(edo_ms(1));
    assert_int_equal(edo_task_trace(task, wake_while_looking, waker), 0);
    turn_all(runtime);
    edo_task_metrics m = read_task(task);
    assert_int_equal(m.polls, 2);
    assert_true(m.wakes >= 1);
    assert_int_equal(m.scheduled, before);
    edo_waker_unref(waker);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

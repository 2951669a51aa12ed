/* The end of a runtime, with tasks in every state. */
#include "runtime/fixture.h"

#include "base/atomic.h"

#include <string.h>
#include <sys/socket.h>

static unsigned begun, ended; // counts of functions
static unsigned cleaned_up;   // steps that in_clean_up has done

static int set_up_drain(void **state)
{
    begun = ended = cleaned_up = 0;
    return set_up(state);
}

#define drain_test(name)                                                                           \
    fixture(set_up_drain, tear_down)                                                               \
    test(name)

#define spawn_on(ret_task, rt, ...)                                                                \
    do {                                                                                           \
        edo_spawn_options options_ = { .runtime = (rt) };                                          \
        assert_int_equal(edo_spawn_with((ret_task), &options_, __VA_ARGS__), 0);                   \
    } while (0)

/* ---- one function per state ---- */

struct in_sleep {
    edo_frame();
    edo_args(int64_t duration;);
};

edo_async(in_sleep)
{
    edo_body {
        int rc;
        edo_add_relaxed(&begun, 1);
        edo_await(rc, edo_sleep(self->duration));
        edo_add_relaxed(&ended, 1);
        edo_return(rc);
    }
}

struct in_flag {
    edo_frame();
    edo_args();
    flag flag;
};

edo_async(in_flag)
{
    edo_body {
        int rc;
        edo_add_relaxed(&begun, 1);
        flag_init(&self->flag);
        edo_await_on(rc, &self->flag.base);
        edo_add_relaxed(&ended, 1);
        edo_return(rc);
    }
}

struct in_read {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(in_read)
{
    edo_body {
        ssize_t n;
        edo_add_relaxed(&begun, 1);
        edo_await(n, edo_read(self->io, &self->byte, 1));
        edo_close(self->io); // owned by the task since the spawn
        edo_add_relaxed(&ended, 1);
        edo_return(n);
    }
}

struct in_yield {
    edo_frame();
    edo_args();
};

edo_async(in_yield)
{
    edo_body {
        int rc;
        edo_add_relaxed(&begun, 1);
        do {
            edo_await(rc, edo_yield());
        } while (rc == 0);
        edo_add_relaxed(&ended, 1);
        edo_return(rc);
    }
}

enum { CLEAN_UP_STEPS = 5 };

/* Cleans up by awaiting, again and again. */
struct in_clean_up {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(in_clean_up)
{
    edo_body {
        int rc;
        edo_add_relaxed(&begun, 1);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        for (self->i = 0; self->i < CLEAN_UP_STEPS; self->i++) {
            edo_await(rc, edo_sleep(edo_us(200)));
            if (rc == 0) edo_add_relaxed(&cleaned_up, 1);
        }
        edo_add_relaxed(&ended, 1);
        edo_return(0);
    }
}

struct in_scope {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned i;
};

enum { MEMBERS = 5 };

edo_async(in_scope)
{
    edo_body {
        int rc;
        edo_add_relaxed(&begun, 1);
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < MEMBERS; self->i++) {
            rc = edo_scope_spawn(&self->scope, in_clean_up);
            if (rc == -ESHUTDOWN) break; // first polled while the runtime ends
            insist(rc == 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        insist(edo_scope_count(&self->scope) == 0);
        edo_add_relaxed(&ended, 1);
        edo_return(rc);
    }
}

struct in_join {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(in_join)
{
    edo_body {
        int64_t rc;
        edo_add_relaxed(&begun, 1);
        edo_await(rc, edo_join(self->task));
        edo_add_relaxed(&ended, 1);
        edo_return(rc);
    }
}

/* ---- destroyed in every state ---- */

static edo_io *half_of_a_pair(int *ret_other)
{
    int pair[2];
    edo_io *io;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(edo_io_from_fd(pair[0], &io), 0);
    *ret_other = pair[1];
    return io;
}

static void spawn_simple_states(edo_runtime *runtime, int *ret_other)
{
    spawn_on(NULL, runtime, in_sleep, .duration = EDO_NEVER);
    spawn_on(NULL, runtime, in_sleep, .duration = edo_s(3600));
    spawn_on(NULL, runtime, in_flag);
    spawn_on(NULL, runtime, in_read, .io = half_of_a_pair(ret_other));
    spawn_on(NULL, runtime, in_yield);
    spawn_on(NULL, runtime, in_clean_up);
}

/* Returns: the number of functions. */
static unsigned spawn_each_state(edo_runtime *runtime, int *ret_other)
{
    spawn_simple_states(runtime, ret_other);
    spawn_on(NULL, runtime, in_scope);
    return 7;
}

drain_test(never_turned)
{
    int other;
    edo_runtime *runtime = make_runtime();
    unsigned count = spawn_each_state(runtime, &other);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_true(begun >= count); // every task was polled, because it owns its arguments
    assert_int_equal(ended, begun);
    close(other);
}

/* Spawns more tasks than its worker's ring holds. */
struct floods {
    edo_frame();
    edo_args(unsigned count;);
};

edo_async(floods)
{
    edo_body {
        for (unsigned i = 0; i < self->count; i++)
            insist(edo_go(in_sleep, .duration = EDO_NEVER) == 0);
        edo_return(0);
    }
}

drain_test(with_an_overflow)
{
    enum { COUNT = 1000 };
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .workers = 1 });
    assert_int_equal(edo_block_on(runtime, floods, .count = COUNT), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(begun, COUNT);
    assert_int_equal(ended, COUNT);
}

/* Turns a number of times; with workers, waits until `count` functions have begun. */
static void turn_until_begun(edo_runtime *runtime, unsigned turns, unsigned count)
{
    for (unsigned i = 0; i < turns || (test_workers() && edo_load_relaxed(&begun) < count); i++)
        assert_true(turn_runtime(runtime, 0) >= 0);
}

drain_test(in_every_state)
{
    int other;
    edo_runtime *runtime = make_runtime();
    unsigned count = spawn_each_state(runtime, &other);
    turn_until_begun(runtime, 5, count + MEMBERS);
    assert_int_equal(edo_load_relaxed(&begun), count + MEMBERS);
    assert_int_equal(edo_load_relaxed(&ended), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(ended, begun);
    close(other);
}

drain_test(after_few_turns)
{
    for (unsigned turns = 0; turns < 12; turns++) { // each round has one turn more
        int other;
        edo_runtime *runtime = make_runtime_with(&(edo_config){ .event_interval = 1 });
        spawn_each_state(runtime, &other);
        for (unsigned i = 0; i < turns; i++)
            assert_true(turn_runtime(runtime, 0) >= 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_int_equal(ended, begun);
        close(other);
    }
}

current_thread_only("workers have none")
drain_test(with_a_descriptor)
{
    int other;
    edo_runtime *runtime = make_runtime();
    spawn_each_state(runtime, &other);
    assert_true(edo_runtime_fd(runtime) >= 0);
    assert_true(turn_runtime(runtime, 0) >= 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(ended, begun);
    close(other);
}

/* The limits are in real time; a clean-up that sleeps uses the test clock. */
drain_test(with_a_test_clock)
{
    int other;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    unsigned count = spawn_each_state(runtime, &other);
    turn_until_begun(runtime, 3, count);
    assert_true(edo_load_relaxed(&begun) >= count);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(ended, begun);
    close(other);
}

drain_test(handles_outlive_the_runtime)
{
    edo_task *tasks[2];
    edo_runtime *runtime = make_runtime();
    spawn_on(&tasks[0], runtime, answer, .result = 7);
    spawn_on(&tasks[1], runtime, in_sleep, .duration = EDO_NEVER);
    edo_wakeable *waker = edo_task_waker(tasks[1]);
    while (turn_runtime(runtime, 0) > 0)
        continue;
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_runtime *next = make_runtime();
    for (int i = 0; i < 2; i++) {
        assert_true(edo_task_is_done(tasks[i]));
        edo_task_cancel(tasks[i]); // no effect after the task's end
        edo_task_abort(tasks[i]);
        assert_int_equal(edo_block_on(next, in_join, .task = tasks[i]), i ? -ECANCELED : 7);
    }
    edo_wake(waker);
    edo_waker_unref(waker);
    assert_int_equal(edo_runtime_destroy(next), 0);
}

/* Waits for input, and leaves the stream open. */
struct borrows {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(borrows)
{
    edo_body {
        ssize_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        edo_return(n);
    }
}

drain_test(streams_outlive_the_runtime)
{
    int other;
    edo_io *io = half_of_a_pair(&other);
    for (int i = 0; i < 3; i++) { // in three runtimes, one after the other
        edo_runtime *runtime = make_runtime();
        spawn_on(NULL, runtime, borrows, .io = io);
        assert_true(turn_runtime(runtime, 0) >= 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
    edo_runtime *runtime = make_runtime();
    assert_int_equal(write(other, "x", 1), 1); // the cancelled reads have taken no byte
    assert_int_equal(edo_block_on(runtime, borrows, .io = io), 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_close(io);
    close(other);
}

/* ---- no further spawns ---- */

struct spawns_late {
    edo_frame();
    edo_args(int *ret_rc;);
};

edo_async(spawns_late)
{
    edo_body {
        int rc;
        edo_task *task;
        edo_await(rc, edo_sleep(EDO_NEVER));
        self->ret_rc[0] = edo_go(in_yield);
        self->ret_rc[1] = edo_spawn(&task, in_yield);
        edo_return(rc);
    }
}

struct scope_spawns_late {
    edo_frame();
    edo_args(int *ret_rc;);
    edo_scope scope;
};

edo_async(scope_spawns_late)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_await(rc, edo_sleep(EDO_NEVER));
        *self->ret_rc = edo_scope_spawn(&self->scope, in_yield);
        assert_int_equal(edo_scope_count(&self->scope), 0);
        edo_return(rc);
    }
}

drain_test(spawning_while_draining)
{
    int rc[3] = { 0 };
    edo_runtime *runtime = make_runtime();
    spawn_on(NULL, runtime, spawns_late, .ret_rc = rc);
    spawn_on(NULL, runtime, scope_spawns_late, .ret_rc = &rc[2]);
    while (turn_runtime(runtime, 0) > 0)
        continue;
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], -ESHUTDOWN);
    assert_int_equal(edo_load_relaxed(&begun), 0);
}

/* ---- abort ---- */

/* Waits behind a shield for ever. Only an abort ends this function. */
struct hides {
    edo_frame();
    edo_args(int64_t *ret_aborted;);
};

edo_async(hides)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        edo_await(rc, edo_sleep(EDO_NEVER));
        *self->ret_aborted = edo_now();
        edo_return(rc);
    }
}

current_thread_only("on a worker its clock starts late")
drain_test(abort_after_the_drain_limit)
{
    int64_t aborted = -1;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .drain_limit = edo_ms(5) });
    spawn_on(NULL, runtime, hides, .ret_aborted = &aborted);
    while (turn_runtime(runtime, 0) > 0)
        continue;
    int64_t before = edo_now();
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_true(aborted - before >= edo_ms(5));
}

current_thread_only("the limits of workers are in real time")
drain_test(limits_that_pass_at_once)
{
    int64_t aborted = -1;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .drain_limit = 1, .abort_limit = 1 });
    spawn_on(NULL, runtime, in_sleep, .duration = EDO_NEVER);
    spawn_on(NULL, runtime, hides, .ret_aborted = &aborted);
    while (turn_runtime(runtime, 0) > 0)
        continue;
    assert_int_equal(edo_runtime_destroy(runtime), 0); // each task has been polled all the same
    assert_int_equal(ended, 1);
    assert_true(aborted >= 0);
}

drain_test(limits_that_are_far_off)
{
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .drain_limit = EDO_NEVER, .abort_limit = EDO_NEVER });
    spawn_on(NULL, runtime, in_clean_up);
    while (turn_runtime(runtime, 0) > 0)
        continue;
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(ended, 1);
    assert_int_equal(cleaned_up, CLEAN_UP_STEPS); // the clean-up was not aborted
}

/* ---- tasks that cannot be ended: in a child, because they leak ---- */

struct never_ends {
    edo_frame();
    edo_args();
    struct stubborn future;
};

edo_async(never_ends)
{
    edo_body {
        int rc;
        self->future = (struct stubborn){ .base.ops = &stubborn_ops };
        edo_await_on(rc, &self->future.base);
        edo_return(rc);
    }
}

/* Ignores many results, and then waits for ever. */
struct never_looks {
    edo_frame();
    edo_args();
    struct stubborn future;
    int refused;
};

edo_async(never_looks)
{
    edo_body {
        int rc;
        for (self->refused = 0; self->refused < 1000; self->refused += rc < 0)
            edo_await(rc, edo_yield());
        self->future = (struct stubborn){ .base.ops = &stubborn_ops };
        edo_await_on(rc, &self->future.base);
        edo_return(rc);
    }
}

static const edo_config impatient = {
    .name = "mine", .drain_limit = 2000000, .abort_limit = 200000000, .stall_limit = EDO_NEVER
}; // a stall report would be logged, too

/* The limits are in real time, in which workers on a busy machine must still run the tasks that can
 * end. A current thread makes a turn in any case. */
static edo_config patient(void)
{
    edo_config config = impatient;
    if (test_workers()) config.abort_limit = edo_s(2);
    return config;
}

static void give_up(void *arg)
{
    (void)arg;
    ended = 0;
    edo_config config = patient();
    edo_runtime *runtime = edo_runtime_ref(make_runtime_with(&config));
    edo_task *task;
    edo_spawn_options named = { .runtime = runtime, .name = "with a name" };
    spawn_on(&task, runtime, never_ends);
    spawn_on(NULL, runtime, never_looks);
    spawn_on(NULL, runtime, in_clean_up);
    assert_int_equal(edo_spawn_with(NULL, &named, never_ends), 0);
    assert_true(turn_runtime(runtime, 0) >= 0);
    edo_wakeable *waker = edo_task_waker(task);
    log_capture();
    assert_int_equal(edo_runtime_destroy(runtime), -ETIMEDOUT);
    assert_int_equal(log_lines(NULL), 4); // the log names these tasks, and no others
    assert_int_equal(log_lines("mine: task 'never_ends' #"), 1);
    assert_int_equal(log_lines("mine: task 'never_looks' #"), 2);
    assert_true(log_lines("in 'never_looks' at ") >=
                1); // a task that runs on a worker has no place in the log
    assert_int_equal(log_lines("ignores its cancellation: 64 times"), 1);
    assert_int_equal(log_lines("mine: task 'with a name' #"), 1);
    assert_int_equal(log_lines("in 'never_ends' at "), 2);
    assert_int_equal(log_lines("is leaked"), 3);
    assert_int_equal(edo_runtime_task_count(runtime), 3);
    assert_int_equal(edo_load_relaxed(&ended), 1);

    edo_wake(waker); // harmless
    edo_waker_unref(waker);
    edo_task_cancel(task);
    assert_true(edo_task_is_done(task));
    assert_int_equal(edo_spawn_with(NULL, &named, answer, 0), -ESHUTDOWN);
    edo_runtime *other = make_runtime();
    assert_int_equal(edo_block_on(other, in_join, .task = task), -ESHUTDOWN);
    assert_int_equal(edo_runtime_destroy(other), 0);
    edo_runtime_unref(runtime);
    _exit(0); // leaks on purpose
}

test(given_up)
{
    expect_success_in_child(give_up, NULL);
}

/* Checks that only the named task is leaked. Tasks that have ended leak nothing. */
static void leak_only_what_is_named(void *arg)
{
    int other;
    (void)arg;
    test_allocator_install();
    edo_runtime *runtime = make_runtime_with(&impatient);
    spawn_on(NULL, runtime, never_ends);
    size_t bytes = test_allocator_live_bytes(), descriptors = open_descriptors();
    spawn_simple_states(runtime, &other);
    assert_true(turn_runtime(runtime, 0) >= 0);
    log_capture();
    assert_int_equal(edo_runtime_destroy(runtime), -ETIMEDOUT);
    assert_int_equal(ended, begun);
    close(other);
    assert_int_equal(test_allocator_live_bytes(), bytes); // memory of the leaked task alone
    assert_int_equal(open_descriptors(), descriptors);
    _exit(0);
}

current_thread_only("a worker is leaked as well")
test(leaks_only_what_is_named)
{
    expect_success_in_child(leak_only_what_is_named, NULL);
}

/* ---- joins from outside, of a task that is given up ---- */

static edo_task *joined;
static unsigned joining; // atomic

static void join_from_outside(unsigned index, void *arg)
{
    edo_runtime *runtime = arg;
    if (index == 0) {
        while (!__atomic_load_n(&joining, __ATOMIC_ACQUIRE))
            insist(turn_runtime(runtime, 0) >= 0);
        insist(edo_runtime_destroy(runtime) == -ETIMEDOUT);
    } else {
        __atomic_store_n(&joining, 1, __ATOMIC_RELEASE);
        insist(edo_wait(edo_join(joined)) == -ESHUTDOWN);
    }
}

static void join_while_given_up(void *arg)
{
    edo_runtime *runtime = make_runtime_with(&impatient);
    (void)arg;
    log_capture();
    spawn_on(&joined, runtime, never_ends);
    run_threads(2, join_from_outside, runtime);
    _exit(0);
}

test(join_from_outside)
{
    for (int i = 0; i < 5; i++)
        expect_success_in_child(join_while_given_up, NULL);
}

/* ---- without limit ---- */

/* Yields several times. */
struct yielder {
    edo_frame();
    edo_args(int times;);
};

edo_async(yielder)
{
    edo_body {
        int rc = 0;
        for (; self->times > 0 && rc == 0; self->times--)
            edo_await(rc, edo_yield());
        edo_return(self->times == 0 ? 0 : -ECANCELED);
    }
}

/* Cleans up for a while when it is cancelled. */
struct slow_to_end {
    edo_frame(struct yielder yielder;);
    edo_args(int *ret_rc;);
};

edo_async(slow_to_end)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        edo_call(rc, yielder, .times = 1000);
        *self->ret_rc = rc;
        edo_return(rc);
    }
}

current_thread_only("it turns the runtime")
clean_test(drain_without_limit)
{
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .drain_limit = EDO_NEVER });
    edo_spawn_options options = { .runtime = runtime };
    int rc = 1;
    assert_int_equal(edo_spawn_with(NULL, &options, slow_to_end, .ret_rc = &rc), 0);
    assert_int_equal(edo_turn(runtime, 0), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(rc, 0);
}

/* edo-test: ct, it turns runtimes by hand. Extreme settings, foreign loops between whole runs, and forks inside of tasks. */
#include "runtime/fixture.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOP_WAIT = 30000 }; // milliseconds that a descriptor may take; only a failure waits so long

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

/* ---- settings that mean "without limit" ---- */

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

/* Ready at once: 0 if it could charge that much in one poll. */
static edo_poll charge_poll(edo_future *future, edo_cx *cx)
{
    bool all = true;
    for (int i = 0; i < 100; i++)
        all &= edo_cx_charge(cx);
    future->result = all ? 0 : -EAGAIN;
    return EDO_READY;
}

static const edo_future_ops charge_ops = { .name = "charge", .poll = charge_poll };

struct charger {
    edo_frame();
    edo_args();
    edo_future charge;
};

edo_async(charger)
{
    edo_body {
        int rc;
        self->charge = (edo_future){ .ops = &charge_ops };
        edo_await_on(rc, &self->charge);
        edo_return(rc);
    }
}

clean_test(budget_without_limit)
{
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .budget = UINT32_MAX, .time_slice = EDO_NEVER });
    assert_int_equal(edo_block_on(runtime, charger), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(time_slice_without_limit)
{
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .time_slice = EDO_NEVER });
    assert_int_equal(edo_block_on(runtime, charger), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(negative_timeout_does_not_wait)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_turn(runtime, -1), 0);
    assert_int_equal(edo_turn(runtime, INT64_MIN), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a foreign loop ---- */

static bool is_readable(int fd, int wait)
{
    return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, wait) == 1;
}

static void turn_until_quiet(edo_runtime *runtime, int fd)
{
    while (edo_turn(runtime, 0) == 1 || is_readable(fd, 0))
        continue;
}

static edo_runtime *make_turned_by_a_loop(int *ret_fd)
{
    edo_runtime *runtime = make_runtime();
    *ret_fd = edo_runtime_fd(runtime);
    assert_true(*ret_fd >= 0);
    turn_until_quiet(runtime, *ret_fd);
    return runtime;
}

struct napper {
    edo_frame();
    edo_args(int64_t duration; bool *ret_woke;);
};

edo_async(napper)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        *self->ret_woke = rc == 0;
        edo_return(rc);
    }
}

/* Turns only when the descriptor says so. */
static void loop_until(edo_runtime *runtime, int fd, const bool *done)
{
    while (!*done) {
        assert_true(is_readable(fd, LOOP_WAIT));
        edo_turn(runtime, 0);
    }
}

clean_test(loop_goes_on_after_block_on)
{
    int fd;
    bool first = false, second = false;
    edo_runtime *runtime = make_turned_by_a_loop(&fd);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(NULL, &options, napper, .duration = edo_ms(1), .ret_woke = &first), 0);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    loop_until(runtime, fd, &first); // a timer, or what was left in the queue
    turn_until_quiet(runtime, fd);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    while (is_readable(fd, 0))
        edo_turn(runtime, 0);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    assert_int_equal(edo_spawn_with(NULL, &options, napper, .ret_woke = &second), 0);
    loop_until(runtime, fd, &second); // a push from outside of turns
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Moves the clock on by an hour, and lets it go on from there. */
struct shifter {
    edo_frame();
    edo_args();
};

edo_async(shifter)
{
    edo_body {
        edo_clock_pause();
        edo_clock_advance(edo_s(3600));
        edo_return(edo_clock_resume());
    }
}

clean_test(loop_with_a_shifted_clock)
{
    int fd;
    bool woke = false;
    edo_runtime *runtime = make_turned_by_a_loop(&fd);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_block_on(runtime, shifter), 0);
    assert_int_equal(
        edo_spawn_with(NULL, &options, napper, .duration = edo_ms(1), .ret_woke = &woke), 0);
    loop_until(runtime, fd, &woke);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a fork inside of a task ---- */

static int run_in_forked_child(void)
{
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return 1;
    if (edo_block_on(runtime, yielder, .times = 3) != 0) return 2;
    if (edo_wait(edo_sleep(0)) != 0) return 3;
    return edo_runtime_destroy(runtime) == 0 ? 0 : 4;
}

struct forker {
    edo_frame();
    edo_args(int *ret_status;);
};

edo_async(forker)
{
    edo_body {
        pid_t child = fork();
        if (child == 0) _exit(run_in_forked_child());
        waitpid(child, self->ret_status, 0);
        edo_return(0);
    }
}

clean_test(child_of_a_fork_in_a_task_has_its_own)
{
    int status = -1;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, forker, .ret_status = &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a program inside of a task ---- */

struct nested_program {
    edo_frame();
    edo_args();
};

edo_async(nested_program)
{
    edo_body {
        edo_return(edo_run(answer, 0));
    }
}

static void run_nested(void *arg)
{
    (void)arg;
    edo_run(nested_program);
}

clean_test(program_inside_of_a_task_aborts)
{
    expect_abort(run_nested, NULL, "edo_run: .*nested_program");
}

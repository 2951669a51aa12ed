/* edo-test: once. All members of edo_config, and the choice of a driver. */
#include "runtime/fixture.h"

#include <edo/features.h>
#include <string.h>

#include "runtime/own_driver.h"

/* ---- which driver ---- */

static int create_and_end(const edo_config *config, char driver[16])
{
    edo_runtime *runtime = NULL;
    int rc = edo_runtime_create(config, &runtime);
    if (rc < 0) {
        assert_null(runtime); // outputs are untouched on failure
        return rc;
    }
    strncpy(driver, edo_runtime_driver(runtime), 15);
    return edo_runtime_destroy(runtime);
}

clean_test(driver_by_default)
{
    char driver[16] = "";
    unsetenv("EDO_DRIVER");
    assert_int_equal(create_and_end(NULL, driver), 0);
    assert_string_equal(driver, "epoll");
    setenv("EDO_DRIVER", "", 1); // an empty value counts as not set
    assert_int_equal(create_and_end(NULL, driver), 0);
    assert_string_equal(driver, "epoll");
    unsetenv("EDO_DRIVER");
}

clean_test(driver_by_environment)
{
    char driver[16] = "";
    setenv("EDO_DRIVER", "chaos", 1);
    assert_int_equal(create_and_end(NULL, driver), 0);
    assert_string_equal(driver, "chaos");
    setenv("EDO_DRIVER", "none such", 1);
    assert_int_equal(create_and_end(NULL, driver), -EINVAL);
    unsetenv("EDO_DRIVER");
}

clean_test(driver_by_config)
{
    char driver[16] = "";
    setenv("EDO_DRIVER", "none such", 1); // the config takes precedence
    assert_int_equal(create_and_end(&(edo_config){ .driver = "epoll" }, driver), 0);
    assert_string_equal(driver, "epoll");
    unsetenv("EDO_DRIVER");
    assert_int_equal(create_and_end(&(edo_config){ .driver = "chaos:seed=7" }, driver), 0);
    assert_string_equal(driver, "chaos"); // the text behind the colon is the driver's argument
    static const char *const unknown[] = { "none such", "epol", "epolll", "epoll ", ":", "EPOLL" };
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++)
        assert_int_equal(create_and_end(&(edo_config){ .driver = unknown[i] }, driver), -EINVAL);
}

/* ---- a driver that is refused ---- */

static int refused_error;

static int refused_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                        const char **ret_reason)
{
    (void)runtime;
    (void)argument;
    (void)ret_driver;
    *ret_reason = "the kernel is too old";
    return refused_error;
}

static const edo_driver_ops refused_ops = { .name = "refused", .open = refused_open };

clean_test(fallback)
{
    char driver[16] = "";
    const edo_driver_ops *registered = edo__driver_named("chaos"); // one can be registered
    edo__driver_register(&refused_ops);
    log_capture();
    refused_error = -ENOSYS;
    assert_int_equal(create_and_end(&(edo_config){ .driver = "refused", .name = "mine" }, driver),
                     0);
    log_release();
    edo__driver_register(registered);
    assert_string_equal(driver, "epoll");
    assert_int_equal(log_lines(NULL), 1);
    assert_int_equal(log_lines("mine"),
                     1); // the line has the runtime, the driver, the reason and the replacement
    assert_int_equal(log_lines("refused"), 1);
    assert_int_equal(log_lines("the kernel is too old"), 1);
    assert_int_equal(log_lines("epoll"), 1);
}

/* ---- a driver of the test: epoll with counts ---- */

static const edo_driver_ops *epoll_ops;
static edo_driver_ops counting_ops;
static unsigned turns;

static int counting_turn(edo_driver *driver, int64_t timeout)
{
    turns++;
    return epoll_ops->turn(driver, timeout);
}

static int counting_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                         const char **ret_reason)
{
    int rc = epoll_ops->open(runtime, argument, ret_driver, ret_reason);
    if (rc == 0) (*ret_driver)->ops = &counting_ops;
    return rc;
}

static const edo_driver_ops *counting_driver(void)
{
    epoll_ops = edo__driver_named("epoll");
    counting_ops = *epoll_ops;
    counting_ops.name = "counting";
    counting_ops.open = counting_open;
    counting_ops.turn = counting_turn;
    turns = 0;
    return &counting_ops;
}

clean_test(own_driver)
{
    edo_runtime *runtime = make_runtime_on(counting_driver(), (edo_config){ 0 });
    assert_string_equal(edo_runtime_driver(runtime), "counting");
    assert_int_equal(edo_turn(runtime, 0), 0);
    assert_true(turns > 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- event_interval ---- */

struct yielder {
    edo_frame();
    edo_args(unsigned *polls;);
};

edo_async(yielder)
{
    edo_body {
        int rc;
        do {
            ++*self->polls;
            edo_await(rc, edo_yield());
        } while (rc == 0);
        edo_return(rc);
    }
}

static unsigned polls_of_one_turn(uint32_t interval)
{
    unsigned polls = 0;
    edo_runtime *runtime = make_runtime_on(counting_driver(),
                                           (edo_config){ .event_interval = interval });
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, yielder, .polls = &polls), 0);
    assert_int_equal(edo_turn(runtime, EDO_NEVER), 1); // does not wait, because tasks are ready
    unsigned one_turn = polls;
    assert_int_equal(turns, 1); // turns the driver once
    assert_int_equal(edo_turn(runtime, 0), 1);
    assert_int_equal(polls, 2 * one_turn);
    assert_int_equal(turns, 2);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return one_turn;
}

clean_test(event_interval)
{
    assert_int_equal(polls_of_one_turn(1), 1);
    assert_int_equal(polls_of_one_turn(7), 7);
    assert_int_equal(polls_of_one_turn(0), 61); // the default
}

/* ---- budget and time slice: operations of one poll ---- */

struct spinner {
    edo_frame();
    edo_args(unsigned *count;);
};

edo_async(spinner)
{
    edo_body {
        int rc;
        do {
            ++*self->count;
            edo_await(rc, edo_sleep_until(0)); // ready at once, also when cancelled
        } while (rc == 0 && !edo_is_cancelled());
        edo_return(rc);
    }
}

static unsigned operations_of_one_poll(edo_config config)
{
    unsigned count = 0;
    config.event_interval = 1;
    edo_runtime *runtime = make_runtime_with(&config);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, spinner, .count = &count), 0);
    assert_int_equal(edo_turn(runtime, 0), 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return count - 1; // the last operation was not ready in that poll
}

clean_test(budget)
{
    assert_int_equal(operations_of_one_poll((edo_config){ .budget = 1 }), 1);
    assert_int_equal(operations_of_one_poll((edo_config){ .budget = 10 }), 10);
    assert_int_equal(operations_of_one_poll((edo_config){ .time_slice = edo_s(60) }), 128);
}

clean_test(time_slice)
{
    enum { HUGE_BUDGET = 1 << 30 }; // use of the whole budget would take a second
    unsigned count = operations_of_one_poll((edo_config){ .budget = HUGE_BUDGET, .time_slice = 1 });
    assert_in_range(count, 1, 1000);
}

/* A task that has used up its time slice is the last task of its turn. The driver and the timers
 * are next. */
clean_test(time_slice_ends_the_turn)
{
    enum { TASKS = 3, HUGE_BUDGET = 1 << 30 };
    unsigned counts[TASKS] = { 0 };
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .budget = HUGE_BUDGET, .time_slice = 1 });
    edo_spawn_options options = { .runtime = runtime };
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(edo_spawn_with(NULL, &options, spinner, .count = &counts[i]), 0);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(counts[i], 0);
        assert_int_equal(edo_turn(runtime, 0), 1);
        assert_int_not_equal(counts[i], 0);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- seed ---- */

struct choose {
    edo_frame();
    edo_args();
    edo_op a, b;
    uint64_t choices;
    unsigned i;
};

/* Returns: 62 choices between two ready operations, as bits. */
edo_async(choose)
{
    edo_body {
        int which;
        self->choices = 0;
        for (self->i = 0; self->i < 62; self->i++) {
            self->a = edo_sleep_until(0);
            self->b = edo_sleep_until(0);
            edo_select(which, &self->a.base, &self->b.base);
            self->choices = self->choices << 1 | (uint64_t)which;
        }
        edo_return((int64_t)self->choices);
    }
}

static int64_t choices_of(uint64_t seed)
{
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .seed = seed, .time_slice = EDO_NEVER });
    int64_t choices = edo_block_on(runtime, choose);
    assert_true(choices >= 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return choices;
}

clean_test(seed_of_choices)
{
    assert_int_equal(choices_of(1), choices_of(1));
    assert_int_equal(choices_of(UINT64_MAX), choices_of(UINT64_MAX));
    assert_int_not_equal(choices_of(1), choices_of(2));
    assert_int_not_equal(choices_of(0), choices_of(0)); // random
}

/* ---- test_clock ---- */

struct long_sleep {
    edo_frame();
    edo_args();
};

edo_async(long_sleep)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(86400)));
        edo_return(rc);
    }
}

clean_test(test_clock)
{
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    assert_int_equal(edo_block_on(runtime, long_sleep), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- invalid numbers ---- */

clean_test(bad_numbers)
{
    char driver[16];
    const edo_config bad[] = {
        { .workers = 1, .max_spare = 100000000 },
        { .workers = 1, .max_spare = 10001 },
        { .workers = 1, .max_spare = -2 },
        { .workers = 10001 },
        { .workers = -2 },
        { .max_spare = INT32_MAX },
        { .stall_limit = -1 },
        { .time_slice = -1 },
        { .timer_slack = -1 },
        { .drain_limit = INT64_MIN },
        { .abort_limit = -1 },
        { .workers = 1, .cpu_count = 1 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(create_and_end(&bad[i], driver), -EINVAL);
    assert_int_equal(create_and_end(&(edo_config){ .workers = 1, .max_spare = 10000 }, driver), 0);
    edo_pool *pool;
    assert_int_equal(edo_pool_create(&(edo_pool_config){ .keep_alive = -1 }, &pool), -EINVAL);
}

/* ---- settings that mean "without limit" ---- */

/* Charges units to the poll's budget. Ready at once; result 0: one poll could charge all these
 * units. */
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

/* edo-test: once. Durations and deadlines: units, and saturation. */
#include "support/support.h"

#include <time.h>

#include <edo/edo.h>

test(units)
{
    assert_int_equal(edo_ns(7), 7);
    assert_int_equal(edo_us(7), 7000);
    assert_int_equal(edo_ms(7), 7000000);
    assert_int_equal(edo_s(7), 7000000000);
    assert_int_equal(edo_minutes(7), 420000000000);
    assert_int_equal(edo_ms(-7), -7000000);
    assert_int_equal(edo_s(0), 0);
}

test(units_saturate)
{
    static int64_t (*const units[])(int64_t) = { edo_us, edo_ms, edo_s, edo_minutes };
    assert_int_equal(edo_ns(INT64_MAX), INT64_MAX);
    assert_int_equal(edo_ns(INT64_MIN), INT64_MIN);
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        assert_int_equal(units[i](INT64_MAX), INT64_MAX);
        assert_int_equal(units[i](INT64_MAX / units[i](1) + 1), INT64_MAX);
        assert_int_not_equal(units[i](INT64_MAX / units[i](1)), INT64_MAX);
        assert_int_equal(units[i](INT64_MIN), INT64_MIN);
        assert_int_equal(units[i](INT64_MIN / units[i](1) - 1), INT64_MIN);
    }
}

static int64_t monotonic(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return edo_s(now.tv_sec) + now.tv_nsec;
}

test(now_is_monotonic_time)
{
    int64_t before = monotonic(), now = edo_now(), after = monotonic();
    assert_in_range(now, before, after);
}

test(deadlines_saturate)
{
    assert_int_equal(edo__deadline_after(EDO_NEVER), EDO_NEVER);
    assert_int_equal(edo__deadline_after(EDO_NEVER - 1), EDO_NEVER);
    assert_int_equal(edo__deadline_after(INT64_MIN), 0); // the beginning
    assert_int_equal(edo__deadline_after(-edo_now() - edo_s(1)), 0);
    int64_t before = monotonic(), deadline = edo__deadline_after(edo_s(5)), after = monotonic();
    assert_in_range(deadline, before + edo_s(5), after + edo_s(5));
}

test(clock_functions_need_a_runtime)
{
    assert_int_equal(edo_clock_pause(), -EINVAL);
    assert_int_equal(edo_clock_resume(), -EINVAL);
    assert_int_equal(edo_clock_advance(0), -EINVAL);
    assert_int_equal(edo_clock_auto_advance(true), -EINVAL);
}

/* edo-test: once. Timers that are all due at one expiry, because the thread was late, fire in
 * order. */
#include "support/support.h"

#include "runtime/time/wheel.h"

enum { TIMERS = 1000, ROUNDS = 200 };

static edo__wheel wheel;
static edo__timer timers[TIMERS];

static uint64_t tick_of(const edo__timer *timer)
{
    return (uint64_t)timer->when >> EDO__WHEEL_TICK_BITS;
}

/* Deadlines within a span that reaches up to a random level of the wheel. */
static void arm_all(test_random *random, int64_t from, int64_t span)
{
    for (size_t i = 0; i < TIMERS; i++)
        edo__wheel_arm(&wheel, &timers[i],
                       from + (int64_t)test_random_below(random, (uint64_t)span));
}

static size_t expire_in_order(int64_t now)
{
    size_t count = 0;
    uint64_t last = 0;
    edo__timer *next;
    for (edo__timer *timer = edo__wheel_expire(&wheel, now, SIZE_MAX); timer;
         timer = next, count++) {
        next = timer->next;
        assert_true(tick_of(timer) >= last);
        last = tick_of(timer);
    }
    return count;
}

test(late_looks)
{
    test_random random = test_random_make(0);
    int64_t now = 1;
    edo__wheel_init(&wheel, now);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t span = (int64_t)1 << (EDO__WHEEL_TICK_BITS + test_random_below(&random, 30));
        arm_all(&random, now, span);
        size_t fired = expire_in_order(now + span / 3); // late for some, early for the rest
        now += span;
        assert_int_equal(fired + expire_in_order(now), TIMERS);
        assert_int_equal(edo__wheel_next(&wheel), INT64_MAX);
    }
}

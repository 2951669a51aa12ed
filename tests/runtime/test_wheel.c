/* edo-test: once. The timer wheel against a list of the same deadlines. */
#include "support/support.h"

#include <stdlib.h>

#include <edo/time.h>

#include "runtime/time/wheel.h"

enum {
    TIMERS = 200,
    STEPS = 20000,
    TICK = 1 << EDO__WHEEL_TICK_BITS, // nanoseconds
};

#define HOUR ((int64_t)3600 * 1000000000)
#define YEAR (365 * 24 * HOUR)
#define LAST (EDO_NEVER - 1)

static edo__wheel wheel;

static int set_up(void **state)
{
    (void)state;
    edo__wheel_init(&wheel, 0);
    return 0;
}

#define wheel_test(name)                                                                           \
    fixture(set_up, NULL)                                                                          \
    test(name)

/* Fires timers, all of which must be due. Returns: the number of fired timers. */
static unsigned expire_some(int64_t now, size_t most)
{
    unsigned count = 0;
    edo__timer *next;
    for (edo__timer *timer = edo__wheel_expire(&wheel, now, most); timer; timer = next, count++) {
        next = timer->next;
        assert_true(edo__timer_is_armed(timer)); // armed until edo__timer_release()
        edo__timer_release(timer);
        assert_true(timer->when <= now); // never early
    }
    return count;
}

static unsigned expire(int64_t now)
{
    return expire_some(now, SIZE_MAX);
}

/* ---- one timer, every distance ---- */

/* Expires the wheel at the moments that edo__wheel_next() answers, as the runtime does. */
static void run_to(edo__timer *timer, int64_t when)
{
    int64_t now = 0;
    while (edo__timer_is_armed(timer)) {
        int64_t next = edo__wheel_next(&wheel);
        assert_true(next <= when);
        assert_true(next > now || now == when); // every step makes progress
        now = next;
        expire(now);
    }
    assert_int_equal(now, when); // at the very moment
    assert_int_equal(edo__wheel_next(&wheel), INT64_MAX);
}

wheel_test(each_distance)
{
    static const int64_t distances[] = { 1,          TICK - 1,   TICK, TICK + 1,
                                         255 * TICK, 256 * TICK, HOUR, YEAR,
                                         100 * YEAR, LAST - 1,   LAST };
    for (size_t i = 0; i < ARRAY_LENGTH(distances); i++) {
        edo__timer timer = { 0 };
        edo__wheel_init(&wheel, 0);
        edo__wheel_arm(&wheel, &timer, distances[i]);
        assert_int_equal(expire(distances[i] - 1), 0);
        assert_int_equal(expire(distances[i]), 1);
        edo__wheel_init(&wheel, 0);
        edo__wheel_arm(&wheel, &timer, distances[i]);
        run_to(&timer, distances[i]);
    }
}

wheel_test(powers_of_two)
{
    for (unsigned bit = 0; bit < 63; bit++) {
        edo__timer timers[3] = { 0 };
        int64_t when = (int64_t)1 << bit;
        edo__wheel_init(&wheel, when / 2);
        for (int i = 0; i < 3; i++)
            edo__wheel_arm(&wheel, &timers[i], when + i - 1);
        assert_int_equal(expire(when - 2 < when / 2 ? when / 2 : when - 2), when / 2 >= when - 1);
        expire(when - 1);
        assert_false(edo__timer_is_armed(&timers[0]));
        assert_int_equal(expire(when), 1);
        assert_int_equal(expire(when + 1), 1);
    }
}

/* ---- ties and overdue ones ---- */

wheel_test(same_moment)
{
    edo__timer timers[TIMERS] = { 0 };
    for (unsigned i = 0; i < TIMERS; i++)
        edo__wheel_arm(&wheel, &timers[i], HOUR);
    assert_int_equal(expire(HOUR - 1), 0);
    assert_int_equal(expire(HOUR), TIMERS);
}

wheel_test(same_tick)
{
    edo__timer timers[TICK / 256] = { 0 };
    for (unsigned i = 0; i < ARRAY_LENGTH(timers); i++)
        edo__wheel_arm(&wheel, &timers[i], HOUR / TICK * TICK + i);
    for (unsigned i = 0; i < ARRAY_LENGTH(timers); i++) {
        assert_true(edo__wheel_next(&wheel) <= HOUR / TICK * TICK + i);
        assert_int_equal(expire(HOUR / TICK * TICK + i), 1);
    }
}

wheel_test(overdue)
{
    edo__timer timers[3] = { 0 };
    expire(YEAR);
    edo__wheel_arm(&wheel, &timers[0], 0);
    edo__wheel_arm(&wheel, &timers[1], YEAR - 1);
    edo__wheel_arm(&wheel, &timers[2], -1); // before the clock began
    assert_true(edo__wheel_next(&wheel) <= YEAR);
    assert_int_equal(expire(YEAR), 3);
}

/* An expiry with a limit. Timers beyond the limit remain due, in their order. All timers of a tick
 * are taken together. */
wheel_test(limit)
{
    edo__timer timers[3][2] = { 0 };
    for (int tick = 0; tick < 3; tick++)
        for (int i = 0; i < 2; i++)
            edo__wheel_arm(&wheel, &timers[tick][i], (tick + 1) * TICK + i);
    assert_int_equal(expire_some(HOUR, 1), 2);
    assert_false(edo__timer_is_armed(&timers[0][0]));
    assert_true(edo__wheel_next(&wheel) <= 2 * TICK);
    edo__timer late = { 0 };
    edo__wheel_arm(&wheel, &late, HOUR + 1); // while the wheel lags behind
    assert_int_equal(expire_some(HOUR, 2), 2);
    assert_false(edo__timer_is_armed(&timers[1][0]));
    assert_int_equal(expire_some(HOUR, 3), 2);
    assert_int_equal(expire(HOUR + 1), 1);
}

wheel_test(time_that_goes_back)
{
    edo__timer timers[2] = { 0 };
    expire(HOUR);
    edo__wheel_arm(&wheel, &timers[0], HOUR + 1);
    assert_int_equal(expire(HOUR / 2), 0);
    edo__wheel_arm(&wheel, &timers[1], HOUR / 2 + 1);
    assert_int_equal(expire(0), 0);
    assert_int_equal(expire(HOUR), 1);
    assert_int_equal(expire(HOUR + 1), 1);
}

/* ---- disarming ---- */

wheel_test(disarm)
{
    edo__timer timers[TIMERS] = { 0 };
    edo__wheel_disarm(&wheel, &timers[0]); // never armed
    for (unsigned i = 0; i < TIMERS; i++)
        edo__wheel_arm(&wheel, &timers[i], i % 2 ? HOUR : (int64_t)i * YEAR);
    for (unsigned i = 0; i < TIMERS; i++) {
        edo__wheel_disarm(&wheel, &timers[(i * 7) % TIMERS]);
        edo__wheel_disarm(&wheel, &timers[(i * 7) % TIMERS]); // twice
    }
    assert_int_equal(edo__wheel_next(&wheel), INT64_MAX);
    assert_int_equal(expire(LAST), 0);
}

/* ---- at random ---- */

static struct model {
    edo__timer timers[TIMERS];
    bool armed[TIMERS];
    int64_t now;
} model;

/* A random span of any magnitude. */
static int64_t random_span(test_random *random)
{
    uint64_t bits = test_random_below(random, 63);
    return (int64_t)(test_random_next(random) & (((uint64_t)1 << bits) - 1));
}

static int64_t random_moment(test_random *random)
{
    int64_t when, span = random_span(random);
    if (__builtin_add_overflow(model.now, span, &when)) return LAST;
    if (test_random_below(random, 10) == 0) return model.now / 2; // overdue
    return when < LAST ? when : LAST;
}

static int64_t first_deadline(void)
{
    int64_t first = INT64_MAX;
    for (unsigned i = 0; i < TIMERS; i++)
        if (model.armed[i] && model.timers[i].when < first) first = model.timers[i].when;
    return first;
}

static void random_arm(test_random *random)
{
    unsigned i = (unsigned)test_random_below(random, TIMERS);
    edo__wheel_disarm(&wheel, &model.timers[i]);
    model.armed[i] = test_random_below(random, 3) != 0;
    if (model.armed[i]) edo__wheel_arm(&wheel, &model.timers[i], random_moment(random));
}

static void expire_both(int64_t now)
{
    model.now = now;
    expire(now);
    for (unsigned i = 0; i < TIMERS; i++) {
        if (model.armed[i] && model.timers[i].when <= now) model.armed[i] = false;
        assert_int_equal(edo__timer_is_armed(&model.timers[i]), model.armed[i]);
    }
}

/* A step to the wheel's next moment, or a small or a large one. */
static int64_t random_step(test_random *random)
{
    int64_t next = edo__wheel_next(&wheel), to;
    if (test_random_below(random, 2)) return next > model.now && next <= LAST ? next : model.now;
    bool overflow = __builtin_add_overflow(model.now, random_span(random) >> 16, &to);
    return overflow ? LAST : to;
}

wheel_test(at_random)
{
    test_random random = test_random_make(0);
    for (unsigned i = 0; i < STEPS; i++) {
        if (model.now > LAST / 2) { // far enough: the model begins again
            for (unsigned j = 0; j < TIMERS; j++)
                edo__wheel_disarm(&wheel, &model.timers[j]);
            model = (struct model){ 0 };
            edo__wheel_init(&wheel, 0);
        }
        random_arm(&random);
        int64_t first = first_deadline(), next = edo__wheel_next(&wheel);
        assert_true(next <= first || next <= model.now);
        assert_int_equal(next == INT64_MAX, first == INT64_MAX);
        if (test_random_below(&random, 4) == 0) expire_both(random_step(&random));
    }
}

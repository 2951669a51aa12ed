/* Buckets of durations. edo-test: once */
#include "support/support.h"

#include <edo/edo.h>

#include "runtime/inspect/histogram.h"

static edo__scale make(edo_histogram_config config)
{
    edo__scale scale = { 0 };
    assert_int_equal(edo__scale_init(&scale, &config), 0);
    return scale;
}

static int64_t end_of(const edo__scale *scale, uint32_t bucket)
{
    return bucket + 1 < scale->buckets ? edo__scale_start(scale, bucket + 1) : INT64_MAX;
}

/* Checks that the ranges of buckets are adjacent, and that each bucket contains its first and last
 * value. */
static void check_ranges(const edo__scale *scale)
{
    assert_int_equal(edo__scale_start(scale, 0), 0);
    assert_int_equal(edo__scale_bucket(scale, INT64_MIN), 0);
    for (uint32_t i = 0; i < scale->buckets; i++) {
        int64_t start = edo__scale_start(scale, i), end = end_of(scale, i);
        assert_true(start < end);
        assert_int_equal(edo__scale_bucket(scale, start), i);
        assert_int_equal(edo__scale_bucket(scale, end - 1), i);
    }
    assert_int_equal(edo__scale_bucket(scale, INT64_MAX), scale->buckets - 1);
}

test(linear)
{
    edo__scale usual = make((edo_histogram_config){ .scale = EDO_HISTOGRAM_LINEAR });
    assert_int_equal(usual.buckets, 10);
    assert_int_equal(edo__scale_start(&usual, 9), edo_us(900));
    check_ranges(&usual);
    edo__scale fine = make(
        (edo_histogram_config){ .scale = EDO_HISTOGRAM_LINEAR, .buckets = 1000, .width = 1 });
    assert_int_equal(edo__scale_bucket(&fine, 7), 7);
    check_ranges(&fine);
    edo__scale one = make((edo_histogram_config){ .scale = EDO_HISTOGRAM_LINEAR, .buckets = 1 });
    check_ranges(&one);
}

test(log)
{
    edo__scale usual = make((edo_histogram_config){ .scale = EDO_HISTOGRAM_LOG });
    assert_true(edo__scale_start(&usual, 1) > 100); // the first bucket also has values below `min`
    assert_true(edo__scale_start(&usual, usual.buckets - 1) <= edo_s(60));
    check_ranges(&usual);
    for (uint32_t i = 1; i + 1 < usual.buckets; i++) {
        int64_t start = edo__scale_start(&usual, i);
        assert_true(end_of(&usual, i) - start <= start / 4 + 1); // steps: 4
    }
}

test(log_in_all_sizes)
{
    for (uint32_t steps = 1; steps <= 1024; steps *= 2) {
        edo_histogram_config config = { .scale = EDO_HISTOGRAM_LOG, .steps = steps };
        for (config.min = 1; config.min <= edo_s(1); config.min *= 1000) {
            config.max = config.min;
            edo__scale one = make(config);
            assert_int_equal(one.buckets, 1);
            config.max = INT64_MAX;
            edo__scale scale = make(config);
            check_ranges(&scale);
        }
    }
}

/* Each power of two begins a bucket, and its range is divided evenly. */
test(log_by_hand)
{
    edo__scale scale = make(
        (edo_histogram_config){ .scale = EDO_HISTOGRAM_LOG, .min = 1, .max = 64, .steps = 2 });
    static const int64_t starts[] = { 0, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64 };
    assert_int_equal(scale.buckets, ARRAY_LENGTH(starts));
    for (uint32_t i = 0; i < ARRAY_LENGTH(starts); i++)
        assert_int_equal(edo__scale_start(&scale, i), starts[i]);
}

test(refused)
{
    static const edo_histogram_config bad[] = {
        { .scale = EDO_HISTOGRAM_LOG + 1 },
        { .scale = EDO_HISTOGRAM_LINEAR, .width = -1 },
        { .scale = EDO_HISTOGRAM_LINEAR, .buckets = 65537 },
        { .scale = EDO_HISTOGRAM_LINEAR, .buckets = 3, .width = INT64_MAX / 2 },
        { .scale = EDO_HISTOGRAM_LOG, .steps = 3 },
        { .scale = EDO_HISTOGRAM_LOG, .steps = 2048 },
        { .scale = EDO_HISTOGRAM_LOG, .min = -1 },
        { .scale = EDO_HISTOGRAM_LOG, .min = 10, .max = 9 },
        { .scale = EDO_HISTOGRAM_LOG, .buckets = 10 }, // too few buckets
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        edo__scale scale = { 0 };
        assert_int_equal(edo__scale_init(&scale, &bad[i]), -EINVAL);
        edo_runtime *runtime = NULL;
        edo_metrics_config metrics = { .schedule_latency = bad[i] };
        edo_config config = { .metrics = &metrics };
        assert_int_equal(edo_runtime_create(&config, &runtime), -EINVAL);
        assert_null(runtime);
    }
    assert_int_equal(make((edo_histogram_config){ 0 }).buckets, 0);
}

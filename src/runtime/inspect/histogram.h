/* Histograms of durations: scales, which map values to buckets, and the counts of one worker. */
#pragma once

#include <edo/metrics.h>

#include "base/atomic.h"

/* Number of the kinds in edo_histogram. */
enum { EDO__HISTOGRAMS = EDO_SCHEDULE_LATENCY + 1 };

/* A scale. Constant once it is made. Any thread.
 *
 * The logarithmic scale is that of H2 histograms: every power of two has 2^bits buckets of the same
 * width, so that a bucket is never wider than 1/2^bits of its values. Each value below 2^bits has
 * its own bucket. Indices count from the bucket of `min`. */
typedef struct edo__scale {
    uint32_t buckets; // 0: off
    bool is_log;
    uint8_t bits;
    uint32_t first; // index of the bucket of `min`, counted from value 0
    int64_t width;  // ns of a linear bucket
} edo__scale;

/* Returns: 0, or -EINVAL. */
int edo__scale_init(edo__scale *scale, const edo_histogram_config *config);

/* The bucket of a value. */
uint32_t edo__scale_bucket(const edo__scale *scale, int64_t value);

/* Lowest value of a bucket; the last one ends at INT64_MAX. */
int64_t edo__scale_start(const edo__scale *scale, uint32_t bucket);

/* Makes the counts of a worker, for each scale that is on. Returns: 0 or -ENOMEM. */
int edo__histograms_create(const edo__scale *scales, edo_atomic(uint64_t) **histograms);
void edo__histograms_free(const edo__scale *scales, edo_atomic(uint64_t) **histograms);

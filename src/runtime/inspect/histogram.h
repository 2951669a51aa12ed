/* Histograms of durations. A scale maps values to buckets. Each worker has its own counts. */
#pragma once

#include <edo/metrics.h>

#include "base/atomic.h"

/* Number of kinds of histograms (edo_histogram). */
enum { EDO__HISTOGRAMS = EDO_SCHEDULE_LATENCY + 1 };

/* A scale of a histogram. It is initialised once, and then constant. Thread: any.
 *
 * The logarithmic scale is the scale of H2 histograms. Each value below 2^bits has its own bucket.
 * Above 2^bits, the values from one power of two to the next are divided into 2^bits buckets of the
 * same width. So the width of such a bucket is at most 1/2^bits of any value in it. Bucket 0 of the
 * scale is the bucket that contains `min`. */
typedef struct edo__scale {
    uint32_t buckets; // number of buckets; 0: off
    bool is_log;
    uint8_t bits;
    uint32_t first; // number of logarithmic buckets below the bucket of `min`
    int64_t width;  // width of a linear bucket; ns
} edo__scale;

/* Initialises a scale. The caller has zeroed the struct. Returns: 0 or -EINVAL. */
int edo__scale_init(edo__scale *scale, const edo_histogram_config *config);

/* Returns: the bucket of a value. */
uint32_t edo__scale_bucket(const edo__scale *scale, int64_t value);

/* Returns: the lowest value of a bucket. The last bucket ends at INT64_MAX. */
int64_t edo__scale_start(const edo__scale *scale, uint32_t bucket);

/* Allocates the counts of a worker, for each scale that is not off. Returns: 0 or -ENOMEM. */
int edo__histograms_create(const edo__scale *scales, edo_atomic(uint64_t) **histograms);
void edo__histograms_free(const edo__scale *scales, edo_atomic(uint64_t) **histograms);

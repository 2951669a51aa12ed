/*
 * A log-linear histogram of nanoseconds: every power of two is cut into LOAD_HISTOGRAM_PARTS equal
 * buckets, so that a value is known to better than 1 % whatever its size, in fixed memory.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    LOAD_HISTOGRAM_BITS = 7, // 128 parts: an error of at most 1/128
    LOAD_HISTOGRAM_PARTS = 1 << LOAD_HISTOGRAM_BITS,
    LOAD_HISTOGRAM_BUCKETS = (64 - LOAD_HISTOGRAM_BITS + 1) * LOAD_HISTOGRAM_PARTS,
};

/* All zero is an empty histogram. */
struct load_histogram {
    uint64_t count;
    uint64_t max; // exact
    uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

void load_histogram_record(struct load_histogram *histogram, uint64_t nanoseconds);

/* The smallest bucket (its lower edge) that at least `fraction` of all values do not exceed;
 * 0 if there are none. */
uint64_t load_histogram_quantile(const struct load_histogram *histogram, double fraction);

#endif

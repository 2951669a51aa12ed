#include "load_histogram.h"

#include <math.h>

/* Values below PARTS have a bucket each; above, the row is the power of two and the column the
 * LOAD_HISTOGRAM_BITS bits after the leading one. */
static unsigned bucket_of(uint64_t value)
{
    if (value < LOAD_HISTOGRAM_PARTS) return (unsigned)value;
    unsigned log2 = 63 - (unsigned)__builtin_clzll(value);
    unsigned row = log2 - LOAD_HISTOGRAM_BITS + 1;
    unsigned column = (unsigned)(value >> (log2 - LOAD_HISTOGRAM_BITS)) &
                      (LOAD_HISTOGRAM_PARTS - 1);
    return row * LOAD_HISTOGRAM_PARTS + column;
}

static uint64_t lower_edge(unsigned bucket)
{
    if (bucket < LOAD_HISTOGRAM_PARTS) return bucket;
    unsigned row = bucket / LOAD_HISTOGRAM_PARTS;
    uint64_t column = bucket % LOAD_HISTOGRAM_PARTS;
    return (LOAD_HISTOGRAM_PARTS + column) << (row - 1);
}

void load_histogram_record(struct load_histogram *histogram, uint64_t nanoseconds)
{
    histogram->buckets[bucket_of(nanoseconds)]++;
    histogram->count++;
    if (nanoseconds > histogram->max) histogram->max = nanoseconds;
}

uint64_t load_histogram_quantile(const struct load_histogram *histogram, double fraction)
{
    uint64_t wanted = (uint64_t)ceil(fraction * (double)histogram->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && seen >= wanted) return lower_edge(i);
    }
    return 0;
}

#include "runtime/inspect/histogram.h"

#include "base/base.h"

enum {
    DEFAULT_BUCKETS = 10,  // number of buckets of a linear scale; defaults are as in Tokio
    DEFAULT_STEPS = 4,     // number of buckets per power of two; the error is at most a quarter
    MAX_STEPS = 1024,      // as in Tokio
    MAX_BUCKETS = 1 << 16, // 512 KiB per histogram and worker
};

#define DEFAULT_WIDTH edo_us(100)
#define DEFAULT_MIN   100 // nanoseconds
#define DEFAULT_MAX   edo_s(60)

/* ---- the logarithmic scale ---- */

static unsigned log2_of(uint64_t value)
{
    return 63 - (unsigned)__builtin_clzll(value);
}

static uint32_t log_index(unsigned bits, uint64_t value)
{
    if (value >> bits == 0) return (uint32_t)value;
    unsigned power = log2_of(value), shift = power - bits;
    return ((shift + 1) << bits) + (uint32_t)((value - (1ULL << power)) >> shift);
}

static uint64_t log_start(unsigned bits, uint32_t index)
{
    uint32_t group = index >> bits, step = index & ((1U << bits) - 1);
    if (group == 0) return index;
    return ((1ULL << bits) + step) << (group - 1);
}

/* ---- both scales ---- */

static int init_linear(edo__scale *scale, const edo_histogram_config *config)
{
    uint32_t buckets = config->buckets ? config->buckets : DEFAULT_BUCKETS;
    int64_t width = config->width ? config->width : DEFAULT_WIDTH;
    if (width < 0 || buckets > MAX_BUCKETS || width > INT64_MAX / buckets) return -EINVAL;
    *scale = (edo__scale){ .buckets = buckets, .width = width };
    return 0;
}

static int init_log(edo__scale *scale, const edo_histogram_config *config)
{
    uint32_t steps = config->steps ? config->steps : DEFAULT_STEPS;
    int64_t min = config->min ? config->min : DEFAULT_MIN;
    int64_t max = config->max ? config->max : DEFAULT_MAX;
    if ((steps & (steps - 1)) || steps > MAX_STEPS || min < 0 || max < min) return -EINVAL;
    unsigned bits = log2_of(steps);
    uint32_t first = log_index(bits, (uint64_t)min);
    uint32_t buckets = log_index(bits, (uint64_t)max) - first + 1;
    if (buckets > (config->buckets ? config->buckets : MAX_BUCKETS)) return -EINVAL;
    *scale = (edo__scale){
        .buckets = buckets, .is_log = true, .bits = (uint8_t)bits, .first = first
    };
    return 0;
}

int edo__scale_init(edo__scale *scale, const edo_histogram_config *config)
{
    switch (config->scale) {
    case EDO_HISTOGRAM_OFF: return 0;
    case EDO_HISTOGRAM_LINEAR: return init_linear(scale, config);
    case EDO_HISTOGRAM_LOG: return init_log(scale, config);
    }
    return -EINVAL;
}

uint32_t edo__scale_bucket(const edo__scale *scale, int64_t value)
{
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    uint64_t bucket = v / (uint64_t)(scale->is_log ? 1 : scale->width);
    if (scale->is_log) {
        uint32_t index = log_index(scale->bits, v);
        bucket = index > scale->first ? index - scale->first : 0;
    }
    return bucket < scale->buckets ? (uint32_t)bucket : scale->buckets - 1;
}

int64_t edo__scale_start(const edo__scale *scale, uint32_t bucket)
{
    if (bucket == 0) return 0;
    if (!scale->is_log) return bucket * scale->width;
    return (int64_t)log_start(scale->bits, scale->first + bucket);
}

/* ---- counts ---- */

void edo__histograms_free(const edo__scale *scales, edo_atomic(uint64_t) **histograms)
{
    for (unsigned i = 0; i < EDO__HISTOGRAMS; i++) {
        if (histograms[i]) edo__free(histograms[i], scales[i].buckets * sizeof(uint64_t));
        histograms[i] = NULL;
    }
}

int edo__histograms_create(const edo__scale *scales, edo_atomic(uint64_t) **histograms)
{
    for (unsigned i = 0; i < EDO__HISTOGRAMS; i++) {
        if (!scales[i].buckets) continue;
        histograms[i] = edo__alloc_zeroed(scales[i].buckets * sizeof(uint64_t));
        if (histograms[i]) continue;
        edo__histograms_free(scales, histograms);
        return -ENOMEM;
    }
    return 0;
}

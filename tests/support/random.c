/* Reproducible random numbers, and bytes that identify their position. */
#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* splitmix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014) */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#define STEP 0x9e3779b97f4a7c15u // splitmix64's: 2^64 / golden ratio

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void choose_seed(void)
{
    const char *wanted = getenv("EDO_TEST_SEED");
    if (wanted)
        seed = strtoull(wanted, NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = STEP;
    fprintf(stderr, "seed: EDO_TEST_SEED=%llu\n", (unsigned long long)seed);
}

uint64_t test_seed(void)
{
    pthread_once(&seed_once, choose_seed);
    return seed;
}

test_random test_random_make(uint64_t stream)
{
    return (test_random){ mix(test_seed() ^ mix(stream + STEP)) };
}

uint64_t test_random_next(test_random *random)
{
    return mix(random->state += STEP);
}

uint64_t test_random_below(test_random *random, uint64_t limit)
{
    return test_random_next(random) % limit; // the bias of the remainder is small enough
}

/* ---- patterns: eight bytes at a time ---- */

static uint64_t word_of(uint64_t id, uint64_t index)
{
    return mix((id + 1) * STEP ^ index);
}

static size_t next_word(uint64_t id, uint64_t offset, size_t left, unsigned char word[8],
                        const unsigned char **ret_bytes)
{
    uint64_t value = word_of(id, offset / sizeof value);
    size_t skip = offset % sizeof value, length = sizeof value - skip;
    memcpy(word, &value, sizeof value);
    *ret_bytes = word + skip;
    return length < left ? length : left;
}

void fill_pattern(void *buffer, size_t size, uint64_t id, uint64_t offset)
{
    unsigned char word[8], *at = buffer;
    const unsigned char *bytes;
    for (size_t n; size; at += n, offset += n, size -= n) {
        n = next_word(id, offset, size, word, &bytes);
        memcpy(at, bytes, n);
    }
}

bool is_pattern(const void *buffer, size_t size, uint64_t id, uint64_t offset)
{
    unsigned char word[8];
    const unsigned char *bytes, *at = buffer;
    for (size_t n; size; at += n, offset += n, size -= n) {
        n = next_word(id, offset, size, word, &bytes);
        if (memcmp(at, bytes, n) != 0) return false;
    }
    return true;
}

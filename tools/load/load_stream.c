#include "load_stream.h"

#include <endian.h>
#include <string.h>

/* The generator is SplitMix64 (Steele, Lea, Flood 2014): a counter in steps of the golden ratio,
 * and a mixing function. Being counter-based, it reaches any offset at once. */
#define GOLDEN_RATIO 0x9E3779B97F4A7C15u

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

enum { WORD = sizeof(uint64_t) };

/* Little-endian, so that a stream is the same on every machine. */
static uint64_t word_at(uint64_t key, uint64_t offset)
{
    return htole64(mix(key + (offset / WORD) * GOLDEN_RATIO));
}

uint64_t load_random_next(uint64_t *state)
{
    *state += GOLDEN_RATIO;
    return mix(*state);
}

uint64_t load_stream_key(uint64_t seed, uint64_t connection)
{
    return mix(mix(seed + GOLDEN_RATIO) ^ (connection + 1));
}

unsigned char load_stream_byte(uint64_t key, uint64_t offset)
{
    uint64_t word = word_at(key, offset);
    return ((const unsigned char *)&word)[offset % WORD];
}

/* How many bytes come singly before offset is at a word's start. */
static size_t head_of(uint64_t offset, size_t size)
{
    size_t head = (size_t)(-offset % WORD);
    return head < size ? head : size;
}

static void fill_bytes(uint64_t key, uint64_t offset, unsigned char *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = load_stream_byte(key, offset + i);
}

void load_stream_fill(uint64_t key, uint64_t offset, unsigned char *to, size_t size)
{
    size_t done = head_of(offset, size);
    fill_bytes(key, offset, to, done);
    for (; size - done >= WORD; done += WORD) {
        uint64_t word = word_at(key, offset + done);
        memcpy(to + done, &word, WORD);
    }
    fill_bytes(key, offset + done, to + done, size - done);
}

static size_t check_bytes(uint64_t key, uint64_t offset, const unsigned char *from, size_t size)
{
    size_t i = 0;
    while (i < size && from[i] == load_stream_byte(key, offset + i))
        i++;
    return i;
}

size_t load_stream_check(uint64_t key, uint64_t offset, const unsigned char *from, size_t size)
{
    size_t head = head_of(offset, size);
    size_t done = check_bytes(key, offset, from, head);
    if (done < head) return done;
    for (; size - done >= WORD; done += WORD) {
        uint64_t expected = word_at(key, offset + done);
        if (memcmp(from + done, &expected, WORD) != 0) break;
    }
    return done + check_bytes(key, offset + done, from + done, size - done);
}

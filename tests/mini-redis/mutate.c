/* Runs a libFuzzer target over seed files and mutations of them, without libFuzzer: the seconds of
 * fuzzing that every test run has. usage: mutate SEED... */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 256, MUTATIONS = 5000 };

static uint32_t state = 1;

static uint32_t next(uint32_t bound)
{
    state = state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (state >> 8) % bound;
}

/* Changes, removes or repeats some bytes. Returns: the new size. */
static size_t mutate(uint8_t *data, size_t size)
{
    static const char bytes[] = "*$\r\n0123456789-'\"\\x \t";
    for (uint32_t changes = next(4) + 1; changes; changes--) {
        size_t at = next((uint32_t)size);
        if (next(3) == 0 && size > 2) {
            memmove(data + at, data + at + 1, --size - at);
        } else if (next(3) == 0 && size < MOST) {
            memmove(data + at + 1, data + at, size++ - at);
        } else {
            data[at] = (uint8_t)bytes[next(sizeof bytes)];
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint8_t seed[MOST], data[MOST];
        FILE *file = fopen(argv[i], "rb");
        if (!file) return 1;
        size_t size = fread(seed, 1, sizeof seed, file);
        fclose(file);
        LLVMFuzzerTestOneInput(seed, size);
        for (int k = 0; k < MUTATIONS; k++) {
            memcpy(data, seed, size);
            LLVMFuzzerTestOneInput(data, mutate(data, size));
        }
    }
    return 0;
}

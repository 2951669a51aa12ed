// edo-stress: short 1
/* Decoders with mutations of good input, and of what the mutations gave: see codec/fuzz.h. Where
 * clang is installed, script/fuzz does the same with libFuzzer, which follows the coverage. */
#include "codec/fuzz.h"
#include "stress/options.h"

enum { MOST = 700, POOL = 64 };

static struct input {
    int kind;
    size_t size;
    uint8_t data[MOST];
} pool[POOL];

static void fill_pool(void)
{
    for (int i = 0; i < POOL; i++) {
        const struct fuzz_seed *seed = &fuzz_seeds[i % FUZZ_SEEDS];
        pool[i] = (struct input){ .kind = seed->kind, .size = seed->size };
        memcpy(pool[i].data, seed->data, seed->size);
    }
}

/* Changes, inserts, removes or repeats some bytes. */
static void mutate(test_random *random, struct input *input)
{
    static const uint8_t values[] = { 0,   1,   2,   4,   5,   '\n', '\r', ':',
                                      ',', 'a', 'b', '0', '9', 0x7f, 0x80, 0xff };
    size_t at = input->size ? below(random, (unsigned)input->size) : 0;
    unsigned n = 1 + below(random, one_in(random, 4) ? 40 : 4);
    uint8_t value = one_in(random, 3) ? (uint8_t)below(random, 256)
                                      : values[below(random, sizeof values)];
    if (one_in(random, 3) && input->size) {
        input->data[at] = value;
    } else if (one_in(random, 2) && input->size + n <= MOST) {
        memmove(input->data + at + n, input->data + at, input->size - at);
        if (one_in(random, 2)) memset(input->data + at, value, n);
        input->size += n;
    } else if (n < input->size - at) {
        memmove(input->data + at, input->data + at + n, input->size - at - n);
        input->size -= n;
    }
}

int main(int argc, char **argv)
{
    int64_t end = edo_s(read_options(argc, argv, NULL, NULL)) + edo_now();
    test_random random = test_random_make(0);
    uint64_t count = 0;
    fill_pool();
    for (; edo_now() < end; count++) {
        struct input *input = &pool[below(&random, POOL)], before = *input;
        for (unsigned i = below(&random, 4); i-- > 0;)
            mutate(&random, input);
        fuzz_codec(input->kind, input->data, input->size);
        if (one_in(&random, 8)) *input = before;
        if (one_in(&random, 200)) fill_pool();
    }
    printf("%llu inputs\n", (unsigned long long)count);
    return 0;
}

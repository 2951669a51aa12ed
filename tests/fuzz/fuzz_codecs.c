/* libFuzzer's target for all decoders: the first byte of an input chooses the codec. EDO_FUZZ_SEEDS
 * names a folder to which the first inputs are written. See script/fuzz. */
#include "codec/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_seed(const char *folder, int number)
{
    char path[500];
    const struct fuzz_seed *seed = &fuzz_seeds[number];
    snprintf(path, sizeof path, "%s/seed-%d", folder, number);
    FILE *file = fopen(path, "w");
    if (!file) return;
    fputc(seed->kind, file);
    fwrite(seed->data, 1, seed->size, file);
    fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = getenv("EDO_FUZZ_SEEDS");
    (void)argc;
    (void)argv;
    for (int i = 0; folder && i < FUZZ_SEEDS; i++)
        write_seed(folder, i);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] < CODECS) fuzz_codec(data[0], data + 1, size - 1);
    return 0;
}

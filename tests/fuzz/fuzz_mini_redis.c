/* The parser of examples/mini-redis with input that arrives in pieces. The first byte is the size of
 * the pieces. The parser must find the same commands as in one piece. Seeds are in
 * mini_redis_seeds/. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sum over all commands, their arguments and the end. */
struct digest {
    uint64_t sum;
    int end; // of the last call
};

static void add(struct digest *digest, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    digest->sum = digest->sum * 31 + size;
    for (size_t i = 0; i < size; i++)
        digest->sum = digest->sum * 31 + bytes[i];
}

/* Parses the bytes in pieces. Each buffer is exactly as large as its bytes, so that a read behind
 * them is found. */
static struct digest parse(const uint8_t *data, size_t size, size_t piece)
{
    struct digest digest = { 0, 0 };
    struct parser parser;
    char *bytes = NULL;
    size_t have = 0, taken = 0;
    parser_init(&parser);
    while (digest.end >= 0 && taken < size) {
        size_t more = size - taken < piece ? size - taken : piece;
        char *larger = malloc(have + more);
        if (have) memcpy(larger, bytes, have);
        memcpy(larger + have, data + taken, more);
        free(bytes);
        bytes = larger;
        have += more;
        taken += more;
        while (have && (digest.end = parser_parse(&parser, bytes, have)) > 0) {
            for (size_t i = 0; i < parser.count; i++)
                add(&digest, parser.spans[i].data, parser.spans[i].size);
            assert(parser.at > 0 && parser.at <= have);
            have -= parser.at;
            memmove(bytes, bytes + parser.at, have);
            parser_next(&parser);
        }
    }
    assert(digest.end >= 0 || parser.error[0]);
    parser_deinit(&parser);
    free(bytes);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct digest whole = parse(data + 1, size - 1, size);
    struct digest pieces = parse(data + 1, size - 1, data[0] ? data[0] : 1);
    assert(whole.sum == pieces.sum);
    assert((whole.end < 0) == (pieces.end < 0));
    return 0;
}

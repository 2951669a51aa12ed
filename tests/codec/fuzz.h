/* Properties of a decoder for any bytes: the answers do not depend on the pieces in which the bytes
 * arrive, nor on the number of frames that are asked for at once, and a frame that is encoded again is decoded as the same frame. For libFuzzer
 * (tests/fuzz) and for random mutations (tests/stress). */
#pragma once

#include "codec/codecs.h"

/* Inputs to begin with. */
static const struct fuzz_seed {
    int kind;
    uint32_t size;
    const char *data;
} fuzz_seeds[] = {
#define SEED(kind, text)                                                                           \
    {                                                                                              \
        kind, sizeof text - 1, text                                                                \
    }
    SEED(LINES, "GET / HTTP/1.1\r\nHost: a\r\n\r\nlast"),
    SEED(LINES, "\n\n\r\n\r\r\n"),
    SEED(JSON_LINES, "{\"a\":[1,2]}\n\n\"\xc3\xa9\"\nnull\n"),
    SEED(ZERO_ENDED, "one\0two\0\0three"),
    SEED(DELIMITED, "xaaabyaabaab"),
    SEED(LENGTH_4, "\0\0\0\5hello\0\0\0\0\0\0\1\56"),
    SEED(LENGTH_1_LITTLE, "\5hello\0\3abc\377"),
    SEED(LENGTH_3_OFFSET, "hi\0\0\3abcho\0\0\0"),
    SEED(LENGTH_8_ADJUSTED, "\0\0\0\0\0\0\0\015hello\0\0\0\0\0\0\0\10"),
    SEED(NETSTRINGS, "5:hello,0:,301:"),
    SEED(COBS, "\3\1\2\2\3\0\1\0\0\5abcd\0"),
#undef SEED
};

enum { FUZZ_SEEDS = sizeof fuzz_seeds / sizeof *fuzz_seeds };

static inline void fuzz_require(bool is_so, const char *what)
{
    if (is_so) return;
    fprintf(stderr, "decoder: %s\n", what);
    abort();
}

/* Encodes a frame, and decodes it. Frames that the encoder refuses are left out: a part that was the
 * last one, without its delimiter, may be longer than allowed, or end with half of a delimiter. */
static inline void fuzz_again(int kind, const edo_slice *frame)
{
    any_codec codec;
    edo_buffer out = { NULL, 0, 0, NULL };
    edo_slice again;
    init_codec(&codec, kind);
    if (kind == LENGTH_3_OFFSET) return; // its frames contain the header
    bool ends_with_return = frame->size && ((const char *)frame->data)[frame->size - 1] == '\r';
    if (kind <= JSON_LINES && ends_with_return) return; // a part of the line's end
    if (edo_encode(&codec.codec, frame, &out) == 0) {
        int64_t result = edo_decode(&codec.codec, &out, &again);
        fuzz_require(result == 1 && again.size == frame->size, "another frame after encoding");
        fuzz_require(again.size == 0 || !memcmp(again.data, frame->data, again.size),
                     "other bytes after encoding");
        fuzz_require(out.size == 0, "bytes are left after the frame");
    }
    edo_buffer_deinit(&out);
}

static inline void fuzz_round_trips(int kind, const uint8_t *data, size_t size)
{
    any_codec codec;
    edo_buffer in = { NULL, 0, 0, NULL };
    edo_slice frame;
    int64_t result;
    init_codec(&codec, kind);
    if (edo_buffer_append(&in, data, size) < 0) abort();
    while ((result = edo_decode(&codec.codec, &in, &frame)) != 0 && !codec.codec.is_broken)
        if (result == 1) fuzz_again(kind, &frame);
    edo_buffer_deinit(&in);
}

static inline void fuzz_codec(int kind, const uint8_t *data, size_t size)
{
    static transcript whole, pieces;
    decode_pieces(kind, data, size, 1, 1, &whole);
    for (size_t piece = 2; piece < size + 2; piece += 1 + piece / 2) {
        decode_pieces(kind, data, size, piece, piece, &pieces);
        fuzz_require(!strcmp(whole.text, pieces.text), "other answers for other pieces");
    }
    decode_pieces(kind, data, size, size / 2 + 1, SIZE_MAX, &pieces);
    fuzz_require(!strcmp(whole.text, pieces.text), "other answers for two pieces");
    for (size_t at_once = 1; at_once <= MOST_AT_ONCE; at_once += 3) {
        pieces.at_once = at_once;
        decode_pieces(kind, data, size, size / 2 + 1, SIZE_MAX, &pieces);
        fuzz_require(!strcmp(whole.text, pieces.text), "other answers for several frames at once");
    }
    pieces.at_once = 0;
    fuzz_round_trips(kind, data, size);
}

/* Codecs for tests: one of each kind, and decoding of bytes in given pieces. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#include <edo/edo.h>

enum { CODEC_MOST = 300 };

typedef union any_codec {
    edo_codec codec;
    edo_raw_codec raw;
    edo_part_codec part;
    edo_length_codec length;
    edo_netstring_codec netstring;
    edo_cobs_codec cobs;
} any_codec;

enum {
    LINES,
    JSON_LINES,
    ZERO_ENDED,
    DELIMITED,
    LENGTH_4,
    LENGTH_1_LITTLE,
    LENGTH_3_OFFSET,
    LENGTH_8_ADJUSTED,
    NETSTRINGS,
    COBS,
    CODECS
};

static inline edo_length_options length_options(int kind)
{
    edo_length_options options = { .most = CODEC_MOST };
    if (kind == LENGTH_1_LITTLE)
        options = (edo_length_options){ .most = 200, .length_size = 1, .is_little = true };
    if (kind == LENGTH_3_OFFSET)
        options = (edo_length_options){
            .most = CODEC_MOST, .length_size = 3, .offset = 2, .skip = EDO_KEEP_HEADER
        };
    if (kind == LENGTH_8_ADJUSTED)
        options = (edo_length_options){ .most = CODEC_MOST, .length_size = 8, .adjustment = -8 };
    return options;
}

static inline void init_codec(any_codec *codec, int kind)
{
    edo_length_options options = length_options(kind);
    switch (kind) {
    case LINES: edo_line_codec_init(&codec->part, CODEC_MOST); break;
    case JSON_LINES: edo_json_line_codec_init(&codec->part, CODEC_MOST); break;
    case ZERO_ENDED: edo_zero_codec_init(&codec->part, CODEC_MOST); break;
    case DELIMITED: edo_part_codec_init(&codec->part, "aab", 3, CODEC_MOST); break;
    case NETSTRINGS: edo_netstring_codec_init(&codec->netstring, CODEC_MOST); break;
    case COBS: edo_cobs_codec_init(&codec->cobs, CODEC_MOST); break;
    default: edo_length_codec_init(&codec->length, &options);
    }
}

/* Answers of a decoder as text: each frame with its size and a hash, each error with its number. */
typedef struct transcript {
    char text[1 << 16];
    size_t size;
    size_t at_once; // most frames that are asked for in one call; 0: each has a call of its own
} transcript;

enum { MOST_AT_ONCE = 7 };

static inline uint64_t hash_of(const edo_slice *slice)
{
    uint64_t hash = 1469598103934665603u; // FNV-1a
    for (size_t i = 0; i < slice->size; i++)
        hash = (hash ^ ((const uint8_t *)slice->data)[i]) * 1099511628211u;
    return hash;
}

static inline void note_answer(transcript *to, int64_t result, const edo_slice *slice)
{
    if (to->size > sizeof to->text - 64) return;
    int n = result == 1 ? snprintf(to->text + to->size, 64, "%zu:%llx ", slice->size,
                                   (unsigned long long)hash_of(slice))
                        : snprintf(to->text + to->size, 64, "%lld ", (long long)result);
    to->size += (size_t)n;
}

/* Decodes several frames at once, if the codec can. Returns: whether it took any. */
static inline bool decode_many(edo_codec *codec, edo_buffer *in, transcript *to)
{
    edo_slice slices[MOST_AT_ONCE];
    if (to->at_once == 0 || !codec->ops->decode_many) return false;
    size_t before = in->size, count = codec->ops->decode_many(codec, in, slices, to->at_once);
    for (size_t i = 0; i < count; i++)
        note_answer(to, 1, &slices[i]);
    if (count > to->at_once || (count > 0) != (in->size < before)) abort();
    return count > 0;
}

/* Decodes what lies in the buffer. Returns: whether the decoder goes on. */
static inline bool decode_some(edo_codec *codec, edo_buffer *in, transcript *to)
{
    for (;;) {
        edo_slice slice;
        if (decode_many(codec, in, to)) continue;
        int64_t result = edo_decode(codec, in, &slice);
        if (result == 0) return true;
        note_answer(to, result, &slice);
        if (codec->is_broken) return false;
    }
}

/* Decodes bytes that arrive in pieces of `piece` bytes; the first one has `first` bytes. */
static inline void decode_pieces(int kind, const uint8_t *data, size_t size, size_t first,
                                 size_t piece, transcript *to)
{
    any_codec codec;
    edo_buffer in = { NULL, 0, 0, NULL };
    edo_slice slice;
    int64_t result = 1;
    bool goes_on = true;
    to->size = 0;
    to->text[0] = '\0';
    init_codec(&codec, kind);
    for (size_t at = 0, n; at < size && goes_on; at += n) {
        n = at == 0 ? first : piece;
        if (n > size - at) n = size - at;
        if (edo_buffer_append(&in, data + at, n) < 0) abort();
        goes_on = in.size < codec.codec.wants || decode_some(&codec.codec, &in, to);
    }
    while (goes_on && result != 0) {
        result = edo_decode_end(&codec.codec, &in, &slice);
        if (result != 0) note_answer(to, result, &slice);
        goes_on = !codec.codec.is_broken;
    }
    edo_buffer_deinit(&in);
}

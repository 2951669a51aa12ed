/* Codecs of parts that end with a delimiter, such as lines and strings, and of raw bytes. */
#include "codec/codec.h"

#include <edo/buffered.h>

static edo_part_codec *part_of(edo_codec *codec)
{
    return (edo_part_codec *)(void *)codec;
}

/* ---- searching ---- */

/* Returns: the offset of the delimiter; in->size: there is none. If there is none, the next search
 * begins at the last bytes of the buffer, because they may be the beginning of a delimiter. */
static edo__always_inline size_t find(edo_part_codec *part, const edo_buffer *in)
{
    size_t at = part->codec.scanned, size = part->delimiter_size;
    if (in->size == 0) return 0; // in->data may be NULL
    const uint8_t *found = size == 1 ? memchr(in->data + at, part->delimiter[0], in->size - at)
                                     : memmem(in->data + at, in->size - at, part->delimiter, size);
    if (found) return (size_t)(found - in->data);
    part->codec.scanned = in->size < size ? 0 : in->size - (size - 1);
    return in->size;
}

/* Drops a refused part, up to and including the delimiter. If there is no delimiter, drops all
 * bytes except those that may begin a delimiter. Returns: whether the delimiter was dropped. */
static bool skip(edo_part_codec *part, edo_buffer *in)
{
    size_t place = find(part, in);
    part->codec.skips = place == in->size;
    size_t size = part->codec.skips ? part->codec.scanned : place + part->delimiter_size;
    edo__drop_front(&part->codec, in, size);
    return !part->codec.skips;
}

/* ---- decoding ---- */

/* Whether the part is too long. Called while its delimiter has not arrived. The last bytes of the
 * buffer may be the beginning of the delimiter. Such bytes do not count. */
static bool is_too_long(const edo_part_codec *part, const edo_buffer *in)
{
    size_t extra = part->delimiter_size - 1u;
    if (part->is_line) extra = in->size && in->data[in->size - 1] == '\r';
    return in->size > extra && in->size - extra > part->most;
}

/* Takes a part of `size` bytes, and its delimiter. end: size of the delimiter; 0 for a last part
 * without a delimiter. Returns: 1; 0: the part is an empty text, which is skipped; a negative
 * errno. */
static edo__always_inline int64_t take(edo_part_codec *part, edo_buffer *in, size_t size,
                                       size_t end, edo_slice *ret_slice)
{
    uint8_t *data = in->data;
    edo__drop_front(&part->codec, in, size + end);
    if (part->is_line && end && size && data[size - 1] == '\r') size--;
    if (size > part->most) return -EMSGSIZE;
    if (part->is_text && size == 0) return 0;
    if (part->is_text && !edo_is_utf8(data, size)) return -EILSEQ;
    *ret_slice = (edo_slice){ data, size };
    return 1;
}

static int64_t part_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    edo_part_codec *part = part_of(codec);
    for (;;) {
        if (codec->skips && !skip(part, in)) return 0;
        size_t place = find(part, in);
        if (place == in->size) break;
        int64_t result = take(part, in, place, part->delimiter_size, ret_item);
        if (result != 0) return result;
    }
    if (!is_too_long(part, in)) return 0;
    (void)skip(part, in);
    return -EMSGSIZE;
}

/* Whether take() takes a part as an item. */
static inline bool is_item(const edo_part_codec *part, const uint8_t *data, size_t size)
{
    if (part->is_line && size && data[size - 1] == '\r') size--;
    if (size > part->most) return false;
    return !part->is_text || (size > 0 && edo_is_utf8(data, size));
}

static size_t part_decode_many(edo_codec *codec, edo_buffer *in, void *ret_items, size_t most)
{
    edo_part_codec *part = part_of(codec);
    edo_slice *slices = ret_items;
    size_t count = 0;
    if (codec->skips) return 0;
    while (count < most) {
        size_t place = find(part, in);
        if (place == in->size || !is_item(part, in->data, place)) break;
        (void)take(part, in, place, part->delimiter_size, &slices[count++]);
    }
    return count;
}

static int64_t part_decode_end(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    edo_part_codec *part = part_of(codec);
    bool skips = codec->skips;
    if (part->is_strict && !skips) return 0;
    if (!skips) return take(part, in, in->size, 0, ret_item);
    edo__drop_front(codec, in, in->size);
    codec->skips = false;
    return 0;
}

/* ---- encoding ---- */

/* Whether the peer would find a delimiter inside the item. */
static bool has_delimiter(const edo_part_codec *part, const edo_slice *slice)
{
    if (slice->size == 0) return false;
    if (part->delimiter_size == 1) return memchr(slice->data, part->delimiter[0], slice->size);
    return memmem(slice->data, slice->size, part->delimiter, part->delimiter_size);
}

/* Whether the peer would find a delimiter that begins before the appended delimiter. For example,
 * if the item is "a" and the delimiter is "aa", the first "aa" begins in the item. */
static bool ends_too_early(const edo_part_codec *part, const edo_buffer *out, size_t size)
{
    size_t end = part->delimiter_size;
    if (end == 1) return false;
    const uint8_t *first = out->data + out->size - end - size;
    return memmem(first, size + end, part->delimiter, end) != first + size;
}

static int64_t part_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_part_codec *part = part_of(codec);
    const edo_slice *slice = item;
    if (slice->size > part->most) return -EMSGSIZE;
    if (has_delimiter(part, slice)) return -EINVAL;
    if (part->is_text && slice->size == 0) return -EINVAL;
    if (part->is_text && !edo_is_utf8(slice->data, slice->size)) return -EILSEQ;
    int rc = edo__make_room(out, slice->size + part->delimiter_size);
    if (rc < 0) return rc;
    uint8_t *tail = edo_buffer_tail(out);
    if (slice->size) memcpy(tail, slice->data, slice->size);
    memcpy(tail + slice->size, part->delimiter, part->delimiter_size);
    size_t before = out->size;
    out->size += slice->size + part->delimiter_size;
    if (!ends_too_early(part, out, slice->size)) return 0;
    out->size = before;
    return -EINVAL;
}

static size_t part_encode_many(edo_codec *codec, const void *items, size_t count, edo_buffer *out,
                               size_t boundary)
{
    const edo_slice *slices = items;
    size_t i = 0;
    while (i < count && part_encode(codec, &slices[i], out) == 0) {
        i++;
        if (out->size >= boundary) break;
    }
    return i;
}

/* ---- initialisation ---- */

void edo_part_codec_init(edo_part_codec *codec, const void *delimiter, size_t size, size_t most)
{
    static const edo_codec_ops ops = { .name = "parts",
                                       .decode = part_decode,
                                       .decode_end = part_decode_end,
                                       .encode = part_encode,
                                       .decode_many = part_decode_many,
                                       .encode_many = part_encode_many,
                                       .item_size = sizeof(edo_slice) };
    if (size < 1 || size > sizeof codec->delimiter)
        edo__misuse("edo_part_codec_init", "a delimiter has 1 to %zu bytes",
                    sizeof codec->delimiter);
    *codec = (edo_part_codec){ .codec = EDO_CODEC_INIT(&ops),
                               .most = most,
                               .delimiter_size = (uint8_t)size };
    memcpy(codec->delimiter, delimiter, size);
}

void edo_line_codec_init(edo_line_codec *codec, size_t most)
{
    edo_part_codec_init(codec, "\n", 1, most);
    codec->is_line = true;
}

void edo_json_line_codec_init(edo_line_codec *codec, size_t most)
{
    edo_line_codec_init(codec, most);
    codec->is_text = true;
}

void edo_zero_codec_init(edo_part_codec *codec, size_t most)
{
    edo_part_codec_init(codec, "", 1, most);
}

/* ---- raw bytes ---- */

static int64_t raw_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    if (in->size == 0) return 0;
    *(edo_slice *)ret_item = (edo_slice){ in->data, in->size };
    edo__drop_front(codec, in, in->size);
    return 1;
}

static int64_t raw_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_slice *slice = item;
    (void)codec;
    return edo_buffer_append(out, slice->data, slice->size);
}

void edo_raw_codec_init(edo_raw_codec *codec)
{
    static const edo_codec_ops ops = { .name = "raw bytes",
                                       .decode = raw_decode,
                                       .encode = raw_encode,
                                       .item_size = sizeof(edo_slice) };
    *codec = (edo_raw_codec){ EDO_CODEC_INIT(&ops) };
}

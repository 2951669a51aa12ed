/* Frames with a binary length. The length comes from the peer, and may be any number. So each
 * addition to the length is checked for overflow, or is made after the length was compared with the
 * bound. No memory is allocated for a length. */
#include "codec/codec.h"

enum { MOST_OFFSET = 1024, DEFAULT_LENGTH_SIZE = 4, MOST_LENGTH_SIZE = 8 };

/* ---- lengths ---- */

static edo_length_codec *length_of(edo_codec *codec)
{
    return (edo_length_codec *)(void *)codec;
}

static edo__always_inline size_t header_size(const edo_length_options *options)
{
    return options->offset + options->length_size;
}

static edo__always_inline uint64_t load(const uint8_t *data, uint8_t size, bool is_little)
{
    uint64_t value = 0;
    if (size == DEFAULT_LENGTH_SIZE) {
        uint32_t word;
        edo__order_number(&word, data, sizeof word, is_little);
        return word;
    }
    for (uint8_t i = 0; i < size; i++)
        value = value << 8 | data[is_little ? size - 1 - i : i];
    return value;
}

static edo__always_inline void store(uint8_t *data, uint8_t size, bool is_little, uint64_t value)
{
    if (size == DEFAULT_LENGTH_SIZE) {
        uint32_t word = (uint32_t)value;
        edo__order_number(data, &word, sizeof word, is_little);
        return;
    }
    for (uint8_t i = 0; i < size; i++)
        data[is_little ? i : size - 1 - i] = (uint8_t)(value >> 8 * i);
}

/* Computes the payload's size from the value of the length field. Returns: the size, >= 0;
 * -EBADMSG: the size is negative or too large for an int64_t. */
static edo__always_inline int64_t payload_size(const edo_length_options *options, uint64_t value)
{
    int64_t size;
    if (value > INT64_MAX || __builtin_add_overflow((int64_t)value, options->adjustment, &size))
        return -EBADMSG;
    return size < 0 ? -EBADMSG : size;
}

/* Refuses a frame, and drops its bytes as they arrive. */
static int64_t refuse(edo_length_codec *length, edo_buffer *in, uint64_t payload, int error)
{
    if (__builtin_add_overflow(payload, header_size(&length->options), &length->rest))
        length->rest = UINT64_MAX;
    (void)edo__drop_rest(&length->codec, in, &length->rest);
    return error;
}

/* ---- one frame ----
 *
 * The functions from here to the heading "codecs" are compiled twice: once with the options of a
 * codec, and once with the options of the default form, which the compiler knows. */

static edo__always_inline int64_t decode(edo_length_codec *length,
                                         const edo_length_options *options, edo_buffer *in,
                                         edo_slice *ret_slice)
{
    edo_codec *codec = &length->codec;
    size_t header = header_size(options), skip = options->skip;
    if (edo__unlikely(codec->skips) && !edo__drop_rest(codec, in, &length->rest)) return 0;
    if (in->size < header) return 0;
    uint64_t value = load(in->data + options->offset, options->length_size, options->is_little);
    int64_t payload = payload_size(options, value);
    if (edo__unlikely(payload < 0)) return edo__break(codec, (int)payload);
    if (edo__unlikely((uint64_t)payload > options->most))
        return refuse(length, in, (uint64_t)payload, -EMSGSIZE);
    size_t total = header + (size_t)payload; // most + header does not overflow
    if (in->size < total) {
        codec->wants = total;
        return 0;
    }
    if (edo__unlikely(skip > total)) return refuse(length, in, (uint64_t)payload, -EBADMSG);
    *ret_slice = (edo_slice){ in->data + skip, total - skip };
    edo__drop_front(codec, in, total);
    return 1;
}

/* Sizes that the bound and the length field allow for a payload. If least > most, no size is
 * allowed. */
typedef struct payload_range {
    uint64_t least, most; // bytes
} payload_range;

static edo__always_inline payload_range range_of(const edo_length_options *options)
{
    int64_t adjustment = options->adjustment, largest;
    int64_t field = options->length_size == MOST_LENGTH_SIZE
                        ? INT64_MAX
                        : ((int64_t)1 << 8 * options->length_size) - 1;
    if (__builtin_add_overflow(field, adjustment, &largest)) largest = INT64_MAX;
    if (largest < 0) return (payload_range){ 1, 0 };
    uint64_t most = options->most < (uint64_t)largest ? options->most : (uint64_t)largest;
    return (payload_range){ adjustment > 0 ? (uint64_t)adjustment : 0, most };
}

/* Writes a frame. The item is at least `offset` bytes long. */
static edo__always_inline void write_frame(uint8_t *to, const edo_length_options *options,
                                           const edo_slice *item)
{
    const uint8_t *data = item->data;
    size_t offset = options->offset, payload = item->size - offset;
    if (offset) memcpy(to, data, offset);
    store(to + offset, options->length_size, options->is_little,
          payload - (uint64_t)options->adjustment);
    if (payload) memcpy(to + header_size(options), data + offset, payload);
}

static edo__always_inline int64_t encode(const edo_length_options *options, const edo_slice *item,
                                         edo_buffer *out)
{
    payload_range range = range_of(options);
    if (item->size < options->offset) return -EINVAL;
    size_t payload = item->size - options->offset;
    if (payload < range.least || payload > range.most) return -EMSGSIZE;
    int rc = edo__make_room(out, header_size(options) + payload);
    if (rc < 0) return rc;
    write_frame(edo_buffer_tail(out), options, item);
    out->size += header_size(options) + payload;
    return 0;
}

/* ---- several frames ---- */

/* The next frame is found only after the length of this frame was loaded. The constant part of the
 * distance, `step`, is computed before the loop, so that few additions follow the load. */
static edo__always_inline size_t decode_many(edo_length_codec *length,
                                             const edo_length_options *options, edo_buffer *in,
                                             edo_slice *slices, size_t most)
{
    size_t header = header_size(options), skip = options->skip, left = in->size, count = 0;
    uint64_t step = header + (uint64_t)options->adjustment;
    uint8_t *at = in->data;
    if (length->codec.skips) return 0;
    while (count < most && left >= header) {
        uint64_t value = load(at + options->offset, options->length_size, options->is_little);
        int64_t payload = payload_size(options, value);
        if (payload < 0 || (uint64_t)payload > options->most) break;
        size_t total = header + (size_t)payload;
        if (left < total || skip > total) break;
        slices[count++] = (edo_slice){ at + skip, total - skip };
        left -= total;
        at += (size_t)(value + step);
    }
    if (count) edo__drop_front(&length->codec, in, in->size - left);
    return count;
}

/* Encodes items until the buffer has `boundary` bytes, or until an item cannot be encoded. An item
 * shorter than `offset` cannot be encoded. Its `payload` wraps around to a number above every
 * bound, which ends the loop. */
static edo__always_inline size_t encode_many(const edo_length_options *options,
                                             const edo_slice *items, size_t count, edo_buffer *out,
                                             size_t boundary)
{
    payload_range range = range_of(options);
    size_t header = header_size(options), size = out->size, i = 0;
    while (i < count && (i == 0 || size < boundary)) {
        size_t payload = items[i].size - options->offset, total = header + payload;
        if (payload < range.least || payload > range.most) break;
        if (edo__unlikely(out->capacity - size < total)) {
            out->size = size;
            if (edo_buffer_reserve(out, total) < 0) break;
        }
        write_frame(out->data + size, options, &items[i]);
        size += total;
        i++;
    }
    out->size = size;
    return i;
}

/* ---- codecs ---- */

static int64_t length_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    edo_length_codec *length = length_of(codec);
    return decode(length, &length->options, in, ret_item);
}

static int64_t length_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    return encode(&length_of(codec)->options, item, out);
}

static size_t length_decode_many(edo_codec *codec, edo_buffer *in, void *ret_items, size_t most)
{
    const edo_length_options options = length_of(codec)->options;
    return decode_many(length_of(codec), &options, in, ret_items, most);
}

static size_t length_encode_many(edo_codec *codec, const void *items, size_t count, edo_buffer *out,
                                 size_t boundary)
{
    const edo_length_options options = length_of(codec)->options;
    return encode_many(&options, items, count, out, boundary);
}

/* Bytes that are left at the end of the input are an incomplete frame. */
static int64_t length_decode_end(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    (void)codec;
    (void)in;
    (void)ret_item;
    return 0;
}

/* The default form: a length of 4 bytes in big-endian order, then the item. */
static edo__always_inline edo_length_options default_form(const edo_codec *codec)
{
    const edo_length_codec *length = (const edo_length_codec *)(const void *)codec;
    return (edo_length_options){ .most = length->options.most,
                                 .length_size = DEFAULT_LENGTH_SIZE,
                                 .skip = DEFAULT_LENGTH_SIZE };
}

static bool has_default_form(const edo_length_options *options)
{
    return options->length_size == DEFAULT_LENGTH_SIZE && options->skip == DEFAULT_LENGTH_SIZE &&
           !options->is_little && options->adjustment == 0 && options->offset == 0;
}

static int64_t default_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    const edo_length_options options = default_form(codec);
    return decode(length_of(codec), &options, in, ret_item);
}

static int64_t default_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_length_options options = default_form(codec);
    return encode(&options, item, out);
}

static size_t default_decode_many(edo_codec *codec, edo_buffer *in, void *ret_items, size_t most)
{
    const edo_length_options options = default_form(codec);
    return decode_many(length_of(codec), &options, in, ret_items, most);
}

static size_t default_encode_many(edo_codec *codec, const void *items, size_t count,
                                  edo_buffer *out, size_t boundary)
{
    const edo_length_options options = default_form(codec);
    return encode_many(&options, items, count, out, boundary);
}

static const edo_codec_ops length_ops = { .name = "frames with a length",
                                          .decode = length_decode,
                                          .decode_end = length_decode_end,
                                          .encode = length_encode,
                                          .decode_many = length_decode_many,
                                          .encode_many = length_encode_many,
                                          .item_size = sizeof(edo_slice) };

static const edo_codec_ops default_ops = { .name = "frames with a length",
                                           .decode = default_decode,
                                           .decode_end = length_decode_end,
                                           .encode = default_encode,
                                           .decode_many = default_decode_many,
                                           .encode_many = default_encode_many,
                                           .item_size = sizeof(edo_slice) };

void edo_length_codec_init(edo_length_codec *codec, const edo_length_options *options)
{
    *codec = (edo_length_codec){ .codec = EDO_CODEC_INIT(&length_ops) };
    edo_length_options *own = &codec->options;
    if (options) *own = *options;
    if (own->most == 0) own->most = EDO_FRAME_MOST;
    if (own->length_size == 0) own->length_size = DEFAULT_LENGTH_SIZE;
    if (own->length_size > MOST_LENGTH_SIZE || own->offset > MOST_OFFSET)
        edo__misuse("edo_length_codec_init", "a length field of 1 to %d bytes, behind at most %d",
                    MOST_LENGTH_SIZE, MOST_OFFSET);
    if (own->most > SIZE_MAX - MOST_OFFSET - MOST_LENGTH_SIZE)
        own->most = SIZE_MAX - MOST_OFFSET - MOST_LENGTH_SIZE;
    if (own->skip == 0)
        own->skip = (uint32_t)header_size(own);
    else if (own->skip == EDO_KEEP_HEADER)
        own->skip = 0;
    if (has_default_form(own)) codec->codec.ops = &default_ops;
}

/* Frames with a length: binary lengths, and netstrings. A length comes from the peer. So a length
 * is compared with the bound before anything is added to the length, and no memory is allocated
 * because of a length. */
#include "codec/codec.h"

enum { MOST_OFFSET = 1024, DEFAULT_LENGTH_SIZE = 4, MOST_LENGTH_SIZE = 8 };

/* ---- binary lengths ---- */

static edo_length_codec *length_of(edo_codec *codec)
{
    return (edo_length_codec *)(void *)codec;
}

static size_t header_size(const edo_length_options *options)
{
    return options->offset + options->length_size;
}

static uint64_t load(const uint8_t *data, uint8_t size, bool is_little)
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

static void store(uint8_t *data, uint8_t size, bool is_little, uint64_t value)
{
    if (size == DEFAULT_LENGTH_SIZE) {
        uint32_t word = (uint32_t)value;
        edo__order_number(data, &word, sizeof word, is_little);
        return;
    }
    for (uint8_t i = 0; i < size; i++)
        data[is_little ? i : size - 1 - i] = (uint8_t)(value >> 8 * i);
}

/* Computes the payload's size from the value of the length field. Returns: the size; -EBADMSG: the
 * size is below 0 or above INT64_MAX. */
static int64_t payload_size(const edo_length_options *options, uint64_t value)
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

static int64_t length_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    edo_length_codec *length = length_of(codec);
    const edo_length_options *options = &length->options;
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
    *(edo_slice *)ret_item = (edo_slice){ in->data + skip, total - skip };
    edo__drop_front(codec, in, total);
    return 1;
}

/* Bytes that remain at the end are not a frame. Bytes of a refused frame do not remain, because
 * length_decode() drops them. */
static int64_t length_decode_end(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    (void)codec;
    (void)in;
    (void)ret_item;
    return 0;
}

/* Computes the value of the length field for a payload. Returns: false: the field or the bound is
 * too small. */
static bool field_value(const edo_length_options *options, size_t payload, uint64_t *ret_value)
{
    int64_t value;
    if (payload > options->most || payload > INT64_MAX) return false;
    if (__builtin_sub_overflow((int64_t)payload, options->adjustment, &value) || value < 0)
        return false;
    *ret_value = (uint64_t)value;
    return options->length_size == MOST_LENGTH_SIZE || *ret_value >> 8 * options->length_size == 0;
}

static int64_t length_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_length_options *options = &length_of(codec)->options;
    const edo_slice *slice = item;
    const uint8_t *data = slice->data;
    uint64_t value;
    if (slice->size < options->offset) return -EINVAL;
    size_t payload = slice->size - options->offset;
    if (!field_value(options, payload, &value)) return -EMSGSIZE;
    int rc = edo__make_room(out, header_size(options) + payload);
    if (rc < 0) return rc;
    uint8_t *tail = edo_buffer_tail(out);
    if (options->offset) memcpy(tail, data, options->offset);
    store(tail + options->offset, options->length_size, options->is_little, value);
    if (payload) memcpy(tail + header_size(options), data + options->offset, payload);
    out->size += header_size(options) + payload;
    return 0;
}

void edo_length_codec_init(edo_length_codec *codec, const edo_length_options *options)
{
    static const edo_codec_ops ops = { .name = "frames with a length",
                                       .decode = length_decode,
                                       .decode_end = length_decode_end,
                                       .encode = length_encode,
                                       .item_size = sizeof(edo_slice) };
    *codec = (edo_length_codec){ .codec = EDO_CODEC_INIT(&ops) };
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
}

/* ---- netstrings ---- */

enum { MOST_DIGITS = 19 }; // digits of INT64_MAX

/* Reads the number and the colon. Returns: bytes of both; 0: more bytes are needed; -EBADMSG. */
static int64_t read_number(const edo_buffer *in, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < in->size; i++) {
        uint8_t byte = in->data[i];
        if (byte == ':' && i > 0) {
            *ret_number = number;
            return (int64_t)i + 1;
        }
        bool is_digit = byte >= '0' && byte <= '9', has_leading_zero = i == 1 && number == 0;
        if (!is_digit || has_leading_zero || i == MOST_DIGITS - 1) return -EBADMSG;
        number = number * 10 + (byte - '0');
    }
    return 0;
}

static int64_t netstring_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    edo_netstring_codec *self = (edo_netstring_codec *)(void *)codec;
    uint64_t size;
    if (codec->skips && !edo__drop_rest(codec, in, &self->rest)) return 0;
    int64_t head = read_number(in, &size);
    if (head <= 0) return head < 0 ? edo__break(codec, (int)head) : 0;
    if (size > self->most) {
        self->rest = (uint64_t)head + size + 1;
        (void)edo__drop_rest(codec, in, &self->rest);
        return -EMSGSIZE;
    }
    size_t total = (size_t)head + (size_t)size + 1;
    if (in->size < total) {
        codec->wants = total;
        return 0;
    }
    if (in->data[total - 1] != ',') return edo__break(codec, -EBADMSG);
    *(edo_slice *)ret_item = (edo_slice){ in->data + head, (size_t)size };
    edo__drop_front(codec, in, total);
    return 1;
}

static int64_t netstring_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_netstring_codec *self = (const edo_netstring_codec *)(const void *)codec;
    const edo_slice *slice = item;
    if (slice->size > self->most) return -EMSGSIZE;
    int rc = edo_buffer_reserve(out, slice->size + MOST_DIGITS + 2);
    if (rc == 0) rc = edo_buffer_printf(out, "%zu:", slice->size);
    if (rc == 0) rc = edo_buffer_append(out, slice->data, slice->size);
    return rc == 0 ? edo_buffer_append(out, ",", 1) : rc;
}

void edo_netstring_codec_init(edo_netstring_codec *codec, size_t most)
{
    static const edo_codec_ops ops = { .name = "netstrings",
                                       .decode = netstring_decode,
                                       .encode = netstring_encode,
                                       .item_size = sizeof(edo_slice) };
    *codec = (edo_netstring_codec){ .codec = EDO_CODEC_INIT(&ops), .most = most };
    if (codec->most > SIZE_MAX / 2) codec->most = SIZE_MAX / 2;
}

/* Netstrings. A length comes from the peer, as in length.c. */
#include "codec/codec.h"

enum { MOST_DIGITS = 19 }; // INT64_MAX has 19 digits

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

/* COBS. An encoded packet is a sequence of blocks, followed by a zero byte. A block is a code byte
 * n, from 1 to 255, followed by n - 1 bytes that are not zero. The decoded packet has a zero byte
 * after the bytes of each block, except after the last block and after blocks with n = 255. */
#include "codec/codec.h"

enum { FULL = 255 };

static edo_cobs_codec *cobs_of(edo_codec *codec)
{
    return (edo_cobs_codec *)(void *)codec;
}

/* Greatest encoded size of a packet of `size` bytes, without the zero byte at the end. */
static size_t encoded_most(size_t size)
{
    size_t blocks = size / (FULL - 1) + 1;
    return size > SIZE_MAX - blocks ? SIZE_MAX : size + blocks;
}

/* Decodes a packet in place. Returns: size of the decoded packet; -EBADMSG. */
static int64_t unpack(uint8_t *data, size_t size)
{
    size_t from = 0, to = 0;
    while (from < size) {
        uint8_t code = data[from++];
        if (code == 0 || (size_t)code - 1 > size - from) return -EBADMSG;
        memmove(data + to, data + from, code - 1u);
        from += code - 1u;
        to += code - 1u;
        if (code != FULL && from < size) data[to++] = 0;
    }
    return (int64_t)to;
}

/* Drops the bytes of a refused packet from the buffer. Returns: whether the buffer had the end of
 * the packet. */
static bool skip(edo_codec *codec, edo_buffer *in)
{
    const uint8_t *end = memchr(in->data, 0, in->size);
    edo__drop_front(codec, in, end ? (size_t)(end - in->data) + 1 : in->size);
    codec->skips = !end;
    return end;
}

/* Takes a packet of `size` encoded bytes, and the zero byte after it. First checks the number of
 * encoded bytes, then the bytes themselves. Returns: 1; 0: the packet is empty; -EMSGSIZE: the
 * packet is too long; -EBADMSG: the bytes are invalid. */
static int64_t take(edo_codec *codec, edo_buffer *in, size_t size, edo_slice *ret_slice)
{
    uint8_t *data = in->data;
    size_t most = cobs_of(codec)->most;
    edo__drop_front(codec, in, size + 1);
    if (size == 0) return 0;
    if (size > encoded_most(most)) return -EMSGSIZE;
    int64_t unpacked = unpack(data, size);
    if (unpacked < 0) return unpacked;
    if ((size_t)unpacked > most) return -EMSGSIZE;
    *ret_slice = (edo_slice){ data, (size_t)unpacked };
    return 1;
}

static int64_t cobs_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    for (;;) {
        if (in->size == 0 || (codec->skips && !skip(codec, in)) || in->size == 0) return 0;
        const uint8_t *end = memchr(in->data + codec->scanned, 0, in->size - codec->scanned);
        if (!end) break;
        int64_t result = take(codec, in, (size_t)(end - in->data), ret_item);
        if (result != 0) return result;
    }
    codec->scanned = in->size;
    if (in->size <= encoded_most(cobs_of(codec)->most)) return 0;
    (void)skip(codec, in);
    return -EMSGSIZE;
}

static void pack(uint8_t *to, const uint8_t *data, size_t size, size_t *ret_size)
{
    size_t code_at = 0, at = 1;
    for (size_t i = 0; i < size; i++) {
        if (data[i]) to[at++] = data[i];
        bool is_full = at - code_at == FULL && i + 1 < size;
        if (data[i] && !is_full) continue;
        to[code_at] = (uint8_t)(at - code_at);
        code_at = at++;
    }
    to[code_at] = (uint8_t)(at - code_at);
    to[at++] = 0;
    *ret_size = at;
}

static int64_t cobs_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const edo_slice *slice = item;
    size_t size;
    if (slice->size > cobs_of(codec)->most) return -EMSGSIZE;
    int rc = edo_buffer_reserve(out, encoded_most(slice->size) + 1);
    if (rc < 0) return rc;
    pack(edo_buffer_tail(out), slice->data, slice->size, &size);
    out->size += size;
    return 0;
}

void edo_cobs_codec_init(edo_cobs_codec *codec, size_t most)
{
    static const edo_codec_ops ops = {
        .name = "COBS", .decode = cobs_decode, .encode = cobs_encode, .item_size = sizeof(edo_slice)
    };
    *codec = (edo_cobs_codec){ EDO_CODEC_INIT(&ops), most < SIZE_MAX / 2 ? most : SIZE_MAX / 2 };
}

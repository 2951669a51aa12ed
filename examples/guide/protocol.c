/* A protocol of its own: a table of numbers that is read and written over a connection. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: codec */
/* A message: 1 byte kind, 1 byte length of the key, 4 bytes value, the key. */
enum { GET = 'G', SET = 'S', VALUE = 'V', HEAD = 6, MOST_KEY = 31 };

struct message {
    char kind;
    uint32_t value;
    char key[MOST_KEY + 1];
};

static int64_t decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    struct message *message = ret_item;
    if (in->size < HEAD) return 0; // more bytes are needed
    size_t length = in->data[1];
    if (length > MOST_KEY || !strchr("GSV", in->data[0])) {
        codec->is_broken = true; // the next message cannot be found
        return -EBADMSG;
    }
    if (in->size < HEAD + length) return 0;
    *message = (struct message){ (char)in->data[0], edo_load_u32(in->data + 2), "" };
    memcpy(message->key, in->data + HEAD, length);
    return edo_buffer_advance(in, HEAD + length) == 0;
}

static int64_t encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    const struct message *message = item;
    size_t length = strlen(message->key);
    (void)codec;
    int rc = edo_buffer_reserve(out, HEAD + length); // all or nothing
    if (rc < 0) return rc;
    uint8_t *tail = edo_buffer_tail(out);
    tail[0] = (uint8_t)message->kind;
    tail[1] = (uint8_t)length;
    edo_store_u32(tail + 2, message->value);
    memcpy(tail + HEAD, message->key, length);
    return edo_buffer_commit(out, HEAD + length);
}

static const edo_codec_ops table_protocol = {
    .name = "table", .decode = decode, .encode = encode, .item_size = sizeof(struct message)
};
/* end: codec */

/* region: server */
struct serve {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_codec codec;
    edo_framed_of(struct message) peer;
    struct message message;
    uint32_t table[256]; // by the first byte of the key
};

edo_async(serve)
{
    edo_body {
        int64_t rc;
        memset(self->table, 0, sizeof self->table);
        self->codec = (edo_codec)EDO_CODEC_INIT(&table_protocol);
        edo_framed_init(&self->peer, self->conn, &self->codec);
        edo_for_each(rc, &self->peer.in, &self->message) {
            uint32_t *entry = &self->table[(uint8_t)self->message.key[0]];
            if (self->message.kind == SET) *entry = self->message.value;
            self->message.kind = VALUE;
            self->message.value = *entry;
            edo_try_or(close, edo_sink_send(&self->peer.out, &self->message));
            if (edo_frames_rest(&self->peer.in).size) continue; // more to answer: one write for all
            edo_try_or(close, edo_sink_flush(&self->peer.out));
        }
        edo_check_or(close, rc);
close:
        edo_framed_deinit(&self->peer);
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: server */

struct ask {
    edo_frame();
    edo_args();
    edo_io *near, *far;
    edo_task *server;
    edo_codec codec;
    edo_framed_of(struct message) peer;
    struct message message;
    int i;
};

edo_async(ask)
{
    static const struct message questions[] = {
        { SET, 12, "apples" }, { SET, 7, "pears" }, { GET, 0, "apples" }, { GET, 0, "nuts" }
    };
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(4096, &self->near, &self->far));
        edo_check(edo_spawn(&self->server, serve, .conn = self->far));
        self->codec = (edo_codec)EDO_CODEC_INIT(&table_protocol);
        edo_framed_init(&self->peer, self->near, &self->codec);
        for (self->i = 0; self->i < 4; self->i++) {
            edo_await(rc, edo_sink_send(&self->peer.out, &questions[self->i]));
            edo_check(rc);
        }
        edo_try(edo_sink_close(&self->peer.out));
        edo_try(edo_shutdown_write(self->near));
        edo_for_each(rc, &self->peer.in, &self->message)
            printf("%s: %u\n", self->message.key, self->message.value);
        edo_framed_deinit(&self->peer);
        edo_close(self->near);
        edo_await(rc, edo_join(self->server));
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(ask);
}

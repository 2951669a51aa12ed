#include "load_internal.h"
#include "load_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    SEND_CHUNK = 64 * 1024,
    RECEIVE_CHUNK = 256 * 1024,
};

static const unsigned char *outgoing(const struct load_client *client, const struct load_conn *conn,
                                     size_t size)
{
    static unsigned char chunk[SEND_CHUNK]; // stays zero when nothing is verified
    if (client->options->verify) load_stream_fill(conn->key, conn->sent, chunk, size);
    return chunk;
}

void load_send_allowed(struct load_client *client, struct load_conn *conn)
{
    while (conn->sent < conn->allowed) {
        uint64_t left = conn->allowed - conn->sent;
        size_t size = left < SEND_CHUNK ? (size_t)left : SEND_CHUNK;
        ssize_t sent = send(conn->fd, outgoing(client, conn, size), size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            load_fail_lost(client, conn, errno);
            return;
        }
        conn->sent += (uint64_t)sent;
    }
    load_watch(client, conn, EPOLLIN | (conn->sent < conn->allowed ? EPOLLOUT : 0u));
}

static void allow_message(struct load_client *client, struct load_conn *conn)
{
    conn->allowed += client->options->message_bytes;
    client->outstanding += client->options->message_bytes;
}

void load_start_messages(struct load_client *client, struct load_conn *conn, unsigned count)
{
    uint64_t now = load_now();
    uint64_t first = conn->allowed / client->options->message_bytes;
    for (unsigned i = 0; i < count; i++) {
        conn->started[(first + i) % client->options->pipeline] = now;
        allow_message(client, conn);
    }
    load_send_allowed(client, conn);
}

void load_client_start(struct load_client *client)
{
    for (unsigned i = 0; i < client->count; i++) {
        if (client->conns[i].state == LOAD_OPEN)
            load_start_messages(client, &client->conns[i], client->options->pipeline);
    }
}

void load_finish_if_idle(struct load_client *client, struct load_conn *conn)
{
    if (conn->state != LOAD_OPEN || conn->received < conn->allowed) return;
    conn->state = LOAD_FINISHING;
    if (shutdown(conn->fd, SHUT_WR) < 0) load_fail_lost(client, conn, errno);
}

/* Whether these bytes are those that were sent; counts them if so. */
static bool verify(struct load_client *client, struct load_conn *conn, const unsigned char *bytes,
                   size_t size)
{
    size_t good = load_stream_check(conn->key, conn->received, bytes, size);
    client->verified += good;
    if (good == size) return true;
    uint64_t offset = conn->received + good;
    load_fail(client, conn, LOAD_MISMATCH, "offset %" PRIu64 ": expected 0x%02x, received 0x%02x",
              offset, load_stream_byte(conn->key, offset), bytes[good]);
    return false;
}

/* Ends each message whose last byte lies between the offsets `before` and `received`. The message
 * that follows number m by renewal is m + pipeline, so it takes over its place in the ring. */
static void end_messages(struct load_client *client, struct load_conn *conn, uint64_t before)
{
    uint64_t now = load_now();
    uint64_t size = client->options->message_bytes;
    uint64_t end = conn->received / size;
    for (uint64_t message = before / size; message < end; message++) {
        uint64_t *started = &conn->started[message % client->options->pipeline];
        if (client->measuring) load_histogram_record(&client->latency, now - *started);
        client->requests++;
        *started = now;
        if (client->renew || conn->allowed <= conn->owes) allow_message(client, conn);
    }
    client->last_heard = now;
}

static void end_greeting(struct load_client *client, struct load_conn *conn)
{
    conn->state = LOAD_OPEN;
    client->connecting--;
    client->open++;
}

static void take(struct load_client *client, struct load_conn *conn, const unsigned char *bytes,
                 size_t size)
{
    uint64_t before = conn->received;
    if (size > conn->sent - before) {
        load_fail(client, conn, LOAD_MISMATCH, "offset %" PRIu64 ": more bytes than were sent",
                  conn->sent);
        return;
    }
    if (client->options->verify && !verify(client, conn, bytes, size)) return;
    conn->received += size;
    client->outstanding -= size;
    end_messages(client, conn, before);
    if (conn->state == LOAD_GREETING && conn->received == conn->allowed) end_greeting(client, conn);
    if (conn->sent < conn->allowed && !(conn->events & EPOLLOUT)) load_send_allowed(client, conn);
    if (client->finishing) load_finish_if_idle(client, conn);
}

static void take_end(struct load_client *client, struct load_conn *conn)
{
    client->last_heard = load_now();
    if (conn->state != LOAD_FINISHING) {
        load_fail(client, conn, LOAD_LOST,
                  "closed by the server after %" PRIu64 " bytes sent and %" PRIu64 " received",
                  conn->sent, conn->received);
        return;
    }
    client->finished++;
    load_drop(client, conn);
}

void load_receive(struct load_client *client, struct load_conn *conn)
{
    static unsigned char chunk[RECEIVE_CHUNK];
    ssize_t size = recv(conn->fd, chunk, sizeof chunk, 0);
    if (size > 0)
        take(client, conn, chunk, (size_t)size);
    else if (size == 0)
        take_end(client, conn);
    else if (errno != EAGAIN)
        load_fail_lost(client, conn, errno);
}

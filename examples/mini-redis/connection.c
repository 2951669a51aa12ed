/* The loop of a connection: read, execute all that is complete, write all replies at once. */
#include "connection.h"

#include "aof.h"
#include "config.h"
#include "hand_over.h"
#include "server.h"

enum {
    READ_SIZE = 16 * 1024,       // bytes, at least, of room for a read
    KEPT_BUFFER = 64 * 1024,     // bytes of a buffer that an idle client keeps
    BLOCKED_INPUT = 1024 * 1024, // bytes that are read ahead while a client is blocked
    WRITE_PIECE = 1024 * 1024,   // bytes that must be written within the time limit
    LAST_REPLIES = 2,            // s, for the last commands and replies, less than the server waits
};

/* ---- reading ---- */

/* Makes room for more input: for the rest of an argument, but not for more than has come already,
 * so that memory follows the bytes received. */
static void make_room(struct client *client)
{
    size_t have = client->input.size, needs = parser_needs(&client->parser);
    size_t room = needs > have ? needs - have : 0;
    if (room > have) room = have;
    if (room < READ_SIZE) room = READ_SIZE;
    if (edo_buffer_room(&client->input) >= READ_SIZE / 4 && room == READ_SIZE) return;
    if (edo_buffer_reserve(&client->input, room) < 0) client->closes = true;
}

static edo_op read_more(struct client *client)
{
    make_room(client);
    return edo_read(client->conn, edo_buffer_tail(&client->input), edo_buffer_room(&client->input));
}

/* Returns: n for the next steps: > 0: input has come; else the connection ends. */
static int64_t note_read(struct client *client, int64_t n)
{
    if (n > 0) (void)edo_buffer_commit(&client->input, (size_t)n);
    return n > 0 ? n : n == 0 ? -EPIPE : n;
}

static int64_t idle_limit(void)
{
    return edo_s(__atomic_load_n(&config.timeout, __ATOMIC_RELAXED));
}

/* Waits for input. Answers 1: input or messages have come; else the connection ends. */
edo_async(read_input)
{
    edo_body {
        int64_t n;
        if (!client_has_mail_on(self->client)) {
            if (idle_limit() == 0)
                edo_await(n, read_more(self->client));
            else
                edo_await_for(n, idle_limit(), read_more(self->client));
            edo_return(note_read(self->client, n));
        }
        self->read = read_more(self->client);
        self->mail = edo_notified(&self->client->mailbox.ready);
        edo_select(n, &self->read.base, &self->mail.base);
        if (self->read.base.result != -ECANCELED)
            n = note_read(self->client, self->read.base.result);
        edo_return(n);
    }
}

/* ---- writing ---- */

static bool must_wait_for_log(const struct client *client)
{
    return (client->log_position && aof_is_safe(client->log_position) == 0) || aof_is_congested();
}

/* Replies to changes that may be lost must not be sent. */
static void refuse_replies(struct client *client)
{
    edo_buffer_truncate(&client->reply.bytes, 0);
    reply_error(&client->reply, "MISCONF Errors writing to the AOF file: %s",
                edo_strerror(aof_error()));
    client->closes = true;
}

/* Drops the replies that were written. A cancelled write leaves a rest, for the last write. */
static void forget_replies(struct client *client, size_t written)
{
    edo_buffer *bytes = &client->reply.bytes;
    if (written < bytes->size)
        edo_buffer_advance(bytes, written);
    else if (bytes->capacity > KEPT_BUFFER)
        edo_buffer_deinit(bytes);
    else
        edo_buffer_truncate(bytes, 0);
    if (client->input.size == 0 && client->input.capacity > KEPT_BUFFER)
        edo_buffer_deinit(&client->input);
}

static int64_t write_limit(void)
{
    return edo_s(__atomic_load_n(&config.write_timeout, __ATOMIC_RELAXED));
}

/* The next part of the replies: a client that reads a large reply slowly is not one that does not
 * read. */
static edo_op write_piece(const struct client *client, size_t at)
{
    const edo_buffer *bytes = &client->reply.bytes;
    size_t rest = bytes->size - at;
    return edo_write_all(client->conn, bytes->data + at, rest < WRITE_PIECE ? rest : WRITE_PIECE);
}

/* Writes all replies, when the log has the changes that they confirm. */
edo_async(write_replies)
{
    edo_body {
        int64_t rc = 0;
        struct client *client = self->client;
        for (;;) {
            self->progress = aof_progress();
            if (!must_wait_for_log(client)) break;
            edo_await_on(rc, &self->progress.base);
            if (rc < 0) edo_return(rc);
            client = self->client;
        }
        if (client->log_position && aof_is_safe(client->log_position) < 0) refuse_replies(client);
        client->log_position = 0;
        self->written = 0;
        while (rc >= 0 && self->written < self->client->reply.bytes.size) {
            edo_await_for(rc, write_limit(), write_piece(self->client, self->written));
            self->written += edo_op_progress(edo_last_op());
        }
        forget_replies(self->client, self->written);
        edo_return(rc);
    }
}

/* ---- blocked ---- */

/* A command that was cancelled has no reply. So its client is closed: the client would take the next
 * reply for that of this command. */
static void take_reply(struct client *client, int64_t rc)
{
    struct waiter *waiter = &client->waiter;
    waiter_end(client);
    if (waiter->is_served)
        put(&client->reply.bytes, waiter->reply.bytes.data, waiter->reply.bytes.size);
    else if (rc >= 0)
        reply_null_array(&client->reply);
    else
        client->closes = true;
    if (waiter->is_served) client->log_position = waiter->log_position;
    waiter_release(waiter);
}

/* Waits until the client is served, or its time is over, or its connection ends. Answers 1, or why
 * the connection ends. A client that sends more than is read ahead is not watched. */
edo_async(wait_blocked)
{
    edo_body {
        int64_t rc = 0;
        for (;;) {
            self->served = edo_notified(&self->client->waiter.served);
            self->limit = edo_sleep_until(self->client->waiter.deadline);
            if (self->client->input.size < BLOCKED_INPUT)
                self->read = read_more(self->client);
            else
                self->read = edo_sleep(EDO_NEVER);
            edo_select_biased(rc, &self->served.base, &self->limit.base, &self->read.base);
            if (self->read.base.result != -ECANCELED)
                self->read.base.result = note_read(self->client, self->read.base.result);
            if (rc != 2) break;
            rc = self->read.base.result;
            if (rc < 0) break;
        }
        take_reply(self->client, rc);
        edo_return(rc < 0 ? rc : 1);
    }
}

/* ---- the connection ---- */

/* Killed, or too slow for its messages: such a client gets no further replies. */
static bool is_cut_off(const struct client *client)
{
    return client->shown.is_killed || client->mailbox.is_full;
}

/* Input that has come before the server's end. */
static void read_rest(struct client *client)
{
    make_room(client);
    int64_t n = edo_try_read(client->conn, edo_buffer_tail(&client->input),
                             edo_buffer_room(&client->input));
    if (n > 0) (void)note_read(client, n);
}

/* Executes commands without waiting for any. Returns: whether there are replies or more commands. */
static bool execute_last(struct client *client)
{
    enum outcome outcome = client_execute(client);
    if (outcome == IS_BLOCKED) take_reply(client, -ECANCELED);
    return outcome != NEEDS_INPUT || client->reply.bytes.size;
}

/* The last commands of a client before the server's end: those that have arrived are answered.
 * Before a hand-over the next program reads the rest, but a command of which a part has come is
 * awaited. A reply of which a part was written comes first: refuse_replies() must not find it. */
edo_async(finish_client)
{
    edo_body {
        int64_t rc;
        if (!hand_over_is_on()) read_rest(self->client);
        for (;;) {
            edo_call(rc, write_replies, .client = self->client);
            if (rc < 0 || self->client->closes) break;
            if (execute_last(self->client)) continue;
            if (!hand_over_is_on() || self->client->input.size == 0) break;
            edo_call(rc, read_input, .client = self->client);
            if (rc < 0) break;
        }
        edo_return(rc);
    }
}

edo_async_extern(connection)
{
    edo_body {
        int64_t rc = 0;
        self->client = client_create(self->conn, self->is_unix);
        client_set_protocol(self->client, self->is_resp3);
        do {
            self->outcome = client_execute(self->client);
            if (client_has_mail_on(self->client)) client_take_mail(self->client);
            if (self->client->reply.bytes.size)
                edo_call(rc, write_replies, .client = self->client);
            else
                rc = 0;
            if (rc < 0 || self->client->closes) break;
            if (self->outcome == IS_BLOCKED)
                edo_call(rc, wait_blocked, .client = self->client);
            else if (self->outcome == NEEDS_INPUT)
                edo_call(rc, read_input, .client = self->client);
        } while (rc >= 0);
        if (self->client->waiter.client) take_reply(self->client, rc);
        if (rc == -ECANCELED && !is_cut_off(self->client)) {
            edo_shield();
            edo_call_for(rc, edo_s(LAST_REPLIES), finish_client, .client = self->client);
            if (rc >= 0 && hand_over_is_on()) (void)hand_over_client(self->client);
        }
        client_destroy(self->client);
        server_slot_free();
        edo_return(0);
    }
}

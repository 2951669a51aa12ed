/* Copies: of streams in one and both directions, of files. */
#include "support/refusal.h"
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <edo/copy.h>
#include <edo/streams.h>

#include "stream/copier.h"

enum { ROOM = 256, SMALL = 4096 };

/* Writes a pattern and closes the stream. */
struct produce {
    edo_frame();
    edo_args(edo_io *io; size_t size, piece; bool closes;);
    size_t at;
    char data[SMALL];
};

edo_async(produce)
{
    edo_body {
        int64_t n;
        for (self->at = 0; self->at < self->size; self->at += (size_t)n) {
            size_t rest = self->size - self->at;
            if (rest > self->piece) rest = self->piece;
            fill_pattern(self->data, rest, 1, self->at);
            edo_await(n, edo_write_all(self->io, self->data, rest));
            if (n < 0) edo_return(n);
        }
        if (self->closes)
            edo_close(self->io);
        else
            edo_await_void(edo_shutdown_write(self->io));
        edo_return(0);
    }
}

/* Reads a pattern to its end. Result: how many bytes. */
struct consume {
    edo_frame();
    edo_args(edo_io *io; size_t at; int64_t pause;);
    char data[SMALL];
};

edo_async(consume)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->io, self->data, sizeof self->data));
            if (n < 0) edo_return(n);
            if (n == 0) break;
            assert_true(is_pattern(self->data, (size_t)n, 1, self->at));
            self->at += (size_t)n;
            if (self->pause) edo_await_void(edo_sleep(self->pause));
        }
        edo_return((int64_t)self->at);
    }
}

/* ---- one direction ---- */

/* Of each kind to each other one, fast and slow on either side. */
struct copy_kinds {
    edo_frame(struct produce produce;);
    edo_args(stream_kind kind;);
    edo_io *source, *from, *to, *target;
    edo_copier copier;
    edo_task *producer, *consumer;
    unsigned other;
    size_t size;
    char memory[ROOM];
};

edo_async(copy_kinds)
{
    edo_body {
        int64_t n;
        for (self->other = 0; self->other < ALL_STREAM_KINDS; self->other++) {
            self->size = bulk_size() / (driver_is("chaos") ? 64 : 1);
            open_streams(self->kind, &self->from, &self->source);
            open_streams((stream_kind)self->other, &self->target, &self->to);
            edo_copier_init(&self->copier, self->from, self->to, self->memory, sizeof self->memory);
            self->copier.watches = self->other % 2;
            n = edo_spawn(&self->producer, produce, .io = self->source, .size = self->size,
                          .piece = SMALL - 1, .closes = true);
            assert_int_equal(n, 0);
            n = edo_spawn(&self->consumer, consume, .io = self->target);
            assert_int_equal(n, 0);
            edo_await(n, edo_copy(&self->copier));
            assert_int_equal(n, self->size);
            assert_int_equal(self->copier.taken, self->size);
            assert_int_equal(self->copier.given, self->size);
            assert_int_equal(edo_copier_deinit(&self->copier), 0);
            edo_close(self->from);
            edo_close(self->to);
            edo_await(n, edo_join(self->consumer));
            assert_int_equal(n, self->size);
            edo_await(n, edo_join(self->producer));
            assert_int_equal(n, 0);
            edo_close(self->target);
        }
        edo_return(0);
    }
}

test_each_stream(copy_kinds)

    /* Cancelled again and again, with a target that is full: what was taken and not given is held; it
 * is drained at last, and nothing is lost. */
    struct copy_cancelled {
    edo_frame(struct consume consume;);
    edo_args(stream_kind kind;);
    edo_io *source, *from, *to, *target;
    edo_copier copier;
    edo_task *producer;
    size_t size, got;
    int rounds;
    bool refused;
    char memory[ROOM], data[SMALL];
};

edo_async(copy_cancelled)
{
    edo_body {
        int64_t n;
        self->size = bulk_size() / (driver_is("chaos") ? 8 : 1);
        open_streams(self->kind, &self->from, &self->source);
        open_streams(self->kind, &self->target, &self->to);
        shrink_stream(self->to);
        edo_copier_init(&self->copier, self->from, self->to, self->memory, sizeof self->memory);
        n = edo_spawn(&self->producer, produce, .io = self->source, .size = self->size,
                      .piece = SMALL, .closes = true);
        assert_int_equal(n, 0);
        self->got = 0;
        self->refused = false;
        for (self->rounds = 0; self->rounds < 40; self->rounds++) {
            edo_await_for(n, edo_us(100), edo_copy(&self->copier));
            if (n >= 0) break;
            assert_int_equal(n, -ETIMEDOUT);
            assert_int_equal(self->copier.taken - self->copier.given,
                             edo_copier_held(&self->copier));
            edo_await(n, edo_read(self->target, self->data, sizeof self->data));
            assert_true(n > 0 && is_pattern(self->data, (size_t)n, 1, self->got));
            self->got += (size_t)n;
            if (self->rounds < 20 || !self->copier.piped) continue;
            self->copier.splice = EDO__SPLICE_NEVER; // as if the target refused what is in the pipe
            self->refused = true;
        }
        if (self->kind == UNIX_STREAM && !driver_is("chaos")) assert_true(self->refused);
        edo_close(self->to);
        edo_call(n, consume, .io = self->target, .at = self->got);
        assert_int_equal(n, self->copier.given);
        self->got = (size_t)n;
        while (edo_copier_held(&self->copier)) {
            n = edo_copier_drain(&self->copier, self->data, 100);
            assert_true(n > 0 && is_pattern(self->data, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        assert_int_equal(self->got, self->copier.taken);
        edo_call(n, consume, .io = self->from, .at = self->got);
        assert_int_equal(n, self->size);
        edo_await(n, edo_join(self->producer));
        assert_int_equal(n, 0);
        assert_int_equal(edo_copier_deinit(&self->copier), 0);
        edo_close(self->from);
        edo_close(self->target);
        edo_return(0);
    }
}

test_each_stream(copy_cancelled)

    /* The errors of both sides, and what was read before them. */
    async_test(errors_of_either_side,
    edo_io *ends[4];
    edo_copier copier;
    edo_task *task;
    edo_slice none;
    char memory[ROOM], data[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(8, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_duplex(8, &self->ends[2], &self->ends[3]), 0);
        edo_copier_init(&self->copier, self->ends[1], self->ends[2], self->memory, ROOM);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->copier));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->ends[0], "12345678", 8));
        settle();
        edo_await(n, edo_copy(&self->copier));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_write_all(self->ends[0], "90123456", 8));
        settle();
        edo_close(self->ends[3]); // while a write waits for room, and a read for bytes
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -EPIPE);
        assert_int_equal(self->copier.taken, 16);
        assert_int_equal(self->copier.given, 8);
        assert_int_equal(edo_copier_drain(&self->copier, self->data, ROOM), 8);
        assert_memory_equal(self->data, "90123456", 8);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_close(self->ends[2]);
        edo_await(n, edo_copy(NULL));
        assert_int_equal(n, -EINVAL);
        edo_return(0);
    }
}

/* A copy that watches its target. */
typedef struct watched {
    edo_io *source, *from, *to, *target; // the copy goes from `from` to `to`
    edo_copier copier;
    char memory[ROOM];
} watched;

static void open_watched(watched *w, stream_kind source, stream_kind target)
{
    open_streams(source, &w->from, &w->source);
    open_streams(target, &w->target, &w->to);
    edo_copier_init(&w->copier, w->from, w->to, w->memory, ROOM);
    w->copier.watches = true;
}

static void close_end(edo_io **end)
{
    edo_close(*end);
    *end = NULL;
}

static void close_watched(watched *w)
{
    edo_copier_deinit(&w->copier);
    close_end(&w->source);
    close_end(&w->from);
    close_end(&w->to);
    close_end(&w->target);
}

/* The source is silent, and the peer of the target is gone. */
struct target_hangs_up {
    edo_frame();
    edo_args(stream_kind kind;);
    watched w;
    edo_task *task;
    char data[8];
};

edo_async(target_hangs_up)
{
    edo_body {
        int64_t n;
        open_watched(&self->w, UNIX_STREAM, self->kind);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->w.copier));
        assert_int_equal(n, 0);
        settle();
        // the bytes end the watch, which begins anew
        edo_await(n, edo_write_all(self->w.source, "bytes", 5));
        edo_await(n, edo_read_exact(self->w.target, self->data, 5));
        assert_int_equal(n, 5);
        settle();
        assert_false(edo_task_is_done(self->task));
        if (self->kind == TCP_STREAM) {
            struct linger reset = { .l_onoff = 1, .l_linger = 0 };
            assert_return_code(
                setsockopt(edo_io_fd(self->w.target), SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
                errno);
        }
        close_end(&self->w.target);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -EPIPE);
        assert_int_equal(self->w.copier.given, 5);
        close_watched(&self->w);
        edo_return(0);
    }
}

test_each_kind(target_hangs_up)

/* Another task closes the target while the copy watches it. The source is read no more. */
async_test(a_watched_target_is_closed, watched w; edo_task *task;)
{
    edo_body {
        int64_t n;
        open_watched(&self->w, UNIX_STREAM, UNIX_STREAM);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->w.copier));
        assert_int_equal(n, 0);
        settle();
        close_end(&self->w.to);
        edo_await_for(n, edo_s(5), edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_write_all(self->w.source, "kept", 4));
        edo_await(n, edo_read(self->w.from, self->w.memory, ROOM));
        assert_in_range(n, 1, 4);
        close_watched(&self->w);
        edo_return(0);
    }
}

/* The target is closed just when there are bytes to write, so the copy itself also ends its watch. */
current_thread_only("the copy does not run between the write and the close")
async_test(a_watched_target_is_closed_as_bytes_come, watched w; edo_task *task;)
{
    edo_body {
        int64_t n;
        open_watched(&self->w, MEMORY_STREAM, UNIX_STREAM);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->w.copier));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_write_all(self->w.source, "kept", 4));
        close_end(&self->w.to);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        assert_int_equal(edo_copier_held(&self->w.copier), 4);
        close_watched(&self->w);
        edo_return(0);
    }
}

/* Polls a copy. Cancels it once its source has ended, if it waits for the end of its watch then. */
typedef struct late_cancel {
    edo_future base;
    edo_op op;
    const edo_copier *copier;
} late_cancel;

static edo_poll late_cancel_poll(edo_future *future, edo_cx *cx)
{
    late_cancel *self = (late_cancel *)(void *)future;
    edo_poll poll = edo_poll_future(&self->op.base, cx);
    if (poll == EDO_PENDING && self->copier->ended) {
        edo_cancel(&self->op.base);
        poll = edo_poll_future(&self->op.base, cx);
    }
    future->result = self->op.base.result;
    return poll;
}

struct cancels_late {
    edo_frame();
    edo_args(edo_copier *copier;);
    late_cancel late;
};

edo_async(cancels_late)
{
    static const edo_future_ops ops = { .name = "late cancel", .poll = late_cancel_poll };
    edo_body {
        int64_t n;
        self->late = (late_cancel){ .base = { .ops = &ops }, .copier = self->copier };
        self->late.op = edo_copy(self->copier);
        edo_await_on(n, &self->late.base);
        edo_return(n);
    }
}

/* A ring ends the watch only after the poll in which the source has ended. */
async_test(a_copy_that_is_whole_is_not_cancelled, watched w; edo_task *task;)
{
    edo_body {
        int64_t n;
        open_watched(&self->w, MEMORY_STREAM, UNIX_STREAM);
        assert_int_equal(edo_spawn(&self->task, cancels_late, .copier = &self->w.copier), 0);
        edo_await(n, edo_write_all(self->w.source, "bytes", 5));
        settle();
        settle();
        close_end(&self->w.source);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 5);
        close_watched(&self->w);
        edo_return(0);
    }
}

/* Bytes ahead in a reader come first. */
async_test(a_copy_goes_on_behind_a_reader,
    edo_io *in, *out, *to, *target;
    edo_reader reader;
    edo_copier copier;
    edo_slice line;
    char memory[ROOM], data[ROOM];)
{
    edo_body {
        int64_t n;
        edo_bytes bytes = edo_bytes_static("head\nbody of the message", 24);
        assert_int_equal(edo_io_from_bytes(&bytes, &self->in), 0);
        assert_int_equal(edo_simplex(ROOM, &self->target, &self->to), 0);
        edo_reader_init(&self->reader, self->in, self->memory, ROOM);
        edo_await(n, edo_read_line(&self->reader, &self->line));
        assert_int_equal(n, 1);
        edo_copier_init_reader(&self->copier, &self->reader, self->to);
        edo_await(n, edo_copy(&self->copier));
        assert_int_equal(n, 19);
        edo_await(n, edo_read(self->target, self->data, ROOM));
        assert_int_equal(n, 19);
        assert_memory_equal(self->data, "body of the message", 19);
        edo_close(self->in);
        edo_close(self->to);
        edo_close(self->target);
        edo_return(0);
    }
}

/* ---- both directions ---- */

/* One side ends early; later bytes of the other side still arrive. */
struct half_closes {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *client, *front, *back, *server;
    edo_relay relay;
    edo_task *task, *producer, *consumer, *sender;
    size_t size;
    char memory[2 * ROOM];
};

edo_async(half_closes)
{
    edo_body {
        int64_t n;
        if (self->kind == PIPE_STREAM) edo_return(0); // has one side
        self->size = bulk_size() / (driver_is("chaos") ? 32 : 1);
        open_streams(self->kind, &self->client, &self->front);
        open_streams(self->kind, &self->back, &self->server);
        edo_relay_init(&self->relay, self->front, self->back, self->memory, sizeof self->memory);
        n = edo_spawn(&self->task, run_op, .op = edo_copy_both(&self->relay));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->producer, produce, .io = self->client, .size = self->size / 2,
                      .piece = 100);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->consumer, consume, .io = self->server);
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->consumer)); // has read the end
        assert_int_equal(n, self->size / 2);
        edo_await(n, edo_join(self->producer));
        assert_false(edo_task_is_done(self->task));
        n = edo_spawn(&self->sender, produce, .io = self->server, .size = self->size,
                      .piece = SMALL);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->consumer, consume, .io = self->client);
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->consumer));
        assert_int_equal(n, self->size);
        edo_await(n, edo_join(self->sender));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        assert_int_equal(self->relay.status[0], self->size / 2);
        assert_int_equal(self->relay.status[1], self->size);
        assert_int_equal(edo_relay_deinit(&self->relay), 0);
        edo_close(self->client);
        edo_close(self->front);
        edo_close(self->back);
        edo_close(self->server);
        edo_return(0);
    }
}

test_each_stream(half_closes)

    /* The second side never sends and never ends: a limit ends the copy, with counts. */
    async_test(idle_limits,
    edo_io *ends[4];
    edo_relay relay;
    edo_task *task;
    int64_t began;
    char memory[ROOM], data[8];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(8, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_duplex(8, &self->ends[2], &self->ends[3]), 0);
        edo_relay_init(&self->relay, self->ends[1], self->ends[2], self->memory, ROOM);
        self->relay.idle = edo_s(10);
        self->relay.idle_half = edo_ms(200);
        n = edo_spawn(&self->task, run_op, .op = edo_copy_both(&self->relay));
        assert_int_equal(n, 0);
        self->began = edo_now();
        edo_await_void(edo_sleep(edo_s(9)));
        edo_await(n, edo_write_all(self->ends[0], "bytes", 5)); // the limit begins anew
        edo_await_void(edo_sleep(edo_s(9)));
        assert_false(edo_task_is_done(self->task));
        edo_close(self->ends[0]); // ends one direction
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ETIMEDOUT);
        assert_true(edo_now() - self->began >= edo_s(18) + edo_ms(200));
        assert_true(edo_now() - self->began < edo_s(19));
        assert_int_equal(self->relay.ways[0].given, 5);
        assert_int_equal(self->relay.status[0], 5);
        assert_int_equal(self->relay.ways[1].taken, 0);
        assert_int_equal(self->relay.status[1], -ECANCELED);
        for (int i = 1; i < 4; i++)
            edo_close(self->ends[i]);
        edo_return(0);
    }
}

/* A peer that resets ends both directions; the counts of the other one are exact. */
async_test(a_reset_ends_both,
    edo_io *client, *front, *back, *server;
    edo_relay relay;
    edo_task *task;
    char memory[ROOM], data[8];)
{
    edo_body {
        int64_t n;
        open_streams(TCP_STREAM, &self->client, &self->front);
        open_streams(TCP_STREAM, &self->back, &self->server);
        edo_relay_init(&self->relay, self->front, self->back, self->memory, ROOM);
        n = edo_spawn(&self->task, run_op, .op = edo_copy_both(&self->relay));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->client, "question", 8));
        edo_await(n, edo_read_exact(self->server, self->data, 8));
        assert_int_equal(n, 8);
        struct linger reset = { .l_onoff = 1, .l_linger = 0 };
        assert_return_code(
            setsockopt(edo_io_fd(self->server), SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
            errno);
        edo_close(self->server); // the reader of the other direction is idle
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECONNRESET);
        assert_int_equal(self->relay.status[1], -ECONNRESET);
        assert_int_equal(self->relay.status[0], -ECANCELED);
        assert_int_equal(self->relay.ways[0].taken, 8);
        assert_int_equal(self->relay.ways[0].given, 8);
        assert_int_equal(edo_relay_deinit(&self->relay), 0);
        edo_close(self->client);
        edo_close(self->front);
        edo_close(self->back);
        edo_return(0);
    }
}

/* Cancelled between any two messages, the same call goes on. */
async_test(both_are_cancelled_and_go_on,
    edo_io *ends[4];
    edo_relay relay;
    int i;
    char memory[ROOM], data[8];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(8, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_duplex(8, &self->ends[2], &self->ends[3]), 0);
        edo_relay_init(&self->relay, self->ends[1], self->ends[2], self->memory, ROOM);
        for (self->i = 0; self->i < 20; self->i++) {
            edo_await(n, edo_write_all(self->ends[self->i % 2 ? 0 : 3], "abcd", 4));
            assert_int_equal(n, 4);
            edo_await_for(n, edo_us(10), edo_copy_both(&self->relay));
            assert_int_equal(n, -ETIMEDOUT);
            edo_await(n, edo_read_exact(self->ends[self->i % 2 ? 3 : 0], self->data, 4));
            assert_int_equal(n, 4);
            assert_memory_equal(self->data, "abcd", 4);
        }
        edo_close(self->ends[0]);
        edo_await_for(n, edo_us(10), edo_copy_both(&self->relay));
        assert_int_equal(n, -ETIMEDOUT);
        edo_close(self->ends[3]);
        edo_await(n, edo_copy_both(&self->relay));
        assert_int_equal(n, 0);
        assert_int_equal(self->relay.status[0], 40);
        edo_close(self->ends[1]);
        edo_close(self->ends[2]);
        edo_return(0);
    }
}

/* ---- files ---- */

static char directory[TEMP_PATH_SIZE];

static int open_file(const char *name, int flags)
{
    char path[TEMP_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_return_code(fd, errno);
    return fd;
}

static int make_directory(void **state)
{
    (void)state;
    make_temp_dir(directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

#define file_test(name, ...)                                                                       \
    fixture(make_directory, remove_directory)                                                      \
    async_test(name, __VA_ARGS__)

static void write_pattern(int fd, size_t size)
{
    char data[SMALL];
    for (size_t at = 0; at < size; at += sizeof data) {
        fill_pattern(data, sizeof data, 1, at);
        fd_write_all(fd, data, size - at < sizeof data ? size - at : sizeof data);
    }
}

struct send_kinds {
    edo_frame(struct consume consume;);
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_task *task;
    edo_file_range range;
    size_t size;
    int fd, cancelled;
};

/* Cancelled again and again, a range goes on; and its end is met, though more was asked for. */
edo_async(send_kinds)
{
    edo_body {
        int64_t n;
        self->fd = open_file("source", O_RDWR);
        self->size = bulk_size() / (driver_is("chaos") ? 8 : 1);
        write_pattern(self->fd, self->size);
        open_streams(self->kind, &self->in, &self->out);
        shrink_stream(self->out);
        self->range = (edo_file_range){ .file = self->fd, .size = UINT64_MAX };
        n = edo_spawn(&self->task, consume, .io = self->in, .pause = edo_ms(1));
        assert_int_equal(n, 0);
        do
            edo_await_for(n, edo_us(700), edo_send_file(self->out, &self->range));
        while (n == -ETIMEDOUT);
        assert_true(n >= 0);
        assert_int_equal(self->range.offset, self->size);
        self->range = (edo_file_range){ .file = self->fd, .offset = self->size - 5, .size = 5 };
        self->range.offset = self->size; // nothing is there
        edo_await(n, edo_send_file(self->out, &self->range));
        assert_int_equal(n, 0);
        self->range.file = -1;
        edo_await(n, edo_send_file(self->out, &self->range));
        assert_int_equal(n, -EBADF);
        edo_close(self->out);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        edo_close(self->in);
        close(self->fd);
        edo_return(0);
    }
}

fixture(make_directory, remove_directory)
test_each_stream(send_kinds)

    /* Files of unknown size. */
    static const char *const odd_files[] = { "/proc/self/status", "/proc/cpuinfo", "/dev/null" };

file_test(files_without_a_size, edo_io *in, *out; edo_file_range range; edo_reader reader;
          edo_buffer buffer; edo_task * task; edo_file_copy copy; unsigned i; int fd, target;
          char memory[ROOM];)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < ARRAY_LENGTH(odd_files); self->i++) {
            self->fd = open(odd_files[self->i], O_RDONLY | O_CLOEXEC);
            assert_return_code(self->fd, errno);
            open_streams(UNIX_STREAM, &self->in, &self->out);
            self->range = (edo_file_range){ .file = self->fd, .size = UINT64_MAX };
            self->buffer = (edo_buffer){ .data = NULL };
            edo_reader_init(&self->reader, self->in, self->memory, ROOM);
            n = edo_spawn(&self->task, run_op,
                          .op = edo_read_to_end(&self->reader, &self->buffer, 1 << 20));
            assert_int_equal(n, 0);
            edo_await(n, edo_send_file(self->out, &self->range));
            assert_true(self->i == 2 ? n == 0 : n > 0);
            edo_close(self->out);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, self->range.offset);
            edo_buffer_deinit(&self->buffer);
            edo_close(self->in);
            self->target = open_file("target", O_RDWR);
            self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = UINT64_MAX },
                                          .to = self->target };
            edo_await(n, edo_copy_file(&self->copy));
            assert_true(self->i == 2 ? n == 0 : n > 0);
            assert_int_equal(lseek(self->target, 0, SEEK_END), n);
            close(self->target);
            close(self->fd);
        }
        edo_return(0);
    }
}

enum { FILE_SIZE = 300000 };

static void check_file(int fd, size_t before, size_t size)
{
    char data[SMALL];
    assert_int_equal(lseek(fd, 0, SEEK_END), before + size);
    for (size_t at = 0; at < size; at += sizeof data) {
        ssize_t n = pread(fd, data, sizeof data, (off_t)(before + at));
        assert_true(n > 0 && is_pattern(data, (size_t)n, 1, at));
    }
}

/* One that appends takes no copy by the system. */
file_test(files_are_copied, edo_file_copy copy; int fd, target;)
{
    edo_body {
        int64_t n;
        self->fd = open_file("source", O_RDWR);
        write_pattern(self->fd, FILE_SIZE);
        self->target = open_file("target", O_RDWR);
        self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = UINT64_MAX },
                                      .to = self->target };
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, FILE_SIZE);
        check_file(self->target, 0, FILE_SIZE);
        self->copy.from.offset = 0;
        self->copy.from.size = 10;
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, 10);
        assert_int_equal(self->copy.offset, FILE_SIZE + 10);
        close(self->target);
        self->target = open_file("appended", O_RDWR | O_APPEND);
        fd_write_all(self->target, "12345", 5);
        self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = UINT64_MAX },
                                      .to = self->target };
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, FILE_SIZE);
        check_file(self->target, 5, FILE_SIZE);
        self->copy.from = (edo_file_range){ .file = -1, .size = 1 };
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, -EBADF);
        close(self->target);
        close(self->fd);
        edo_return(0);
    }
}

/* A file that is cut while it is sent ends the transfer. */
file_test(a_file_that_is_cut, edo_io *in, *out; edo_task * task; edo_file_range range; int fd;
          char data[SMALL];)
{
    edo_body {
        int64_t n;
        self->fd = open_file("source", O_RDWR);
        write_pattern(self->fd, 4 * FILE_SIZE);
        open_streams(UNIX_STREAM, &self->in, &self->out);
        shrink_stream(self->out);
        self->range = (edo_file_range){ .file = self->fd, .size = 4 * FILE_SIZE };
        n = edo_spawn(&self->task, run_op, .op = edo_send_file(self->out, &self->range));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        assert_return_code(ftruncate(self->fd, FILE_SIZE), errno);
        do
            edo_await_for(n, edo_ms(1), edo_read(self->in, self->data, SMALL));
        while (n > 0);
        edo_await(n, edo_join(self->task));
        assert_true(n >= 0 && n < 4 * FILE_SIZE);
        assert_int_equal(n, self->range.offset);
        edo_close(self->in);
        edo_close(self->out);
        close(self->fd);
        edo_return(0);
    }
}

/* ---- what the system refuses ---- */

static void copy_refused(void *arg)
{
    edo_runtime *runtime;
    const int *error = arg;
    refuse_call(SYS_splice, *error);
    refuse_call(SYS_sendfile, *error);
    refuse_call(SYS_copy_file_range, *error);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, copy_kinds, .kind = UNIX_STREAM), 0);
    assert_int_equal(edo_block_on(runtime, send_kinds, .kind = UNIX_STREAM), 0);
    files_are_copied_test(NULL);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* As on old kernels, some file systems, and under filters of system calls. */
fixture(make_directory, remove_directory)
test(copies_without_the_system)
{
    static const int errors[] = { EINVAL, EXDEV, EPERM };
    const char *driver = getenv("EDO_DRIVER");
    if (driver && strcmp(driver, "chaos") == 0) skip(); // single bytes, and the clock goes on
    for (unsigned i = 0; i < ARRAY_LENGTH(errors); i++)
        expect_success_in_child(copy_refused, (void *)(uintptr_t)&errors[i]);
}

/* A kernel that treats a file of unknown size as empty. */
static void copy_nothing(void *arg)
{
    (void)arg;
    refuse_call(SYS_copy_file_range, 0);
    files_are_copied_test(NULL);
}

fixture(make_directory, remove_directory)
test(a_copy_of_nothing_is_no_end)
{
    expect_success_in_child(copy_nothing, NULL);
}

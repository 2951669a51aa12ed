/* Stale readiness: drivers remember whether a side is ready, which saves system calls. That memory
 * must never hide data or an end that has arrived. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A short read has emptied the buffer. Data that comes later must be seen nevertheless, whether it
 * comes before or after the next read begins. */
struct short_then_more {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    int peer, round;
    char buffer[64], byte;
};

edo_async(short_then_more)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        for (self->round = 0; self->round < 10; self->round++) {
            peer_write_all(self->peer, "0123456789", 10);
            edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_in_range(n, 1, 10);
            edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = (size_t)(10 - n));
            peer_write_all(self->peer, "x", 1);
            edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_int_equal(n, 1);
            n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
            assert_int_equal(n, 0);
            settle();
            peer_write_all(self->peer, "y", 1);
            edo_await(n, edo_join(self->reader));
            assert_int_equal(n, 1);
            assert_int_equal(self->byte, 'y');
        }
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(short_then_more)

    /* The same with the end of the input. when: 0: the end comes before the short read; 1: after it; 2:
 * while the next read waits; 3: data and end come together while a read waits. */
    struct short_then_end {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind; int when;);
    edo_io *io;
    edo_task *reader;
    int peer;
    char buffer[64];
};

edo_async(short_then_end)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        if (self->when == 3) {
            n = edo_spawn(&self->reader, collect, .io = self->io, .buffer = self->buffer,
                          .size = 3);
            assert_int_equal(n, 0);
            settle();
        }
        peer_write_all(self->peer, "abc", 3);
        if (self->when == 0 || self->when == 3) peer_close(self->peer);
        if (self->when == 3)
            edo_await(n, edo_join(self->reader));
        else
            edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = 3);
        assert_int_equal(n, 3);
        if (self->when == 1) peer_close(self->peer);
        n = edo_spawn(&self->reader, run_op,
                      .op = edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, 0);
        settle();
        if (self->when == 2) peer_close(self->peer);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

struct each_end {
    edo_frame(struct short_then_end callee;);
    edo_args(stream_kind kind;);
    int when;
};

edo_async(each_end)
{
    edo_body {
        int64_t n;
        for (self->when = 0; self->when < 4; self->when++) {
            edo_call(n, short_then_end, .kind = self->kind, .when = self->when);
            assert_int_equal(n, 0);
        }
        edo_return(0);
    }
}

test_each_stream(each_end)

    /* A big read is short, and the end has already arrived: the short read must not make the next
     * one wait. */
    struct big_read_then_end {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    size_t got;
    int peer;
    char buffer[64];
};

edo_async(big_read_then_end)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        self->got = 0;
        n = edo_spawn(&self->reader, run_op,
                      .op = edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, 0);
        settle();
        peer_write_all(self->peer, "abc", 3);
        peer_close(self->peer); // one event for data and end
        edo_await(n, edo_join(self->reader));
        while (n > 0) {
            self->got += (size_t)n;
            edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
        }
        assert_int_equal(self->got, 3);
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

test_each_stream(big_read_then_end)

    /* TCP stops a read at urgent data, so a short read does not mean that the buffer is empty. */
    struct urgent_mark {
    edo_frame(struct collect collect;);
    edo_args(bool waits;);
    edo_io *io;
    edo_task *reader;
    int peer;
    char buffer[64];
};

edo_async(urgent_mark)
{
    edo_body {
        int64_t n;
        self->io = open_stream(TCP_STREAM, &self->peer);
        n = edo_spawn(&self->reader, collect, .io = self->io, .buffer = self->buffer, .size = 6);
        assert_int_equal(n, 0);
        if (self->waits) settle();
        fd_write_all(self->peer, "abc", 3);
        assert_int_equal(send(self->peer, "!", 1, MSG_OOB), 1);
        fd_write_all(self->peer, "def", 3);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 6);
        assert_memory_equal(self->buffer, "abcdef", 6);
        edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, 1));
        assert_int_equal(n, -ETIMEDOUT);
        fd_write_all(self->peer, "g", 1);
        edo_await(n, edo_read(self->io, self->buffer, 1));
        assert_int_equal(n, 1);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

async_test(urgent, edo_callees(struct urgent_mark callee;))
{
    edo_body {
        int64_t n;
        edo_call(n, urgent_mark, .waits = false);
        assert_int_equal(n, 0);
        edo_call(n, urgent_mark, .waits = true);
        edo_return(n);
    }
}

/* The urgent mark at which a read stops may go unreported, when its byte was read before. */
struct urgent_taken {
    edo_frame();
    edo_args(edo_io *io; int peer;);
    char buffer[64], byte;
};

edo_async(urgent_taken)
{
    edo_body {
        int64_t n;
        edo_await_for(n, edo_ms(1),
                      edo_read(self->io, self->buffer, 1)); // the driver has the stream registered
        assert_int_equal(n, -ETIMEDOUT);
        fd_write_all(self->peer, "ab", 2);
        assert_int_equal(send(self->peer, "c", 1, MSG_OOB), 1);
        fd_write_all(self->peer, "def", 3);
        peer_await_delivery(self->peer);
        assert_int_equal(recv(edo_io_fd(self->io), &self->byte, 1, MSG_OOB), 1);
        assert_int_equal(self->byte, 'c');
        settle();
        edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_in_range(n, 1, 2);
        if (n == 1) edo_await(n, edo_read(self->io, self->buffer + 1, sizeof self->buffer - 1));
        assert_memory_equal(self->buffer, "ab", 2);
        edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_in_range(n, 1, 3);
        assert_int_equal(self->buffer[0], 'd');
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

async_test(urgent_lost,
    edo_callees(struct urgent_taken callee;)
    edo_listener *listener;
    edo_io *io;
    int peer;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(TCP_STREAM, &self->peer);
        edo_call(n, urgent_taken, .io = self->io, .peer = self->peer);
        assert_int_equal(n, 0);
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->peer = connect_plainly(self->listener);
        edo_await(n, edo_accept(self->listener, &self->io)); // one that the library has made
        assert_int_equal(n, 0);
        edo_call(n, urgent_taken, .io = self->io, .peer = self->peer);
        edo_listener_close(self->listener);
        edo_return(n);
    }
}

/* The second half of the buffer is not mapped: a read that stops there proves nothing about the
 * side. */
struct bad_memory {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    char *memory;
};

/* More than one packet: the kernel copies a packet completely or not at all. */
enum { HALF = 128 * 1024 };

static void enlarge_buffer(int fd)
{
    fcntl(fd, F_SETPIPE_SZ, 4 * HALF); // a socket's buffer is large enough
}

static char *half_a_mapping(void)
{
    char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_return_code(fd, errno);
    assert_return_code(ftruncate(fd, HALF), errno);
    char *memory = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memset(memory, 'x', HALF);
    close(fd);
    remove_tree(directory);
    return memory;
}

edo_async(bad_memory)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // single bytes soon fill a buffer
        self->memory = half_a_mapping();
        open_streams(self->kind, &self->reader, &self->writer);
        if (self->kind !=
            PIPE_STREAM) { // the driver has registered the writer, and has had its event
            edo_await_for(n, edo_ms(1), edo_read(self->writer, self->memory, 1));
            assert_int_equal(n, -ETIMEDOUT);
        }
        enlarge_buffer(edo_io_fd(self->writer));
        edo_await(n, edo_write_all(self->writer, self->memory, 2 * HALF));
        assert_int_equal(n, -EFAULT);
        edo_close(self->reader);
        edo_close(self->writer);
        open_streams(self->kind, &self->reader, &self->writer);
        edo_await_for(n, edo_ms(1), edo_read(self->reader, self->memory, 1));
        assert_int_equal(n, -ETIMEDOUT);
        enlarge_buffer(edo_io_fd(self->writer));
        edo_await_for(n, edo_ms(1), edo_write_all(self->writer, self->memory, HALF));
        edo_await_for(n, edo_ms(1), edo_write_all(self->writer, self->memory, HALF));
        settle();
        edo_await(n, edo_read_exact(self->reader, self->memory, 2 * HALF));
        assert_int_equal(n, -EFAULT);
        edo_close(self->reader);
        edo_close(self->writer);
        munmap(self->memory, 2 * HALF);
        edo_return(0);
    }
}

test_each_kind(bad_memory)

/* With boundaries of messages or lines, a short read proves nothing about the data behind. */
struct messages {
    edo_frame();
    edo_args(edo_io *io; int peer;);
    edo_task *reader;
    char buffer[16];
};

edo_async(messages)
{
    edo_body {
        int64_t n;
        n = edo_spawn(&self->reader, run_op,
                      .op = edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(self->peer, "one\n", 4);
        fd_write_all(self->peer, "two\n", 4);
        edo_await(n, edo_join(self->reader));
        assert_in_range(n, 1, 4);
        assert_int_equal(self->buffer[0], 'o');
        edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_in_range(n, 1, 4);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

async_test(bounds, edo_callees(struct messages callee;) int fds[2];)
{
    edo_body {
        int64_t n;
        assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->fds), errno);
        edo_call(n, messages, .io = wrap(self->fds[0]), .peer = self->fds[1]);
        assert_int_equal(n, 0);
        self->fds[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (self->fds[1] < 0) edo_return(0); // no terminals here
        assert_return_code(grantpt(self->fds[1]), errno);
        assert_return_code(unlockpt(self->fds[1]), errno);
        self->fds[0] = open(ptsname(self->fds[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        edo_call(n, messages, .io = wrap(self->fds[0]), .peer = self->fds[1]);
        edo_return(n);
    }
}

/* After a short write, the peer's reads make room again. */
struct short_write {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *task;
    size_t size, sent, got;
    int64_t n;
    char *data, *buffer;
};

edo_async(short_write)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        shrink_buffer(edo_io_fd(self->writer));
        self->size = bulk_size() / 2;
        self->data = test_malloc(self->size);
        self->buffer = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_read_exact(self->reader, self->buffer, self->size));
        assert_int_equal(n, 0);
        for (self->sent = 0; self->sent < self->size; self->sent += (size_t)n) {
            edo_await(n, edo_write(self->writer, self->data + self->sent, self->size - self->sent));
            assert_true(n > 0);
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        assert_memory_equal(self->data, self->buffer, self->size);
        test_free(self->data);
        test_free(self->buffer);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

test_each_kind(short_write)

/* An error wakes both sides. */
async_test(reset_wakes_both, edo_io *io; edo_task *reader, *writer; int peer; char *data, byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(TCP_STREAM, &self->peer);
        shrink_buffer(edo_io_fd(self->io));
        self->data = test_calloc(1, bulk_size());
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->writer, run_op,
                      .op = edo_write_all(self->io, self->data, bulk_size()));
        assert_int_equal(n, 0);
        settle();
        close(self->peer); // with unread input, which makes it a reset
        edo_await(n, edo_join(self->reader));
        assert_true(n == -ECONNRESET || n == 0); // one of them takes the error
        edo_await(n, edo_join(self->writer));
        assert_true(n == -ECONNRESET || n == -EPIPE);
        test_free(self->data);
        edo_close(self->io);
        edo_return(0);
    }
}

/* Two streams that feed each other, one byte at a time: each read waits again. */
struct ping_pong {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *a, *b;
    edo_task *echo;
    int round;
    char byte;
};

struct echo_bytes {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(echo_bytes)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->io, &self->byte, 1));
            if (n <= 0) edo_return(n);
            edo_await(n, edo_write(self->io, &self->byte, 1));
            if (n < 0) edo_return(n);
        }
    }
}

edo_async(ping_pong)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->a, &self->b);
        n = edo_spawn(&self->echo, echo_bytes, .io = self->b);
        assert_int_equal(n, 0);
        for (self->round = 0; self->round < 1000; self->round++) {
            self->byte = (char)self->round;
            edo_await(n, edo_write(self->a, &self->byte, 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_read(self->a, &self->byte, 1));
            assert_int_equal(n, 1);
            assert_int_equal(self->byte, (char)self->round);
        }
        edo_close(self->a);
        edo_await(n, edo_join(self->echo));
        assert_int_equal(n, 0);
        edo_close(self->b);
        edo_return(0);
    }
}

async_test(ping_pong_on_sockets, edo_callees(struct ping_pong callee;))
{
    edo_body {
        int64_t n;
        edo_call(n, ping_pong, .kind = UNIX_STREAM);
        assert_int_equal(n, 0);
        edo_call(n, ping_pong, .kind = TCP_STREAM);
        edo_return(n);
    }
}

/* Passing of descriptors: once, close-on-exec, none lost and none leaked. */
#include "support/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { SENT = 5, CHAOS_SIZE = 6000 }; // CHAOS_SIZE: more than the least buffer, in single bytes

static int open_null(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_return_code(fd, errno);
    return fd;
}

/* ---- there and back ---- */

struct pass {
    edo_frame();
    edo_args(edo_unix_type type;);
    edo_io *ends[2];
    letter out, in;
    int file, got[2];
    char byte;
};

edo_async(pass)
{
    edo_body {
        int64_t n;
        self->file = open_null();
        assert_int_equal(edo_unix_pair_of(self->type, &self->ends[0], &self->ends[1]), 0);
        prepare_with_fds(&self->out, "x", 1, &self->file, 1);
        edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 1);
        prepare(&self->in, &self->byte, 1, sizeof self->in.room);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        assert_int_equal(self->in.message.flags & EDO_MESSAGE_CONTROL_TRUNCATED, 0);
        assert_int_equal(edo_control_take_fds(&self->in.control, self->got, 2), 1);
        assert_int_equal(edo_control_take_fds(&self->in.control, self->got + 1, 1), 0); // taken
        assert_true(is_same_file(self->got[0], self->file));
        assert_true(fcntl(self->got[0], F_GETFD) & FD_CLOEXEC);
        close(self->got[0]);
        close(self->file);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

async_test(all_types, edo_callees(struct pass callee;) int type;)
{
    edo_body {
        int rc;
        for (self->type = EDO_UNIX_STREAM; self->type <= EDO_UNIX_DATAGRAM; self->type++) {
            edo_call(rc, pass, .type = (edo_unix_type)self->type);
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

async_test(the_most, edo_io *ends[2]; letter out, in; int files[MOST_FDS + 1], got[MOST_FDS];
           char byte; size_t before;)
{
    edo_body {
        int64_t n;
        for (int i = 0; i <= MOST_FDS; i++)
            self->files[i] = STDERR_FILENO;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        prepare(&self->out, "x", 1, sizeof self->out.room);
        assert_int_equal(edo_control_add_fds(&self->out.control, self->files, MOST_FDS + 1),
                         -EINVAL);
        assert_int_equal(edo_control_add_fds(&self->out.control, self->files, 0), -EINVAL);
        assert_int_equal(edo_control_add_fds(&self->out.control, self->files, MOST_FDS), 0);
        assert_int_equal(edo_control_add_fds(&self->out.control, self->files, MOST_FDS), -ENOSPC);
        edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 1);
        self->before = open_descriptors();
        prepare(&self->in, &self->byte, 1, EDO_CONTROL_FDS_SIZE(MOST_FDS));
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(open_descriptors(), self->before + MOST_FDS);
        assert_int_equal(edo_control_take_fds(&self->in.control, self->got, 3), 3); // closes others
        assert_int_equal(open_descriptors(), self->before + 3);
        for (int i = 0; i < 3; i++)
            close(self->got[i]);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- too little room ---- */

/* Sends SENT descriptors. Returns: the first operation. */
static edo_op send_some(letter *out, edo_io *io)
{
    int files[SENT];
    for (int i = 0; i < SENT; i++)
        files[i] = STDERR_FILENO;
    return edo_unix_send_message(io, prepare_with_fds(out, "data", 4, files, SENT));
}

async_test(too_little_room, edo_io *ends[2]; letter out, in; int got[SENT], round; char data[4];
           size_t before;)
{
    static const int rooms[] = { 2, 0 };
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        for (self->round = 0; self->round < 2; self->round++) {
            edo_await(n, send_some(&self->out, self->ends[0]));
            assert_int_equal(n, 4);
            self->before = open_descriptors();
            prepare(&self->in, self->data, 4,
                    rooms[self->round] ? EDO_CONTROL_FDS_SIZE(2) : 0); // or no control at all
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            assert_int_equal(n, 1);
            assert_memory_equal(self->data, "data", 4);
            assert_true(self->in.message.flags & EDO_MESSAGE_CONTROL_TRUNCATED);
            assert_int_equal(open_descriptors(), self->before + (size_t)rooms[self->round]);
            assert_int_equal(edo_control_take_fds(&self->in.control, self->got, SENT),
                             rooms[self->round]);
            for (int i = 0; i < rooms[self->round]; i++)
                close(self->got[i]);
        }
        edo_await(n, send_some(&self->out, self->ends[0]));
        assert_int_equal(n, 4);
        self->before = open_descriptors();
        edo_await(n, edo_read_exact(self->ends[1], self->data, 4)); // drops descriptors
        assert_int_equal(n, 4);
        assert_int_equal(open_descriptors(), self->before);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* The kernel adds a pidfd of the sender to each record, in the room for the credentials that the
 * program has turned off. A pidfd without room in the program's control is closed, also behind
 * descriptors that were cut. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 // Linux 6.5
#endif

static int ask_for_pidfds(edo_io *io)
{
    int on = 1, off = 0;
    assert_int_equal(edo_socket_set_option(io, SOL_SOCKET, SO_PASSCRED, &off, sizeof off), 0);
    return edo_socket_set_option(io, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on);
}

struct receive_pidfd {
    edo_frame();
    edo_args(edo_io **ends; size_t sent; size_t room;);
    letter out, in;
    int got[SENT];
    size_t before;
    char byte;
};

/* Sends a record with some descriptors, and receives it. */
edo_async(receive_pidfd)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        prepare(&self->out, "x", 1, sizeof self->out.room);
        if (self->sent)
            n = edo_control_add_fds(&self->out.control, (int[]){ 2, 2, 2, 2, 2 }, self->sent);
        edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 1);
        prepare(&self->in, &self->byte, 1, self->room ? EDO_CONTROL_FDS_SIZE(self->room) : 0);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_true(self->in.message.flags & EDO_MESSAGE_CONTROL_TRUNCATED);
        n = (int64_t)edo_control_take_fds(&self->in.control, self->got, SENT);
        assert_int_equal(n, self->room);
        for (int i = 0; i < n; i++)
            close(self->got[i]);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

async_test(no_room_for_a_pidfd, edo_callees(struct receive_pidfd callee;) edo_io *ends[2];
           int answer;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->ends[0], &self->ends[1]), 0);
        self->answer = ask_for_pidfds(self->ends[1]);
        if (self->answer == 0) {
            edo_call(n, receive_pidfd, .ends = self->ends, .sent = 0, .room = 0);
            assert_int_equal(n, 0);
            edo_call(n, receive_pidfd, .ends = self->ends, .sent = 3, .room = 2);
            assert_int_equal(n, 0);
        }
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* The process may open no more descriptors: the bytes come nevertheless, and the connection goes
 * on. */
static struct rlimit limit_descriptors(void)
{
    struct rlimit before, now;
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    now = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
    assert_return_code(setrlimit(RLIMIT_NOFILE, &now), errno);
    return before;
}

async_test(no_more_descriptors, edo_io *ends[2]; letter out, in; int got[SENT]; char data[4];
           struct rlimit before;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        edo_await(n, send_some(&self->out, self->ends[0]));
        assert_int_equal(n, 4);
        self->before = limit_descriptors();
        prepare(&self->in, self->data, 4, sizeof self->in.room);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        setrlimit(RLIMIT_NOFILE, &self->before);
        assert_int_equal(n, 1);
        assert_memory_equal(self->data, "data", 4);
        assert_true(self->in.message.flags & EDO_MESSAGE_CONTROL_TRUNCATED);
        assert_int_equal(edo_control_take_fds(&self->in.control, self->got, SENT), 0);
        edo_await(n, edo_write_all(self->ends[1], "reply", 5));
        assert_int_equal(n, 5);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- with the right bytes, once ---- */

async_test(with_their_byte, edo_io *ends[2]; letter out, in; char data[8]; int got, count; bool seen;)
{
    edo_body {
        int64_t n;
        int fd;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "a", 1, 0)));
        fd = STDERR_FILENO;
        edo_await(
            n, edo_unix_send_message(self->ends[0], prepare_with_fds(&self->out, "b", 1, &fd, 1)));
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "c", 1, 0)));
        edo_close(self->ends[0]);
        self->seen = false;
        for (;;) {
            memset(self->data, 0, sizeof self->data);
            prepare(&self->in, self->data, sizeof self->data, sizeof self->in.room);
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            if (n == 0) break;
            assert_int_equal(n, 1);
            self->count = (int)edo_control_take_fds(&self->in.control, &self->got, 1);
            bool has_b = memchr(self->data, 'b', self->in.message.size);
            assert_int_equal(self->count, has_b);
            if (has_b) assert_null(memchr(self->data, 'c', self->in.message.size));
            if (has_b) close(self->got);
            self->seen = self->seen || has_b;
        }
        assert_true(self->seen);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A message that is longer than the socket's buffer sends its descriptor once. */
async_test(a_long_message, edo_io *ends[2]; edo_task *task; letter out, in; char *sent, *got;
           size_t size, done; int file, fds;)
{
    edo_body {
        int64_t n;
        self->size = driver_is("chaos") ? CHAOS_SIZE : bulk_size();
        self->sent = malloc(self->size);
        self->got = malloc(self->size);
        fill_pattern(self->sent, self->size, 1, 0);
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        shrink_buffer(edo_io_fd(self->ends[0]));
        self->file = open_null();
        prepare_with_fds(&self->out, self->sent, self->size, &self->file, 1);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 0);
        self->fds = 0;
        for (self->done = 0; self->done < self->size; self->done += self->in.message.size) {
            int fd;
            prepare(&self->in, self->got + self->done, self->size - self->done,
                    sizeof self->in.room);
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            assert_int_equal(n, 1);
            if (edo_control_take_fds(&self->in.control, &fd, 1) == 0) continue;
            assert_int_equal(self->done, 0);
            self->fds++;
            close(fd);
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        assert_int_equal(self->fds, 1);
        assert_true(is_pattern(self->got, self->size, 1, 0));
        close(self->file);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        free(self->sent);
        free(self->got);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

/* A long message is cancelled when a part was sent. The same call sends the rest, and no descriptor
 * twice. */
async_test(a_cancelled_long_message, edo_io *ends[2]; edo_op op; letter out, in; char *sent, *got;
           edo_task *task; size_t size, done; int file, fds;)
{
    edo_body {
        int64_t n;
        self->size = driver_is("chaos") ? CHAOS_SIZE : bulk_size();
        self->sent = malloc(self->size);
        self->got = malloc(self->size);
        fill_pattern(self->sent, self->size, 1, 0);
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        shrink_buffer(edo_io_fd(self->ends[0]));
        self->file = open_null();
        prepare_with_fds(&self->out, self->sent, self->size, &self->file, 1);
        edo_await_for(n, edo_s(1), edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(self->out.control.size, 0);
        close(self->file);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 0);
        self->fds = 0;
        for (self->done = 0; self->done < self->size; self->done += self->in.message.size) {
            int fd;
            prepare(&self->in, self->got + self->done, self->size - self->done,
                    sizeof self->in.room);
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            assert_int_equal(n, 1);
            if (edo_control_take_fds(&self->in.control, &fd, 1) == 0) continue;
            self->fds++;
            close(fd);
        }
        edo_await(n, edo_join(self->task));
        assert_true(n > 0 && n < (int64_t)self->size);
        assert_int_equal(self->fds, 1);
        assert_true(is_pattern(self->got, self->size, 1, 0));
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        free(self->sent);
        free(self->got);
        edo_return(0);
    }
}

/* A descriptor and a cancellation come together: this receive or the next one has it. */
enum { ROUNDS = 200 };

async_test(a_race, edo_io *ends[2]; edo_task *task; letter out, in; test_random random; int round, fds;
           char byte; size_t before;)
{
    edo_body {
        int64_t n;
        self->random = test_random_make(1);
        self->before = open_descriptors();
        self->fds = 0;
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->ends[0], &self->ends[1]), 0);
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            int fd;
            prepare(&self->in, &self->byte, 1, sizeof self->in.room);
            n = edo_spawn(&self->task, run_op,
                          .op = edo_unix_recv_message(self->ends[1], &self->in.message));
            assert_int_equal(n, 0);
            if (test_random_below(&self->random, 2)) settle();
            fd = STDERR_FILENO;
            prepare_with_fds(&self->out, "x", 1, &fd, 1);
            edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
            assert_int_equal(n, 1);
            if (test_random_below(&self->random, 2)) edo_await(n, edo_yield());
            edo_task_cancel(self->task);
            edo_await(n, edo_join(self->task));
            assert_true(n == 1 || n == -ECANCELED);
            if (n < 0) continue;
            assert_int_equal(edo_control_take_fds(&self->in.control, &fd, 1), 1);
            close(fd);
            self->fds++;
        }
        edo_close(self->ends[0]);
        for (;;) {
            int fd;
            prepare(&self->in, &self->byte, 1, sizeof self->in.room);
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            if (n == 0) break;
            assert_int_equal(edo_control_take_fds(&self->in.control, &fd, 1), 1);
            close(fd);
            self->fds++;
        }
        assert_int_equal(self->fds, ROUNDS);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A receive that was cancelled before anything came has left no descriptor behind. */
async_test(nothing_came, edo_io *ends[2]; letter in; char byte; size_t before;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        edo_await_for(n, edo_ms(1), edo_read(self->ends[1], &self->byte, 1)); // registers
        self->before = open_descriptors();
        prepare(&self->in, &self->byte, 1, sizeof self->in.room);
        edo_await_for(n, edo_ms(1), edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(open_descriptors(), self->before);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

test(no_control)
{
    int fd = STDERR_FILENO;
    _Alignas(8) char room[EDO_CONTROL_FDS_SIZE(1)];
    edo_control control = { room, sizeof room, 0 };
    edo_unix_peer peer;
    assert_int_equal(edo_control_add_fds(NULL, &fd, 1), -EINVAL);
    assert_int_equal(edo_control_add_fds(&control, NULL, 1), -EINVAL);
    assert_int_equal(edo_control_take_fds(NULL, &fd, 1), 0);
    assert_int_equal(edo_control_take_fds(&control, &fd, 1), 0);
    assert_int_equal(edo_control_credentials(&control, &peer), -ENODATA);
    assert_int_equal(edo_control_credentials(NULL, &peer), -EINVAL);
    assert_int_equal(edo_control_add_credentials(&control, NULL), -EINVAL);
    assert_int_equal(edo_control_add_credentials(&control, &peer), -ENOSPC);
}

/* A read that ends behind a descriptor has not emptied the socket. The next read must not wait for
 * an event, which has come before. */
async_test(bytes_behind_a_descriptor, edo_io *ends[2]; edo_task *task; letter out; char data[8];
           int round;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        edo_await_for(n, edo_ms(1), edo_read(self->ends[1], self->data, 1)); // registers
        for (self->round = 0; self->round < 3; self->round++) {
            int fd = STDERR_FILENO;
            prepare_with_fds(&self->out, "b", 1, &fd, 1);
            edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
            assert_int_equal(n, 1);
            edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "c", 1, 0)));
            assert_int_equal(n, 1);
            settle();
            edo_await(n, edo_read(self->ends[1], self->data, sizeof self->data));
            assert_int_equal(n, 1);
            assert_int_equal(self->data[0], 'b');
            edo_await_for(n, edo_s(1), edo_read(self->ends[1], self->data, sizeof self->data));
            assert_int_equal(n, 1);
            assert_int_equal(self->data[0], 'c');
        }
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

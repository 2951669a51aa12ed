/* Descriptors in and out of streams. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io.h"

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* ---- what can be wrapped ---- */

test(bad_descriptors)
{
    edo_io *io = NULL;
    assert_int_equal(edo_io_from_fd(-1, &io), -EBADF);
    int fd = dup(STDIN_FILENO);
    close(fd);
    assert_int_equal(edo_io_from_fd(fd, &io), -EBADF);
    assert_null(io);
}

/* The descriptor is still the caller's, with its flags unchanged. */
static void check_refused(int fd)
{
    edo_io *io = NULL;
    assert_return_code(fd, errno);
    assert_int_equal(edo_io_from_fd(fd, &io), -EPERM);
    assert_null(io);
    assert_true(fd_is_open(fd));
    assert_false(is_nonblocking(fd));
    close(fd);
}

test(files_are_refused)
{
    char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    check_refused(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    check_refused(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    remove_tree(directory);
}

/* Blocking descriptors of every kind work. */
async_test(wrap_blocking, edo_io *reader, *writer; int fds[2], round; char buffer[4];)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 3; self->round++) {
            if (self->round == 0)
                assert_return_code(pipe(self->fds), errno);
            else
                assert_return_code(socketpair(AF_UNIX,
                                              self->round == 1 ? SOCK_STREAM : SOCK_SEQPACKET, 0,
                                              self->fds),
                                   errno);
            assert_int_equal(edo_io_from_fd(self->fds[0], &self->reader), 0);
            assert_int_equal(edo_io_from_fd(self->fds[1], &self->writer), 0);
            assert_false(is_nonblocking(self->fds[0]) || is_nonblocking(self->fds[1]));
            assert_int_equal(edo_io_fd(self->reader), self->fds[0]);
            edo_await_for(n, edo_ms(1), edo_read(self->reader, self->buffer, 4));
            assert_int_equal(n, -ETIMEDOUT);
            edo_await(n, edo_write(self->writer, "x", 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_read(self->reader, self->buffer, 4));
            assert_int_equal(n, 1);
            edo_close(self->reader);
            edo_close(self->writer);
        }
        edo_return(0);
    }
}

/* Devices that epoll refuses but that never block. */
async_test(wrap_devices, edo_io *io; char buffer[4];)
{
    edo_body {
        int64_t n;
        self->io = wrap(open("/dev/null", O_RDWR | O_CLOEXEC));
        edo_await(n, edo_read(self->io, self->buffer, 4));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->io, "gone", 4));
        assert_int_equal(n, 4);
        edo_close(self->io);
        self->io = wrap(open("/dev/zero", O_RDONLY | O_CLOEXEC));
        memset(self->buffer, 'x', 4);
        edo_await(n, edo_read_exact(self->io, self->buffer, 4));
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "\0\0\0\0", 4);
        edo_close(self->io);
        edo_return(0);
    }
}

/* An eventfd, whose reads must have eight bytes: only for drivers that pass on the length. */
async_test(wrap_eventfd, edo_io *io; edo_task *task; uint64_t value; int fd;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0);
        self->fd = eventfd(0, EFD_CLOEXEC);
        self->io = wrap(self->fd);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->value, 8));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(self->fd, &(uint64_t){ 7 }, 8);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 8);
        assert_int_equal(self->value, 7);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A terminal: input comes by lines, and a hang-up is an error. */
async_test(wrap_terminal,
    edo_callees(struct collect collect;)
    edo_io *io;
    int master;
    char buffer[8];)
{
    edo_body {
        int64_t n;
        self->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (self->master < 0) edo_return(0); // no terminals here
        assert_return_code(grantpt(self->master), errno);
        assert_return_code(unlockpt(self->master), errno);
        self->io = wrap(open(ptsname(self->master), O_RDWR | O_NOCTTY | O_CLOEXEC));
        fd_write_all(self->master, "ab\n", 3);
        edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = 3);
        assert_int_equal(n, 3);
        assert_memory_equal(self->buffer, "ab\n", 3);
        edo_await(n, edo_write_all(self->io, "out", 3));
        assert_int_equal(n, 3);
        close(self->master);
        edo_await(n, edo_read(self->io, self->buffer, 8));
        assert_true(n == 0 || n == -EIO);
        edo_close(self->io);
        edo_return(0);
    }
}

/* ---- out again ---- */

struct into_fd {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    size_t before;
    int peer, fd, round;
    char byte;
};

edo_async(into_fd)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        self->io = open_stream(self->kind, &self->peer);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_await_for(n, edo_ms(1),
                          edo_read(self->io, &self->byte, 1)); // registered with the driver now
            assert_int_equal(n, -ETIMEDOUT);
            self->fd = edo_io_fd(self->io);
            assert_int_equal(edo_io_into_fd(self->io), self->fd);
            settle();
            assert_true(fd_is_open(self->fd));
            fd_write_all(self->peer, "xy", 2);
            fd_read_all(self->fd, &self->byte, 1);
            assert_int_equal(self->byte, 'x');
            self->io = wrap(self->fd);
            edo_await(n, edo_read(self->io, &self->byte, 1));
            assert_int_equal(n, 1);
            assert_int_equal(self->byte, 'y');
        }
        self->fd = edo_io_into_fd(self->io); // this stream was never registered
        close(self->fd);
        close(self->peer);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

test_each_kind(into_fd)

/* ---- a stream without a descriptor ---- */

static edo__source *no_source(edo_io *io)
{
    (void)io;
    return NULL;
}

test(no_descriptor)
{
    edo__io_ops ops = { .name = "none", .source = no_source };
    edo_io io = { .ops = &ops };
    assert_int_equal(edo_io_fd(&io), -ENOTSUP);
    assert_int_equal(edo_io_into_fd(&io), -ENOTSUP);
}

/* ---- no memory ---- */

static void wrap_once(void *arg)
{
    edo_io *io = NULL;
    int fds[2];
    (void)arg;
    open_pair(UNIX_STREAM, fds);
    int rc = edo_io_from_fd(fds[0], &io);
    assert_int_equal(rc, test_allocator_has_failed() ? -ENOMEM : 0);
    if (rc == 0) {
        edo_close(io);
    } else {
        assert_null(io);
        assert_true(fd_is_open(fds[0])); // still the caller's
        close(fds[0]);
    }
    close(fds[1]);
}

test(no_memory)
{
    assert_int_equal(with_each_allocation_failing(wrap_once, NULL), 1);
}

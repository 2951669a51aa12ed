/* Descriptors whose open files are shared with other processes. These may make the file blocking at
 * any time, and find its flags unchanged in the end. A duplicate descriptor plays the other
 * process. A call that blocks fails by the time limit of the test. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void make_blocking(int fd)
{
    assert_return_code(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), errno);
}

typedef enum shared_kind {
    SHARED_PIPE,
    SHARED_NAMED_PIPE,
    SHARED_TERMINAL,
    SHARED_SOCKET,
    SHARED_TIMER,
    SHARED_INOTIFY, // the kernel supports no flag of calls on it
    SHARED_KINDS
} shared_kind;

static int open_named_pipe(void)
{
    char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/pipe", directory);
    assert_return_code(mkfifo(path, 0600), errno);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    remove_tree(directory);
    return fd;
}

/* The master stays open. */
static int open_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return -1;
    return open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Number of kinds to test: some fail when the driver reads single bytes. */
static unsigned kinds(void)
{
    return driver_is("chaos") ? SHARED_TIMER : SHARED_KINDS;
}

/* A blocking descriptor from which nothing can be read. */
static int open_shared(shared_kind kind)
{
    int fds[2] = { -1, -1 };
    switch (kind) {
    case SHARED_PIPE: assert_return_code(pipe2(fds, O_CLOEXEC), errno); break;
    case SHARED_NAMED_PIPE: return open_named_pipe();
    case SHARED_TERMINAL: return open_terminal();
    case SHARED_SOCKET:
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
        break;
    case SHARED_TIMER: return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    case SHARED_INOTIFY: return inotify_init1(IN_CLOEXEC);
    case SHARED_KINDS: break;
    }
    return fds[0];
}

/* ---- reading ---- */

async_test(read_shared, edo_io *io; unsigned kind; int other; char buffer[512];)
{
    edo_body {
        int64_t n;
        for (self->kind = 0; self->kind < kinds(); self->kind++) {
            int fd = open_shared((shared_kind)self->kind);
            if (fd < 0 && self->kind == SHARED_TERMINAL) continue; // no terminals on this machine
            self->other = dup(fd);
            self->io = wrap(fd);
            edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_int_equal(n, -ETIMEDOUT);
            make_blocking(self->other);
            edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_int_equal(n, -ETIMEDOUT);
            edo_close(self->io);
            assert_false(is_nonblocking(self->other));
            self->io = wrap(self->other);
            edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_int_equal(n, -ETIMEDOUT);
            self->other = edo_io_into_fd(self->io);
            if (self->kind != SHARED_TERMINAL && self->kind != SHARED_NAMED_PIPE)
                assert_false(
                    is_nonblocking(self->other)); // edo set the flag of its private file only
            close(self->other);
        }
        edo_return(0);
    }
}

/* ---- writing: a pipe that is full ---- */

async_test(write_shared, edo_io *writer; int fds[2], other, round;)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 2; self->round++) {
            if (self->round == 0)
                assert_return_code(pipe2(self->fds, O_CLOEXEC), errno);
            else
                self->fds[0] = self->fds[1] = open_named_pipe();
            self->other = dup(self->fds[1]);
            fcntl(self->other, F_SETFL, fcntl(self->other, F_GETFL) | O_NONBLOCK);
            fd_fill(self->other);
            make_blocking(self->other);
            self->writer = wrap(self->fds[1]);
            edo_await_for(n, edo_ms(1), edo_write(self->writer, "x", 1));
            assert_int_equal(n, -ETIMEDOUT);
            make_blocking(self->other);
            edo_await_for(n, edo_ms(1), edo_write(self->writer, "x", 1));
            assert_int_equal(n, -ETIMEDOUT);
            edo_close(self->writer);
            assert_false(is_nonblocking(self->other));
            close(self->other);
            if (self->round == 0) close(self->fds[0]);
        }
        edo_return(0);
    }
}

/* ---- accepting ---- */

async_test(accept_shared, edo_listener *listener; edo_io *conn; int other, client;)
{
    edo_body {
        int64_t n;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(listen(fd, 8), errno);
        self->other = dup(fd);
        assert_int_equal(edo_listener_from_fd(fd, &self->listener), 0);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        make_blocking(self->other);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        self->client = connect_plainly(self->listener);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        make_blocking(self->other);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        edo_close(self->conn);
        close(self->client);
        edo_listener_close(self->listener);
        settle();
        assert_false(is_nonblocking(self->other));
        close(self->other);
        edo_return(0);
    }
}

/* ---- a program that exits without having closed ---- */

struct read_and_leave {
    edo_frame();
    edo_args(int fd; unsigned kind;);
    edo_io *io;
    char buffer[512];
};

edo_async(read_and_leave)
{
    edo_body {
        int64_t n;
        if (self->kind >= kinds()) edo_return(-ETIMEDOUT);
        self->io = wrap(self->fd);
        edo_await_for(n, edo_ms(1), edo_read(self->io, self->buffer, sizeof self->buffer));
        edo_return(n);
    }
}

struct leaving {
    int fd;
    unsigned kind;
};

/* LeakSanitizer must not report memory of a program that exits. */
void __lsan_disable(void) __attribute__((weak));

static void exit_without_closing(void *arg)
{
    if (__lsan_disable) __lsan_disable();
    const struct leaving *what = arg;
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    int64_t n = edo_block_on(runtime, read_and_leave, .fd = what->fd, .kind = what->kind);
    assert_int_equal(n, -ETIMEDOUT);
    exit(EXIT_SUCCESS);
}

test(exit)
{
    char text[256];
    for (unsigned kind = 0; kind < SHARED_KINDS; kind++) {
        int fd = open_shared((shared_kind)kind);
        if (fd < 0 && kind == SHARED_TERMINAL) continue;
        int status = run_in_child(exit_without_closing, &(struct leaving){ fd, kind }, text,
                                  sizeof text);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_false(is_nonblocking(fd));
        close(fd);
    }
}

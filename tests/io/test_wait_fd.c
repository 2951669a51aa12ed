/* Waiting for descriptors of the caller. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Level-triggered: a wait is ready as long as the descriptor is. */
struct readable {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_task *task;
    int fds[2], round;
    char byte;
};

edo_async(readable)
{
    edo_body {
        int64_t n;
        open_pair(self->kind, self->fds);
        for (self->round = 0; self->round < 3; self->round++) {
            n = edo_spawn(&self->task, run_op, .op = edo_wait_fd(self->fds[0], EDO_READABLE));
            assert_int_equal(n, 0);
            settle();
            assert_false(edo_task_is_done(self->task));
            fd_write_all(self->fds[1], "x", 1);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, EDO_READABLE);
            edo_await(n, edo_wait_fd(self->fds[0], EDO_READABLE));
            assert_int_equal(n, EDO_READABLE);
            fd_read_all(self->fds[0], &self->byte, 1);
        }
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

test_each_kind(readable)

async_test(writable, edo_task *task; int fds[2];)
{
    edo_body {
        int64_t n;
        open_pair(PIPE_STREAM, self->fds);
        edo_await(n, edo_wait_fd(self->fds[1], EDO_WRITABLE));
        assert_int_equal(n, EDO_WRITABLE);
        fd_fill(self->fds[1]);
        n = edo_spawn(&self->task, run_op, .op = edo_wait_fd(self->fds[1], EDO_WRITABLE));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        while (read(self->fds[0], (char[4096]){ 0 }, 4096) > 0)
            continue;
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, EDO_WRITABLE);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

/* Both interests: the first that is ready, or both. */
async_test(both, edo_task *task; int fds[2]; size_t filled;)
{
    edo_body {
        int64_t n;
        open_pair(UNIX_STREAM, self->fds);
        edo_await(n, edo_wait_fd(self->fds[0], EDO_READABLE | EDO_WRITABLE));
        assert_int_equal(n, EDO_WRITABLE);
        self->filled = fd_fill(self->fds[0]);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_wait_fd(self->fds[0], EDO_READABLE | EDO_WRITABLE));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        fd_write_all(self->fds[1], "x", 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, EDO_READABLE);

        fd_read_all(self->fds[0], (char[1]){ 0 }, 1);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_wait_fd(self->fds[0], EDO_READABLE | EDO_WRITABLE));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        while (read(self->fds[1], (char[4096]){ 0 }, 4096) > 0)
            continue;
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, EDO_WRITABLE);

        fd_write_all(self->fds[1], "x", 1);
        edo_await(n, edo_wait_fd(self->fds[0], EDO_READABLE | EDO_WRITABLE));
        assert_int_equal(n, EDO_READABLE | EDO_WRITABLE);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

/* After a hang-up or an error, all requested interests are ready. */
async_test(hang_up, edo_task *tasks[2]; int fds[2];)
{
    edo_body {
        int64_t n;
        open_pair(PIPE_STREAM, self->fds);
        n = edo_spawn(&self->tasks[0], run_op, .op = edo_wait_fd(self->fds[0], EDO_READABLE));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->tasks[1], run_op,
                      .op = edo_wait_fd(self->fds[0], EDO_READABLE | EDO_PRIORITY));
        assert_int_equal(n, 0);
        settle();
        close(self->fds[1]);
        edo_await(n, edo_join(self->tasks[0]));
        assert_int_equal(n, EDO_READABLE);
        edo_await(n, edo_join(self->tasks[1]));
        assert_int_equal(n, EDO_READABLE | EDO_PRIORITY);
        close(self->fds[0]);

        open_pair(PIPE_STREAM, self->fds); // a closed reader is an error for the writer
        fd_fill(self->fds[1]);
        n = edo_spawn(&self->tasks[0], run_op, .op = edo_wait_fd(self->fds[1], EDO_WRITABLE));
        assert_int_equal(n, 0);
        settle();
        close(self->fds[0]);
        edo_await(n, edo_join(self->tasks[0]));
        assert_int_equal(n, EDO_WRITABLE);
        close(self->fds[1]);

        open_pair(UNIX_STREAM, self->fds); // an interest that was not requested is not reported
        close(self->fds[1]);
        edo_await(n, edo_wait_fd(self->fds[0], EDO_WRITABLE));
        assert_int_equal(n, EDO_WRITABLE);
        close(self->fds[0]);
        edo_return(0);
    }
}

async_test(urgent, edo_task *task; int fds[2];)
{
    edo_body {
        int64_t n;
        open_pair(TCP_STREAM, self->fds);
        n = edo_spawn(&self->task, run_op, .op = edo_wait_fd(self->fds[0], EDO_PRIORITY));
        assert_int_equal(n, 0);
        fd_write_all(self->fds[1], "x", 1); // ordinary data is not EDO_PRIORITY
        settle();
        assert_false(edo_task_is_done(self->task));
        assert_int_equal(send(self->fds[1], "!", 1, MSG_OOB), 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, EDO_PRIORITY);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

/* Several waits on one descriptor, and on one that a stream waits on too. */
enum { WAITS = 3 };

struct several {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *waits[WAITS], *reader;
    size_t before;
    int peer;
    unsigned i;
    char byte;
};

edo_async(several)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        self->io = open_stream(self->kind, &self->peer);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        for (unsigned i = 0; i < WAITS; i++) {
            n = edo_spawn(&self->waits[i], run_op,
                          .op = edo_wait_fd(edo_io_fd(self->io), EDO_READABLE));
            assert_int_equal(n, 0);
        }
        settle();
        edo_task_cancel(self->waits[0]); // a cancelled wait does not disturb the others
        edo_await(n, edo_join(self->waits[0]));
        assert_int_equal(n, -ECANCELED);
        fd_write_all(self->peer, "xyz", 3); // more than the stream reads, so all waits see it
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 1);
        for (self->i = 1; self->i < WAITS; self->i++) {
            edo_await(n, edo_join(self->waits[self->i]));
            assert_int_equal(n, EDO_READABLE);
        }
        edo_await(n, edo_read(self->io, &self->byte, 1)); // the stream's registration is unaffected
        assert_int_equal(n, 1);
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_await_for(n, edo_ms(1), edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, -ETIMEDOUT);
        edo_close(self->io);
        close(self->peer);
        settle();
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

test_each_kind(several)

/* ---- failures ---- */

async_test(failures, int fds[2], fd; char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];)
{
    edo_body {
        int64_t n;
        open_pair(UNIX_STREAM, self->fds);
        edo_await(n, edo_wait_fd(self->fds[0], 0));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_wait_fd(self->fds[0], EDO_READABLE | 8));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_wait_fd(self->fds[0], -1));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_wait_fd(-1, EDO_READABLE));
        assert_int_equal(n, -EBADF);
        close(self->fds[1]);
        edo_await(n, edo_wait_fd(self->fds[1], EDO_READABLE));
        assert_int_equal(n, -EBADF);
        close(self->fds[0]);

        make_temp_dir(self->directory);
        snprintf(self->path, sizeof self->path, "%s/file", self->directory);
        self->fd = open(self->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        edo_await(n, edo_wait_fd(self->fd, EDO_READABLE));
        assert_int_equal(n, -EPERM);
        close(self->fd);
        self->fd = open(self->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        edo_await(n, edo_wait_fd(self->fd, EDO_READABLE));
        assert_int_equal(n, -EPERM);
        close(self->fd);
        remove_tree(self->directory);
        edo_return(0);
    }
}

/* ---- files that report changes: regular by their mode ---- */

struct changes {
    edo_frame();
    edo_args();
    edo_task *task;
    int fd;
};

/* A poll consumes the event of a mount, so the first poll must report it. */
edo_async(changes)
{
    edo_body {
        int64_t n;
        self->fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
        n = edo_spawn(&self->task, run_op, .op = edo_wait_fd(self->fd, EDO_PRIORITY));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_ms(1))); // the wait has begun, or sees the change at once
        assert_return_code(mount("edo", "/tmp", "tmpfs", 0, NULL), errno);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, EDO_PRIORITY);
        edo_await_for(n, edo_ms(1), edo_wait_fd(self->fd, EDO_PRIORITY));
        assert_int_equal(n, -ETIMEDOUT);
        edo_await(n, edo_wait_fd(self->fd, EDO_READABLE | EDO_PRIORITY));
        assert_int_equal(n, EDO_READABLE); // such a file is always readable
        close(self->fd);
        edo_return(0);
    }
}

struct waits_for_two {
    edo_frame();
    edo_args(edo_fd pipe, file;);
    edo_op byte, change;
    int64_t which;
};

/* A change that came together with the byte is reported by the cancelled wait or by the next. */
edo_async(waits_for_two)
{
    edo_body {
        int64_t n;
        self->byte = edo_wait_fd(self->pipe, EDO_READABLE);
        self->change = edo_wait_fd(self->file, EDO_PRIORITY);
        edo_select_biased(self->which, &self->byte.base, &self->change.base);
        n = self->change.base.result;
        if (n == -ECANCELED) edo_await(n, edo_wait_fd(self->file, EDO_PRIORITY));
        edo_return(n);
    }
}

struct changes_beside_bytes {
    edo_frame();
    edo_args();
    edo_task *task;
    int fd, fds[2], round;
};

edo_async(changes_beside_bytes)
{
    edo_body {
        int64_t n;
        self->fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
        for (self->round = 0; self->round < 5; self->round++) {
            assert_return_code(pipe2(self->fds, O_CLOEXEC | O_NONBLOCK), errno);
            n = edo_spawn(&self->task, waits_for_two, .pipe = self->fds[0], .file = self->fd);
            assert_int_equal(n, 0);
            edo_await(n, edo_sleep(edo_ms(1))); // the wait has begun, or sees both at once
            assert_return_code(mount("edo", "/tmp", "tmpfs", 0, NULL), errno);
            fd_write_all(self->fds[1], "x", 1);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, EDO_PRIORITY);
            close(self->fds[0]);
            close(self->fds[1]);
        }
        close(self->fd);
        edo_return(0);
    }
}

enum { NO_NAMESPACE = 77 };

static void enter_namespace(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) _exit(NO_NAMESPACE);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) _exit(NO_NAMESPACE);
}

#define run_in_namespace(fn)                                                                       \
    do {                                                                                           \
        edo_runtime *runtime_;                                                                     \
        enter_namespace();                                                                         \
        assert_int_equal(create_runtime(NULL, &runtime_), 0);                                      \
        assert_int_equal(edo_block_on(runtime_, fn), 0);                                           \
        assert_int_equal(edo_runtime_destroy(runtime_), 0);                                        \
    } while (0)

static void wait_for_mount(void *arg)
{
    (void)arg;
    run_in_namespace(changes);
}

static void wait_for_mounts_and_bytes(void *arg)
{
    (void)arg;
    run_in_namespace(changes_beside_bytes);
}

static void check_in_child(void (*fn)(void *))
{
    static char text[4096];
    int status = run_in_child(fn, NULL, text, sizeof text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE) skip();
    if (status != 0) fail_msg("%s", text);
}

test(change_of_a_file)
{
    check_in_child(wait_for_mount);
}

test(change_beside_a_byte)
{
    check_in_child(wait_for_mounts_and_bytes);
}

async_test(no_change, edo_io *io; int fd; char byte;)
{
    edo_body {
        int64_t n;
        self->fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
        edo_await_for(n, edo_ms(1), edo_wait_fd(self->fd, EDO_PRIORITY));
        assert_int_equal(n, -ETIMEDOUT);
        self->io = wrap(self->fd);
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_close(self->io);
        edo_return(0);
    }
}

async_test(cancelled, edo_op op; size_t before; int fds[2], round;)
{
    edo_body {
        int64_t n;
        open_pair(UNIX_STREAM, self->fds);
        self->before = open_descriptors();
        for (self->round = 0; self->round < 10; self->round++) {
            edo_await_for(n, edo_ms(1), edo_wait_fd(self->fds[0], EDO_READABLE));
            assert_int_equal(n, -ETIMEDOUT);
        }
        self->op = edo_wait_fd(self->fds[0], EDO_WRITABLE); // ready, but cancelled before
        edo_cancel(&self->op.base);
        edo_await_on(n, &self->op.base);
        assert_int_equal(n, -ECANCELED);
        settle();
        assert_int_equal(open_descriptors(), self->before);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

/* ---- no memory ---- */

edo_async_test(wait_without_memory, int fds[2];)
{
    edo_body {
        int64_t n;
        open_pair(UNIX_STREAM, self->fds);
        test_allocator_fail_at(1);
        edo_await(n, edo_wait_fd(self->fds[0], EDO_WRITABLE));
        assert_int_equal(n, -ENOMEM);
        assert_true(test_allocator_has_failed());
        edo_await(n, edo_wait_fd(self->fds[0], EDO_WRITABLE));
        assert_int_equal(n, EDO_WRITABLE);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

test(no_memory)
{
    test_allocator_install();
    wait_without_memory_test(state);
    test_allocator_remove();
}

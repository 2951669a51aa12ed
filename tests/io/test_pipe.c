/* Pipes and FIFOs: capacities, writers and readers that come and go. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, DEFAULT_CAPACITY = 65536 };

static char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];

static int make_fifo(void **state)
{
    (void)state;
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/fifo", directory);
    return edo_fifo_make(path, 0600);
}

static int remove_fifo(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

#define fifo_test(...)                                                                             \
    fixture(make_fifo, remove_fifo)                                                                \
    async_test(__VA_ARGS__)

/* Opens an end of the FIFO as another program would. */
static int open_plainly(int flags)
{
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    assert_return_code(fd, errno);
    return fd;
}

/* ---- pipes ---- */

async_test(a_pipe, edo_io *reader, *writer; char buffer[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_pipe(NULL, &self->writer), -EINVAL);
        assert_int_equal(edo_pipe(&self->reader, NULL), -EINVAL);
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        assert_true(fcntl(edo_io_fd(self->reader), F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(edo_io_fd(self->writer), F_GETFD) & FD_CLOEXEC);
        edo_await(n, edo_write_all(self->writer, "abc", 3));
        assert_int_equal(n, 3);
        edo_await(n, edo_read_exact(self->reader, self->buffer, 3));
        assert_int_equal(n, 3);
        edo_await(n, edo_read(self->writer, self->buffer, 1));
        assert_int_equal(n, -EBADF); // the other direction
        edo_await(n, edo_write(self->reader, "x", 1));
        assert_int_equal(n, -EBADF);
        edo_close(self->reader);
        edo_await(n, edo_write(self->writer, "x", 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->writer);
        edo_return(0);
    }
}

test(capacities)
{
    edo_io *reader, *writer, *ends[2];
    assert_int_equal(edo_pipe(&reader, &writer), 0);
    int capacity = edo_pipe_capacity(reader);
    assert_true(capacity >= PAGE && capacity <= DEFAULT_CAPACITY);
    assert_int_equal(edo_pipe_set_capacity(reader, 1), PAGE); // rounded up
    assert_int_equal(edo_pipe_capacity(writer), PAGE);
    assert_int_equal(edo_pipe_set_capacity(writer, 2 * PAGE - 1), 2 * PAGE);
    assert_int_equal(edo_pipe_set_capacity(writer, SIZE_MAX), -EINVAL);
    edo_close(reader);
    edo_close(writer);
    assert_int_equal(edo_pipe_capacity(NULL), -EINVAL);
    assert_int_equal(edo_unix_pair(&ends[0], &ends[1]), 0);
    assert_int_equal(edo_pipe_capacity(ends[0]), -ENOTSUP);
    assert_int_equal(edo_pipe_set_capacity(ends[0], PAGE), -ENOTSUP);
    edo_close(ends[0]);
    edo_close(ends[1]);
    writer = wrap(open("/dev/null", O_WRONLY | O_CLOEXEC));
    assert_int_equal(edo_pipe_capacity(writer), -ENOTSUP);
    edo_close(writer);
}

/* A capacity of one page, as for a user with many pipes, is enough. */
async_test(a_small_pipe, edo_io *reader, *writer; edo_task *task; char *sent, *got; size_t size;)
{
    edo_body {
        int64_t n;
        self->size = driver_is("chaos") ? 3 * PAGE : 40 * PAGE;
        self->sent = malloc(self->size);
        self->got = malloc(self->size);
        fill_pattern(self->sent, self->size, 1, 0);
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        assert_int_equal(edo_pipe_set_capacity(self->writer, PAGE), PAGE);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->writer, self->sent, self->size));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->reader, self->got, self->size));
        assert_int_equal(n, self->size);
        assert_true(is_pattern(self->got, self->size, 1, 0));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        edo_close(self->reader);
        edo_close(self->writer);
        free(self->sent);
        free(self->got);
        edo_return(0);
    }
}

/* A parked writer learns that the reader has gone, and a parked reader that the writer has. */
async_test(the_other_end_goes, edo_io *reader, *writer; edo_task *task; char byte;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        fd_fill(edo_io_fd(self->writer));
        n = edo_spawn(&self->task, run_op, .op = edo_write(self->writer, "x", 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        edo_close(self->reader);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -EPIPE);
        edo_close(self->writer);
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->reader, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        edo_close(self->writer);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->reader);
        edo_return(0);
    }
}

/* All bytes come before the end, also when the writer has gone. */
async_test(the_tail_is_read, edo_io *reader, *writer; size_t size, got; char buffer[PAGE]; int round;)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 20; self->round++) {
            assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
            if (driver_is("chaos")) n = edo_pipe_set_capacity(self->writer, PAGE);
            self->size = fd_fill(edo_io_fd(self->writer));
            edo_close(self->writer);
            for (self->got = 0;; self->got += (size_t)n) {
                edo_await(n, edo_read(self->reader, self->buffer, sizeof self->buffer));
                assert_true(n >= 0);
                if (n == 0) break;
            }
            assert_int_equal(self->got, self->size);
            edo_close(self->reader);
        }
        edo_return(0);
    }
}

/* Less than PIPE_BUF bytes are free: poll(2) says writable, and a write of PIPE_BUF would block. */
async_test(almost_full, edo_io *reader, *writer; edo_task *task; char block[PAGE]; int fd;)
{
    edo_body {
        int64_t n;
        memset(self->block, 'x', sizeof self->block);
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        self->fd = edo_io_fd(self->writer);
        assert_int_equal(edo_pipe_set_capacity(self->writer, 2 * PAGE), 2 * PAGE);
        fd_write_all(self->fd, self->block, PAGE);
        fd_write_all(self->fd, self->block, PAGE - 100);
        n = edo_spawn(&self->task, run_op, .op = edo_write_all(self->writer, self->block, PAGE));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        fd_read_all(edo_io_fd(self->reader), self->block, PAGE);
        fd_read_all(edo_io_fd(self->reader), self->block, PAGE - 100);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, PAGE);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

/* Single bytes into a large buffer: a short read from a pipe proves nothing, and no event is
 * missed. */
enum { DRIPS = 2000 };

struct dripper {
    edo_frame();
    edo_args(edo_io *io;);
    int i;
};

edo_async(dripper)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < DRIPS; self->i++) {
            edo_await(n, edo_write(self->io, "x", 1));
            assert_int_equal(n, 1);
            if (self->i % 3) edo_await(n, edo_yield());
        }
        edo_close(self->io);
        edo_return(0);
    }
}

async_test(drips, edo_io *reader, *writer; edo_task *task; char buffer[16 * PAGE]; int64_t got;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_pipe(&self->reader, &self->writer), 0);
        assert_int_equal(edo_spawn(&self->task, dripper, .io = self->writer), 0);
        for (self->got = 0;; self->got += n) {
            edo_await(n, edo_read(self->reader, self->buffer, sizeof self->buffer));
            assert_true(n >= 0);
            if (n == 0) break;
        }
        assert_int_equal(self->got, DRIPS);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->reader);
        edo_return(0);
    }
}

static void write_to_nobody(void *arg)
{
    edo_runtime *runtime;
    edo_io *reader, *writer;
    (void)arg;
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_pipe(&reader, &writer), 0);
    edo_close(reader);
    assert_int_equal(edo_block_on(runtime, run_op, .op = edo_write(writer, "x", 1)), -EPIPE);
    edo_close(writer);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(no_signal)
{
    expect_success_in_child(write_to_nobody, NULL);
}

/* ---- FIFOs ---- */

/* A read that begins before the first writer gets its bytes, not the end of the input. */
fifo_test(a_reader_comes_first, edo_io *io; edo_task * task; char byte; int writer;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_fifo_open_reader(path, 0, &self->io), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        self->writer = open_plainly(O_WRONLY);
        settle();
        assert_false(edo_task_is_done(self->task)); // it has not written
        fd_write_all(self->writer, "x", 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        close(self->writer);
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A writer that says nothing ends the input when it goes. A later one begins it anew. */
fifo_test(writers_come_and_go, edo_io *io; edo_task * task; char byte; int writer;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_fifo_open_reader(path, 0, &self->io), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        close(open_plainly(O_WRONLY));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        self->writer = open_plainly(O_WRONLY);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        fd_write_all(self->writer, "y", 1);
        close(self->writer);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'y');
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

fifo_test(kept_open, edo_io *io; edo_task * task; char byte; int round, writer;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_fifo_open_reader(path, EDO_FIFO_KEEP_OPEN, &self->io), 0);
        for (self->round = 0; self->round < 3; self->round++) {
            n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
            assert_int_equal(n, 0);
            settle();
            close(open_plainly(O_WRONLY));
            settle();
            assert_false(edo_task_is_done(self->task));
            self->writer = open_plainly(O_WRONLY);
            fd_write_all(self->writer, "z", 1);
            close(self->writer);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, 1);
        }
        edo_close(self->io);
        edo_return(0);
    }
}

fifo_test(a_cancelled_reader, edo_io *io; char byte; int writer;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_fifo_open_reader(path, 0, &self->io), 0);
        edo_await_for(n, edo_ms(1), edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, -ETIMEDOUT);
        self->writer = open_plainly(O_WRONLY);
        fd_write_all(self->writer, "x", 1);
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        close(self->writer);
        edo_close(self->io);
        edo_return(0);
    }
}

fifo_test(a_writer_waits_for_a_reader, edo_io *io; edo_task * task; char byte; int reader;
          size_t before;)
{
    edo_body {
        int64_t n;
        self->io = NULL;
        self->before = open_descriptors();
        assert_int_equal(edo_fifo_try_open_writer(path, &self->io), -ENXIO);
        edo_await_for(n, edo_s(10), edo_fifo_open_writer(path, &self->io));
        assert_int_equal(n, -ETIMEDOUT);
        assert_null(self->io);
        assert_int_equal(open_descriptors(), self->before);
        n = edo_spawn(&self->task, run_op, .op = edo_fifo_open_writer(path, &self->io));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(1)));
        assert_false(edo_task_is_done(self->task));
        self->reader = open_plainly(O_RDONLY);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_await(n, edo_write(self->io, "w", 1));
        assert_int_equal(n, 1);
        fd_read_all(self->reader, &self->byte, 1);
        close(self->reader); // vanishes
        edo_await(n, edo_write(self->io, "w", 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->io);
        self->reader = open_plainly(O_RDONLY);
        assert_int_equal(edo_fifo_try_open_writer(path, &self->io), 0);
        edo_close(self->io);
        close(self->reader);
        edo_return(0);
    }
}

/* A path that is removed, and made again, is found by the next try. */
fifo_test(a_writer_looks_up_the_path_again, edo_io *io; edo_task * task; int reader;)
{
    edo_body {
        int64_t n;
        n = edo_spawn(&self->task, run_op, .op = edo_fifo_open_writer(path, &self->io));
        assert_int_equal(n, 0);
        settle();
        char other[sizeof path + 8];
        snprintf(other, sizeof other, "%s.new", path);
        assert_int_equal(edo_fifo_make(other, 0600), 0);
        self->reader = open(other, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_return_code(rename(other, path), errno);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->io);
        close(self->reader);
        n = edo_spawn(&self->task, run_op, .op = edo_fifo_open_writer(path, &self->io));
        assert_int_equal(n, 0);
        settle();
        unlink(path);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ENOENT);
        edo_return(0);
    }
}

enum { CROWD = 200 };

/* Many FIFOs without peers hold no thread. */
fifo_test(a_crowd_without_peers, edo_io *io; edo_task * tasks[CROWD]; int i;)
{
    edo_body {
        int64_t n;
        edo_pool_stats stats;
        edo_pool *pool;
        for (int i = 0; i < CROWD; i++) {
            n = edo_spawn(&self->tasks[i], run_op, .op = edo_fifo_open_writer(path, &self->io));
            assert_int_equal(n, 0);
        }
        settle();
        assert_int_equal(edo_runtime_pool(edo_current_runtime(), "files", &pool), 0);
        edo_pool_read(pool, &stats);
        assert_int_equal(stats.threads, 0);
        for (self->i = 0; self->i < CROWD; self->i++) {
            edo_task_cancel(self->tasks[self->i]);
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        edo_return(0);
    }
}

fifo_test(bad_paths, edo_io *io; char file[TEMP_PATH_SIZE + 8];)
{
    edo_body {
        int rc;
        self->io = NULL;
        assert_int_equal(edo_fifo_make(path, 0600), -EEXIST);
        assert_int_equal(edo_fifo_make(NULL, 0600), -EINVAL);
        assert_int_equal(edo_fifo_open_reader(NULL, 0, &self->io), -EINVAL);
        assert_int_equal(edo_fifo_open_reader(path, 0, NULL), -EINVAL);
        assert_int_equal(edo_fifo_open_reader(path, 2, &self->io), -EINVAL);
        assert_int_equal(edo_fifo_try_open_writer(NULL, &self->io), -EINVAL);
        edo_await(rc, edo_fifo_open_writer(NULL, &self->io));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_fifo_open_writer(path, NULL));
        assert_int_equal(rc, -EINVAL);
        snprintf(self->file, sizeof self->file, "%s/file", directory);
        assert_int_equal(edo_fifo_open_reader(self->file, 0, &self->io), -ENOENT);
        close(open(self->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        assert_int_equal(edo_fifo_open_reader(self->file, 0, &self->io), -EINVAL);
        assert_int_equal(edo_fifo_open_reader("/dev/null", 0, &self->io), -EINVAL);
        edo_await(rc, edo_fifo_open_writer(self->file, &self->io));
        assert_int_equal(rc, -EINVAL);
        assert_null(self->io);
        edo_return(0);
    }
}

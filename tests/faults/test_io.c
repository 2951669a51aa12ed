/* Streams and descriptors, with each request failing. */
#include "faults/sweep.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "support/streams.h"

enum { BULK = 600 };

/* ---- two ends, two tasks ---- */

struct sender {
    edo_frame();
    edo_args(edo_io *io;);
    char data[BULK];
};

edo_async(sender)
{
    edo_body {
        int64_t rc;
        fill_pattern(self->data, BULK, 0, 0);
        edo_await(rc, edo_write_all(self->io, self->data, BULK));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_shutdown_write(self->io));
        edo_return(rc);
    }
}

struct transfer {
    edo_frame(struct collect collect; struct sender sender;);
    edo_args(edo_io *from; edo_io *to;);
    struct collect collect;
    struct sender sender;
    char data[BULK + 1];
};

/* A failure of one task ends the other. */
edo_async(transfer)
{
    edo_body {
        int64_t rc;
        edo_init(&self->sender, sender, .io = self->from);
        edo_init(&self->collect, collect, .io = self->to, .buffer = self->data,
                 .size = sizeof self->data);
        edo_try_all(rc, &self->sender.base, &self->collect.base);
        if (rc == 0 && self->collect.base.result != BULK) rc = -EPROTO;
        if (rc == 0 && !is_pattern(self->data, BULK, 0, 0)) rc = -EPROTO;
        edo_close(self->from);
        edo_close(self->to);
        edo_return(rc);
    }
}

static int64_t wrap_both(int fds[2], edo_io **ret_streams)
{
    int rc = edo_io_from_fd(fds[0], &ret_streams[0]);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    rc = edo_io_from_fd(fds[1], &ret_streams[1]);
    if (rc < 0) {
        edo_close(ret_streams[0]);
        close(fds[1]);
    }
    return rc;
}

static int64_t stream(void)
{
    int fds[2];
    edo_io *streams[2];
    open_pair(UNIX_STREAM, fds);
    int64_t rc = wrap_both(fds, streams);
    if (rc < 0) return rc;
    edo_runtime *runtime;
    rc = edo_runtime_create(&(edo_config){ .test_clock = true }, &runtime);
    if (rc < 0) {
        edo_close(streams[0]);
        edo_close(streams[1]);
        return rc;
    }
    rc = edo_block_on(runtime, transfer, .from = streams[0], .to = streams[1]);
    if (rc == -ENOMEM && fd_is_open(fds[0])) { // not spawned: the streams are still the caller's
        edo_close(streams[0]);
        edo_close(streams[1]);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return rc;
}
fault_test(stream)

/* ---- a descriptor that two tasks wait for, which takes a second registration ---- */

struct waits {
    edo_frame();
    edo_args(int fd; int peer;);
    edo_task *tasks[2];
    edo_op op;
    int64_t result;
    unsigned i;
};

edo_async(waits)
{
    edo_body {
        int64_t rc;
        self->result = 0;
        for (self->i = 0; self->i < ARRAY_LENGTH(self->tasks); self->i++) {
            rc = edo_spawn(&self->tasks[self->i], run_op,
                           .op = edo_wait_fd(self->fd, EDO_READABLE));
            if (rc < 0) self->tasks[self->i] = NULL;
            self->result = first_failure(self->result, rc);
        }
        edo_await(rc, edo_sleep(1));
        fd_write_all(self->peer, "x", 1);
        for (self->i = 0; self->i < ARRAY_LENGTH(self->tasks); self->i++) {
            if (!self->tasks[self->i]) continue;
            edo_await(rc, edo_join(self->tasks[self->i]));
            self->result = first_failure(self->result, rc);
        }
        edo_return(self->result);
    }
}

static int64_t wait_fd(void)
{
    int fds[2];
    open_pair(UNIX_STREAM, fds);
    int64_t rc = on_runtime(waits, .fd = fds[0], .peer = fds[1]);
    close(fds[0]);
    close(fds[1]);
    return rc;
}
fault_test(wait_fd)

/* ---- operations that are cut short ---- */

struct cut_short {
    edo_frame();
    edo_args(int fd;);
    edo_io *io;
    edo_task *task;
    int64_t result;
    char byte;
};

edo_async(cut_short)
{
    edo_body {
        int64_t rc = edo_io_from_fd(self->fd, &self->io);
        if (rc < 0) {
            close(self->fd);
            edo_return(rc);
        }
        edo_await_for(rc, edo_ms(1), edo_read(self->io, &self->byte, 1));
        self->result = rc == -ETIMEDOUT ? 0 : rc;
        rc = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
        if (rc < 0) {
            edo_close(self->io);
            edo_return(first_failure(self->result, rc));
        }
        edo_await(rc, edo_sleep(1));
        edo_close(self->io);
        edo_await(rc, edo_join(self->task));
        edo_return(first_failure(self->result, rc == -ECANCELED ? 0 : rc));
    }
}

static int64_t closed(void)
{
    int fds[2];
    open_pair(UNIX_STREAM, fds);
    int64_t rc = on_runtime(cut_short, .fd = fds[0]);
    if (fd_is_open(fds[0])) close(fds[0]); // the function was not run
    close(fds[1]);
    return rc;
}
fault_test(closed)

/* ---- the graceful end, and taking the descriptor out ---- */

struct ends {
    edo_frame();
    edo_args(int fd; int other;);
    edo_io *io;
    int64_t result;
};

edo_async(ends)
{
    edo_body {
        int64_t rc = edo_io_from_fd(self->fd, &self->io);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_write(self->io, "x", 1));
        self->result = rc;
        rc = edo_io_into_fd(self->io);
        assert_int_equal(rc, self->fd);
        rc = edo_io_from_fd(self->other, &self->io);
        if (rc < 0) edo_return(first_failure(self->result, rc));
        self->other = -1;
        edo_await_for(rc, edo_ms(1), edo_finish(self->io));
        edo_return(first_failure(self->result, rc == -ETIMEDOUT ? 0 : rc));
    }
}

static int64_t ended(void)
{
    int fds[2];
    open_pair(UNIX_STREAM, fds);
    int other = dup(fds[1]);
    int64_t rc = on_runtime(ends, .fd = fds[0], .other = other);
    if (fd_is_open(other)) close(other);
    close(fds[0]);
    close(fds[1]);
    return rc;
}
fault_test(ended)

/* Streams of files that cannot be polled. A step makes the call at once if the system need not wait
 * for the disk; otherwise the call is a job of the pool "files", for which the step waits. Even a
 * cancelled operation waits for a job that has begun, because the bytes that the job moves belong
 * to the operation. */
#include "io/file.h"

#include <edo/blocking.h>

#include "sys/files.h"

typedef struct side {
    edo_op job; // base.ops is NULL while no job is in flight; guarded by the side's claim
    edo_fd fd;
    edo_slice one; // buffer of a read or a write
    const edo_slice *slices;
    int count;
} side;

typedef struct file_io {
    edo_io io;
    edo_atomic(uint32_t) claims;
    side sides[EDO__SIDES];
} file_io;

static file_io *file_of(edo_io *io)
{
    return (file_io *)(void *)io;
}

/* ---- one step ---- */

static int64_t read_job(void *arg)
{
    side *s = arg;
    return edo__file_read(s->fd, s->one.data, s->one.size);
}

static int64_t write_job(void *arg)
{
    side *s = arg;
    return edo__file_write(s->fd, s->slices, s->count);
}

static void prepare(side *s, const edo_op *op)
{
    if (edo__request_of(op) == EDO__WRITEV) {
        s->slices = edo__transfer_of(op)->slices;
        s->count = (int)edo__transfer_of(op)->length;
    } else {
        s->one = (edo_slice){ edo__rest_of(op), edo__asked(op) };
        s->slices = &s->one;
        s->count = 1;
    }
}

static int64_t try_now(side *s, const edo_op *op)
{
    return edo__request_of(op) == EDO__READ ? edo__file_read_now(s->fd, s->one.data, s->one.size)
                                            : edo__file_write_now(s->fd, s->slices, s->count);
}

/* Makes the call at once, or creates a job for it. Returns: the result of the call; -EAGAIN: the
 * job has to be polled. */
static int64_t begin(side *s, const edo_op *op, edo_cx *cx)
{
    edo_pool *pool;
    prepare(s, op);
    int64_t n = try_now(s, op);
    if (n != -EAGAIN) return n;
    int rc = edo_runtime_pool(cx->runtime, "files", &pool);
    if (rc < 0) return rc;
    s->job = edo_blocking_on(pool, edo__request_of(op) == EDO__READ ? read_job : write_job, s);
    return -EAGAIN;
}

static edo_poll file_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    side *s = &file_of(io)->sides[edo__side_of(op)];
    if (!s->job.base.ops) {
        op->base.result = edo__io_is_ending(io, cx) ? -ECANCELED : begin(s, op, cx);
        if (!s->job.base.ops) return EDO_READY;
    }
    if (edo_poll_future(&s->job.base, cx) == EDO_PENDING) return EDO_PENDING;
    op->base.result = s->job.base.result;
    s->job.base.ops = NULL;
    return EDO_READY;
}

/* ---- life ---- */

/* A job in flight ends by itself, so nothing has to be woken. */
static void file_hang_up(edo_io *io)
{
    (void)io;
}

static void file_release(edo_io *io)
{
    edo__free(file_of(io), sizeof(file_io));
}

static const edo__io_ops file_ops = {
    .name = "file",
    .claims = offsetof(file_io, claims),
    .step = file_step,
    .hang_up = file_hang_up,
    .release = file_release,
};

edo_io *edo__file_io_create(edo_fd fd)
{
    file_io *file = edo__alloc_zeroed(sizeof *file);
    if (!file) return NULL;
    file->io.ops = &file_ops;
    file->sides[EDO__READ_SIDE].fd = file->sides[EDO__WRITE_SIDE].fd = fd;
    return &file->io;
}

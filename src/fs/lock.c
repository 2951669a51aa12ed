/* Locks of files.
 *
 * The system reports a free lock only to a thread that waits for the lock in a system call. Such a
 * thread would be occupied for as long as the lock is held, and its wait could not be cancelled. So
 * an operation tries to take the lock again and again, with growing pauses. It needs no thread
 * during a pause. Each try is made on the pool, because a try may take long: the lock of a file on
 * a network is kept by a server. */
#include "fs/fs.h"

#include "base/duration.h"
#include "task/op.h"

typedef struct EDO__OVERLAY lock_op {
    edo_future base;
    edo_file *file;
    int64_t next; // time of the next try; ns of the runtime's clock
    uint64_t size, offset;
    void *link[2]; // for the pool
    edo__op_state state;
} lock_op;

EDO__OVERLAY_FITS(lock_op);

static lock_op *lock_of(const edo_op *op)
{
    return (lock_op *)(uintptr_t)op;
}

/* Bits of edo_op.detail. The second byte is the exponent of the next delay. */
enum {
    SHARED = 1 << 0,
    ONCE = 1 << 1,
    UNLOCKS = 1 << 2,
    STEP = 1 << 8, // 1 in the exponent
    STEPS = 6,     // greatest exponent, for 64 ms
    STEP_BITS = 7 << 8,
};

static int64_t run(edo_op *op)
{
    const lock_op *self = lock_of(op);
    edo__file_call call = { .verb = op->detail & UNLOCKS ? EDO__FILE_UNLOCK : EDO__FILE_LOCK,
                            .fd = self->file->stream.fd,
                            .flags = op->detail & SHARED ? EDO_LOCK_SHARED : EDO_LOCK_EXCLUSIVE,
                            .size = self->size,
                            .offset = self->offset };
    return edo__file_make(&call);
}

static edo_poll finish(edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__FS_ENTERED) edo__file_leave(lock_of(op)->file);
    op->progress = 0;
    return edo__op_finish(op, cx, result);
}

/* Sets the time of the next try. waits() asks for a wake at that time. */
static void plan(edo_op *op, edo_cx *cx)
{
    uint32_t step = (op->detail & STEP_BITS) / STEP;
    lock_of(op)->next = edo__later(cx->now, edo_ms(1) << step);
    if (step < STEPS) op->detail += STEP;
}

static int enter(edo_op *op, edo_cx *cx)
{
    int rc = cx->fate == EDO_LIVE ? edo__file_enter(lock_of(op)->file, op->base.ops->name)
                                  : -ECANCELED;
    if (rc == 0) op->detail |= EDO__FS_ENTERED;
    return rc;
}

/* Whether the operation waits for its next try. */
static bool waits(const edo_op *op, edo_cx *cx)
{
    int64_t next = lock_of(op)->next;
    if (cx->fate != EDO_LIVE || cx->now >= next) return false;
    edo_cx_deadline(cx, next);
    return true;
}

static edo_poll lock_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__call_has(op, EDO__FS_ENTERED)) {
        int rc = enter(op, cx);
        if (rc < 0) return finish(op, cx, rc);
    }
    while (edo__call_is_begun(op) || !waits(op, cx)) {
        bool closed = edo_load_relaxed(&lock_of(op)->file->uses) & EDO__SOURCE_CLOSED;
        if (closed && !edo__call_is_begun(op)) return finish(op, cx, -ECANCELED);
        if (edo__call_drive(op, cx, NULL, NULL, run) == EDO_PENDING) return EDO_PENDING;
        int64_t rc = op->base.result;
        bool is_busy = rc == 0 && !(op->detail & UNLOCKS);
        if (!is_busy) return finish(op, cx, rc < 0 ? rc : 0);
        if (op->detail & ONCE) return finish(op, cx, -EAGAIN);
        plan(op, cx);
    }
    return EDO_PENDING;
}

static edo_op make(const edo_future_ops *ops, edo_file *file, uint64_t offset, uint64_t size,
                   uint32_t detail)
{
    if (!file || offset > INT64_MAX || size > INT64_MAX - offset) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(ops, file, NULL, size, detail);
    lock_of(&op)->offset = offset;
    lock_of(&op)->next = 0;
    return op;
}

static edo_op make_lock(const edo_future_ops *ops, edo_file *file, edo_file_lock_kind kind,
                        uint64_t offset, uint64_t size, uint32_t detail)
{
    if (kind != EDO_LOCK_SHARED && kind != EDO_LOCK_EXCLUSIVE) return edo__op_refuse(-EINVAL);
    return make(ops, file, offset, size, detail | (kind == EDO_LOCK_SHARED ? SHARED : 0));
}

edo_op edo_file_lock(edo_file *file, edo_file_lock_kind kind, uint64_t offset, uint64_t size)
{
    static const edo_future_ops ops = { .name = "edo_file_lock", .poll = lock_poll };
    return make_lock(&ops, file, kind, offset, size, 0);
}

edo_op edo_file_try_lock(edo_file *file, edo_file_lock_kind kind, uint64_t offset, uint64_t size)
{
    static const edo_future_ops ops = { .name = "edo_file_try_lock", .poll = lock_poll };
    return make_lock(&ops, file, kind, offset, size, ONCE);
}

edo_op edo_file_unlock(edo_file *file, uint64_t offset, uint64_t size)
{
    static const edo_future_ops ops = { .name = "edo_file_unlock", .poll = lock_poll };
    return make(&ops, file, offset, size, UNLOCKS);
}

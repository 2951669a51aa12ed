/* The entries of a directory. */
#include "fs/fs.h"

#include "runtime/inspect/maker.h"
#include "stream/inner.h"
#include "task/op.h"

enum { BATCH_SIZE = 32 * 1024 };

/* A directory that is being read. Only one task at a time uses the edo_dir. While an edo_dir_next()
 * is in the pool, only the thread of the pool uses the batch. */
struct edo_dir {
    edo_file *file;
    const edo_op *user; // the edo_dir_next() in flight
    size_t size, at;    // bytes of the batch, and bytes that were taken
    bool ended;
    uint64_t *batch; // BATCH_SIZE bytes
};

edo_dir *edo__dir_create(edo_file *file)
{
    edo_dir *dir = edo__alloc_zeroed(sizeof *dir);
    uint64_t *batch = dir ? edo__alloc(BATCH_SIZE) : NULL;
    if (!batch) {
        edo__free(dir, sizeof *dir);
        return NULL;
    }
    dir->file = file;
    dir->batch = batch;
    return dir;
}

static int64_t run_batch(edo_op *op)
{
    edo_dir *dir = op->object;
    return edo__dir_read(dir->file->stream.fd, dir->batch, BATCH_SIZE);
}

static bool take(edo_dir *dir, edo_entry *ret_entry)
{
    edo__dir_entry found;
    if (!edo__dir_take(dir->batch, dir->size, &dir->at, &found)) return false;
    *ret_entry = (edo_entry){ found.name, found.size, found.inode, found.kind };
    return true;
}

/* Uses the result of a read, and notes the end of the directory. Returns: 1; a negative errno. */
static int64_t note_batch(edo_dir *dir, int64_t n)
{
    if (n < 0) return n;
    dir->size = (size_t)n;
    dir->at = 0;
    dir->ended = n == 0;
    return 1;
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_dir *dir = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&dir->user, op)) return edo__op_finish(op, cx, -EBUSY);
    for (;;) {
        if (!edo__call_is_begun(op)) {
            if (take(dir, op->data)) return edo__user_ends(&dir->user, op, cx, 1);
            if (dir->ended) return edo__user_ends(&dir->user, op, cx, 0);
        }
        if (edo__call_drive(op, cx, NULL, NULL, run_batch) == EDO_PENDING) return EDO_PENDING;
        int64_t rc = note_batch(dir, op->base.result);
        if (rc <= 0) return edo__user_ends(&dir->user, op, cx, rc);
    }
}

edo_op edo_dir_next(edo_dir *dir, edo_entry *ret_entry)
{
    static const edo_future_ops ops = { .name = "edo_dir_next", .poll = next_poll };
    edo__check_memory("edo_dir_next", ret_entry, "output");
    if (!dir || !ret_entry) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, dir, ret_entry, 0, 0);
}

edo_file *edo_dir_file(edo_dir *dir)
{
    edo__user_check(dir->user, "edo_dir_file");
    return dir->file;
}

void edo_dir_close(edo_dir *dir)
{
    if (!dir) return;
    edo__user_closes(&dir->user, "edo_dir_close", "edo_dir_next");
    edo__file_close(dir->file, "edo_dir_close");
    edo__free(dir->batch, BATCH_SIZE);
    edo__free_closed(dir, sizeof *dir);
}

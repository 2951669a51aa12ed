/* The object of a file, and its stream. */
#include "fs/fs.h"

#include "runtime/inspect/maker.h"
#include "sys/sys.h"
#include "task/op.h"

/* ---- life ---- */

/* Ends a closed file that no operation uses any more. */
static void destroy(edo_file *file)
{
    edo__sys_close(file->fd);
    edo__free_closed(file, sizeof *file);
}

void edo__file_leave(edo_file *file)
{
    if (file && edo__claims_leave(&file->uses, EDO__SOURCE_READING)) destroy(file);
}

/* ---- the stream ---- */

/* Bytes per call of the ring or the pool. A cancellation waits for this many. */
enum { MAX_TRANSFER = 2 * 1024 * 1024 };

static void describe(const edo_op *op, edo__file_call *call)
{
    static const edo__file_verb verbs[] = { [EDO__READ] = EDO__FILE_READ,
                                            [EDO__WRITE] = EDO__FILE_WRITE,
                                            [EDO__WRITEV] = EDO__FILE_WRITEV };
    const edo__transfer_op *transfer = edo__transfer_of(op);
    uint64_t rest = transfer->length - transfer->progress;
    call->verb = verbs[edo__request_of(op)];
    call->fd = edo__file_of(transfer->io)->fd;
    call->flags = edo__file_of(transfer->io)->flags & EDO_OPEN_DIRECT;
    call->offset = EDO__AT_POSITION;
    call->data = edo__rest_of(op);
    call->size = rest < MAX_TRANSFER ? rest : MAX_TRANSFER;
    if (edo__request_of(op) != EDO__WRITEV) return;
    call->data = transfer->data;
    call->size = transfer->length;
}

static int64_t run_transfer(edo_op *op)
{
    edo__file_call call = { 0 };
    describe(op, &call);
    return edo__file_make(&call);
}

/* Takes the file's position for one operation. Acquire and release order the operations at the
 * position. */
static bool take_position(edo_file *file, const edo_op *op)
{
    const edo_op *none = NULL;
    return edo_cas_acquire(&file->mover, &none, op);
}

static edo_poll end_step(edo_op *op, int64_t result)
{
    op->base.result = result;
    return EDO_READY;
}

static edo_poll file_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo_file *file = edo__file_of(io);
    edo__file_call call = { 0 };
    bool begins = !edo__fs_is_begun(op);
    if (begins && edo__io_is_ending(io, cx)) return end_step(op, -ECANCELED);
    if (begins && !take_position(file, op)) return end_step(op, -EBUSY);
    if (begins) describe(op, &call);
    if (edo__fs_drive(op, cx, file, &call, run_transfer) == EDO_PENDING) return EDO_PENDING;
    edo_store_release(&file->mover, NULL); // partner: take_position
    return EDO_READY;
}

/* Closes the file for new operations, which then end with -ECANCELED. Operations in flight run to
 * their ends. */
static void hang_up(edo_io *io)
{
    edo__claims_close(&edo__file_of(io)->uses);
}

static void release(edo_io *io)
{
    edo_file *file = edo__file_of(io);
    if (edo__claims_end_close(&file->uses)) destroy(file);
}

static const edo__io_ops file_ops = { .name = "file",
                                      .claims = offsetof(edo_file, claims),
                                      .step = file_step,
                                      .hang_up = hang_up,
                                      .release = release };

edo_io *edo_file_io(edo_file *file)
{
    return &file->io;
}

/* ---- making ---- */

edo_file *edo__file_create(uint32_t flags)
{
    edo_file *file = edo__alloc_zeroed(sizeof *file);
    if (!file) return NULL;
    file->io.ops = &file_ops;
    file->uses = EDO__SOURCE_COUNTS;
    file->fd = -1;
    file->flags = flags;
    return file;
}

void edo__file_discard(edo_file *file)
{
    if (!file) return;
    edo__sys_close(file->fd);
    edo__free(file, sizeof *file);
}

int edo_file_from_fd(edo_fd fd, edo_file **ret_file)
{
    if (!ret_file) return -EINVAL;
    int flags = edo__file_status(fd);
    if (flags < 0) return flags;
    edo_file *file = edo__file_create((uint32_t)flags);
    if (!file) return -ENOMEM;
    file->fd = fd;
    file->may_be_nonblocking = true;
    *ret_file = file;
    return 0;
}

/* ---- the descriptor ---- */

static void clear_nonblocking(edo_file *file)
{
    if (!edo_load_relaxed(&file->may_be_nonblocking)) return;
    edo__file_clear_nonblocking(file->fd);
    edo_store_relaxed(&file->may_be_nonblocking, false);
}

edo_fd edo_file_fd(const edo_file *file)
{
    clear_nonblocking((edo_file *)(uintptr_t)file);
    return file->fd;
}

edo_fd edo_file_into_fd(edo_file *file)
{
    static const char call[] = "edo_file_into_fd";
    int rc = edo__io_claim(&file->io, EDO__BOTH_SIDES, call);
    if (rc < 0) return rc;
    rc = edo__claims_take(&file->uses, EDO__BOTH_SIDES);
    if (rc == 0) {
        edo_fd fd = edo_file_fd(file);
        file->fd = -1;
        edo__io_begin_close(&file->io, call);
        edo__io_end_close(&file->io);
        edo__io_leave(&file->io, EDO__BOTH_SIDES);
        edo__file_leave(file);
        return fd;
    }
    edo__io_leave(&file->io, EDO__BOTH_SIDES);
    return rc;
}

void edo_file_close(edo_file *file)
{
    if (!file) return;
    edo__io_begin_close(&file->io, "edo_file_close");
    edo__io_end_close(&file->io);
}

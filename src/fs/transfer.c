/* Reads and writes at an offset. */
#include "fs/fs.h"

#include "task/op.h"

enum {
    MAX_SIZE = EDO__FILE_MAX_TRANSFER,
    MAX_VISIT = 8 * 1024 * 1024, // bytes per visit to the pool; a cancellation waits for the visit
    MAX_SLICES = 1024,           // IOV_MAX of Linux
    DIRECT_ALIGN = 4096,
};

typedef struct EDO__OVERLAY transfer_op {
    edo_future base;
    edo_file *file;
    void *data;    // the bytes, or an array of slices
    uint32_t size; // bytes, or number of slices
    uint32_t done; // bytes
    uint64_t offset;
    void *link[2]; // for the pool or the driver
    edo__op_state state;
} transfer_op;

EDO__OVERLAY_FITS(transfer_op);

static transfer_op *transfer_of(const edo_op *op)
{
    return (transfer_op *)(uintptr_t)op;
}

static bool is_vector(const edo_op *op)
{
    edo__file_verb verb = (edo__file_verb)(op->detail & 0xff);
    return verb == EDO__FILE_READV || verb == EDO__FILE_WRITEV;
}

static void describe(const edo_op *op, edo__file_call *call)
{
    const transfer_op *self = transfer_of(op);
    call->verb = (edo__file_verb)(op->detail & 0xff);
    call->fd = self->file->stream.fd;
    call->flags = self->file->stream.flags & EDO_OPEN_DIRECT;
    call->data = is_vector(op) ? self->data : (char *)self->data + self->done;
    call->size = self->size - (is_vector(op) ? 0 : self->done);
    call->offset = self->offset + self->done;
}

static bool is_whole(const edo_op *op)
{
    return is_vector(op) || transfer_of(op)->done == transfer_of(op)->size;
}

/* Repeats the call, because one call may move only some of the bytes. Returns: number of bytes that
 * all calls have moved. If the first call has moved none: 0 at the end of the file, or the error of
 * that call. */
static int64_t run(edo_op *op)
{
    edo__file_call call = { 0 };
    int64_t sum = 0, n;
    describe(op, &call);
    do {
        n = edo__file_make(&call);
        if (n <= 0) break;
        sum += n;
        call.data = (char *)call.data + n;
        call.size -= (uint64_t)n;
        call.offset += (uint64_t)n;
    } while (!is_vector(op) && call.size && sum < MAX_VISIT);
    return sum ? sum : n;
}

static edo_poll finish(edo_op *op, edo_cx *cx, int64_t result)
{
    transfer_op *self = transfer_of(op);
    if (op->detail & EDO__FS_ENTERED) edo__file_leave(self->file);
    if (self->done) result = self->done;
    op->progress = self->done;
    return edo__op_finish(op, cx, result);
}

static int enter(edo_op *op, edo_cx *cx)
{
    const transfer_op *self = transfer_of(op);
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__file_enter(self->file, op->base.ops->name);
    if (rc == 0) op->detail |= EDO__FS_ENTERED;
    return rc;
}

static edo_poll transfer_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    transfer_op *self = transfer_of(op);
    edo__file_call call = { 0 };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__FS_ENTERED)) {
        int rc = enter(op, cx);
        if (rc < 0 || self->size == 0) return finish(op, cx, rc);
    }
    while (edo__has_budget(cx)) {
        if (!edo__call_is_begun(op)) describe(op, &call);
        if (edo__call_drive(op, cx, &self->file->stream, &call, run) == EDO_PENDING)
            return EDO_PENDING;
        int64_t n = op->base.result;
        if (n > 0) self->done += (uint32_t)n;
        edo__use_work(cx, n);
        if (n <= 0 || is_whole(op)) return finish(op, cx, n);
    }
    return EDO_PENDING;
}

static edo_op transfer(const edo_future_ops *ops, edo_file *file, const void *data, size_t size,
                       uint64_t offset, edo__file_verb verb)
{
    if (!file || (!data && size)) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(ops, file, (void *)(uintptr_t)data, 0, verb);
    transfer_of(&op)->size = size < MAX_SIZE ? (uint32_t)size : (uint32_t)MAX_SIZE;
    transfer_of(&op)->done = 0;
    transfer_of(&op)->offset = offset;
    return op;
}

/* Whether an offset from the user is valid. Offsets above INT64_MAX are refused. One of them is
 * EDO__AT_POSITION, which stands for the file's own position. */
static bool is_offset(uint64_t offset)
{
    return offset <= INT64_MAX;
}

edo_op edo_file_read_at(edo_file *file, void *buffer, size_t size, uint64_t offset)
{
    static const edo_future_ops ops = { .name = "edo_file_read_at", .poll = transfer_poll };
    edo__check_memory("edo_file_read_at", buffer, "buffer");
    if (!is_offset(offset)) return edo__op_refuse(-EINVAL);
    return transfer(&ops, file, buffer, size, offset, EDO__FILE_READ);
}

edo_op edo_file_write_at(edo_file *file, const void *data, size_t size, uint64_t offset)
{
    static const edo_future_ops ops = { .name = "edo_file_write_at", .poll = transfer_poll };
    edo__check_memory("edo_file_write_at", data, "buffer");
    if (!is_offset(offset)) return edo__op_refuse(-EINVAL);
    if (file && (file->stream.flags & EDO_OPEN_APPEND)) return edo__op_refuse(-EINVAL);
    return transfer(&ops, file, data, size, offset, EDO__FILE_WRITE);
}

static edo_op transfer_slices(const edo_future_ops *ops, edo_file *file, const edo_slice *slices,
                              int count, uint64_t offset, edo__file_verb verb)
{
    edo__check_memory(ops->name, slices, "vector");
    if (!slices || count < 1 || count > MAX_SLICES || !is_offset(offset))
        return edo__op_refuse(-EINVAL);
    for (int i = 0; i < count; i++)
        edo__check_memory(ops->name, slices[i].data, "buffer");
    return transfer(ops, file, slices, (size_t)count, offset, verb);
}

edo_op edo_file_readv_at(edo_file *file, const edo_slice *slices, int count, uint64_t offset)
{
    static const edo_future_ops ops = { .name = "edo_file_readv_at", .poll = transfer_poll };
    return transfer_slices(&ops, file, slices, count, offset, EDO__FILE_READV);
}

edo_op edo_file_writev_at(edo_file *file, const edo_slice *slices, int count, uint64_t offset)
{
    static const edo_future_ops ops = { .name = "edo_file_writev_at", .poll = transfer_poll };
    if (file && (file->stream.flags & EDO_OPEN_APPEND)) return edo__op_refuse(-EINVAL);
    return transfer_slices(&ops, file, slices, count, offset, EDO__FILE_WRITEV);
}

void *edo_direct_buffer(size_t size)
{
    return edo__alloc_aligned(size, DIRECT_ALIGN);
}

void edo_direct_buffer_free(void *buffer, size_t size)
{
    if (buffer) edo__free_aligned(buffer, size, DIRECT_ALIGN);
}

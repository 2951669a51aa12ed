/* Copies of files to streams, and to other files. */
#include <edo/blocking.h>
#include <edo/copy.h>

#include "base/base.h"
#include "io/direct.h"
#include "stream/inner.h"
#include "sys/filesystem.h"
#include "sys/transfer.h"

enum {
    PIECE = 16 * 1024,       // bytes per read if the system does not send the file
    CALL_SIZE = 1 << 20,     // bytes per system call
    JOB_SIZE = 8 * CALL_SIZE // bytes per job of the pool; a cancellation waits for the job
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void move_on(edo_file_range *range, edo_op *op, uint64_t n)
{
    if (range->size != UINT64_MAX) range->size -= n;
    op->progress += n;
}

/* ---- to a stream ---- */

/* Results of a step. MOVED: the transfer continues. OVER: the range or the file has ended. */
enum { MOVED = 1, OVER = 2 };

/* Begins the write of a piece from `memory`, which is freed at the end of the operation. The offset
 * advances only by written bytes. Bytes that were not written are read again by a later operation.
 * Returns: MOVED: `inner` is to be polled; OVER; a negative errno. */
static int64_t begin_piece(edo_io *to, edo_file_range *range)
{
    range->is_direct = false;
    if (!range->memory) range->memory = edo__alloc(PIECE);
    if (!range->memory) return -ENOMEM;
    if (range->start == range->end) {
        int64_t n = edo__sys_read_at(range->file, range->memory, smaller(PIECE, range->size),
                                     range->offset);
        if (n <= 0) return n < 0 ? n : OVER;
        range->start = 0;
        range->end = (uint32_t)n;
    }
    range->inner = edo_write(to, (char *)range->memory + range->start, range->end - range->start);
    return MOVED;
}

/* Sends a part of the file with edo__sys_send_file(), so the bytes are not copied to `memory`.
 * Returns: MOVED: bytes were sent, or `inner` is to be polled; OVER; -ENOTSUP: the system cannot
 * send this file to this stream; another negative errno. */
static int64_t send_once(edo_io *to, edo_file_range *range, edo_op *op, edo_cx *cx)
{
    int64_t n = edo__io_send_file(to, range->file, &range->offset,
                                  smaller(range->size, EDO__MAX_TRANSFER), cx);
    if (n > 0) move_on(range, op, (uint64_t)n);
    if (n > 0) return MOVED;
    if (n == -EAGAIN) range->inner = edo__io_writable(to);
    if (n == -EAGAIN) return MOVED;
    return edo__sys_is_unsupported(n) ? -ENOTSUP : n == 0 ? OVER : n;
}

static int64_t begin_step(edo_io *to, edo_file_range *range, edo_op *op, edo_cx *cx)
{
    if (range->size == 0) return OVER;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (range->is_direct) {
        int64_t n = send_once(to, range, op, cx);
        if (n != -ENOTSUP) return n;
    }
    return begin_piece(to, range);
}

/* Ends the inner operation, which is a write of a piece or a wait for room. */
static void end_inner(edo_file_range *range, edo_op *op, int64_t n)
{
    if (!range->memory) return;
    range->start += (uint32_t)n;
    range->offset += (uint64_t)n;
    move_on(range, op, (uint64_t)n);
}

/* Continues a transfer. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: OVER, or a
 * negative errno. */
static edo_poll send_on(edo_io *to, edo_file_range *range, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    for (;;) {
        if (!edo__inner_is_set(&range->inner)) *ret_n = begin_step(to, range, op, cx);
        if (!edo__inner_is_set(&range->inner)) {
            if (*ret_n != MOVED) return EDO_READY;
        } else if (edo__inner_poll(&range->inner, cx, ret_n) == EDO_PENDING) {
            return EDO_PENDING;
        } else if (*ret_n < 0) {
            return EDO_READY;
        } else {
            end_inner(range, op, *ret_n);
        }
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

static edo_poll send_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_file_range *range = op->data;
    int64_t n;
    bool begins = range->user != op;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&range->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (begins) range->is_direct = edo__io_can_splice(op->object);
    if (send_on(op->object, range, op, cx, &n) == EDO_PENDING) return EDO_PENDING;
    edo__free(range->memory, PIECE);
    range->memory = NULL;
    range->start = range->end = 0;
    return edo__user_ends(&range->user, op, cx, n < 0 ? n : (int64_t)op->progress);
}

edo_op edo_send_file(edo_io *to, edo_file_range *range)
{
    static const edo_future_ops ops = { .name = "edo_send_file", .poll = send_poll };
    edo__check_memory("edo_send_file", range, "range");
    return to && range ? edo__op(&ops, to, range, 0, 0) : edo__op_refuse(-EINVAL);
}

/* ---- to another file; on a thread of the pool ---- */

/* Copies a piece through memory, by one write. The write may move only a part of the piece, for
 * example if the disk becomes full. The next piece begins after that part, and meets the error.
 * Returns: number of bytes; 0: the end of the file; a negative errno. */
static int64_t copy_piece(edo_file_copy *copy, uint64_t size)
{
    char piece[PIECE];
    int64_t n = edo__sys_read_at(copy->from.file, piece, smaller(size, PIECE), copy->from.offset);
    edo__file_call write = { .verb = EDO__FILE_WRITE,
                             .fd = copy->to,
                             .data = piece,
                             .size = n > 0 ? (uint64_t)n : 0,
                             .offset = copy->offset };
    if (copy->offset > INT64_MAX) return -EINVAL; // also EDO__AT_POSITION
    return n > 0 ? edo__file_make(&write) : n;
}

/* Copies a piece by a call of the system. Copies the piece through memory if the system cannot copy
 * the file, or if the call moved nothing because the size of the file is unknown (/proc). */
static int64_t copy_once(edo_file_copy *copy, uint64_t size)
{
    int64_t n = copy->from.start ? -EINVAL
                                 : edo__sys_copy_range(copy->from.file, copy->from.offset, copy->to,
                                                       copy->offset, smaller(size, CALL_SIZE));
    if (n > 0 || (n < 0 && !edo__sys_is_unsupported(n))) return n;
    if (n < 0) copy->from.start = 1; // marks a file that the system cannot copy
    return copy_piece(copy, size);
}

static int64_t copy_job(void *arg)
{
    edo_file_copy *copy = arg;
    int64_t sum = 0;
    while (sum < JOB_SIZE && copy->from.size) {
        int64_t n = copy_once(copy, copy->from.size);
        if (n < 0) return sum ? sum : n;
        if (n == 0) break;
        copy->from.offset += (uint64_t)n;
        copy->offset += (uint64_t)n;
        if (copy->from.size != UINT64_MAX) copy->from.size -= (uint64_t)n;
        sum += n;
    }
    return sum;
}

static edo_op begin_job(edo_file_copy *copy)
{
    edo_pool *pool = NULL;
    int rc = edo_runtime_pool(edo_current_runtime(), "files", &pool);
    return rc < 0 ? edo__op_refuse(rc) : edo_blocking_on(pool, copy_job, copy);
}

static edo_poll file_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_file_copy *copy = op->object;
    int64_t n = 0;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&copy->from.user, op)) return edo__op_finish(op, cx, -EBUSY);
    do {
        if (!edo__inner_is_set(&copy->from.inner)) copy->from.inner = begin_job(copy);
        if (edo__inner_poll(&copy->from.inner, cx, &n) == EDO_PENDING) return EDO_PENDING;
        if (n > 0) op->progress += (uint64_t)n;
    } while (n > 0 && copy->from.size && edo__has_budget(cx));
    if (n > 0 && copy->from.size) return EDO_PENDING;
    return edo__user_ends(&copy->from.user, op, cx, n < 0 ? n : (int64_t)op->progress);
}

edo_op edo_copy_file(edo_file_copy *copy)
{
    static const edo_future_ops ops = { .name = "edo_copy_file", .poll = file_poll };
    edo__check_memory("edo_copy_file", copy, "copy");
    return copy ? edo__op(&ops, copy, NULL, 0, 0) : edo__op_refuse(-EINVAL);
}

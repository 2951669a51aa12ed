/* Calls on files in the ring.
 *
 * Only reads and writes are passed to the driver. The kernel would make every other call on one of
 * its own threads. That would cost as much as a thread of the pool "files". The pool is even
 * better, because one job can make several calls. So the pool makes all other calls.
 *
 * A call needs no source, because its operation is in no list, and only the operation's own poll
 * ends the call early. A poll replaces the operation's waker, and the completion uses the waker. So
 * the waker is guarded by the lock `calls`.
 *
 *     IDLE --- call, by the poll, under `calls` -------------> PARKED
 *     PARKED - the completion, under `calls` ----------------> WOKEN
 *     WOKEN -- the next poll --------------------------------> IDLE
 *
 * The completion stores WOKEN with release. That store is the completion's last access to the
 * operation. Partner: the acquire in edo__uring_poll_call(). The operation may end before the
 * completion has released the lock `calls`. This is allowed, because the lock is part of the
 * driver, which outlives the operation. */
#include "driver/uring/uring.h"

#include "task/task.h"

/* Mark of a call whose cancel was submitted: op->link.at.extra is the address of this variable. */
static char cancelling;

static void fill(const edo__file_call *call, struct io_uring_sqe *sqe)
{
    static const uint8_t opcodes[] = { [EDO__FILE_READ] = IORING_OP_READ,
                                       [EDO__FILE_WRITE] = IORING_OP_WRITE,
                                       [EDO__FILE_READV] = IORING_OP_READV,
                                       [EDO__FILE_WRITEV] = IORING_OP_WRITEV };
    uint64_t size = call->size < EDO__FILE_MAX_TRANSFER ? call->size : EDO__FILE_MAX_TRANSFER;
    edo__sqe_op(sqe, opcodes[call->verb], call->fd, call->data, (uint32_t)size);
    sqe->off = call->offset;
}

/* Whether the ring can make a call. The ring makes no writes while RLIMIT_FSIZE is set, because a
 * write beyond the limit could raise SIGXFSZ in the thread that submits the write. */
static bool takes(const edo__uring *driver, const edo__file_call *call)
{
    bool is_write = call->verb == EDO__FILE_WRITE || call->verb == EDO__FILE_WRITEV;
    if (is_write && edo__file_is_limited()) return false;
    return edo__uring_is_usable(driver) && !edo__uring_is_inherited(driver);
}

static edo_poll end_with(edo_op *op, int64_t result)
{
    op->base.result = result;
    return EDO_READY;
}

edo_poll edo__uring_call(edo_driver *base, edo_op *op, const edo__file_call *call,
                         edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    if (!takes(driver, call)) return end_with(op, -EAGAIN);
    edo__lock_take(&driver->calls);
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) {
        fill(call, sqe);
        edo__sqe_tag(sqe, edo__sqe_ptr(op) | EDO__TAG_CALL);
        op->waker = waker;
        op->link.at.driver = driver;
        op->link.at.extra = NULL;
        edo_store_relaxed(&op->word, EDO__OP_PARKED);
    }
    edo__uring_end(driver);
    edo__lock_give(&driver->calls);
    return sqe ? EDO_PENDING : end_with(op, -EAGAIN);
}

/* Converts the result of a completion into the result of the call. When a thread ends, the kernel
 * cancels the calls of that thread, so ECANCELED may come without a request. EINTR and such an
 * ECANCELED become EAGAIN, because the call was not made. */
static int64_t answer_of(const edo_op *op, int result)
{
    if (result == -ECANCELED && op->link.at.extra == &cancelling) return result;
    return result == -EINTR || result == -ECANCELED ? -EAGAIN : result;
}

void edo__uring_complete_call(edo__uring *driver, edo_op *op, int result)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&driver->calls);
    op->base.result = answer_of(op, result);
    edo__wakes_add(&wakes, edo__wake_prepare(op->waker));
    edo_store_release(&op->word, EDO__OP_WOKEN);
    edo__lock_give(&driver->calls);
    edo__wakes_commit(&wakes);
}

/* Submits a cancel of a call, at most once. If this thread may not use the ring, no cancel is
 * submitted, and the call runs to its end. Called under the lock `calls`. */
static void cancel(edo__uring *driver, edo_op *op)
{
    if (op->link.at.extra || !edo__uring_is_usable(driver)) return;
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) {
        edo__sqe_cancel(sqe, edo__sqe_ptr(op) | EDO__TAG_CALL);
        op->link.at.extra = &cancelling;
    }
    edo__uring_end(driver);
}

edo_poll edo__uring_poll_call(edo_driver *base, edo_op *op, edo_wakeable *waker, bool ending)
{
    edo__uring *driver = edo__uring_of(base);
    bool waits = edo_load_acquire(&op->word) != EDO__OP_WOKEN;
    if (waits) {
        edo__lock_take(&driver->calls);
        waits = edo_load_relaxed(&op->word) != EDO__OP_WOKEN;
        if (waits) op->waker = waker;
        if (waits && ending) cancel(driver, op);
        edo__lock_give(&driver->calls);
    }
    if (waits) return EDO_PENDING;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return EDO_READY;
}

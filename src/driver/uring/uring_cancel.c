/* Cancellation on io_uring. Threads that may use the ring cancel directly; other threads make a
 * request to the ring's owner. */
#include "driver/uring/uring.h"

/* ---- requests to the owner ---- */

static void push_request(edo__uring *driver, edo__uring_request *request)
{
    edo__lock_take(&driver->lock);
    request->next = driver->requests;
    edo_store_relaxed(&driver->requests, request);
    edo__lock_give(&driver->lock);
}

/* Removes a request from the list. The head of the list is also read without the lock, so stores to
 * the head are atomic. */
static void unlist(edo__uring *driver, edo__uring_request *request)
{
    edo__uring_request *before = driver->requests;
    if (before == request) {
        edo_store_relaxed(&driver->requests, request->next);
    } else {
        while (before->next != request)
            before = before->next;
        before->next = request->next;
    }
}

static void drop_request(edo__uring *driver, edo__uring_request *request)
{
    edo__lock_take(&driver->lock);
    unlist(driver, request);
    edo__lock_give(&driver->lock);
}

edo__uring_request *edo__uring_take_cancel(edo__uring *driver, const edo_op *op)
{
    edo__lock_take(&driver->lock);
    edo__uring_request *request = driver->requests;
    while (request->op != op)
        request = request->next;
    unlist(driver, request);
    edo__lock_give(&driver->lock);
    return request;
}

/* Submits a cancel, which names the operation by its address. The cancel cannot affect a later
 * operation at the same address. The operation has not completed yet, so the SQE of a later
 * operation would come after the cancel in the queue. */
bool edo__uring_submit_cancel(edo__uring *driver, const edo_op *op)
{
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) edo__sqe_cancel(sqe, edo__uring_tag(op));
    edo__uring_end(driver);
    return sqe;
}

/* Submits the cancel that was requested. The operation is still in the ring. If it had completed,
 * the completion would have removed the request from the list. */
static bool serve_cancel(edo__uring *driver, edo__uring_request *request)
{
    edo__source *source = edo__uring_source_of(request->op);
    if (!edo__uring_submit_cancel(driver, request->op)) return false;
    edo__lock_take(&source->lock);
    edo__uring_set_stage(request->op, source, EDO__CANCELLING);
    drop_request(driver, request);
    edo__lock_give(&source->lock);
    edo__free(request, sizeof *request);
    return true;
}

/* Returns: the latest request in the list. The request remains valid, because only this thread, the
 * owner, removes requests from the list. */
static edo__uring_request *last_request(edo__uring *driver)
{
    edo__lock_take(&driver->lock);
    edo__uring_request *request = driver->requests;
    edo__lock_give(&driver->lock);
    return request;
}

/* The load without the lock may miss a new request. The thread that makes a request unparks the
 * driver afterwards, so another turn serves that request. */
void edo__uring_serve_requests(edo__uring *driver)
{
    bool served = true;
    while (served && edo__unlikely(edo_load_relaxed(&driver->requests) != NULL)) {
        edo__uring_request *request = last_request(driver);
        served = serve_cancel(driver, request);
    }
}

/* ---- cancelling ---- */

/* Unparks a driver that this thread has pinned, then releases the pin. The pin keeps the driver
 * from being closed, because the driver's runtime may be ending. */
static void unpark_pinned(edo__uring *driver)
{
    driver->base.ops->unpark(&driver->base);
    edo_sub_acq_rel(&driver->base.pins, 1); // partner: the wait in uring_close
}

/* Requests a cancel from the owner. Called on a thread that is not the owner. Pins the driver under
 * the source's lock, while the parked operation still keeps the driver alive. Returns: false if out
 * of memory. */
static bool request_cancel(edo__uring *driver, edo__source *source, edo_op *op)
{
    edo__uring_request *request = edo__alloc_zeroed(sizeof *request);
    if (!request) return false;
    request->op = op;
    edo__lock_take(&source->lock);
    bool parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (parked) {
        edo_add_relaxed(&driver->base.pins, 1);
        edo__uring_set_stage(op, source, EDO__ASKED);
        push_request(driver, request);
    }
    edo__lock_give(&source->lock);
    if (parked)
        unpark_pinned(driver);
    else
        edo__free(request, sizeof *request);
    return true;
}

/* Submits a cancel, and sets the operation's stage. Called under the source's lock. */
static bool cancel_in_ring(edo__uring *driver, edo__source *source, edo_op *op)
{
    if (!edo__uring_submit_cancel(driver, op)) return false;
    edo__uring_set_stage(op, source, EDO__CANCELLING);
    return true;
}

static edo_poll end_cancelled(edo__source *source, edo_op *op)
{
    if (op->base.result == -EAGAIN) op->base.result = -ECANCELED;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return edo__uring_end_op(source, op);
}

/* Ends the wait of an operation that was not submitted. Called under the source's lock. */
static bool leave_queue(edo__source *source, edo_op *op)
{
    edo__wait_leave(edo__side_waiters(edo__op_place(source, op)), op);
    op->base.result = -ECANCELED;
    return false;
}

/* Cancels an operation. An operation that was submitted is pending until its completion. Any other
 * operation ends here. If the cancel cannot be submitted or requested now, the next poll tries
 * again. */
edo_poll edo__uring_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    bool usable = edo__uring_is_usable(driver), told = false;
    edo__lock_take(&source->lock);
    bool pending = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (!pending)
        op->detail |= EDO__DETAIL_WOKEN; // perhaps woken by a completion since edo__op_go_on looked
    if (pending && edo__uring_stage_of(op) == EDO__QUEUED) pending = leave_queue(source, op);
    bool is_new = pending && edo__uring_stage_of(op) == EDO__IN_RING;
    if (pending) op->waker = waker;
    if (is_new && usable) told = cancel_in_ring(driver, source, op);
    edo__lock_give(&source->lock);
    if (!pending) return end_cancelled(source, op);
    if (!is_new) return EDO_PENDING;
    if (!usable) told = request_cancel(driver, source, op);
    if (!told) edo__wake_commit(edo__wake_prepare(waker));
    return EDO_PENDING;
}

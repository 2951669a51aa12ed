/* Operations on io_uring: start, wait and completion.
 *
 * An operation on a socket is tried at once if its side may be ready. The operation is submitted to
 * the ring if the side is known not to be ready: after EAGAIN, and after a read that has emptied
 * the socket. Transfers on pipes and terminals, and writev, behave differently in the rings of
 * different kernels. So the ring does not make these calls. Such an operation is tried, waits as a
 * poll in the ring, and is tried again.
 *
 * The ring identifies an operation by its address. An operation is parked until its completion has
 * been handled, even if the operation was cancelled. So the operation does not move in memory while
 * the kernel may use it. If several accepts wait on a listener, the kernel chooses their order.
 *
 * Several operations on messages that wait on one side of a source share one poll. One waiter is
 * IN_RING with that poll, and the side is `is_polled`. All other waiters are QUEUED. The completion
 * of the poll wakes the first waiter. If the first waiter is not the one that is IN_RING, the
 * latter becomes QUEUED. If the woken operation ends, it wakes the first waiter
 * (edo__uring_pass_on). If the woken operation would block, it parks at the front, and submits the
 * next poll unless a later operation has submitted it. So while a side has waiters, there is a poll
 * or a woken operation, and one datagram wakes one task, the one that has waited longest.
 *
 * A socket with messages in its error queue reports POLLERR until the program has read the
 * messages. Each poll in the ring would end at once, and the operation would be tried in vain. So
 * when a poll has reported only errors, its side is marked (`polls_edges`). The next poll of that
 * side is multishot, because a multishot poll reports only new events. At the first report that has
 * more than errors, the driver cancels that poll, and the operation is tried again (answer_of). The
 * end of the multishot poll clears the mark.
 *
 * POLLERR has a second cause: the pending error of a socket, which the next call must return. The
 * events do not show which of the two causes it is. So when a report has only errors, the driver
 * takes the pending error from the socket. This leaves the error queue as it is. If there was a
 * pending error, the driver cancels the poll, and the operation ends with that error. */
#include "driver/uring/uring.h"

#include <sys/socket.h>

#include "driver/drivers.h"

enum {
    READ_EVENTS = POLLIN | POLLRDHUP,
    WRITE_EVENTS = POLLOUT,
};

/* ---- parking ---- */

/* Makes the operation start again in the next poll. Called inside a poll. */
static edo_poll start_later(edo_op *op, edo_wakeable *waker)
{
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    edo__wake_commit(edo__wake_prepare(waker));
    return EDO_PENDING;
}

/* ---- starting ---- */

/* Whether the ring makes the call itself. If not, the ring only polls, until a call may succeed. An
 * accept in the ring takes exactly one connection, so other processes may accept on the same
 * socket. A lent read in the ring has a small buffer, which would cut a record or a datagram. So
 * the ring makes a lent read only if the socket is known to be a stream of bytes. */
static bool is_call(const edo__uring *driver, const edo__source *source, const edo_op *op)
{
    enum { IS_BYTES = EDO__SOURCE_TCP | EDO__SOURCE_MADE };
    edo__request request = edo__request_of(op);
    if (request <= EDO__WRITE) return source->traits & EDO__SOURCE_SOCKET;
    if (request == EDO__ACCEPT) return edo_load_relaxed(&driver->accepts);
    return request == EDO__READ_LENT && (source->traits & IS_BYTES) &&
           edo_load_relaxed(&driver->lends);
}

/* Clears readiness after a call, unless an event has come since `seen` was read. Events are counted
 * only if the stream is also registered with a readiness driver. */
static void note_try(edo__source *source, const edo_op *op, uint32_t seen)
{
    uint32_t bits = 0;
    if (op->base.result == -EAGAIN)
        bits = EDO__READY_NOW | EDO__READY_FINAL;
    else if (edo__has_met_end(source, op) && !(seen & EDO__READY_FINAL))
        bits = EDO__READY_NOW;
    if (seen & bits) edo_cas_acq_rel(&source->sides[edo__side_of(op)].ready, &seen, seen & ~bits);
}

/* Makes the call if the side may be ready. Returns: false when the call would block. */
static bool attempt(const edo__uring *driver, edo__source *source, edo_op *op)
{
    bool call = is_call(driver, source, op);
    uint32_t seen = edo_load_acquire(&source->sides[edo__side_of(op)].ready);
    if (call && !(seen & (EDO__READY_NOW | EDO__READY_FINAL))) return false;
    op->base.result = edo__try(source, op);
    if (call) note_try(source, op, seen);
    return op->base.result != -EAGAIN;
}

/* Fills in the SQE of a call. With POLL_FIRST, the kernel first waits, and then tries the call. A
 * try before the wait would fail, because the side is known not to be ready. */
static void fill_call(const edo__uring *driver, const edo__source *source, const edo_op *op,
                      struct io_uring_sqe *sqe)
{
    char *data = edo__rest_of(op);
    if (edo__request_of(op) == EDO__ACCEPT) {
        edo__sqe_accept(sqe, source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return;
    }
    if (edo__request_of(op) == EDO__READ)
        edo__sqe_recv(sqe, source->fd, data, edo__asked(op), 0);
    else if (edo__request_of(op) == EDO__WRITE)
        edo__sqe_send(sqe, source->fd, data, edo__asked(op), 0);
    else
        edo__sqe_recv_provided(sqe, source->fd, EDO__URING_BUFFER_GROUP, edo__asked(op));
    if (driver->ring.can & EDO__RING_CAN_POLL_FIRST) sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
}

/* Returns: the events to request with a poll. When a socket wakes a poll in the ring, the ring
 * ignores POLLPRI among the events of the wake, so a request for POLLPRI alone would not complete.
 * The same wake has POLLRDBAND, so POLLRDBAND is requested too. This has no other effect, because
 * sockets never report POLLRDBAND as ready. */
static unsigned events_of(const edo_op *op)
{
    unsigned events = (unsigned)edo__poll_of(op)->events;
    return events | (events & POLLPRI ? POLLRDBAND : 0);
}

/* Returns: the events of the poll that precedes the next try. */
static unsigned events_before_try(const edo_op *op)
{
    return edo__side_of(op) == EDO__READ_SIDE ? READ_EVENTS : WRITE_EVENTS;
}

static void fill_poll(const edo__uring *driver, edo__source *source, const edo_op *op,
                      struct io_uring_sqe *sqe)
{
    if (edo__request_of(op) == EDO__POLL)
        edo__sqe_poll(sqe, source->fd, events_of(op));
    else if (edo__op_place(source, op)->polls_edges && driver->ring.can & EDO__RING_CAN_MULTI_POLL)
        edo__sqe_poll_multishot(sqe, source->fd, events_before_try(op));
    else
        edo__sqe_poll(sqe, source->fd, events_before_try(op));
}

/* Opens the buffers before the first lent read in the ring. Limits the read to one buffer. Returns:
 * whether the ring has buffers. */
static bool prepare_lent(edo__uring *driver, edo_op *op)
{
    uint64_t *size = &edo__transfer_of(op)->length;
    if (!driver->buffers) driver->buffers = edo__uring_buffers_open(&driver->ring);
    if (!driver->buffers) edo_store_relaxed(&driver->lends, false);
    if (driver->buffers && *size > EDO__URING_BUFFER_SIZE) *size = EDO__URING_BUFFER_SIZE;
    return driver->buffers;
}

static void fill(edo__uring *driver, edo__source *source, edo_op *op, struct io_uring_sqe *sqe)
{
    bool call = is_call(driver, source, op);
    if (call && edo__request_of(op) == EDO__READ_LENT) call = prepare_lent(driver, op);
    op->detail &= ~(uint32_t)EDO__DETAIL_IN_CALL;
    if (call) op->detail |= EDO__DETAIL_IN_CALL;
    if (call)
        fill_call(driver, source, op, sqe);
    else
        fill_poll(driver, source, op, sqe);
    edo__sqe_tag(sqe, edo__uring_tag(op));
}

/* Parks an operation that waits with the poll of another waiter. Called under the source's lock. */
static int queue(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring_set_stage(op, source, EDO__QUEUED);
    edo__op_park(source, op, &driver->base, waker);
    return 0;
}

/* Prepares an SQE and parks the operation. Called under the source's lock, because the operation
 * may complete at once. Returns: 0; or -ENOSPC if the queue is full. */
static int enqueue(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    bool shares = edo__uring_shares_poll(source, op);
    if (shares && edo__op_place(source, op)->is_polled) return queue(driver, source, op, waker);
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) {
        fill(driver, source, op, sqe);
        edo__uring_set_stage(op, source, EDO__IN_RING);
        edo__op_park(source, op, &driver->base, waker);
        if (shares) edo__op_place(source, op)->is_polled = true;
    }
    edo__uring_end(driver);
    return sqe ? 0 : -ENOSPC;
}

/* Submits the operation if it may park. If all waiters of its side are QUEUED, there is nothing in
 * their ring. Then the operation submits the poll for all of them to the ring of this worker, and
 * their later wakes come from this ring. Returns: 0; -ENOSPC if the queue is full; or the error
 * with which the operation ends. */
static int try_submit(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo_driver *theirs = driver;
    edo__lock_take(&source->lock);
    int rc = edo__op_may_park(source, op, &theirs);
    bool polls = edo__uring_shares_poll(source, op) && !edo__op_place(source, op)->is_polled;
    if (rc == 0) rc = enqueue(edo__uring_of(polls ? driver : theirs), source, op, waker);
    edo__lock_give(&source->lock);
    return rc;
}

/* Submits the operation. If there is no SQE and this thread owns the ring, reaps completions, which
 * frees SQEs, and submits again. If there is still no SQE, the operation starts again later. */
static edo_poll submit(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    int rc = try_submit(&driver->base, source, op, waker);
    if (rc == -ENOSPC && edo__uring_is_owner(driver) && edo__uring_reap(driver))
        rc = try_submit(&driver->base, source, op, waker);
    if (rc == 0) return EDO_PENDING;
    if (rc == -ENOSPC) return start_later(op, waker);
    op->base.result = rc;
    return edo__uring_end_op(source, op);
}

edo_poll edo__uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    if (!attempt(driver, source, op)) return submit(driver, source, op, waker);
    return edo__uring_end_op(source, op);
}

/* Whether the current poll runs in the runtime of the ring. */
static bool is_at_home(const edo__uring *driver)
{
    return driver->shared ? edo_current_runtime() == driver->base.runtime
                          : edo__uring_is_owner(driver);
}

static bool has_waiters(edo__source *source, const edo_op *op)
{
    edo__lock_take(&source->lock);
    bool has = !edo__wait_list_is_empty(edo__side_waiters(edo__op_place(source, op)));
    edo__lock_give(&source->lock);
    return has;
}

/* Resumes an operation that is polled outside the runtime of its driver. The operation starts again
 * with the poller's own driver.
 *
 * If other operations still wait here and share the poll of this operation, it ends with -EXDEV
 * instead, for two reasons. It may not wait with another driver meanwhile (edo__op_may_park). A
 * driver of another kind could not pass the wake on to the other operations. */
static edo_poll leave(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (!edo__uring_shares_poll(source, op) || !has_waiters(source, op))
        return start_later(op, waker);
    op->base.result = -EXDEV;
    return edo__uring_end_op(source, op);
}

edo_poll edo__uring_resume(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (op->base.result != -EAGAIN) return edo__uring_end_op(source, op);
    if (!is_at_home(edo__uring_of(base))) return leave(source, op, waker);
    return edo__uring_drive(base, source, op, waker);
}

/* ---- several waiters ---- */

void edo__uring_pass_on(edo__source *source, const edo_op *op)
{
    edo__side *side = edo__op_place(source, op);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&source->lock);
    edo_op *first = edo__wait_first(edo__side_waiters(side));
    if (first && !side->is_polled && side->driver->ops == &edo__uring_driver) {
        edo_store_relaxed(&first->base.result, -EAGAIN);
        edo__op_wake(source, first, &wakes);
    }
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
}

/* ---- completing ---- */

/* Whether the side's next operation must be tried by a direct call, because this one has failed in
 * the ring. For an accept, the direct call reports a shortage of descriptors sooner than the ring
 * would. For a lent read, the direct call needs no buffer of the ring. */
static bool has_failed(const edo_op *op)
{
    edo__request request = edo__request_of(op);
    if (request == EDO__READ_LENT) return op->base.result == -EAGAIN;
    return request == EDO__ACCEPT && op->base.result < 0;
}

/* Called after a completed transfer. Marks the side as ready in three cases: there may be more to
 * read, there may be room to write, or the next call must be made directly (has_failed). */
static void note_transfer(edo__source *source, const edo_op *op, uint32_t flags)
{
    bool more = op->base.result > 0 ? !edo__has_met_end(source, op) : has_failed(op);
    if (more || (flags & IORING_CQE_F_SOCK_NONEMPTY))
        edo_or_acq_rel(&source->sides[edo__side_of(op)].ready, EDO__READY_NOW);
}

/* Converts the result of a completion into the result of the operation. -EAGAIN makes the operation
 * start again. The result is -EAGAIN in these cases:
 * - The ring has only polled for the call, and the poll has completed.
 * - The call was interrupted.
 * - The ring had no buffer for a lent read.
 * - The operation was cancelled, but not by its task. The kernel makes such a cancel when the
 *   submitting thread has ended. edo__uring_note_report() makes such a cancel to end a poll.
 *
 * An accept may also end with EAGAIN, because in older kernels an accept in the ring does not wait
 * for connections on a non-blocking socket. After the first such EAGAIN, the ring only polls
 * listeners. */
static int64_t answer_of(edo__uring *driver, const edo_op *op, int result)
{
    bool asked = edo__uring_stage_of(op) != EDO__IN_RING;
    if (result == -EINTR || (result == -ECANCELED && !asked)) return -EAGAIN;
    if (result == -ENOBUFS && edo__request_of(op) == EDO__READ_LENT) return -EAGAIN;
    if (result == -EAGAIN && edo__request_of(op) == EDO__ACCEPT)
        edo_store_relaxed(&driver->accepts, false);
    if (result < 0 || (op->detail & EDO__DETAIL_IN_CALL)) return result;
    int events = edo__request_of(op) == EDO__POLL ? result & ~POLLRDBAND : 0;
    return events ? events : -EAGAIN;
}

/* Whether a poll has reported only errors. */
static bool has_only_errors(const edo_op *op, int result)
{
    return result > 0 && !((unsigned)result & events_before_try(op));
}

/* Whether a report ends the wait. If the report has only errors, takes the pending error of the
 * socket, and the report ends the wait only if there was such an error. Called under the source's
 * lock. */
static bool ends_wait(edo__source *source, const edo_op *op, int result)
{
    if (!has_only_errors(op, result)) return true;
    if (source->error) return true;
    unsigned error = (unsigned)-edo__socket_error(source->fd);
    source->error = error & (EDO__SOURCE_ERRORS - 1U);
    return error;
}

bool edo__uring_note_report(edo__uring *driver, const edo_op *op, int result)
{
    edo__source *source = edo__uring_source_of(op);
    edo__lock_take(&source->lock);
    bool ends = edo__uring_stage_of(op) == EDO__IN_RING && ends_wait(source, op, result);
    bool done = !ends || edo__uring_submit_cancel(driver, op);
    edo__lock_give(&source->lock);
    return done;
}

/* Records that the poll for all waiters of a side has ended. Decides whether the side's next poll
 * is edge-triggered. Called under the source's lock. Returns: the answer for the operation. If a
 * report has taken an error from the socket, the answer is that error. This holds even for a
 * cancelled operation, because no later call would return the error. */
static int64_t note_poll(edo__source *source, edo_op *op, int result, int64_t answer)
{
    edo__side *side = edo__op_place(source, op);
    if (source->error) answer = -(int64_t)source->error;
    side->is_polled = false;
    side->polls_edges = has_only_errors(op, result);
    source->error = 0;
    return answer;
}

/* Returns: the operation that a completion wakes. It is the first waiter if the completion is the
 * end of a poll for all waiters of the side. But a cancelled operation is woken by its own
 * completion. Called under the source's lock. */
static edo_op *served_by(edo__source *source, edo_op *op, bool shares, bool was_asked)
{
    if (!shares || was_asked) return op;
    edo_op *first = edo__wait_first(edo__side_waiters(edo__op_place(source, op)));
    if (first != op) edo__uring_set_stage(op, source, EDO__QUEUED);
    return first;
}

/* Whether other operations that do not share their poll wait on a side, so that the next operation
 * must wait in the same ring. Called under the source's lock. */
static bool does_bind(edo__source *source, const edo_op *op, bool shares)
{
    bool is_alone = !(source->traits & EDO__SOURCE_SEVERAL) || shares;
    return !is_alone && !edo__wait_list_is_empty(&edo__op_place(source, op)->waiters);
}

/* The completion also frees a pending request to cancel the operation. */
void edo__uring_complete(edo__uring *driver, edo_op *op, int result, uint32_t flags)
{
    edo__uring_request *request = NULL;
    edo__wakes wakes = { NULL, NULL };
    if (edo__unlikely(flags & IORING_CQE_F_BUFFER))
        edo__uring_buffers_pass(driver->buffers, flags, result, edo__transfer_of(op)->lent);
    edo__source *source = edo__uring_source_of(op);
    bool shares = edo__uring_shares_poll(source, op);
    edo__lock_take(&source->lock);
    edo__uring_stage stage = edo__uring_stage_of(op);
    if (stage == EDO__ASKED) request = edo__uring_take_cancel(driver, op);
    int64_t answer = answer_of(driver, op, result);
    if (edo__unlikely(shares)) answer = note_poll(source, op, result, answer);
    edo_op *served = served_by(source, op, shares, stage != EDO__IN_RING);
    edo_store_relaxed(&served->base.result, answer);
    if (op->detail & EDO__DETAIL_IN_CALL) note_transfer(source, op, flags);
    edo__op_wake(source, served, &wakes);
    if (edo__unlikely(does_bind(source, served, shares)))
        edo_store_figure(&driver->base.binds, true);
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
    edo__free(request, sizeof *request);
}

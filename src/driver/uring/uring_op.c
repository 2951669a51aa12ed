/* Operations on io_uring: how they start, wait and complete.
 *
 * An operation on a socket is tried at once when its side may be ready, and goes into the ring when
 * it is known not to be: after EAGAIN, and after a read that has met the end. What the ring does not do
 * alike on all kernels (pipes, terminals, writev) is tried, waits as a poll in the ring, and is
 * tried again.
 *
 * In the ring an operation is known by its address. It waits at its side until its completion was
 * seen; so it stays where it is as long as the kernel may use it. A cancelled one does too. Several
 * on one side are the kernel's to serve.
 */
#include "driver/uring/uring.h"

#include <sys/socket.h>

enum {
    READ_EVENTS = POLLIN | POLLRDHUP,
    WRITE_EVENTS = POLLOUT,
};

/* ---- parking ---- */

/* It starts anew with the next poll. Inside a poll. */
static edo_poll start_later(edo_op *op, edo_wakeable *waker)
{
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    edo__wake_commit(edo__wake_prepare(waker));
    return EDO_PENDING;
}

/* ---- starting ---- */

/* Whether the ring makes the call itself; else it only waits until one may succeed. An accept in
 * flight takes the one connection that it is for, and no more: others may accept on the socket. */
static bool is_call(const edo__uring *driver, const edo__source *source, const edo_op *op)
{
    if (edo__request_of(op) == EDO__ACCEPT) return edo_load_relaxed(&driver->accepts);
    return edo__request_of(op) <= EDO__WRITE && (source->traits & EDO__SOURCE_SOCKET);
}

/* Takes readiness back after a call, unless an event came since the look before it (only a driver
 * of readiness that the stream comes from counts events; it relies on these words). */
static void note_try(edo__source *source, const edo_op *op, uint32_t seen)
{
    uint32_t bits = 0;
    if (op->base.result == -EAGAIN)
        bits = EDO__READY_NOW | EDO__READY_FINAL;
    else if (edo__has_met_end(source, op) && !(seen & EDO__READY_FINAL))
        bits = EDO__READY_NOW;
    if (seen & bits) edo_cas_acq_rel(&source->sides[edo__side_of(op)].ready, &seen, seen & ~bits);
}

/* Returns: false when the call would block. */
static bool attempt(const edo__uring *driver, edo__source *source, edo_op *op)
{
    bool call = is_call(driver, source, op);
    uint32_t seen = edo_load_acquire(&source->sides[edo__side_of(op)].ready);
    if (call && !(seen & (EDO__READY_NOW | EDO__READY_FINAL))) return false;
    op->base.result = edo__try(source, op);
    if (call) note_try(source, op, seen);
    return op->base.result != -EAGAIN;
}

/* The side is known not to be ready: the kernel need not try before it waits. */
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
    else
        edo__sqe_send(sqe, source->fd, data, edo__asked(op), 0);
    if (driver->ring.can & EDO__RING_CAN_POLL_FIRST) sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
}

/* The kernel takes no event for a wake of a poll that has POLLPRI alone. Sockets wake for urgent
 * data with POLLRDBAND as well, and never hold it. */
static unsigned events_of(const edo_op *op)
{
    unsigned events = (unsigned)edo__poll_of(op)->events;
    return events | (events & POLLPRI ? POLLRDBAND : 0);
}

static void fill(const edo__uring *driver, const edo__source *source, edo_op *op,
                 struct io_uring_sqe *sqe)
{
    unsigned side = edo__side_of(op);
    bool call = is_call(driver, source, op);
    op->detail &= ~(uint32_t)EDO__DETAIL_IN_CALL;
    if (call) op->detail |= EDO__DETAIL_IN_CALL;
    if (call)
        fill_call(driver, source, op, sqe);
    else if (edo__request_of(op) == EDO__POLL)
        edo__sqe_poll(sqe, source->fd, events_of(op));
    else
        edo__sqe_poll(sqe, source->fd, side == EDO__READ_SIDE ? READ_EVENTS : WRITE_EVENTS);
    edo__sqe_tag(sqe, edo__uring_tag(op));
}

/* Under the source's lock: its completion may be there at once. Returns: 0, or -ENOSPC: the queue is
 * full. */
static int enqueue(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) {
        fill(driver, source, op, sqe);
        edo__uring_set_stage(op, source, EDO__IN_RING);
        edo__op_park(source, op, &driver->base, waker);
    }
    edo__uring_end(driver);
    return sqe ? 0 : -ENOSPC;
}

/* Returns: 0, -ENOSPC, or why it cannot wait. */
static int try_submit(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__lock_take(&source->lock);
    int rc = edo__op_may_park(source, op, &driver);
    if (rc == 0) rc = enqueue(edo__uring_of(driver), source, op, waker);
    edo__lock_give(&source->lock);
    return rc;
}

/* Without an entry it tries again: completions that are reaped, by the turn or, if the ring is ours,
 * here, free some. */
static edo_poll submit(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    int rc = try_submit(&driver->base, source, op, waker);
    if (rc == -ENOSPC && edo__uring_is_owner(driver) && edo__uring_reap(driver))
        rc = try_submit(&driver->base, source, op, waker);
    if (rc == 0) return EDO_PENDING;
    if (rc == -ENOSPC) return start_later(op, waker);
    op->base.result = rc;
    return EDO_READY;
}

edo_poll edo__uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    return attempt(driver, source, op) ? EDO_READY : submit(driver, source, op, waker);
}

/* Whether this poll is one of the ring's runtime. */
static bool is_at_home(const edo__uring *driver)
{
    return driver->shared ? edo_current_runtime() == driver->base.runtime
                          : edo__uring_is_owner(driver);
}

/* An operation that was parked by another runtime's driver than the poller's starts anew on its
 * own. One that was parked by another worker's goes on there. */
edo_poll edo__uring_resume(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (op->base.result != -EAGAIN) return EDO_READY;
    if (!is_at_home(edo__uring_of(base))) return start_later(op, waker);
    return edo__uring_drive(base, source, op, waker);
}

/* ---- completing ---- */

/* More to read, or room to write, after a completed transfer. While descriptors are short a call tells
 * so sooner than the ring. */
static void note_transfer(edo__source *source, const edo_op *op, uint32_t flags)
{
    bool failed = edo__request_of(op) == EDO__ACCEPT && op->base.result < 0;
    bool more = failed || (op->base.result > 0 && !edo__has_met_end(source, op));
    if (more || (flags & IORING_CQE_F_SOCK_NONEMPTY))
        edo_or_acq_rel(&source->sides[edo__side_of(op)].ready, EDO__READY_NOW);
}

/* A cancellation that nobody asked for is the kernel's (the thread that submitted it has ended):
 * tried again, as is what only waited. Older kernels do not wait for the connections of a socket that is
 * non-blocking: there the ring only polls it from then on. */
static int64_t answer_of(edo__uring *driver, const edo_op *op, int result)
{
    bool asked = edo__uring_stage_of(op) != EDO__IN_RING;
    if (result == -EINTR || (result == -ECANCELED && !asked)) return -EAGAIN;
    if (result == -EAGAIN && edo__request_of(op) == EDO__ACCEPT)
        edo_store_relaxed(&driver->accepts, false);
    if (result < 0 || (op->detail & EDO__DETAIL_IN_CALL)) return result;
    int events = edo__request_of(op) == EDO__POLL ? result & ~POLLRDBAND : 0;
    return events ? events : -EAGAIN;
}

/* A request to cancel what has completed goes with it. */
void edo__uring_complete(edo__uring *driver, edo_op *op, int result, uint32_t flags)
{
    edo__uring_request *request = NULL;
    edo__wakes wakes = { NULL, NULL };
    edo__source *source = edo__uring_source_of(op);
    edo__lock_take(&source->lock);
    if (edo__uring_stage_of(op) == EDO__ASKED) request = edo__uring_take_cancel(driver, op);
    edo_store_relaxed(&op->base.result, answer_of(driver, op, result));
    if (op->detail & EDO__DETAIL_IN_CALL) note_transfer(source, op, flags);
    edo__op_wake(source, op, &wakes);
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
    edo__free(request, sizeof *request);
}

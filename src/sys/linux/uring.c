/* The io_uring driver: completions.
 *
 * An operation on a socket is tried at once when its side may be ready, and goes into the ring when
 * it is known not to be: after EAGAIN, and on TCP after a short transfer. What the ring does not do
 * alike on all kernels (pipes, terminals, writev) is tried, waits as a poll in the ring, and is
 * tried again. Entries are only prepared here; the turn submits them all in one system call.
 *
 * In the ring an operation is known by its source and side, whose waiter it is until its completion
 * was seen; so it stays where it is as long as the kernel may use it. A cancelled one does too.
 *
 * The ring belongs to the thread that enables it, by the first poll or turn: the kernel refuses all
 * others. Only that thread prepares entries and sees completions, so these need no lock. What
 * others may do: take a finished operation's result or change its waker (the source's lock and the
 * word), close a source (which wakes the operation's task, whose poll cancels it), cancel an
 * operation, accept on a listener, forget it. The last three put the source onto the list of asked
 * sources, and the owner looks after it. A source is taken off that list before its operation ends,
 * by the owner, and only the owner ends operations in the ring; so a listed source is there.
 */
#include "sys/linux/uring.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/linux/drivers.h"
#include "sys/sys.h"

enum {
    ENTRIES = 256, // 16 KiB, and as much for 1024 completions; a full queue costs a system call
    READ_EVENTS = POLLIN | POLLRDHUP,
    WRITE_EVENTS = POLLOUT,
};

/* ---- the owner ---- */

/* An address that no other living thread has. */
static const void *this_thread(void)
{
    static _Thread_local char here;
    return &here;
}

bool edo__uring_is_owner(const edo__uring *driver)
{
    return edo_load_relaxed(&driver->owner) == this_thread();
}

static void arm_watches(edo__uring *driver)
{
    for (unsigned i = 0; i < driver->watch_count; i++) {
        edo__uring_watch *watch = &driver->watches[i];
        struct io_uring_sqe *sqe = watch->armed ? NULL : edo__ring_sqe(&driver->ring);
        if (!sqe) continue;
        if (driver->ring.can & EDO__RING_CAN_MULTI_POLL)
            edo__sqe_poll_multishot(sqe, watch->fd, POLLIN);
        else
            edo__sqe_poll(sqe, watch->fd, POLLIN);
        edo__sqe_tag(sqe, (uint64_t)(i + 1) << 2 | EDO__TAG_OWN);
        watch->armed = true;
    }
}

static void add_watch(edo__uring *driver, int fd)
{
    driver->watches[driver->watch_count++] = (edo__uring_watch){ .fd = fd };
}

static void enable(edo__uring *driver)
{
    int rc = edo__ring_enable(&driver->ring);
    if (rc < 0) edo__misuse("io_uring", "the ring cannot be enabled: %s", edo_strerror(rc));
    edo_store_relaxed(&driver->owner, this_thread());
    arm_watches(driver);
}

static void be_enabled(edo__uring *driver)
{
    if (edo__unlikely(!edo_load_relaxed(&driver->owner))) enable(driver);
}

struct io_uring_sqe *edo__uring_sqe(edo__uring *driver)
{
    be_enabled(driver);
    return edo__ring_sqe(&driver->ring);
}

/* ---- parking ---- */

/* Under the lock. */
static void set_waiter(edo__source *source, const edo_op *op, edo_op *waiter)
{
    source->sides[edo__side_of(op)].waiter = waiter;
    if (op->detail & EDO__DETAIL_BOTH_SIDES) source->sides[EDO__WRITE_SIDE].waiter = waiter;
}

/* The closer sets CLOSED before it takes the lock to hang up: either it finds the waiter, or we
 * find the bit. */
bool edo__uring_park(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker,
                     edo__uring_stage stage)
{
    if (edo_load_acquire(&source->state) & EDO__SOURCE_CLOSED) return false;
    set_waiter(source, op, op);
    op->waker = waker;
    op->link.at.driver = &driver->base;
    edo__uring_set_stage(op, stage);
    edo_store_relaxed(&op->word, EDO__OP_PARKED);
    return true;
}

/* After the store the operation may be gone, but not before the lock is given: its poll reads the
 * word, and its task, if it was not running, cannot run before the commit. */
edo_wakeable *edo__uring_wake(edo__source *source, edo_op *op, uint32_t word)
{
    edo_wakeable *prepared = edo__wake_prepare(op->waker);
    set_waiter(source, op, NULL);
    edo_store_release(&op->word, word);
    return prepared;
}

/* Returns: whether it is still parked. */
static bool is_still_parked(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (edo_load_acquire(&op->word) != EDO__OP_PARKED) return false;
    edo__lock_take(&source->lock);
    bool parked = op->word == EDO__OP_PARKED;
    if (parked && source->sides[edo__side_of(op)].waiter != op)
        edo__misuse(op->base.ops->name, "the operation was moved after its first poll");
    if (parked) op->waker = waker;
    edo__lock_give(&source->lock);
    return parked;
}

/* Has the operation started anew by the next poll. */
static edo_poll start_later(edo_op *op, edo_wakeable *waker)
{
    op->word = EDO__OP_IDLE;
    edo__wake_commit(edo__wake_prepare(waker));
    return EDO_PENDING;
}

/* ---- starting ---- */

/* Whether the ring makes the transfer itself; else it only waits until a call may succeed. */
static bool is_transfer(const edo__source *source, const edo_op *op)
{
    return edo__request_of(op) <= EDO__WRITE && (source->traits & EDO__SOURCE_SOCKET);
}

/* A transfer on TCP that moved less than asked has met an empty or a full buffer. */
static bool has_met_end(const edo__source *source, const edo_op *op)
{
    return op->base.result > 0 && (source->traits & EDO__SOURCE_TCP) &&
           (uint64_t)op->base.result < op->length - op->progress;
}

/* Takes readiness back after a call, unless an event came since the look before it (only a driver
 * of readiness that the stream comes from counts events; it relies on these words). */
static void note_try(edo__source *source, const edo_op *op, uint32_t seen)
{
    uint32_t bits = 0;
    if (op->base.result == -EAGAIN)
        bits = EDO__READY_NOW | EDO__READY_FINAL;
    else if (has_met_end(source, op) && !(seen & EDO__READY_FINAL))
        bits = EDO__READY_NOW;
    if (seen & bits) edo_cas_acq_rel(&source->sides[edo__side_of(op)].ready, &seen, seen & ~bits);
}

/* Returns: false when the call would block. */
static bool attempt(edo__source *source, edo_op *op)
{
    bool transfer = is_transfer(source, op);
    uint32_t seen = edo_load_acquire(&source->sides[edo__side_of(op)].ready);
    if (transfer && !(seen & (EDO__READY_NOW | EDO__READY_FINAL))) return false;
    op->base.result = edo__try(source, op);
    if (transfer) note_try(source, op, seen);
    return op->base.result != -EAGAIN;
}

/* The side is known not to be ready: the kernel need not try before it waits. */
static void fill_transfer(const edo__uring *driver, const edo__source *source, const edo_op *op,
                          struct io_uring_sqe *sqe)
{
    char *data = (char *)op->data + op->progress;
    size_t rest = (size_t)(op->length - op->progress);
    if (edo__request_of(op) == EDO__READ)
        edo__sqe_recv(sqe, source->fd, data, rest, 0);
    else
        edo__sqe_send(sqe, source->fd, data, rest, 0);
    if (driver->ring.can & EDO__RING_CAN_POLL_FIRST) sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
}

static void fill(const edo__uring *driver, const edo__source *source, const edo_op *op,
                 struct io_uring_sqe *sqe)
{
    unsigned side = edo__side_of(op);
    if (is_transfer(source, op))
        fill_transfer(driver, source, op, sqe);
    else if (edo__request_of(op) == EDO__POLL)
        edo__sqe_poll(sqe, source->fd, (unsigned)op->length);
    else
        edo__sqe_poll(sqe, source->fd, side == EDO__READ_SIDE ? READ_EVENTS : WRITE_EVENTS);
    edo__sqe_tag(sqe, edo__uring_tag(source, EDO__TAG_READ + side));
}

/* Without an entry it tries again: completions that are reaped, here or by the turn, free some. An
 * entry that is not filled in does nothing. */
static edo_poll submit(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (!sqe && edo__uring_reap(driver)) sqe = edo__uring_sqe(driver);
    if (!sqe) return start_later(op, waker);
    edo__lock_take(&source->lock);
    bool parked = edo__uring_park(driver, source, op, waker, EDO__IN_RING);
    edo__lock_give(&source->lock);
    if (parked) {
        fill(driver, source, op, sqe);
        return EDO_PENDING;
    }
    op->base.result = -ECANCELED;
    return EDO_READY;
}

static edo_poll start(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (edo__request_of(op) == EDO__ACCEPT) {
        edo__uring *holder = edo__uring_holder(driver, source);
        if (holder) return edo__uring_accept(holder, source, op, waker);
    }
    return attempt(source, op) ? EDO_READY : submit(driver, source, op, waker);
}

/* An operation that was parked by another runtime's driver than the poller's starts anew on its
 * own. */
static edo_poll uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    if (is_still_parked(source, op, waker)) return EDO_PENDING;
    bool woken = op->word == EDO__OP_WOKEN;
    op->word = EDO__OP_IDLE;
    if (woken && op->base.result != -EAGAIN) return EDO_READY;
    if (woken && !edo__uring_is_owner(driver)) return start_later(op, waker);
    return start(driver, source, op, waker);
}

/* ---- requests to the owner ---- */

static edo__source asked_end; // so that next_dead is NULL exactly off the list

void edo__uring_ask(edo__uring *driver, edo__source *source)
{
    edo__lock_take(&driver->lock);
    if (!source->next_dead) {
        source->next_dead = driver->asked ? driver->asked : &asked_end;
        edo_store_relaxed(&driver->asked, source);
    }
    edo__lock_give(&driver->lock);
    if (!edo__uring_is_owner(driver)) driver->base.ops->unpark(&driver->base);
}

/* Under the lock. */
static bool is_asked(const edo__uring *driver, const edo_op *op)
{
    return op && op->link.at.driver == &driver->base && edo__uring_stage_of(op) == EDO__ASKED;
}

/* The entry follows that of the operation in the queue and precedes that of any later one on the
 * same side, so it means no other. */
static void cancel_if_asked(edo__uring *driver, edo__source *source, unsigned side)
{
    edo__lock_take(&source->lock);
    edo_op *op = source->sides[side].waiter;
    if (is_asked(driver, op)) {
        struct io_uring_sqe *sqe = edo__ring_sqe(&driver->ring);
        if (sqe) {
            edo__sqe_cancel(sqe, edo__uring_tag(source, EDO__TAG_READ + edo__side_of(op)));
            edo__uring_set_stage(op, EDO__CANCELLING);
        } else {
            edo__uring_ask(driver, source);
        }
    }
    edo__lock_give(&source->lock);
}

/* A listener may be gone after it was tended. */
static void look_after(edo__uring *driver, edo__source *source)
{
    bool listener = source->traits & EDO__SOURCE_LISTENER;
    for (unsigned side = 0; side < EDO__SIDES; side++)
        cancel_if_asked(driver, source, side);
    if (listener) edo__uring_tend_listener(driver, source);
}

static edo__source *take_asked(edo__uring *driver)
{
    edo__lock_take(&driver->lock);
    edo__source *source = driver->asked;
    if (source) {
        edo__source *next = source->next_dead;
        edo_store_relaxed(&driver->asked, next == &asked_end ? NULL : next);
        source->next_dead = NULL;
    }
    edo__lock_give(&driver->lock);
    return source;
}

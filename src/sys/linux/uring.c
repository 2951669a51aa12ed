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
 * others. Only that thread prepares entries and sees completions, so these need no lock. Others may
 * close a source (which wakes the task of the operation, whose poll cancels it) and poll an
 * operation that was started on the ring's thread: they take its result, if it has one, and else
 * change its waker or request that it be cancelled. All this is ordered by the source's lock.
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

bool edo__uring_is_inherited(const edo__uring *driver)
{
    return driver->fork_generation != edo__sys_fork_generation();
}

/* ---- descriptors of the runtime's own ---- */

static void raise(int event)
{
    uint64_t one = 1;
    ssize_t n = write(event, &one, sizeof one);
    (void)n; // it cannot block before 2^64 wakes
}

static void lower(int event)
{
    uint64_t count;
    ssize_t n = read(event, &count, sizeof count);
    (void)n; // it may be low already
}

static void arm(edo__uring *driver, unsigned number)
{
    edo__uring_watch *watch = &driver->watches[number - 1];
    struct io_uring_sqe *sqe = edo__ring_sqe(&driver->ring);
    if (!sqe) return;
    if (!watch->once && (driver->ring.can & EDO__RING_CAN_MULTI_POLL))
        edo__sqe_poll_multishot(sqe, watch->fd, POLLIN);
    else
        edo__sqe_poll(sqe, watch->fd, POLLIN);
    edo__sqe_tag(sqe, (uint64_t)number << EDO__TAG_SHIFT | EDO__TAG_OWN);
    watch->armed = true;
}

static void arm_watches(edo__uring *driver, bool sleeps)
{
    for (unsigned i = 0; i < driver->watch_count; i++) {
        const edo__uring_watch *watch = &driver->watches[i];
        if (!watch->armed && (sleeps || !watch->once)) arm(driver, i + 1);
    }
}

static void add_watch(edo__uring *driver, int fd, bool once)
{
    driver->watches[driver->watch_count++] = (edo__uring_watch){ .fd = fd, .once = once };
}

static void enable(edo__uring *driver)
{
    int rc = edo__ring_enable(&driver->ring);
    if (rc < 0) edo__misuse("io_uring", "the ring cannot be enabled: %s", edo_strerror(rc));
    edo_store_relaxed(&driver->owner, this_thread());
    arm_watches(driver, false);
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
edo_wakeable *edo__uring_wake(edo__source *source, edo_op *op)
{
    edo_wakeable *prepared = edo__wake_prepare(op->waker);
    set_waiter(source, op, NULL);
    edo_store_release(&op->word, EDO__OP_WOKEN);
    return prepared;
}

/* Returns: whether it is still parked. */
static bool is_still_parked(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (edo_load_acquire(&op->word) != EDO__OP_PARKED) return false;
    edo__lock_take(&source->lock);
    bool parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (parked && source->sides[edo__side_of(op)].waiter != op)
        edo__misuse(op->base.ops->name, "the operation was moved after its first poll");
    if (parked) op->waker = waker;
    edo__lock_give(&source->lock);
    return parked;
}

edo_poll edo__uring_start_later(edo_op *op, edo_wakeable *waker)
{
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
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

/* The kernel takes no event for a wake of a poll that has POLLPRI alone. Sockets wake for urgent
 * data with POLLRDBAND as well, and never hold it. */
static unsigned events_of(const edo_op *op)
{
    return (unsigned)op->length | (op->length & POLLPRI ? POLLRDBAND : 0);
}

static void fill(const edo__uring *driver, const edo__source *source, const edo_op *op,
                 struct io_uring_sqe *sqe)
{
    unsigned side = edo__side_of(op);
    if (is_transfer(source, op))
        fill_transfer(driver, source, op, sqe);
    else if (edo__request_of(op) == EDO__POLL)
        edo__sqe_poll(sqe, source->fd, events_of(op));
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
    if (!sqe) return edo__uring_start_later(op, waker);
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
    edo_poll poll;
    if (edo__request_of(op) == EDO__ACCEPT && edo__uring_accept(driver, source, op, waker, &poll))
        return poll;
    return attempt(source, op) ? EDO_READY : submit(driver, source, op, waker);
}

/* An operation that was parked by another runtime's driver than the poller's starts anew on its
 * own. */
static edo_poll uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    if (is_still_parked(source, op, waker)) return EDO_PENDING;
    bool woken = edo_load_relaxed(&op->word) == EDO__OP_WOKEN;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    if (woken && op->base.result != -EAGAIN) return EDO_READY;
    if (woken && !edo__uring_is_owner(driver)) return edo__uring_start_later(op, waker);
    return start(driver, source, op, waker);
}

/* ---- requests to the owner ---- */

void edo__uring_request_push(edo__uring *driver, edo__uring_request *request)
{
    edo__lock_take(&driver->lock);
    if (!request->listed) {
        request->listed = true;
        request->next = driver->requests;
        edo_store_relaxed(&driver->requests, request);
    }
    edo__lock_give(&driver->lock);
}

/* Under the driver's lock. The head is read without it too. */
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
    request->listed = false;
}

void edo__uring_request_drop(edo__uring *driver, edo__uring_request *request)
{
    edo__lock_take(&driver->lock);
    if (request->listed) unlist(driver, request);
    edo__lock_give(&driver->lock);
}

static edo__uring_request *request_of(edo__uring *driver, const edo__source *source, unsigned side)
{
    edo__uring_request *request = driver->requests;
    while (request->source != source || request->side != side)
        request = request->next;
    return request;
}

/* Takes back the request to cancel what waits on a side. Returns: it. */
static edo__uring_request *drop_request(edo__uring *driver, const edo__source *source,
                                        unsigned side)
{
    edo__lock_take(&driver->lock);
    edo__uring_request *request = request_of(driver, source, side);
    unlist(driver, request);
    edo__lock_give(&driver->lock);
    return request;
}

/* The entry follows that of the operation in the queue and precedes that of any later one on the
 * same side, so it means no other. Returns: false when there is no entry. Owner. */
static bool tell_kernel(edo__uring *driver, const edo__source *source, unsigned side)
{
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) edo__sqe_cancel(sqe, edo__uring_tag(source, EDO__TAG_READ + side));
    return sqe;
}

/* The operation is still in the ring: its completion would have taken the request back. */
static bool serve_cancel(edo__uring *driver, edo__uring_request *request)
{
    edo__source *source = request->source;
    if (!tell_kernel(driver, source, request->side)) return false;
    edo__lock_take(&source->lock);
    edo__uring_set_stage(source->sides[request->side].waiter, EDO__CANCELLING);
    edo__uring_request_drop(driver, request);
    edo__lock_give(&source->lock);
    edo__free(request, sizeof *request);
    return true;
}

static bool serve_listener(edo__uring *driver, edo__uring_request *request)
{
    edo__uring_request_drop(driver, request);
    return edo__uring_tend_listener(driver, request->source);
}

/* The last that came. Only the owner takes requests off, so it stays. */
static edo__uring_request *look_at_request(edo__uring *driver)
{
    edo__lock_take(&driver->lock);
    edo__uring_request *request = driver->requests;
    edo__lock_give(&driver->lock);
    return request;
}

/* The look without the lock may miss a request that comes now: its unpark brings the next look. */
static void serve_requests(edo__uring *driver)
{
    bool served = true;
    while (served && edo__unlikely(edo_load_relaxed(&driver->requests) != NULL)) {
        edo__uring_request *request = look_at_request(driver);
        served = request->side == EDO__SIDES ? serve_listener(driver, request)
                                             : serve_cancel(driver, request);
    }
}

/* ---- cancelling ---- */

/* Whoever pins a driver may use it although its runtime may end. */
static void unpark_pinned(edo__uring *driver)
{
    driver->base.ops->unpark(&driver->base);
    edo_sub_acq_rel(&driver->base.pins, 1); // partner: the wait in uring_close
}

/* From another thread than the owner's. The pin is taken while the operation, which keeps the
 * driver, is in its ring for sure. Returns: false without memory. */
static bool request_cancel(edo__uring *driver, edo__source *source, edo_op *op)
{
    edo__uring_request *request = edo__alloc_zeroed(sizeof *request);
    if (!request) return false;
    *request = (edo__uring_request){ .source = source, .side = edo__side_of(op) };
    edo__lock_take(&source->lock);
    bool parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (parked) {
        edo_add_relaxed(&driver->base.pins, 1);
        edo__uring_set_stage(op, EDO__ASKED);
        edo__uring_request_push(driver, request);
    }
    edo__lock_give(&source->lock);
    if (parked)
        unpark_pinned(driver);
    else
        edo__free(request, sizeof *request);
    return true;
}

/* The owner's own way; nobody else ends the operation meanwhile. */
static bool cancel_in_ring(edo__uring *driver, edo__source *source, edo_op *op)
{
    if (!tell_kernel(driver, source, edo__side_of(op))) return false;
    edo__lock_take(&source->lock);
    edo__uring_set_stage(op, EDO__CANCELLING);
    edo__lock_give(&source->lock);
    return true;
}

/* Under the lock. Returns: whether the operation is in the ring. */
static bool is_in_ring(edo__source *source, edo_op *op)
{
    if (edo_load_relaxed(&op->word) != EDO__OP_PARKED) return false;
    if (edo__uring_stage_of(op) != EDO__QUEUED) return true;
    set_waiter(source, op, NULL);
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return false;
}

static edo_poll end_cancelled(edo_op *op)
{
    bool has_result = edo_load_relaxed(&op->word) == EDO__OP_WOKEN && op->base.result != -EAGAIN;
    if (!has_result) op->base.result = -ECANCELED;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return EDO_READY;
}

/* What the kernel has is pending until its completion; the rest ends here. What cannot be told to
 * the kernel now is tried again by the next poll. */
static edo_poll uring_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    edo__uring *driver = edo__uring_of(base);
    edo__lock_take(&source->lock);
    bool pending = is_in_ring(source, op);
    bool is_new = pending && edo__uring_stage_of(op) == EDO__IN_RING;
    if (pending) op->waker = waker;
    edo__lock_give(&source->lock);
    if (!pending) return end_cancelled(op);
    if (!is_new) return EDO_PENDING;
    bool told = edo__uring_is_owner(driver) ? cancel_in_ring(driver, source, op)
                                            : request_cancel(driver, source, op);
    if (!told) edo__wake_commit(edo__wake_prepare(waker));
    return EDO_PENDING;
}

/* Has the operation's task cancel it: so the ring's owner does, and the operation is there. */
static edo_wakeable *uring_hang_up(edo_driver *driver, edo__source *source, edo_op *op)
{
    (void)driver;
    (void)source;
    return edo__wake_prepare(op->waker);
}

/* ---- completions ---- */

/* More to read, or room to write, after a completed transfer. */
static void note_transfer(edo__source *source, const edo_op *op, uint32_t flags)
{
    bool more = op->base.result > 0 && !has_met_end(source, op);
    if (more || (flags & IORING_CQE_F_SOCK_NONEMPTY))
        edo_or_acq_rel(&source->sides[edo__side_of(op)].ready, EDO__READY_NOW);
}

/* A cancellation that nobody asked for is the kernel's (the thread that submitted it has ended):
 * tried again, as is what only waited. */
static int64_t answer_of(const edo__source *source, const edo_op *op, int result)
{
    bool asked = edo__uring_stage_of(op) != EDO__IN_RING;
    if (result == -EINTR || (result == -ECANCELED && !asked)) return -EAGAIN;
    if (result < 0 || is_transfer(source, op)) return result;
    int events = edo__request_of(op) == EDO__POLL ? result & ~POLLRDBAND : 0;
    return events ? events : -EAGAIN;
}

/* A request to cancel what has completed goes with it. */
static void complete(edo__uring *driver, edo__source *source, unsigned side, int result,
                     uint32_t flags)
{
    edo__uring_request *request = NULL;
    edo__lock_take(&source->lock);
    edo_op *op = source->sides[side].waiter;
    if (edo__uring_stage_of(op) == EDO__ASKED) request = drop_request(driver, source, side);
    op->base.result = answer_of(source, op, result);
    if (is_transfer(source, op)) note_transfer(source, op, flags);
    edo_wakeable *waker = edo__uring_wake(source, op);
    edo__lock_give(&source->lock);
    edo__wake_commit(waker);
    edo__free(request, sizeof *request);
}

/* A watch that ended is armed anew by the turn. What made its descriptor ready is taken, for that
 * would end it at once (a single poll, on kernels without others). */
static void note_watch(edo__uring *driver, uint64_t number, uint32_t flags)
{
    if (number == 0 || (flags & IORING_CQE_F_MORE)) return;
    edo__uring_watch *watch = &driver->watches[number - 1];
    lower(watch->fd);
    watch->armed = false;
}

static void handle(edo__uring *driver, uint64_t tag, int result, uint32_t flags)
{
    unsigned kind = tag & EDO__TAG_BITS;
    edo__source *source = (edo__source *)(uintptr_t)(tag - kind); // NOLINT: that is what it was
    if (kind == EDO__TAG_OWN)
        note_watch(driver, tag >> EDO__TAG_SHIFT, flags);
    else if (kind == EDO__TAG_LISTENER)
        edo__uring_accepted(driver, source, result, flags);
    else
        complete(driver, source, kind - EDO__TAG_READ, result, flags);
}

/* A wake may close a listener, which reaps too: so each completion is given back before it is
 * handled. */
int edo__uring_reap(edo__uring *driver)
{
    struct io_uring_cqe *first;
    int count = 0, limit = (int)edo__ring_ready(&driver->ring);
    for (; count < limit && edo__ring_peek(&driver->ring, &first); count++) {
        uint64_t tag = first->user_data;
        int result = first->res;
        uint32_t flags = first->flags;
        edo__ring_advance(&driver->ring, 1);
        handle(driver, tag, result, flags);
    }
    return count;
}

/* ---- turning ---- */

static _Noreturn void give_up(int error)
{
    if (error == -EEXIST)
        edo__misuse("io_uring", "a runtime belongs to the thread that turned it first");
    edo__misuse("io_uring", "the ring is unusable: %s", edo_strerror(error));
}

/* Anything that the turn has not seen. What comes later raises the signal by itself. */
static bool is_more_to_do(edo__uring *driver)
{
    return edo__ring_pending(&driver->ring) || edo__ring_ready(&driver->ring) ||
           edo__ring_has_work(&driver->ring) || edo_load_acquire(&driver->requests);
}

static void settle_signal(edo__uring *driver)
{
    lower(driver->signal);
    if (is_more_to_do(driver)) raise(driver->signal);
}

/* What was prepared while completions were handled is not left to the next turn, for which a
 * foreign loop may wait. */
static void submit_rest(edo__uring *driver)
{
    if (edo__unlikely(edo__ring_pending(&driver->ring))) edo__ring_submit(&driver->ring);
}

static int uring_turn(edo_driver *base, int64_t timeout)
{
    edo__uring *driver = edo__uring_of(base);
    be_enabled(driver);
    if (edo__unlikely(!edo__uring_is_owner(driver))) give_up(-EEXIST);
    arm_watches(driver, timeout > 0);
    int rc = edo__ring_enter(&driver->ring, timeout > 0, timeout == INT64_MAX ? -1 : timeout);
    if (rc < 0) give_up(rc);
    int count = edo__uring_reap(driver);
    serve_requests(driver);
    arm_watches(driver, false);
    submit_rest(driver);
    if (driver->signal >= 0) settle_signal(driver);
    return count;
}

/* Each write is an edge, also before the poll is armed. The kernel signals the foreign loop late
 * when one eventfd leads to another, so that loop is told at once; if the owner sleeps in the ring
 * nevertheless, it polls that descriptor too. */
static void uring_unpark(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    int signal = edo_load_relaxed(&driver->signal);
    raise(signal >= 0 ? signal : driver->event);
}

/* ---- life ---- */

static int open_event(edo__uring *driver, const char **ret_reason)
{
    *ret_reason = "no descriptor for an eventfd";
    driver->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (driver->event < 0) return -errno;
    add_watch(driver, driver->event, false);
    return 0;
}

static int open_fds(edo__uring *driver, const char **ret_reason)
{
    int rc = edo__ring_init(&driver->ring, ENTRIES, EDO__RING_OWNED | IORING_SETUP_R_DISABLED,
                            ret_reason);
    if (rc < 0) return rc;
    rc = open_event(driver, ret_reason);
    if (rc < 0) edo__ring_deinit(&driver->ring);
    return rc;
}

static int uring_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    (void)argument;
    *ret_reason = "out of memory";
    edo__uring *driver = edo__alloc_zeroed(sizeof *driver);
    if (!driver) return -ENOMEM;
    driver->base = (edo_driver){ .ops = &edo__uring_driver, .runtime = runtime };
    driver->signal = -1;
    driver->fork_generation = edo__sys_fork_generation();
    edo__list_init(&driver->listeners);
    int rc = open_fds(driver, ret_reason);
    if (rc < 0)
        edo__free(driver, sizeof *driver);
    else
        *ret_driver = &driver->base;
    return rc;
}

static void close_fds(edo__uring *driver)
{
    edo__sys_close(driver->event);
    edo__sys_close(driver->signal);
    driver->event = -1;
    edo_store_relaxed(&driver->signal, -1);
}

/* In the child of a fork. The driver stays in memory, where sources and operations refer to it. */
static void close_inherited(edo__uring *driver)
{
    edo__ring_forget(&driver->ring);
    close_fds(driver);
}

/* All operations have ended; what is left in the ring are polls, which use no memory of ours. */
static void uring_close(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    if (edo__uring_is_inherited(driver)) {
        close_inherited(driver);
        return;
    }
    edo__uring_close_listeners(driver);
    while (edo_load_acquire(&base->pins))
        edo__sys_yield_thread();
    edo__ring_deinit(&driver->ring);
    close_fds(driver);
    edo__free(driver, sizeof *driver);
}

static int open_signal(edo__uring *driver)
{
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event < 0) return -errno;
    int rc = edo__ring_signal(&driver->ring, event);
    if (rc < 0) {
        edo__sys_close(event);
        return rc;
    }
    add_watch(driver, event, true);
    edo_store_relaxed(&driver->signal, event);
    return 0;
}

/* The polls of what ends a wait must be in the ring before a foreign loop sleeps. */
static int uring_fd(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    be_enabled(driver);
    int rc = driver->signal < 0 ? open_signal(driver) : 0;
    if (rc == 0) rc = edo__ring_submit(&driver->ring);
    return rc < 0 ? rc : driver->signal;
}

static int uring_watch(edo_driver *base, int fd)
{
    edo__uring *driver = edo__uring_of(base);
    be_enabled(driver);
    if (driver->watch_count == EDO__URING_WATCHES) return -ENOSPC;
    add_watch(driver, fd, false);
    arm_watches(driver, false);
    return edo__ring_submit(&driver->ring);
}

const edo_driver_ops edo__uring_driver = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .drive = uring_drive,
    .cancel = uring_cancel,
    .hang_up = uring_hang_up,
    .forget = edo__uring_forget,
    .turn = uring_turn,
    .unpark = uring_unpark,
    .fd = uring_fd,
    .watch = uring_watch,
};

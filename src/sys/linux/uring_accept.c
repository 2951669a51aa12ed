/* Listeners on io_uring: one multishot accept each.
 *
 * The kernel takes connections as they come and the listener queues them; an accept takes from the
 * queue, or waits for it. So no connection is lost with a cancelled accept: it stays in the queue.
 *
 *     not armed -- an accept waits, the queue is empty ------------> armed
 *     armed ------ the queue is long, or the listener is to end ---> stopping (cancel queued)
 *     armed, stopping -- the last completion (without MORE) -------> not armed
 *
 * Long is QUEUE_LIMIT: beyond it connections wait in the kernel's backlog, where the system limits
 * them, but for those that were accepted before the cancel. An error (-EMFILE) ends the multishot
 * and goes to the accept that waits; without one it is met again by the next.
 *
 * Only the owner of an owned ring arms, stops and ends. An accept in another runtime takes the
 * listener over if both runtimes are turned by the same thread; if not, it waits for the queue from
 * where it is. A listener that outlives its runtime is let go, with its queue.
 *
 * On a shared ring any thread does, each step under the source's lock: a listener stays on the ring
 * of the worker that accepted first, an accept elsewhere arms it there and waits for the queue. It
 * ends by the thread that closes it, or by the driver's close, whichever finds it disarmed and still
 * registered first; the turner, which handles the last completion under the lock, does not look at
 * it after. Without an entry nothing is requested: an accept is tried again, a long queue is stopped
 * by its next connection, and a closer insists.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "sys/linux/drivers.h"
#include "sys/linux/uring.h"
#include "sys/sys.h"

enum { QUEUE_LIMIT = 64 };

/* source->extra of a listener whose driver is one of ours. The source's lock; on an owned ring it is
 * written by the owner alone, except `ending` and `forgotten`, which are for owned rings. */
typedef struct acceptor {
    bool armed;     // a multishot is in the kernel
    bool stopping;  // and its cancel too
    bool leaving;   // to be stopped: another runtime takes it over, or it is closed
    bool ending;    // to be stopped for good
    bool forgotten; // to be released with its descriptor
    bool refused;   // the kernel has no multishot accept after all
    edo__uring_request request;
} acceptor;

/* ---- taking over and letting go ---- */

static bool is_ours(const edo_driver *driver)
{
    return driver && driver->ops == &edo__uring_driver;
}

/* Under the lock: the accept that waits for the queue, or NULL. */
static edo_op *waiter_of(const edo__source *source)
{
    edo_op *op = edo__side_waiter(&source->sides[EDO__READ_SIDE]);
    bool queued = op && is_ours(op->link.at.driver) && edo__uring_stage_of(op) == EDO__QUEUED;
    return queued ? op : NULL;
}

/* Under the lock. */
static void enlist(edo__uring *driver, edo__source *source)
{
    source->driver = &driver->base;
    edo__lock_take(&driver->lock);
    edo__list_push(&driver->listeners, &source->registered);
    edo_add_counter(&driver->base.counters.registered, 1);
    edo__lock_give(&driver->lock);
}

/* Under the lock. In the child of a fork nobody walks the parent's list, and its lock may have been
 * taken. */
static void delist(edo__uring *driver, edo__source *source)
{
    acceptor *a = source->extra;
    if (edo__uring_is_inherited(driver)) return;
    edo__lock_take(&driver->lock);
    edo__list_remove(&source->registered);
    edo_add_counter(&driver->base.counters.deregistered, 1);
    edo__uring_request_unlist(driver, &a->request);
    edo__lock_give(&driver->lock);
}

/* The listener is claimed by its one accept, so nobody else takes it over at the same time. */
static bool take_over(edo__uring *driver, edo__source *source)
{
    if (!(driver->ring.can & EDO__RING_CAN_MULTI_ACCEPT)) return false;
    acceptor *a = edo__alloc_zeroed(sizeof *a);
    if (!a) return false;
    a->request = (edo__uring_request){ .source = source, .side = EDO__SIDES };
    edo__lock_take(&source->lock);
    source->extra = a;
    enlist(driver, source);
    edo__lock_give(&source->lock);
    return true;
}

/* Under the lock. */
static edo_wakeable *retry(edo__source *source, edo_op *op)
{
    op->base.result = -EAGAIN;
    return edo__op_wake(source, op);
}

/* Under the lock. */
static edo_wakeable *retry_waiter(edo__source *source)
{
    edo_op *op = waiter_of(source);
    return op ? retry(source, op) : NULL;
}

/* Under the lock. What is queued is ready for a driver of readiness as well, which the kernel tells
 * nothing of it: for its accept that waits, or is between its look and its wait. Returns: the wake of
 * one that waits. */
static edo_wakeable *tell_others(edo__source *source)
{
    edo__side *side = &source->sides[EDO__READ_SIDE];
    edo_op *op = edo__side_waiter(side);
    edo__note_ready(side, 0);
    edo_driver *other = op ? op->link.at.driver : NULL;
    return other && !is_ours(other) ? other->ops->hang_up(other, source, op) : NULL;
}

/* Under the lock. What is queued stays with the listener. */
static edo_wakeable *deregister(edo__uring *driver, edo__source *source)
{
    edo_wakeable *waker = retry_waiter(source);
    delist(driver, source);
    source->driver = NULL;
    source->extra = NULL;
    return waker ? waker : tell_others(source);
}

static void end_source(edo__source *source)
{
    edo__source_close_fd(source);
    source->release(source);
}

/* On a shared ring another thread may have done so. Unless it was forgotten, the source is not
 * touched after the lock. */
static void let_go(edo__uring *driver, edo__source *source)
{
    edo__lock_take(&source->lock);
    acceptor *a = source->driver == &driver->base ? source->extra : NULL;
    edo_wakeable *waker = a ? deregister(driver, source) : NULL;
    edo__lock_give(&source->lock);
    if (!a) return;
    edo__wake_commit(waker);
    if (a->forgotten) end_source(source);
    edo__free(a, sizeof *a);
}

/* ---- tending ---- */

typedef enum tending { NOTHING, ARM, STOP, END, AGAIN } tending; // AGAIN: there was no entry

/* Under the lock. */
static tending next_step(edo__source *source, const acceptor *a)
{
    uint32_t queued = edo__accepted_of(source)->count;
    bool unwanted = a->leaving || a->ending || queued >= QUEUE_LIMIT;
    if (a->armed) return unwanted && !a->stopping ? STOP : NOTHING;
    if (a->ending) return END;
    return waiter_of(source) && !unwanted && !queued && !a->refused ? ARM : NOTHING;
}

static void fill(edo__source *source, tending step, struct io_uring_sqe *sqe)
{
    uint64_t tag = edo__uring_tag(source, EDO__TAG_LISTENER);
    acceptor *a = source->extra;
    if (step == STOP) {
        edo__sqe_cancel(sqe, tag);
        a->stopping = true;
    } else {
        edo__sqe_accept_multishot(sqe, source->fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
        edo__sqe_tag(sqe, tag);
        a->armed = true;
    }
}

/* Under the lock. Returns: false when the kernel takes no entry now. */
static bool take_step(edo__uring *driver, edo__source *source, tending step)
{
    edo__uring_begin(driver);
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    if (sqe) fill(source, step, sqe);
    edo__uring_end(driver);
    return sqe;
}

/* Under the lock. Without an entry the listener's owner is asked again; on a shared ring the accept
 * that waits is tried again: *ret_waker is its wake. */
static tending tend(edo__uring *driver, edo__source *source, edo_wakeable **ret_waker)
{
    acceptor *a = source->extra;
    tending step = source->driver == &driver->base ? next_step(source, a) : NOTHING;
    if (step == NOTHING || step == END || take_step(driver, source, step)) return step;
    if (driver->shared)
        *ret_waker = retry_waiter(source);
    else
        edo__uring_request_push(driver, &a->request);
    return AGAIN;
}

bool edo__uring_tend_listener(edo__uring *driver, edo__source *source)
{
    edo_wakeable *waker = NULL;
    edo__lock_take(&source->lock);
    tending step = tend(driver, source, &waker);
    edo__lock_give(&source->lock);
    edo__wake_commit(waker);
    if (step == END) let_go(driver, source);
    return step != AGAIN;
}

/* Returns: whether the kernel still has the listener, of which this driver has not let go. */
static bool is_stopping(edo__uring *driver, edo__source *source)
{
    edo_wakeable *waker = NULL;
    edo__lock_take(&source->lock);
    acceptor *a = source->driver == &driver->base ? source->extra : NULL;
    if (a) {
        a->leaving = true;
        tend(driver, source, &waker);
    }
    bool armed = a && a->armed;
    edo__lock_give(&source->lock);
    edo__wake_commit(waker);
    return armed;
}

static void set_stopped(edo__uring *driver, edo__source *source)
{
    edo__lock_take(&source->lock);
    acceptor *a = source->driver == &driver->base ? source->extra : NULL;
    if (a) a->armed = a->stopping = false;
    edo__lock_give(&source->lock);
}

/* Waits until the kernel has let go of the listener; it says so at once. What we take of a worker's
 * ring may be the event that was to end its next sleep: so that one ends anyway. Usable. */
static void stop_now(edo__uring *driver, edo__source *source)
{
    int rc = 0;
    while (rc == 0 && is_stopping(driver, source))
        rc = edo__uring_help(driver);
    if (rc < 0) set_stopped(driver, source); // the ring is dead
    if (driver->shared) driver->base.ops->unpark(&driver->base);
}

/* ---- completions ---- */

/* Returns: whether the error is the accept's as well. */
static bool note_error(acceptor *a, int error)
{
    if (error == -EINVAL || error == -EAGAIN) a->refused = true;
    return error != -ECANCELED && !a->refused;
}

/* Under the lock. */
static edo_wakeable *note_accepted(edo__source *source, acceptor *a, int result, bool more)
{
    edo_op *op = waiter_of(source);
    bool fails = result < 0 && note_error(a, result);
    if (result >= 0) edo__accepted_push(source, result);
    if (!more) a->armed = a->stopping = false;
    bool queued = edo__accepted_of(source)->count;
    if (!op) return queued ? tell_others(source) : NULL;
    if (!(fails || queued || a->refused)) return NULL;
    op->base.result = fails && !queued ? result : -EAGAIN;
    return edo__op_wake(source, op);
}

/* The last one is the last that refers to the source: on a shared ring it may end thereafter. */
void edo__uring_accepted(edo__uring *driver, edo__source *source, int result, uint32_t flags)
{
    edo_wakeable *retried = NULL;
    if (result >= 0 && !edo__accepted_make_room(source)) {
        edo__log(EDO_LOG_WARN, "edo_accept: no memory to queue a connection: closed");
        close(result);
        result = -ECANCELED;
    }
    edo__lock_take(&source->lock);
    edo_wakeable *waker = note_accepted(source, source->extra, result, flags & IORING_CQE_F_MORE);
    tending step = tend(driver, source, &retried);
    edo__lock_give(&source->lock);
    if (step == END) let_go(driver, source);
    edo__wake_commit(waker);
    edo__wake_commit(retried);
}

/* ---- accepting ---- */

/* In the child of a fork a listener leaves its parent's driver. What is queued is the parent's as well:
 * not to be reset. */
static void leave_parent(edo__source *source)
{
    edo__lock_take(&source->lock);
    edo_driver *holder = source->driver;
    edo__lock_give(&source->lock);
    if (!is_ours(holder) || !edo__uring_is_inherited(edo__uring_of(holder))) return;
    edo__accepted_drop(source, edo__sys_close);
    let_go(edo__uring_of(holder), source);
}

/* What serves the listener, pinned, or NULL. *ret_free: nothing does, but this driver may. */
static edo__uring *pin_holder(edo__source *source, bool *ret_free)
{
    edo__uring *holder = NULL;
    edo__lock_take(&source->lock);
    *ret_free = !source->driver;
    if (is_ours(source->driver) && !((acceptor *)source->extra)->refused)
        holder = edo__uring_of(source->driver);
    if (holder) edo_add_relaxed(&holder->base.pins, 1);
    edo__lock_give(&source->lock);
    return holder;
}

static void unpin(edo__uring *driver)
{
    edo_sub_acq_rel(&driver->base.pins, 1); // partner: the wait in uring_close
}

/* From another runtime of this thread, which may not be turned while this one waits. */
static void move_here(edo__uring *driver, edo__uring *holder, edo__source *source)
{
    acceptor *a = source->extra;
    stop_now(holder, source);
    edo__lock_take(&source->lock);
    a->leaving = false;
    delist(holder, source);
    enlist(driver, source);
    edo__lock_give(&source->lock);
}

/* Under the lock. Returns: whether the accept waits for the queue; else its result is there. The
 * holder may have let go of the source since it was pinned: then it is to be tried again. */
static bool queue_up(edo__uring *holder, edo__uring *driver, edo__source *source, edo_op *op,
                     edo_wakeable *waker)
{
    op->base.result = edo__accepted_pop(source);
    if (op->base.result >= 0 || source->driver != &holder->base) return false;
    op->base.result = -ECANCELED;
    return edo__uring_park(driver, source, op, waker, EDO__QUEUED);
}

/* Under the lock. */
static void ask_holder(edo__uring *holder, edo__source *source)
{
    edo__uring_request_push(holder, &((acceptor *)source->extra)->request);
}

static edo_poll accept_from(edo__uring *holder, edo__uring *driver, edo__source *source, edo_op *op,
                            edo_wakeable *waker)
{
    bool usable = edo__uring_is_usable(holder);
    edo_wakeable *retried = NULL;
    edo__lock_take(&source->lock);
    bool parked = queue_up(holder, driver, source, op, waker);
    if (parked && usable)
        tend(holder, source, &retried);
    else if (parked)
        ask_holder(holder, source);
    edo__lock_give(&source->lock);
    if (!parked) return op->base.result == -EAGAIN ? edo__uring_start_later(op, waker) : EDO_READY;
    edo__wake_commit(retried);
    if (!usable) holder->base.ops->unpark(&holder->base);
    return EDO_PENDING;
}

/* A call made at once tells a shortage sooner than the ring does, and saves arming it for nothing. */
static bool try_unarmed(edo__source *source, edo_op *op)
{
    edo__lock_take(&source->lock);
    const acceptor *a = source->extra;
    bool armed = a && a->armed;
    edo__lock_give(&source->lock);
    if (armed) return false;
    op->base.result = edo__try(source, op);
    return op->base.result != -EAGAIN;
}

bool edo__uring_accept(edo__uring *driver, edo__source *source, edo_op *op, edo_wakeable *waker,
                       edo_poll *ret_poll)
{
    bool is_free;
    leave_parent(source);
    edo__uring *pinned = pin_holder(source, &is_free);
    if (is_free && take_over(driver, source)) pinned = pin_holder(source, &is_free);
    if (!pinned) return false;
    edo__uring *holder = pinned;
    if (holder != driver && edo__uring_is_owner(holder)) {
        move_here(driver, holder, source);
        holder = driver;
    }
    if ((holder == driver || holder->shared) && try_unarmed(source, op))
        *ret_poll = EDO_READY;
    else
        *ret_poll = accept_from(holder, driver, source, op, waker);
    unpin(pinned);
    return true;
}

/* ---- ends ---- */

/* Under the lock: has the owner end the listener. Returns: false when the driver has let go of it. */
static bool ask_for_end(edo__uring *driver, edo__source *source)
{
    if (source->driver != &driver->base) return false;
    acceptor *a = source->extra;
    a->ending = a->forgotten = true;
    edo__uring_request_push(driver, &a->request);
    return true;
}

/* Waits until the driver's close, which may have found the source before it was let go of, has done
 * with it. */
static void end_shared(edo__uring *driver, edo__source *source)
{
    stop_now(driver, source);
    let_go(driver, source);
    uint32_t tries = 0;
    while (edo_load_acquire(&driver->closing) == source) // partner: let_go_of_one
        edo__sys_wait_briefly(&tries);
    end_source(source);
}

/* Who may use the ring sees the multishot's end at once, so that the address is free again. */
void edo__uring_forget(edo_driver *base, edo__source *source)
{
    edo__uring *driver = edo__uring_of(base);
    leave_parent(source);
    if (driver->shared && !edo__uring_is_inherited(driver)) {
        end_shared(driver, source);
        return;
    }
    if (edo__uring_is_owner(driver) && source->driver == base) stop_now(driver, source);
    edo__lock_take(&source->lock);
    bool asked = ask_for_end(driver, source);
    edo__lock_give(&source->lock);
    if (!asked) {
        end_source(source);
    } else if (edo__uring_is_owner(driver)) {
        edo__uring_tend_listener(driver, source);
    } else {
        base->ops->unpark(base);
    }
}

static edo__source *source_of(edo__node *node)
{
    return edo__container(node, edo__source, registered);
}

static void end_all(edo__uring *driver)
{
    for (edo__node *node = driver->listeners.next, *next; node != &driver->listeners; node = next) {
        edo__source *source = source_of(node);
        next = node->next;
        edo__lock_take(&source->lock);
        ((acceptor *)source->extra)->ending = true;
        edo__lock_give(&source->lock);
        edo__uring_tend_listener(driver, source);
    }
}

static void let_all_go(edo__uring *driver)
{
    while (!edo__list_is_empty(&driver->listeners))
        let_go(driver, source_of(driver->listeners.next));
}

/* Its listener may be closed meanwhile. */
static bool let_go_of_one(edo__uring *driver)
{
    edo__lock_take(&driver->lock);
    bool none = edo__list_is_empty(&driver->listeners);
    edo__source *source = none ? NULL : source_of(driver->listeners.next);
    edo_store_relaxed(&driver->closing, source);
    edo__lock_give(&driver->lock);
    if (none) return false;
    stop_now(driver, source);
    let_go(driver, source);
    edo_store_release(&driver->closing, NULL); // partner: end_shared
    return true;
}

/* By another thread than the owner, against the rules, the kernel refuses to cancel: then what it
 * still accepts is lost with the ring. */
void edo__uring_close_listeners(edo__uring *driver)
{
    int rc = 0;
    while (driver->shared && let_go_of_one(driver))
        continue;
    end_all(driver);
    while (rc == 0 && !edo__list_is_empty(&driver->listeners)) {
        rc = edo__uring_help(driver);
        end_all(driver);
    }
    let_all_go(driver);
}

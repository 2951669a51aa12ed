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
 * Only the owner of the ring arms, stops and ends; accepts may come from other threads.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/linux/drivers.h"
#include "sys/linux/uring.h"

enum { QUEUE_LIMIT = 64, FIRST_CAPACITY = QUEUE_LIMIT };

/* source->extra of a listener whose driver is ours. The source's lock; all but the queue is
 * written by the owner alone, except `ending` and `forgotten`. */
typedef struct acceptor {
    bool armed;     // a multishot is in the kernel
    bool stopping;  // and its cancel too
    bool refused;   // the kernel has no multishot accept after all
    bool ending;    // never to be armed again
    bool forgotten; // to be released with its descriptor
    uint32_t first, count, capacity;
    int *fds; // a ring buffer
} acceptor;

static size_t queue_size(uint32_t capacity)
{
    return capacity * sizeof(int);
}

/* ---- the queue; under the source's lock ---- */

static int pop(acceptor *a)
{
    int fd = a->fds[a->first];
    a->first = (a->first + 1) % a->capacity;
    a->count--;
    return fd;
}

static void push(acceptor *a, int fd)
{
    a->fds[(a->first + a->count++) % a->capacity] = fd;
}

/* Without the lock: nobody else pushes, so the room stays. Returns: false without memory. */
static bool make_room(edo__source *source, acceptor *a)
{
    edo__lock_take(&source->lock);
    bool full = a->count == a->capacity;
    edo__lock_give(&source->lock);
    if (!full) return true;
    uint32_t old = a->capacity, capacity = old ? 2 * old : FIRST_CAPACITY;
    int *fds = edo__alloc(queue_size(capacity)), *old_fds = a->fds;
    if (!fds) return false;
    edo__lock_take(&source->lock);
    for (uint32_t i = 0; i < a->count; i++)
        fds[i] = old_fds[(a->first + i) % old];
    a->fds = fds;
    a->first = 0;
    a->capacity = capacity;
    edo__lock_give(&source->lock);
    edo__free(old_fds, queue_size(old));
    return true;
}

/* To a peer whose connection nobody will take. */
static void reset_connection(int fd)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

/* ---- taking over and letting go ---- */

/* The listener is claimed by its one accept, so nobody else takes it over at the same time. */
static edo__uring *take_over(edo__uring *driver, edo__source *source)
{
    acceptor *a = edo__alloc_zeroed(sizeof *a);
    if (!a) return NULL;
    edo__lock_take(&source->lock);
    source->driver = &driver->base;
    source->extra = a;
    edo__lock_take(&driver->lock);
    edo__list_push(&driver->listeners, &source->registered);
    edo__lock_give(&driver->lock);
    edo__lock_give(&source->lock);
    return driver;
}

edo__uring *edo__uring_holder(edo__uring *driver, edo__source *source)
{
    edo__lock_take(&source->lock);
    edo_driver *holder = source->driver;
    acceptor *a = holder && holder->ops == &edo__uring_driver ? source->extra : NULL;
    bool serves = a && (a->count || !a->refused);
    edo__lock_give(&source->lock);
    if (holder) return serves ? edo__uring_of(holder) : NULL;
    return driver->ring.can & EDO__RING_CAN_MULTI_ACCEPT ? take_over(driver, source) : NULL;
}

/* An accept of another runtime that still waits here starts anew on its own driver. */
static edo_wakeable *dismiss_waiter(edo__source *source)
{
    edo_op *op = source->sides[EDO__READ_SIDE].waiter;
    return op ? edo__uring_wake(source, op, EDO__OP_IDLE) : NULL;
}

static void let_go(edo__uring *driver, edo__source *source, void (*drop)(int fd))
{
    edo__lock_take(&source->lock);
    acceptor *a = source->extra;
    source->driver = NULL;
    source->extra = NULL;
    edo__uring_take_off(driver, source);
    edo_wakeable *waker = dismiss_waiter(source);
    edo__lock_take(&driver->lock);
    edo__list_remove(&source->registered);
    edo__lock_give(&driver->lock);
    edo__lock_give(&source->lock);
    edo__wake_commit(waker);
    while (a->count)
        drop(pop(a));
    edo__free(a->fds, queue_size(a->capacity));
    if (a->forgotten) {
        edo__source_close_fd(source);
        source->release(source);
    }
    edo__free(a, sizeof *a);
}

/* ---- tending; owner ---- */

typedef enum tending { NOTHING, ARM, STOP, END } tending;

/* Under the lock. */
static tending next_step(const edo__source *source, const acceptor *a)
{
    bool waited_for = source->sides[EDO__READ_SIDE].waiter;
    if (a->armed) return !a->stopping && (a->ending || a->count >= QUEUE_LIMIT) ? STOP : NOTHING;
    if (a->ending) return END;
    return waited_for && a->count == 0 && !a->refused ? ARM : NOTHING;
}

static bool take_step(edo__uring *driver, edo__source *source, tending step)
{
    struct io_uring_sqe *sqe = edo__uring_sqe(driver);
    uint64_t tag = edo__uring_tag(source, EDO__TAG_LISTENER);
    acceptor *a = source->extra;
    edo__lock_take(&source->lock);
    if (!sqe) {
        edo__uring_ask(driver, source);
    } else if (step == STOP) {
        edo__sqe_cancel(sqe, tag);
        a->stopping = true;
    } else {
        edo__sqe_accept_multishot(sqe, source->fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
        edo__sqe_tag(sqe, tag);
        a->armed = true;
    }
    edo__lock_give(&source->lock);
    return sqe;
}

bool edo__uring_tend_listener(edo__uring *driver, edo__source *source)
{
    edo__lock_take(&source->lock);
    bool ours = source->driver == &driver->base;
    tending step = ours ? next_step(source, source->extra) : NOTHING;
    edo__lock_give(&source->lock);
    if (step == END) let_go(driver, source, reset_connection);
    return step == NOTHING || step == END || take_step(driver, source, step);
}

/* ---- accepting ---- */

/* What an error means to the listener; true: to the accept too. */
static bool note_error(acceptor *a, int error)
{
    if (error == -EINVAL || error == -EAGAIN) a->refused = true;
    return error != -ECANCELED && !a->refused;
}

/* Under the lock. */
static edo_wakeable *note_accepted(edo__source *source, acceptor *a, int result, bool more)
{
    edo_op *op = source->sides[EDO__READ_SIDE].waiter;
    bool fails = result < 0 && note_error(a, result);
    if (result >= 0) push(a, result);
    if (!more) a->armed = a->stopping = false;
    if (!op || !(fails || a->count || a->refused)) return NULL;
    op->base.result = fails && !a->count ? result : -EAGAIN;
    return edo__uring_wake(source, op, EDO__OP_WOKEN);
}

void edo__uring_accepted(edo__uring *driver, edo__source *source, int result, uint32_t flags)
{
    acceptor *a = source->extra;
    if (result >= 0 && !make_room(source, a)) {
        edo__log(EDO_LOG_WARN, "edo_accept: no memory to queue a connection: reset");
        reset_connection(result);
        result = -ECANCELED;
    }
    edo__lock_take(&source->lock);
    edo_wakeable *waker = note_accepted(source, a, result, flags & IORING_CQE_F_MORE);
    edo__lock_give(&source->lock);
    edo__uring_tend_listener(driver, source);
    edo__wake_commit(waker);
}

edo_poll edo__uring_accept(edo__uring *holder, edo__source *source, edo_op *op,
                           edo_wakeable *waker)
{
    bool owner = edo__uring_is_owner(holder), parked = false;
    edo__lock_take(&source->lock);
    acceptor *a = source->extra;
    if (a->count)
        op->base.result = pop(a);
    else if (edo__uring_park(holder, source, op, waker, EDO__QUEUED))
        parked = true;
    else
        op->base.result = -ECANCELED;
    if (parked && !owner) edo__uring_ask(holder, source);
    edo__lock_give(&source->lock);
    if (parked && owner) edo__uring_tend_listener(holder, source);
    return parked ? EDO_PENDING : EDO_READY;
}

/* ---- ends ---- */

/* The owner sees the multishot's end at once, so that the address is free again. */
static void end_now(edo__uring *driver, edo__source *source, bool armed)
{
    edo__uring_tend_listener(driver, source);
    if (!armed) return;
    edo__ring_enter(&driver->ring, 0, 0);
    edo__uring_reap(driver);
}

void edo__uring_forget(edo_driver *base, edo__source *source)
{
    edo__uring *driver = edo__uring_of(base);
    bool owner = edo__uring_is_owner(driver);
    edo__lock_take(&source->lock);
    acceptor *a = source->extra;
    bool armed = a->armed;
    a->ending = a->forgotten = true;
    if (!owner) edo__uring_ask(driver, source);
    edo__lock_give(&source->lock);
    if (owner) end_now(driver, source, armed);
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

/* By another thread than the owner, against the rules, the kernel refuses to cancel: then what it
 * still accepts is lost with the ring. */
void edo__uring_close_listeners(edo__uring *driver)
{
    int rc = 0;
    end_all(driver);
    while (rc == 0 && !edo__list_is_empty(&driver->listeners)) {
        rc = edo__ring_enter(&driver->ring, 1, -1);
        edo__uring_reap(driver);
        end_all(driver);
    }
    edo__uring_drop_listeners(driver);
}

static void close_connection(int fd)
{
    close(fd);
}

void edo__uring_drop_listeners(edo__uring *driver)
{
    while (!edo__list_is_empty(&driver->listeners))
        let_go(driver, source_of(driver->listeners.next), close_connection);
}

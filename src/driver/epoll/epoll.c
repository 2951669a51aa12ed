/* The epoll driver, for edge-triggered readiness.
 *
 * A descriptor is registered once, for all events, when an operation on the descriptor first has to
 * wait. (A socket other than TCP is first registered without EPOLLOUT: see events_of in
 * epoll_source.c.) An event sets the ready bits of the sides, and is counted in the higher bits of
 * the same words. A call that would block clears the ready bits, unless an event has come since the
 * word was read. So readiness is never lost. A read that has emptied the socket (edo__has_met_end)
 * also clears the bits, which saves the call that would answer EAGAIN. After the peer has hung up,
 * such a read does not clear the bits, because no further edge would come.
 *
 * Several waiters of a side. An operation parks only while its side is not ready. An event wakes
 * the first waiter. When a woken operation ends, by a call or by cancellation, it wakes the next
 * waiter if the side is still ready. So while operations are parked at a ready side, there is a
 * woken operation that will clear the readiness or wake the next waiter. An operation that ends in
 * its first try was not woken, so it need not wake a waiter: the event has woken another operation.
 *
 * epoll_source.c contains the registration and the end of sources. */
#include "driver/epoll/epoll.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "driver/drivers.h"
#include "sys/sys.h"

enum {
    NANOSECONDS = 1000000000,
    NANOSECONDS_PER_MS = 1000000,
    AHEAD = 4, // distance, in events, from the handled one to the prefetched one
    READ_EVENTS = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    WRITE_EVENTS = EPOLLOUT | EPOLLHUP | EPOLLERR,
    READ_FINAL = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    WRITE_FINAL = EPOLLHUP | EPOLLERR,
};

/* ---- operations ---- */

static bool is_wanted(const edo_op *op, unsigned side)
{
    return edo__side_of(op) == side || (op->detail & EDO__DETAIL_BOTH_SIDES);
}

typedef struct readiness {
    uint32_t words[EDO__SIDES];
} readiness;

/* Reads the ready words of the two sides. The loads are relaxed, because the words guard no memory.
 * A stale value is harmless, because the words are read again before an operation parks. The second
 * read is under the source's lock, which events take too. */
static readiness look(edo__source *source)
{
    return (readiness){ { edo_load_relaxed(&source->sides[EDO__READ_SIDE].ready),
                          edo_load_relaxed(&source->sides[EDO__WRITE_SIDE].ready) } };
}

/* Whether an event has come on a side of the operation since `seen` was read. */
static bool has_changed(edo__source *source, const edo_op *op, readiness seen)
{
    readiness now = look(source);
    for (unsigned side = 0; side < EDO__SIDES; side++)
        if (is_wanted(op, side) && now.words[side] != seen.words[side]) return true;
    return false;
}

/* Clears bits of a side's readiness, unless an event has come since `*seen` was read. Updates
 * `*seen` on success. */
static void take_back(edo__source *source, unsigned side, uint32_t *seen, uint32_t bits)
{
    uint32_t expected = *seen;
    if (edo_cas_relaxed(&source->sides[side].ready, &expected, *seen & ~bits)) *seen &= ~bits;
}

/* Registers the source if the operation may park. Called under the source's lock. *driver: on
 * return, the driver with which the source is registered. */
static int find_place(edo_driver **driver, edo__source *source, const edo_op *op,
                      edo__epoll **ret_left)
{
    int rc = edo__op_may_park(source, op, driver);
    return rc < 0 ? rc : edo__epoll_register(driver, source, op, ret_left);
}

/* Parks the operation, unless an event has come since `seen` was read. Returns: 1: parked; 0: try
 * again; or a negative errno. */
static int park(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker,
                readiness seen)
{
    edo__epoll *left = NULL;
    edo__lock_take(&source->lock);
    int rc = find_place(&driver, source, op, &left);
    if (rc == 0 && !has_changed(source, op, seen)) {
        op->base.result = -EAGAIN;
        edo__op_park(source, op, driver, waker);
        rc = 1;
    }
    edo__lock_give(&source->lock);
    if (left) edo__epoll_leave_behind(left);
    return rc;
}

static void note_end(edo__source *source, const edo_op *op, uint32_t *seen)
{
    if (edo__has_met_end(source, op) && !(*seen & EDO__READY_FINAL))
        take_back(source, EDO__READ_SIDE, seen, EDO__READY_NOW);
}

/* Makes the call if the side may be ready. Returns: false when the call would block. */
static bool attempt(edo__source *source, edo_op *op, readiness *seen)
{
    uint32_t *word = &seen->words[edo__side_of(op)];
    bool asks = edo__request_of(op) == EDO__POLL; // calls poll(2) even if no bit is set
    if (!asks && !(*word & (EDO__READY_NOW | EDO__READY_FINAL))) return false;
    op->base.result = edo__try(source, op);
    if (op->base.result != -EAGAIN) {
        note_end(source, op, word);
        return true;
    }
    if (!asks) take_back(source, edo__side_of(op), word, EDO__READY_NOW | EDO__READY_FINAL);
    return false;
}

/* Returns: the first waiter of a side; or NULL. Also NULL if that waiter waits with a driver of
 * another kind, because that driver completes its operations itself. Called under the source's
 * lock. */
static edo_op *first_waiter(const edo_driver *driver, edo__side *side)
{
    edo_op *op = edo__wait_first(edo__side_waiters(side));
    return op && side->driver->ops == driver->ops ? op : NULL;
}

/* Returns: the first waiter of a side if it waits in the queue of a ring, and the ring has no poll
 * for the queue; or NULL. The ring has no poll if the operation that was to submit the poll has
 * started again with this driver, and has ended. Called under the source's lock. */
static edo_op *queued_waiter(const edo_driver *driver, edo__side *side)
{
    edo_op *op = edo__wait_first(edo__side_waiters(side));
    if (!op || side->driver->ops == driver->ops) return NULL;
    if (!edo__is_message(edo__request_of(op)) || side->is_polled) return NULL;
    edo_store_relaxed(&op->base.result, -EAGAIN);
    return op;
}

/* Called after the end of an operation. Wakes the next waiter if the side is still ready. */
static __attribute__((noinline)) void pass_on(const edo_driver *driver, edo__source *source,
                                              const edo_op *op)
{
    edo__side *side = edo__op_place(source, op);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&source->lock);
    edo_op *next = first_waiter(driver, side);
    bool ready = edo_load_relaxed(&side->ready) & (EDO__READY_NOW | EDO__READY_FINAL);
    if (!next || !ready) next = queued_waiter(driver, side);
    if (next) edo__op_wake(source, next, &wakes);
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
}

/* Ends an operation. Wakes the next waiter. Also ends the visit of the side, if the operation has
 * begun or used that visit. The load of `is_visited` needs no lock: if the operation uses the
 * visit, it has accessed `is_visited` under the lock before. If the load misses a visit, another
 * operation uses that visit, and ends it. */
static inline __attribute__((always_inline)) edo_poll end(const edo_driver *driver,
                                                          edo__source *source, const edo_op *op)
{
    bool was_woken = op->detail & EDO__DETAIL_WOKEN;
    if (edo__unlikely(was_woken && (source->traits & EDO__SOURCE_SEVERAL)))
        pass_on(driver, source, op);
    if (edo__unlikely(edo_load_relaxed(&edo__op_place(source, op)->is_visited)))
        edo__epoll_end_visit(source, op);
    return EDO_READY;
}

static edo_poll epoll_drive(edo_driver *driver, edo__source *source, edo_op *op,
                            edo_wakeable *waker)
{
    readiness seen;
    while (seen = look(source), !attempt(source, op, &seen)) {
        int rc = park(driver, source, op, waker, seen);
        if (rc > 0) return EDO_PENDING;
        op->base.result = rc;
        if (rc < 0) break;
    }
    return end(driver, source, op);
}

/* Resumes an operation. A positive base.result is the set of events that a LATCHED source has
 * reported. */
static edo_poll epoll_resume(edo_driver *driver, edo__source *source, edo_op *op,
                             edo_wakeable *waker)
{
    return op->base.result > 0 ? end(driver, source, op) : epoll_drive(driver, source, op, waker);
}

/* Cancels an operation. If the operation was woken with the events of a LATCHED source, it ends
 * with these events as its result, because no later poll would report them. */
static edo_poll epoll_cancel(edo_driver *driver, edo__source *source, edo_op *op,
                             edo_wakeable *waker)
{
    (void)waker;
    edo__lock_take(&source->lock);
    bool parked = edo__wait_leave(edo__side_waiters(edo__op_place(source, op)), op);
    edo__lock_give(&source->lock);
    if (!parked) op->detail |= EDO__DETAIL_WOKEN; // perhaps woken after edo__op_go_on has checked
    if (parked || op->base.result <= 0) op->base.result = -ECANCELED;
    return end(driver, source, op);
}

/* ---- events ---- */

/* Returns: the first waiter of a side; or NULL. If the write side has no waiter, the first waiter
 * of the read side is returned if it waits for both sides. Called under the source's lock. */
static edo_op *waiter_of(const edo_driver *driver, edo__source *source, unsigned side)
{
    edo_op *op = first_waiter(driver, &source->sides[side]);
    if (op || side == EDO__READ_SIDE) return op;
    op = first_waiter(driver, &source->sides[EDO__READ_SIDE]);
    return op && (op->detail & EDO__DETAIL_BOTH_SIDES) ? op : NULL;
}

/* Stores the events as the operation's result. The reason is that epoll has consumed the events, so
 * a poll of the descriptor would no longer report them. Called under the source's lock. Returns:
 * whether the operation waits for one of the events. */
static bool is_latched_for(edo_op *op, uint32_t events)
{
    op->base.result = (int64_t)(events &
                                ((uint32_t)edo__poll_of(op)->events | EPOLLERR | EPOLLHUP));
    return op->base.result != 0;
}

/* Marks a side as ready after an event, and wakes the first waiter. Called under the source's
 * lock. */
static void note_event(const edo_driver *driver, edo__source *source, unsigned side, bool final,
                       uint32_t events, edo__wakes *wakes)
{
    edo_op *op = waiter_of(driver, source, side);
    edo__note_ready(&source->sides[side], final ? EDO__READY_FINAL : 0);
    if (!op) return;
    bool latched = source->traits & EDO__SOURCE_LATCHED;
    if (!latched || is_latched_for(op, events)) edo__op_wake(source, op, wakes);
}

static void dispatch(const edo_driver *driver, edo__source *source, uint32_t events)
{
    bool read_final = events & READ_FINAL, write_final = events & WRITE_FINAL;
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&source->lock);
    if (events & READ_EVENTS)
        note_event(driver, source, EDO__READ_SIDE, read_final, events, &wakes);
    if (events & WRITE_EVENTS)
        note_event(driver, source, EDO__WRITE_SIDE, write_final, events, &wakes);
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
}

static int wait_in_ms(edo__epoll *driver, int64_t timeout)
{
    int64_t ms = timeout / NANOSECONDS_PER_MS + (timeout % NANOSECONDS_PER_MS != 0);
    if (ms > INT32_MAX) ms = timeout == INT64_MAX ? -1 : INT32_MAX;
    int n = epoll_wait(driver->epoll, driver->events, EDO__EPOLL_BATCH, (int)ms);
    if (n < 0 && errno != EINTR) edo__sys_wait_failed("epoll_wait", -errno);
    return n;
}

/* Waits for events. Containers refuse newer calls with various errors. So after any error of
 * epoll_pwait2() except EINTR, epoll_wait() is used. If the descriptor is bad, epoll_wait() also
 * fails, and reports that. */
static int wait_for_events(edo__epoll *driver, int64_t timeout)
{
    if (timeout == 0 || timeout == INT64_MAX || driver->no_pwait2)
        return wait_in_ms(driver, timeout);
    struct timespec limit = { .tv_sec = timeout / NANOSECONDS, .tv_nsec = timeout % NANOSECONDS };
    int n = epoll_pwait2(driver->epoll, driver->events, EDO__EPOLL_BATCH, &limit, NULL);
    if (n >= 0 || errno == EINTR) return n;
    driver->no_pwait2 = true;
    return wait_in_ms(driver, timeout);
}

/* Prefetches the source of a later event. With many connections, the first access to a source would
 * be a cache miss. */
static void prefetch(const struct epoll_event *event)
{
    const char *source = event->data.ptr;
    if (!source) return;
    __builtin_prefetch(source, 1);      // 1: for a write; the lock is near the start
    __builtin_prefetch(source + 64, 1); // the next line
}

/* Turns the driver. The runtime's own descriptors have no source. An event on such a descriptor
 * only ends the wait. */
static int epoll_turn(edo_driver *base, int64_t timeout)
{
    edo__epoll *driver = edo__epoll_of(base);
    edo__epoll_free_dead(driver);
    edo__epoll_begin_batch(driver);
    int n = wait_for_events(driver, timeout);
    uint64_t ready = 0;
    for (int i = 0; i < n; i++) {
        if (i + AHEAD < n) prefetch(&driver->events[i + AHEAD]);
        if (!driver->events[i].data.ptr) continue;
        dispatch(base, driver->events[i].data.ptr, driver->events[i].events);
        ready++;
    }
    edo__epoll_end_batch(driver);
    edo_add_counter(&base->counters.ready, ready);
    return n > 0 ? n : 0;
}

/* Ends the wait of a turn. The eventfd is never read, because each write causes an edge. */
static void epoll_unpark(edo_driver *driver)
{
    if (edo__epoll_is_inherited(edo__epoll_of(driver))) return; // a write would wake the parent
    edo__sys_event_set(edo__epoll_of(driver)->event);
}

/* ---- life ---- */

static void close_fds(edo__epoll *driver)
{
    edo__sys_close(driver->event);
    edo__sys_close(driver->epoll);
}

static int open_fds(edo__epoll *driver, const char **ret_reason)
{
    *ret_reason = "no descriptor for epoll";
    driver->event = -1;
    driver->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (driver->epoll < 0) return -errno;
    driver->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = driver->event < 0 ? -errno : edo__epoll_add(driver, driver->event, NULL, EPOLLIN);
    if (rc < 0) close_fds(driver);
    return rc;
}

static int epoll_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    (void)argument;
    *ret_reason = "out of memory";
    edo__epoll *driver = edo__alloc_zeroed(sizeof *driver);
    if (!driver) return -ENOMEM;
    driver->base = (edo_driver){ .ops = &edo__epoll_driver, .runtime = runtime };
    driver->fork_generation = edo__sys_fork_generation();
    edo__list_init(&driver->sources);
    int rc = open_fds(driver, ret_reason);
    if (rc < 0)
        edo__free(driver, sizeof *driver);
    else
        *ret_driver = &driver->base;
    return rc;
}

/* Closes the driver. Open streams lose their registration, and may later be used in another
 * runtime. An inherited driver remains in memory, because sources refer to that driver. */
static void epoll_close(edo_driver *base)
{
    edo__epoll *driver = edo__epoll_of(base);
    if (edo__epoll_is_inherited(driver)) {
        close_fds(driver);
        return;
    }
    edo__epoll_release_sources(driver);
    uint32_t tries = 0;
    while (edo_load_acquire(&base->pins))
        edo__sys_wait_briefly(&tries);
    edo__epoll_free_dead(driver);
    close_fds(driver);
    edo__free(driver, sizeof *driver);
}

static int epoll_fd(edo_driver *driver)
{
    return edo__epoll_of(driver)->epoll;
}

static int epoll_watch(edo_driver *driver, int fd)
{
    return edo__epoll_add(edo__epoll_of(driver), fd, NULL, EPOLLIN);
}

const edo_driver_ops edo__epoll_driver = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .drive = epoll_drive,
    .resume = epoll_resume,
    .cancel = epoll_cancel,
    .forget = edo__epoll_forget,
    .turn = epoll_turn,
    .unpark = epoll_unpark,
    .fd = epoll_fd,
    .watch = epoll_watch,
};

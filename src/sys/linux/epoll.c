/* The epoll driver: readiness, edge-triggered.
 *
 * A descriptor is registered when an operation on it first has to wait, once and for all events.
 * Events set the ready bits of its sides and count in the rest of those words; a call that finds
 * nothing takes the bits back only if no event came since it looked, so readiness is never lost. A
 * transfer on TCP that was shorter than asked takes them back too, which saves the call that would
 * say EAGAIN; not so once the peer has hung up, for then no further edge would come.
 *
 * A source is freed by the thread that turns the driver, before it asks for new events: those of
 * the batch before have been dealt with by then, so none can refer to it.
 *
 * Within a runtime a stream stays registered with the driver of the worker where it first waited,
 * whoever polls its operations later.
 *
 * A stream may go from runtime to runtime, and two may use a side each. The driver that has it
 * registered loses it to the next one that waits, unless an operation of its own is parked there;
 * then the other is a guest: it registers the descriptor for that wait only. So an operation always
 * waits on the driver of its own runtime, which is turned while it waits.
 *
 * Order of locks: a source's, then a driver's. Who takes a source from a driver pins that driver,
 * and keeps the source until that driver's batch has been dealt with, which may refer to it.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/linux/drivers.h"
#include "sys/sys.h"

enum {
    EVENTS_PER_TURN = 256, // 3 KiB; what is left comes with the next turn
    MANY_DEAD = 64,        // sources to be freed, for which the driver is woken
    NANOSECONDS = 1000000000,
    NANOSECONDS_PER_MS = 1000000,
    ALL_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP,
    READ_EVENTS = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    WRITE_EVENTS = EPOLLOUT | EPOLLHUP | EPOLLERR,
    READ_FINAL = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    WRITE_FINAL = EPOLLHUP | EPOLLERR,
};

typedef struct epoll_driver {
    edo_driver base;
    int epoll, event; // event: an eventfd that ends the wait
    bool no_pwait2;   // the kernel lacks epoll_pwait2: whole milliseconds
    uint32_t fork_generation;
    edo_atomic(uint32_t) turns; // odd while it may refer to sources: from before a wait until its
                                // batch is dealt with
    edo__lock lock;             // of the two lists, and of the counts of registrations
    edo__node sources;          // registered here
    edo__source *dead;          // forgotten, to be freed
    unsigned dead_count;
    struct epoll_event events[EVENTS_PER_TURN];
} epoll_driver;

static epoll_driver *epoll_of(edo_driver *driver)
{
    return (epoll_driver *)(void *)driver;
}

/* ---- registration ---- */

/* In the child of a fork: epoll and its registrations are the parent's, nobody turns this copy. */
static bool is_inherited(const epoll_driver *driver)
{
    return driver->fork_generation != edo__sys_fork_generation();
}

static int add(epoll_driver *driver, int fd, void *data, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.ptr = data };
    return epoll_ctl(driver->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* epoll knows a descriptor once: a second registration is one of a duplicate. Returns: the
 * descriptor that is registered, or a negative errno. */
static int add_source(epoll_driver *driver, edo__source *source)
{
    int rc = add(driver, source->fd, source, ALL_EVENTS);
    if (rc != -EEXIST) return rc < 0 ? rc : source->fd;
    int fd = dup(source->fd);
    if (fd < 0) return -errno;
    rc = add(driver, fd, source, ALL_EVENTS);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

/* The registration ends even if the system says no: the descriptor is on its way out. */
static void remove_source(epoll_driver *driver, edo__source *source, int fd)
{
    if (!is_inherited(driver)) epoll_ctl(driver->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (fd != source->fd) close(fd);
}

/* A descriptor in the place of a pointer; NULL is none. */
static void *keep_fd(int fd)
{
    return (void *)(intptr_t)(fd + 1);
}

static int kept_fd(const void *place)
{
    return (int)(intptr_t)place - 1;
}

static int enlist(epoll_driver *driver, edo__source *source)
{
    int fd = add_source(driver, source);
    if (fd < 0) return fd;
    source->extra = keep_fd(fd);
    source->driver = &driver->base;
    edo__lock_take(&driver->lock);
    edo__list_push(&driver->sources, &source->registered);
    edo_add_counter(&driver->base.counters.registered, 1);
    edo__lock_give(&driver->lock);
    return 0;
}

static void delist(epoll_driver *driver, edo__source *source)
{
    remove_source(driver, source, kept_fd(source->extra));
    source->extra = NULL;
    edo__lock_take(&driver->lock);
    edo__list_remove(&source->registered);
    edo_add_counter(&driver->base.counters.deregistered, 1);
    edo__lock_give(&driver->lock);
    source->driver = NULL;
}

static void begin_batch(epoll_driver *driver)
{
    edo_store_release(&driver->turns, edo_load_relaxed(&driver->turns) + 1);
}

static void end_batch(epoll_driver *driver)
{
    edo_store_release(&driver->turns, edo_load_relaxed(&driver->turns) + 1);
}

/* Once this returns no batch of the driver refers to what was delisted before. Without the source's
 * lock, which the batch may need. */
static void wait_for_batch(epoll_driver *driver)
{
    uint32_t turns = edo_load_acquire(&driver->turns);
    if (!(turns & 1) || is_inherited(driver)) return;
    driver->base.ops->unpark(&driver->base);
    while (edo_load_acquire(&driver->turns) == turns)
        edo__sys_yield_thread();
}

/* Whether an operation waits for the driver that has the source registered. */
static bool is_relied_on(const edo__source *source)
{
    for (unsigned side = 0; side < EDO__SIDES; side++) {
        const edo_op *waiter = source->sides[side].waiter;
        if (waiter && waiter->link.at.driver == source->driver) return true;
    }
    return false;
}

/* Registers for this operation alone. */
static int visit(epoll_driver *driver, edo__source *source, edo_op *op)
{
    if (op->link.at.extra) return 0;
    int fd = add_source(driver, source);
    if (fd < 0) return fd;
    op->link.at.extra = keep_fd(fd);
    edo__lock_take(&driver->lock);
    edo_add_counter(&driver->base.counters.registered, 1);
    edo__lock_give(&driver->lock);
    return 0;
}

/* Once this returns no batch refers to the source by this registration; another thread may turn the
 * driver. */
static void end_visit(epoll_driver *driver, edo__source *source, edo_op *op)
{
    if (!op->link.at.extra) return;
    remove_source(driver, source, kept_fd(op->link.at.extra));
    op->link.at.extra = NULL;
    edo__lock_take(&driver->lock);
    edo_add_counter(&driver->base.counters.deregistered, 1);
    edo__lock_give(&driver->lock);
    wait_for_batch(driver);
}

/* Under the source's lock. *ret_left: a driver that lost the source, pinned; its batch is to be
 * waited for. */
static int register_here(epoll_driver *driver, edo__source *source, edo_op *op,
                         epoll_driver **ret_left)
{
    if (source->driver && source->driver->runtime == driver->base.runtime) return 0;
    if (source->driver) {
        bool is_alike = source->driver->ops->turn == driver->base.ops->turn;
        if (!is_alike || is_relied_on(source)) return visit(driver, source, op);
        *ret_left = epoll_of(source->driver);
        edo_add_relaxed(&source->driver->pins, 1);
        delist(*ret_left, source);
    }
    return enlist(driver, source);
}

static void leave_behind(epoll_driver *driver)
{
    wait_for_batch(driver);
    edo_sub_release(&driver->base.pins, 1); // partner: the wait in epoll_close
}

/* ---- operations ---- */

static bool is_wanted(const edo_op *op, unsigned side)
{
    return edo__side_of(op) == side || (op->detail & EDO__DETAIL_BOTH_SIDES);
}

/* Under the lock. */
static void set_waiter(edo__source *source, const edo_op *op, edo_op *waiter)
{
    for (unsigned side = 0; side < EDO__SIDES; side++)
        if (is_wanted(op, side)) source->sides[side].waiter = waiter;
}

typedef struct readiness {
    uint32_t words[EDO__SIDES];
} readiness;

/* Relaxed: the words guard nothing. An old look only costs another one, for the look under the lock
 * before an operation parks is ordered with events by the lock. */
static readiness look(edo__source *source)
{
    return (readiness){ { edo_load_relaxed(&source->sides[EDO__READ_SIDE].ready),
                          edo_load_relaxed(&source->sides[EDO__WRITE_SIDE].ready) } };
}

/* Whether an event came since the look, on a side that matters. */
static bool has_changed(edo__source *source, const edo_op *op, readiness seen)
{
    readiness now = look(source);
    for (unsigned side = 0; side < EDO__SIDES; side++)
        if (is_wanted(op, side) && now.words[side] != seen.words[side]) return true;
    return false;
}

/* Takes readiness back, unless an event came since. Returns: what a look would see now, if it was
 * taken. */
static void take_back(edo__source *source, unsigned side, uint32_t *seen, uint32_t bits)
{
    uint32_t expected = *seen;
    if (edo_cas_relaxed(&source->sides[side].ready, &expected, *seen & ~bits)) *seen &= ~bits;
}

/* Parks the operation, unless an event came since the look. The closer sets CLOSED before it takes
 * the lock to hang up: either it finds the operation, or we find the bit. Returns: 1 parked, 0 look
 * again, or a negative errno. */
static int park(epoll_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker,
                readiness seen)
{
    epoll_driver *left = NULL;
    edo__lock_take(&source->lock);
    bool closed = edo_load_relaxed(&source->state) & EDO__SOURCE_CLOSED;
    int rc = closed ? -ECANCELED : register_here(driver, source, op, &left);
    if (rc == 0 && !has_changed(source, op, seen)) {
        set_waiter(source, op, op);
        op->waker = waker;
        op->link.at.driver = op->link.at.extra ? &driver->base : source->driver;
        edo_store_relaxed(&op->word, EDO__OP_PARKED);
        rc = 1;
    }
    edo__lock_give(&source->lock);
    if (left) leave_behind(left);
    return rc;
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

/* A transfer on TCP that moved less than asked has met an empty or a full buffer. */
static void note_short(edo__source *source, const edo_op *op, uint32_t *seen)
{
    bool is_short = edo__request_of(op) <= EDO__WRITE && op->base.result > 0 &&
                    (uint64_t)op->base.result < op->length - op->progress;
    if (is_short && (source->traits & EDO__SOURCE_TCP) && !(*seen & EDO__READY_FINAL))
        take_back(source, edo__side_of(op), seen, EDO__READY_NOW);
}

/* Tries if the side may be ready. Returns: false when the call would block. */
static bool attempt(edo__source *source, edo_op *op, readiness *seen)
{
    uint32_t *word = &seen->words[edo__side_of(op)];
    bool asks = edo__request_of(op) == EDO__POLL; // asks for readiness itself: the bits say nothing
    if (!asks && !(*word & (EDO__READY_NOW | EDO__READY_FINAL))) return false;
    op->base.result = edo__try(source, op);
    if (op->base.result != -EAGAIN) {
        note_short(source, op, word);
        return true;
    }
    if (!asks) take_back(source, edo__side_of(op), word, EDO__READY_NOW | EDO__READY_FINAL);
    return false;
}

static edo_poll epoll_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (is_still_parked(source, op, waker)) return EDO_PENDING;
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) op->link.at.extra = NULL; // it is new
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    for (;;) {
        readiness seen = look(source);
        if (attempt(source, op, &seen)) break;
        int rc = park(epoll_of(base), source, op, waker, seen);
        if (rc > 0) return EDO_PENDING;
        op->base.result = rc;
        if (rc < 0) break;
    }
    end_visit(epoll_of(base), source, op);
    return EDO_READY;
}

static edo_poll epoll_cancel(edo_driver *driver, edo__source *source, edo_op *op,
                             edo_wakeable *waker)
{
    (void)waker;
    edo__lock_take(&source->lock);
    if (edo_load_relaxed(&op->word) == EDO__OP_PARKED) set_waiter(source, op, NULL);
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    edo__lock_give(&source->lock);
    end_visit(epoll_of(driver), source, op);
    op->base.result = -ECANCELED;
    return EDO_READY;
}

/* Under the lock. After the store the operation may be gone, but not before the lock is given: its
 * poll reads WOKEN, and its task, if it was not running, cannot run before the commit. */
static edo_wakeable *wake(edo__source *source, edo_op *op)
{
    edo_wakeable *prepared = edo__wake_prepare(op->waker);
    set_waiter(source, op, NULL);
    edo_store_release(&op->word, EDO__OP_WOKEN);
    return prepared;
}

static edo_wakeable *epoll_hang_up(edo_driver *driver, edo__source *source, edo_op *op)
{
    (void)driver;
    return wake(source, op);
}

/* ---- events ---- */

/* Another kind of driver completes its operations itself. */
static bool is_ours(const epoll_driver *driver, const edo_op *op)
{
    const edo_driver *other = op->link.at.driver;
    return other->ops == driver->base.ops;
}

/* Under the lock. */
static edo_wakeable *note_event(epoll_driver *driver, edo__source *source, unsigned side,
                                bool final)
{
    edo__side *s = &source->sides[side];
    uint32_t word = edo_load_relaxed(&s->ready), news;
    do {
        news = (word + EDO__READY_EVENT) | EDO__READY_NOW | (final ? EDO__READY_FINAL : 0);
    } while (!edo_cas_relaxed(&s->ready, &word, news));
    return s->waiter && is_ours(driver, s->waiter) ? wake(source, s->waiter) : NULL;
}

static void dispatch(epoll_driver *driver, edo__source *source, uint32_t events)
{
    bool read_final = events & READ_FINAL, write_final = events & WRITE_FINAL;
    edo_wakeable *reader = NULL, *writer = NULL;
    edo__lock_take(&source->lock);
    if (events & READ_EVENTS) reader = note_event(driver, source, EDO__READ_SIDE, read_final);
    if (events & WRITE_EVENTS) writer = note_event(driver, source, EDO__WRITE_SIDE, write_final);
    edo__lock_give(&source->lock);
    edo__wake_commit(reader);
    edo__wake_commit(writer);
}

static int wait_in_ms(epoll_driver *driver, int64_t timeout)
{
    int64_t ms = timeout / NANOSECONDS_PER_MS + (timeout % NANOSECONDS_PER_MS != 0);
    if (ms > INT32_MAX) ms = timeout == INT64_MAX ? -1 : INT32_MAX;
    return epoll_wait(driver->epoll, driver->events, EVENTS_PER_TURN, (int)ms);
}

static int wait_for_events(epoll_driver *driver, int64_t timeout)
{
    if (timeout == 0 || timeout == INT64_MAX || driver->no_pwait2)
        return wait_in_ms(driver, timeout);
    struct timespec limit = { .tv_sec = timeout / NANOSECONDS, .tv_nsec = timeout % NANOSECONDS };
    int n = epoll_pwait2(driver->epoll, driver->events, EVENTS_PER_TURN, &limit, NULL);
    if (n >= 0 || errno != ENOSYS) return n;
    driver->no_pwait2 = true;
    return wait_in_ms(driver, timeout);
}

static void free_dead(epoll_driver *driver)
{
    if (!edo_load_relaxed(&driver->dead)) return;
    edo__lock_take(&driver->lock);
    edo__source *source = driver->dead;
    edo_store_relaxed(&driver->dead, NULL);
    driver->dead_count = 0;
    edo__lock_give(&driver->lock);
    while (source) {
        edo__source *next = source->next_dead;
        source->release(source);
        source = next;
    }
}

/* Descriptors of our own carry no source: an event on them only ends the wait. */
static int epoll_turn(edo_driver *base, int64_t timeout)
{
    epoll_driver *driver = epoll_of(base);
    free_dead(driver);
    begin_batch(driver);
    int n = wait_for_events(driver, timeout);
    uint64_t ready = 0;
    for (int i = 0; i < n; i++) {
        if (!driver->events[i].data.ptr) continue;
        dispatch(driver, driver->events[i].data.ptr, driver->events[i].events);
        ready++;
    }
    end_batch(driver);
    edo_add_counter(&base->counters.ready, ready);
    return n > 0 ? n : 0;
}

/* The counter is never read: each write is an edge. */
static void epoll_unpark(edo_driver *driver)
{
    uint64_t one = 1;
    ssize_t n = write(epoll_of(driver)->event, &one, sizeof one);
    (void)n; // it cannot block before 2^64 wakes
}

/* ---- life ---- */

/* The driver may be closing, and have let go of the source. */
static void epoll_forget(edo_driver *base, edo__source *source)
{
    epoll_driver *driver = epoll_of(base);
    edo__lock_take(&source->lock);
    if (source->driver == base) delist(driver, source);
    edo__lock_give(&source->lock);
    edo__source_close_fd(source);
    if (is_inherited(driver)) {
        source->release(source);
        return;
    }
    edo__lock_take(&driver->lock);
    source->next_dead = driver->dead;
    edo_store_relaxed(&driver->dead, source);
    bool wakes = ++driver->dead_count == MANY_DEAD;
    edo__lock_give(&driver->lock);
    if (wakes) epoll_unpark(base);
}

static void close_fds(epoll_driver *driver)
{
    edo__sys_close(driver->event);
    edo__sys_close(driver->epoll);
}

static int open_fds(epoll_driver *driver, const char **ret_reason)
{
    *ret_reason = "no descriptor for epoll";
    driver->event = -1;
    driver->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (driver->epoll < 0) return -errno;
    driver->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = driver->event < 0 ? -errno : add(driver, driver->event, NULL, EPOLLIN);
    if (rc < 0) close_fds(driver);
    return rc;
}

static int epoll_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    (void)argument;
    *ret_reason = "out of memory";
    epoll_driver *driver = edo__alloc_zeroed(sizeof *driver);
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

static edo__source *first_source(epoll_driver *driver)
{
    edo__source *source = NULL;
    edo__lock_take(&driver->lock);
    if (!edo__list_is_empty(&driver->sources))
        source = edo__container(driver->sources.next, edo__source, registered);
    edo__lock_give(&driver->lock);
    return source;
}

/* Another driver may take the source meanwhile; it keeps the source until our batch, which this is,
 * has been dealt with. Returns: false when there was none. */
static bool let_go_of_one(epoll_driver *driver)
{
    begin_batch(driver);
    edo__source *source = first_source(driver);
    if (source) {
        edo__lock_take(&source->lock);
        if (source->driver == &driver->base) delist(driver, source);
        edo__lock_give(&source->lock);
    }
    end_batch(driver);
    return source;
}

/* Streams that are still open lose their registration; another runtime may take them over. An
 * inherited driver stays in memory, where sources refer to it. */
static void epoll_close(edo_driver *base)
{
    epoll_driver *driver = epoll_of(base);
    if (is_inherited(driver)) {
        close_fds(driver);
        return;
    }
    while (let_go_of_one(driver))
        continue;
    while (edo_load_acquire(&base->pins))
        edo__sys_yield_thread();
    free_dead(driver);
    close_fds(driver);
    edo__free(driver, sizeof *driver);
}

static int epoll_fd(edo_driver *driver)
{
    return epoll_of(driver)->epoll;
}

static int epoll_watch(edo_driver *driver, int fd)
{
    return add(epoll_of(driver), fd, NULL, EPOLLIN);
}

const edo_driver_ops edo__epoll_driver = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .drive = epoll_drive,
    .cancel = epoll_cancel,
    .hang_up = epoll_hang_up,
    .forget = epoll_forget,
    .turn = epoll_turn,
    .unpark = epoll_unpark,
    .fd = epoll_fd,
    .watch = epoll_watch,
};

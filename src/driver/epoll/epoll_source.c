/* The epoll driver: registration and end of sources.
 *
 * The thread that turns the driver frees dead sources before it fetches new events. The previous
 * batch has been handled by then, so no event can refer to a freed source.
 *
 * Within a runtime, a stream remains registered with the driver of the worker on which an operation
 * of the stream first waited. Later operations may be polled by other workers.
 *
 * A stream may migrate between runtimes, and two runtimes may use one side each. When an operation
 * of another runtime has to wait, the registration migrates to that runtime's driver, unless
 * operations are still parked with the old driver. In that case the new driver is a visitor. A
 * visitor registers the descriptor in addition, for one side, until the visitor's operations on
 * that side have ended. So an operation always waits with a driver that its own runtime turns.
 *
 * Order of locks: a source's, then a driver's. A thread that takes a source from a driver pins the
 * driver. The driver's current batch may still refer to the source. So the thread keeps the source
 * alive until that batch has been handled. */
#include "driver/epoll/epoll.h"

#include <fcntl.h>
#include <unistd.h>

#include "sys/sys.h"

enum {
    MANY_DEAD = 64, // number of forgotten sources at which the driver is woken to free the sources
    ALL_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP,
};

/* ---- registration ---- */

bool edo__epoll_is_inherited(const edo__epoll *driver)
{
    return driver->fork_generation != edo__sys_fork_generation();
}

int edo__epoll_add(edo__epoll *driver, int fd, void *data, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.ptr = data };
    return epoll_ctl(driver->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Registers the source's descriptor. An epoll instance accepts a descriptor only once. So a second
 * registration with the same driver uses a duplicate of the descriptor. Returns: the registered
 * descriptor, or a negative errno. */
static int add_source(edo__epoll *driver, edo__source *source, uint32_t events)
{
    int rc = edo__epoll_add(driver, source->fd, source, events);
    if (rc != -EEXIST) return rc < 0 ? rc : source->fd;
    if (!edo__source_extend(source)) return -ENOMEM; // the duplicate is noted there
    int fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return -errno;
    rc = edo__epoll_add(driver, fd, source, events);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

/* Ends a registration. Errors of the system are ignored, because the registration ends at the
 * latest when the descriptor is closed. */
static void remove_source(edo__epoll *driver, edo__source *source, int fd)
{
    if (!edo__epoll_is_inherited(driver)) epoll_ctl(driver->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (fd != source->fd) close(fd);
}

/* Stores the descriptor that is registered. Called after the descriptor was added. */
static void note_registered(edo__source *source, int fd)
{
    if (source->has_extra) source->extra->registered = fd == source->fd ? 0 : fd + 1;
}

/* Returns: the registered descriptor. It is the source's own descriptor, or the duplicate that
 * add_source has made. */
static int registered_fd(const edo__source *source)
{
    bool is_duplicate = source->has_extra && source->extra->registered;
    return is_duplicate ? source->extra->registered - 1 : source->fd;
}

static bool waits_for_room(const edo_op *op)
{
    return op->detail & (EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_BOTH_SIDES);
}

/* Events to register for. TCP reports room (EPOLLOUT) only after its buffer was full. All other
 * sockets report room each time sent bytes have left the buffer, even if the buffer was never full:
 * a Unix stream when its peer has read, UDP when a datagram has been sent. Reports that no
 * operation waits for would cost time. So these sockets are registered for EPOLLOUT only when the
 * first operation waits for room. */
static uint32_t events_of(const edo__source *source, const edo_op *op)
{
    enum { MASK = EDO__SOURCE_SOCKET | EDO__SOURCE_TCP };
    bool reports_always = (source->traits & MASK) == EDO__SOURCE_SOCKET;
    return reports_always && !waits_for_room(op) ? ALL_EVENTS & ~(uint32_t)EPOLLOUT : ALL_EVENTS;
}

/* Adds EPOLLOUT to the events of a registration. If there is room already, EPOLL_CTL_MOD causes a
 * report too. The report is not missed: a turn handles reports under the source's lock, and the
 * caller holds that lock until the operation has parked. EPOLLOUT stays registered until the
 * registration ends, because a stream that was full is likely to be full again. */
static int watch_room(edo__epoll *driver, edo__source *source)
{
    struct epoll_event event = { .events = ALL_EVENTS | EPOLLET, .data.ptr = source };
    if (epoll_ctl(driver->epoll, EPOLL_CTL_MOD, registered_fd(source), &event) < 0) return -errno;
    source->sides[EDO__WRITE_SIDE].is_unwatched = false;
    return 0;
}

static int enlist(edo__epoll *driver, edo__source *source, const edo_op *op)
{
    uint32_t events = events_of(source, op);
    int fd = add_source(driver, source, events);
    if (fd < 0) return fd;
    source->sides[EDO__WRITE_SIDE].is_unwatched = !(events & EPOLLOUT);
    note_registered(source, fd);
    edo__source_set_driver(source, &driver->base);
    edo__lock_take(&driver->lock);
    edo__list_push(&driver->sources, &source->registered);
    edo_add_counter(&driver->base.counters.registered, 1);
    edo__lock_give(&driver->lock);
    return 0;
}

/* Ends the source's registration, and removes the source from the driver's list. The child of a
 * fork neither reads nor changes the parent's list. */
static void delist(edo__epoll *driver, edo__source *source)
{
    remove_source(driver, source, registered_fd(source));
    edo__source_set_driver(source, NULL);
    if (edo__epoll_is_inherited(driver)) return;
    edo__lock_take(&driver->lock);
    edo__list_remove(&source->registered);
    edo_add_counter(&driver->base.counters.deregistered, 1);
    edo__lock_give(&driver->lock);
}

void edo__epoll_begin_batch(edo__epoll *driver)
{
    edo_store_release(&driver->turns, edo_load_relaxed(&driver->turns) + 1);
}

void edo__epoll_end_batch(edo__epoll *driver)
{
    edo_store_release(&driver->turns, edo_load_relaxed(&driver->turns) + 1);
}

/* Waits until no batch of the driver can refer to sources that were delisted before this call. The
 * caller must not hold the source's lock, because the batch may need that lock. */
static void wait_for_batch(edo__epoll *driver)
{
    uint32_t turns = edo_load_acquire(&driver->turns), tries = 0;
    if (!(turns & 1) || edo__epoll_is_inherited(driver)) return;
    driver->base.ops->unpark(&driver->base);
    while (edo_load_acquire(&driver->turns) == turns)
        edo__sys_wait_briefly(&tries);
}

/* Whether an operation waits with the driver that has the source registered. */
static bool is_relied_on(edo__source *source)
{
    for (unsigned i = 0; i < EDO__SIDES; i++) {
        edo__side *side = &source->sides[i];
        bool waits = !edo__wait_list_is_empty(edo__side_waiters(side));
        if (waits && side->driver == edo__source_driver(source)) return true;
    }
    return false;
}

/* Registers the descriptor with a driver of a second runtime, for the operations of that runtime on
 * one side. */
static int begin_visit(edo__epoll *driver, edo__source *source, edo__side *side)
{
    if (!edo__source_extend(source)) return -ENOMEM;
    int fd = add_source(driver, source, ALL_EVENTS);
    if (fd < 0) return fd;
    source->extra->visits[side - source->sides] = fd;
    edo_store_relaxed(&side->is_visited, true);
    side->driver = &driver->base;
    edo__lock_take(&driver->lock);
    edo_add_counter(&driver->base.counters.registered, 1);
    edo__lock_give(&driver->lock);
    return 0;
}

static void end_visit(edo__epoll *driver, edo__source *source, int fd)
{
    remove_source(driver, source, fd);
    edo__lock_take(&driver->lock);
    edo_add_counter(&driver->base.counters.deregistered, 1);
    edo__lock_give(&driver->lock);
    wait_for_batch(driver);
}

void edo__epoll_end_visit(edo__source *source, const edo_op *op)
{
    edo__side *side = edo__op_place(source, op);
    edo__lock_take(&source->lock);
    bool ends = edo__wait_list_is_empty(edo__side_waiters(side)) &&
                edo_load_relaxed(&side->is_visited);
    edo__epoll *driver = edo__epoll_of(side->driver);
    int fd = ends ? source->extra->visits[side - source->sides] : -1;
    if (ends) edo_store_relaxed(&side->is_visited, false);
    edo__lock_give(&source->lock);
    if (ends) end_visit(driver, source, fd);
}

static int enlist_anew(edo_driver **driver, edo__source *source, const edo_op *op,
                       edo__epoll **ret_left)
{
    edo_driver *left = edo__source_driver(source);
    if (left) {
        *ret_left = edo__epoll_of(left);
        edo_add_relaxed(&left->pins, 1);
        delist(*ret_left, source);
    }
    return enlist(edo__epoll_of(*driver), source, op);
}

int edo__epoll_register(edo_driver **driver, edo__source *source, const edo_op *op,
                        edo__epoll **ret_left)
{
    edo__side *side = edo__op_place(source, op);
    edo_driver *own = edo__source_driver(source);
    edo_driver *registered = edo_load_relaxed(&side->is_visited) ? side->driver : own;
    if (registered && registered->runtime == (*driver)->runtime) {
        *driver = registered;
        bool is_missing = source->sides[EDO__WRITE_SIDE].is_unwatched && registered == own &&
                          waits_for_room(op);
        return is_missing ? watch_room(edo__epoll_of(registered), source) : 0;
    }
    bool is_alike = !own || own->ops->turn == (*driver)->ops->turn;
    if (!is_alike || is_relied_on(source)) return begin_visit(edo__epoll_of(*driver), source, side);
    return enlist_anew(driver, source, op, ret_left);
}

void edo__epoll_leave_behind(edo__epoll *driver)
{
    wait_for_batch(driver);
    edo_sub_release(&driver->base.pins, 1); // partner: the wait in epoll_close
}

/* ---- the end of a source ---- */

void edo__epoll_free_dead(edo__epoll *driver)
{
    if (!edo_load_relaxed(&driver->dead)) return;
    edo__lock_take(&driver->lock);
    edo__source *source = driver->dead;
    edo_store_relaxed(&driver->dead, NULL);
    driver->dead_count = 0;
    edo__lock_give(&driver->lock);
    while (source) {
        edo__source *next = source->next_dead;
        edo__source_release(source);
        source = next;
    }
}

/* Ends a source. A driver that is closing may already have delisted the source. */
void edo__epoll_forget(edo_driver *base, edo__source *source)
{
    edo__epoll *driver = edo__epoll_of(base);
    edo__lock_take(&source->lock);
    if (edo__source_driver(source) == base) delist(driver, source);
    edo__lock_give(&source->lock);
    edo__source_close_fd(source);
    if (edo__epoll_is_inherited(driver)) {
        edo__source_release(source);
        return;
    }
    edo__lock_take(&driver->lock);
    source->next_dead = driver->dead;
    edo_store_relaxed(&driver->dead, source);
    bool wakes = ++driver->dead_count == MANY_DEAD;
    edo__lock_give(&driver->lock);
    if (wakes) base->ops->unpark(base);
}

/* ---- the end of a driver ---- */

static edo__source *first_source(edo__epoll *driver)
{
    edo__source *source = NULL;
    edo__lock_take(&driver->lock);
    if (!edo__list_is_empty(&driver->sources))
        source = edo__container(driver->sources.next, edo__source, registered);
    edo__lock_give(&driver->lock);
    return source;
}

/* Delists one source. Another driver may take the source meanwhile. The thread that takes it keeps
 * the source valid until this driver's batch has ended. This function counts as a batch, so the
 * source is valid during the call. Returns: false when no source was left. */
static bool release_one(edo__epoll *driver)
{
    edo__epoll_begin_batch(driver);
    edo__source *source = first_source(driver);
    if (source) {
        edo__lock_take(&source->lock);
        if (edo__source_driver(source) == &driver->base) delist(driver, source);
        edo__lock_give(&source->lock);
    }
    edo__epoll_end_batch(driver);
    return source;
}

void edo__epoll_release_sources(edo__epoll *driver)
{
    while (release_one(driver))
        continue;
}

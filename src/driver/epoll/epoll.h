/* Internals of the epoll driver, for its files. */
#pragma once

#include <sys/epoll.h>

#include "base/base.h"
#include "driver/driver.h"

/* Number of events per turn. The tasks that a batch of events has woken are polled after the batch.
 * With hundreds of events, the first sources and tasks of the batch would have left the cache by
 * then. */
enum { EDO__EPOLL_BATCH = EDO__FULL_TURN };

typedef struct edo__epoll {
    edo_driver base;
    int epoll, event; // event: an eventfd that ends the wait
    bool no_pwait2;   // epoll_pwait2() does not work, so waits are rounded up to milliseconds
    uint32_t fork_generation;
    edo_atomic(uint32_t) turns; // odd while a batch may refer to sources: from before the wait
                                // until the batch is handled
    edo__lock lock;             // guards the two lists, and the counts of registrations
    edo__node sources;          // list of the sources registered with this driver
    edo__source *dead;          // list of forgotten sources, to be freed
    unsigned dead_count;
    struct epoll_event events[EDO__EPOLL_BATCH];
} edo__epoll;

static inline edo__epoll *edo__epoll_of(edo_driver *driver)
{
    return (edo__epoll *)(void *)driver;
}

/* ---- epoll_source.c: registration of sources ---- */

/* Whether the driver was opened before a fork, and this process is the child. The epoll instance
 * and its registrations belong to the parent, and the child never turns its copy of the driver. */
bool edo__epoll_is_inherited(const edo__epoll *driver);

/* Registers a descriptor for edge-triggered events. Returns: 0 or a negative errno. */
int edo__epoll_add(edo__epoll *driver, int fd, void *data, uint32_t events);

/* Registers an operation's source with a driver of the poll's runtime. Called under the source's
 * lock.
 * *driver: the driver of the poll. If another driver of the same runtime already has the source,
 * this function sets *driver to that driver.
 * *ret_left: set only if this function takes the source from a driver of another runtime. It is
 * that driver, which is pinned now. The caller releases the lock, and then calls
 * edo__epoll_leave_behind().
 * Returns: 0 or a negative errno. */
int edo__epoll_register(edo_driver **driver, edo__source *source, const edo_op *op,
                        edo__epoll **ret_left);

/* Waits until the driver's current batch is handled, because the batch may refer to sources that
 * the driver has lost. Then unpins the driver. */
void edo__epoll_leave_behind(edo__epoll *driver);

/* Ends the visit of an operation's side, that is, its registration with a driver of a second
 * runtime. Does nothing while other operations wait on that side. After the return, no event that
 * this driver has fetched by the visit refers to the source. */
void edo__epoll_end_visit(edo__source *source, const edo_op *op);

/* Enclose each period in which the driver may refer to sources. Thread: the owner. */
void edo__epoll_begin_batch(edo__epoll *driver);
void edo__epoll_end_batch(edo__epoll *driver);

/* Frees the forgotten sources. Thread: the owner, before it fetches events. */
void edo__epoll_free_dead(edo__epoll *driver);

/* See edo_driver_ops. */
void edo__epoll_forget(edo_driver *driver, edo__source *source);

/* Ends the registrations of all sources when the driver closes. Thread: the owner. */
void edo__epoll_release_sources(edo__epoll *driver);

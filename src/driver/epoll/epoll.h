/* The epoll driver from the inside: what its files share. */
#pragma once

#include <sys/epoll.h>

#include "base/base.h"
#include "driver/driver.h"

enum { EDO__EPOLL_BATCH = 256 }; // events of a turn, 3 KiB; what is left comes with the next one

typedef struct edo__epoll {
    edo_driver base;
    int epoll, event; // event: an eventfd that ends the wait
    bool no_pwait2;   // epoll_pwait2 is not to be had: whole milliseconds
    uint32_t fork_generation;
    edo_atomic(uint32_t) turns; // odd while it may refer to sources: from before a wait until its
                                // batch is dealt with
    edo__lock lock;             // of the two lists, and of the counts of registrations
    edo__node sources;          // registered here
    edo__source *dead;          // forgotten, to be freed
    unsigned dead_count;
    struct epoll_event events[EDO__EPOLL_BATCH];
} edo__epoll;

static inline edo__epoll *edo__epoll_of(edo_driver *driver)
{
    return (edo__epoll *)(void *)driver;
}

/* ---- epoll_source.c: where a source is registered ---- */

/* In the child of a fork: epoll and its registrations are the parent's, nobody turns this copy. */
bool edo__epoll_is_inherited(const edo__epoll *driver);

/* Registers a descriptor, for edges. Returns: 0 or a negative errno. */
int edo__epoll_add(edo__epoll *driver, int fd, void *data, uint32_t events);

/* Has an operation's source registered with a driver of the runtime of *driver: with that one, if
 * with none yet. *driver: with which. *ret_left: a driver that lost the source, pinned; to be left
 * behind once the lock is given. Under the source's lock.
 * Returns: 0 or a negative errno. */
int edo__epoll_register(edo_driver **driver, edo__source *source, const edo_op *op,
                        edo__epoll **ret_left);

/* Waits until its batch refers to the source no more, and unpins it. */
void edo__epoll_leave_behind(edo__epoll *driver);

/* The operation has ended: what was registered for its side alone goes, unless others wait there.
 * Once this returns no batch refers to the source by that; another thread may turn the driver. */
void edo__epoll_end_visit(edo__source *source, const edo_op *op);

/* Around each time that the driver may refer to sources. Owner. */
void edo__epoll_begin_batch(edo__epoll *driver);
void edo__epoll_end_batch(edo__epoll *driver);

/* Frees the sources that were forgotten. Owner, before it asks for events. */
void edo__epoll_free_dead(edo__epoll *driver);

/* See edo_driver_ops. */
void edo__epoll_forget(edo_driver *driver, edo__source *source);

/* The driver closes: no source is registered any more. Owner. */
void edo__epoll_release_sources(edo__epoll *driver);

/* The io_uring driver from the inside: what its files share. */
#pragma once

#include "base/base.h"
#include "driver/driver.h"
#include "driver/uring/ring.h"

/* Descriptors of the runtime's own that end a wait: the eventfd, and what edo_runtime_fd() adds. */
enum { EDO__URING_WATCHES = 4 };

typedef struct edo__uring_watch {
    int fd;
    bool armed; // the kernel polls it
    bool once;  // not multishot, and only while the owner sleeps in the ring
} edo__uring_watch;

/* A request of another thread to the owner: to cancel an operation. The driver's lock, while it is
 * listed. Shared rings need none. */
typedef struct edo__uring_request {
    struct edo__uring_request *next;
    edo_op *op;
} edo__uring_request;

/* A ring is owned, by the thread that enabled it, or shared, by the threads of its runtime; which
 * one is fixed when it is made.
 *
 * Owned: others touch base, owner, event, signal and, under the lock, requests and the listed.
 * Shared: the lock guards the submission queue and watches; `turning` the completions.
 *
 * Order of locks: turning, a source's, the driver's. */
typedef struct edo__uring {
    edo_driver base;
    struct edo__ring ring;
    int event;              // an eventfd that ends the wait; its polls need nobody to read it
    edo_atomic(int) signal; // an eventfd for foreign loops, which the kernel signals too; or -1
    uint32_t fork_generation;
    edo_atomic(const void *) owner; // NULL until the ring is enabled
    edo__uring_watch watches[EDO__URING_WATCHES];
    unsigned watch_count;
    edo__lock lock;
    edo_atomic(edo__uring_request *) requests;
    edo_atomic(bool) accepts; // the kernel waits for connections itself; the completions

    /* shared */
    bool shared;
    edo_atomic(bool) asleep; // a turn that may wait in the kernel has published
    edo__lock turning;       // who turns
} edo__uring;

static inline edo__uring *edo__uring_of(edo_driver *driver)
{
    return (edo__uring *)(void *)driver;
}

/* Owner of a completion: the lowest bit of its tag. The rest is the operation; of TAG_OWN the
 * watch, counted from 1, or 0 for completions without a waiter (those of cancels). */
enum {
    EDO__TAG_OWN,
    EDO__TAG_OP,
    EDO__TAG_SHIFT = 1,
    EDO__TAG_BITS = (1 << EDO__TAG_SHIFT) - 1,
};

static inline uint64_t edo__uring_tag(const edo_op *op)
{
    return edo__sqe_ptr(op) | EDO__TAG_OP;
}

/* The stage of a parked operation. */
typedef enum edo__uring_stage {
    EDO__IN_RING,    // the kernel has it
    EDO__ASKED,      // the kernel has it, and a request to cancel it is listed
    EDO__CANCELLING, // the kernel has the cancel, too
    EDO__STAGE_BITS = 3,
} edo__uring_stage;

_Static_assert(_Alignof(edo_op) > EDO__TAG_BITS && _Alignof(edo__source) > EDO__STAGE_BITS,
               "kinds and stages fit below the pointers");

/* While an operation is parked its result is free for its source and stage. The stage is written
 * under the source's lock; the source, which never changes, is read without it: so both are atomic. */
static inline void edo__uring_set_stage(edo_op *op, const edo__source *source,
                                        edo__uring_stage stage)
{
    edo_store_relaxed(&op->base.result, (int64_t)((uintptr_t)source | stage));
}

static inline edo__uring_stage edo__uring_stage_of(const edo_op *op)
{
    return (edo__uring_stage)(edo_load_relaxed(&op->base.result) & EDO__STAGE_BITS);
}

static inline edo__source *edo__uring_source_of(const edo_op *op)
{
    int64_t word = edo_load_relaxed(&op->base.result) & ~(int64_t)EDO__STAGE_BITS;
    return (edo__source *)(uintptr_t)word; // NOLINT: that is what it was
}

/* Whether the ring is this thread's alone. */
bool edo__uring_is_owner(const edo__uring *driver);

/* Whether this thread may prepare entries; else it has to request what it wants. */
static inline bool edo__uring_is_usable(const edo__uring *driver)
{
    return driver->shared || edo__uring_is_owner(driver);
}

/* In the child of a fork: the ring is the parent's, and its memory is not there. */
bool edo__uring_is_inherited(const edo__uring *driver);

/* Around what prepares entries: the owner's alone, or under the driver's lock. The caller keeps the
 * driver. */
static inline void edo__uring_begin(edo__uring *driver)
{
    if (driver->shared) edo__lock_take(&driver->lock);
}

/* The prepared SQEs are submitted at once for a turn that sleeps in the ring, else by the next turn. */
void edo__uring_end_shared(edo__uring *driver);

static inline void edo__uring_end(edo__uring *driver)
{
    if (driver->shared) edo__uring_end_shared(driver);
}

/* An entry, or NULL when the kernel takes none now. Enables the ring. Between begin and end. */
struct io_uring_sqe *edo__uring_sqe(edo__uring *driver);

/* Handles the completions that are there. Returns: their number. Owner; who has `turning`. */
int edo__uring_reap(edo__uring *driver);

/* ---- uring_op.c ---- */

/* The completion of an operation. Owner; who has `turning`. */
void edo__uring_complete(edo__uring *driver, edo_op *op, int result, uint32_t flags);

edo_poll edo__uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);
edo_poll edo__uring_resume(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);

/* ---- uring_cancel.c ---- */

/* Takes back the request to cancel an operation. Returns: it. Owner. */
edo__uring_request *edo__uring_take_cancel(edo__uring *driver, const edo_op *op);

/* Does what was requested, as far as there are entries. Owner. */
void edo__uring_serve_requests(edo__uring *driver);

edo_poll edo__uring_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);

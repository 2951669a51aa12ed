/* Internals of the io_uring driver, for its files. */
#pragma once

#include "base/base.h"
#include "driver/driver.h"
#include "driver/uring/buffers.h"
#include "driver/uring/ring.h"

/* Greatest number of watches. A watch is a descriptor of the runtime itself that ends a wait: the
 * eventfd, or a descriptor added for edo_runtime_fd(). */
enum { EDO__URING_WATCHES = 4 };

typedef struct edo__uring_watch {
    int fd;
    bool armed; // the kernel is polling the descriptor
    bool once;  // single poll, armed only while the owner sleeps in the ring
} edo__uring_watch;

/* A request by which another thread makes the owner cancel an operation. While the request is in
 * the list, the driver's lock guards it. Shared rings have no requests. */
typedef struct edo__uring_request {
    struct edo__uring_request *next;
    edo_op *op;
} edo__uring_request;

/* A ring is owned by the thread that enabled the ring, or shared by the threads of its runtime. The
 * choice is made when the driver is opened.
 *
 * Owned: other threads access only `base`, `owner`, `event`, `signal` and, under the lock, the list
 * of requests.
 * Shared: the lock guards the submission queue and the watches. `turning` guards the completions.
 *
 * Order of locks: `turning`, then a source's lock or `calls`, then the driver's `lock`. */
typedef struct edo__uring {
    edo_driver base;
    struct edo__ring ring;
    int event;              // eventfd that ends the wait; read only when its watch has ended
    edo_atomic(int) signal; // eventfd for foreign loops, also signalled by the kernel; or -1
    uint32_t fork_generation;
    edo_atomic(const void *) owner; // NULL until the ring is enabled
    edo__uring_watch watches[EDO__URING_WATCHES];
    unsigned watch_count;
    edo__lock lock;
    edo_atomic(edo__uring_request *) requests;
    edo__lock calls;          // guards the waker and the stage of each call on a file
    edo_atomic(bool) accepts; // the ring's accepts wait for connections; cleared by a completion
                              // with EAGAIN
    edo_atomic(bool) lends;   // lent reads use the ring's buffers; cleared if there are none
    uint32_t refusals; // number of sleeps in a row that a missing SQE has prevented; turner's
    bool is_refused;   // the next report has no SQE; turner's

    /* Set by the first lent read that parks, then constant. Guard of the setting: as of SQEs. */
    edo__uring_buffers *buffers;

    /* shared */
    bool shared;
    edo_atomic(bool) asleep; // the turner has published, and may be waiting in the kernel
    edo__lock turning;       // held by the turner
} edo__uring;

static inline edo__uring *edo__uring_of(edo_driver *driver)
{
    return (edo__uring *)(void *)driver;
}

/* Tag of a completion. The lowest bits are the kind. With TAG_OP and TAG_CALL, the other bits are
 * the address of the operation. With TAG_OWN, they are the number of a watch (1 or greater), or 0
 * for a cancel. The completion of a cancel is ignored. */
enum {
    EDO__TAG_OWN,
    EDO__TAG_OP,
    EDO__TAG_CALL,
    EDO__TAG_SHIFT = 2,
    EDO__TAG_BITS = (1 << EDO__TAG_SHIFT) - 1,
};

static inline uint64_t edo__uring_tag(const edo_op *op)
{
    return edo__sqe_ptr(op) | EDO__TAG_OP;
}

/* The stage of a parked operation. */
typedef enum edo__uring_stage {
    EDO__IN_RING,    // submitted to the kernel
    EDO__ASKED,      // submitted, and a request to cancel it is listed
    EDO__CANCELLING, // submitted, and its cancel is submitted too
    EDO__QUEUED,     // not submitted; waits with the poll of another waiter
    EDO__STAGE_BITS = 3,
} edo__uring_stage;

_Static_assert(_Alignof(edo_op) > EDO__TAG_BITS && _Alignof(edo__source) > EDO__STAGE_BITS,
               "kinds and stages fit below the pointers");

/* base.result of a parked operation holds the operation's source and stage. The stage is written
 * under the source's lock. The source never changes. A thread may read the source without the lock
 * while another thread writes the stage. So accesses to base.result are atomic. */
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
    return (edo__source *)(uintptr_t)word; // NOLINT: made from this pointer
}

/* Whether this thread owns the ring. */
bool edo__uring_is_owner(const edo__uring *driver);

/* Whether this thread may prepare SQEs. If not, the thread makes requests to the owner. */
static inline bool edo__uring_is_usable(const edo__uring *driver)
{
    return driver->shared || edo__uring_is_owner(driver);
}

/* Whether the driver was opened before a fork, and this process is the child. The ring belongs to
 * the parent, and the ring's memory is not mapped in the child. */
bool edo__uring_is_inherited(const edo__uring *driver);

/* edo__uring_begin() and edo__uring_end() enclose the preparation of SQEs. If the ring is shared,
 * the driver's lock is held between the two calls. The caller ensures that the driver is not closed
 * meanwhile. */
static inline void edo__uring_begin(edo__uring *driver)
{
    if (driver->shared) edo__lock_take(&driver->lock);
}

/* Submits the prepared SQEs if a turner sleeps in the ring. Otherwise the next turn submits them.
 * Releases the lock. */
void edo__uring_end_shared(edo__uring *driver);

static inline void edo__uring_end(edo__uring *driver)
{
    if (driver->shared) edo__uring_end_shared(driver);
}

/* Takes an SQE to prepare. Enables the ring if needed. Called only between edo__uring_begin() and
 * edo__uring_end(). Returns: NULL when the kernel takes no SQE now. */
struct io_uring_sqe *edo__uring_sqe(edo__uring *driver);

/* Handles all available completions. If a report needs an SQE and there is none, stops before that
 * report. Returns: number of completions handled. Thread: the owner, or the holder of `turning`. */
int edo__uring_reap(edo__uring *driver);

/* ---- uring_op.c ---- */

/* Handles a report of an operation's multishot poll. Cancels the poll if the report ends the wait.
 * Returns: false if there is no SQE for the cancel. The caller must then handle the same report
 * again later. Thread: the owner, or the holder of `turning`. */
bool edo__uring_note_report(edo__uring *driver, const edo_op *op, int result);

/* Handles the last completion of an operation. Thread: the owner, or the holder of `turning`. */
void edo__uring_complete(edo__uring *driver, edo_op *op, int result, uint32_t flags);

edo_poll edo__uring_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);
edo_poll edo__uring_resume(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);

/* Whether an operation shares one poll with all other waiters of its side. */
static inline bool edo__uring_shares_poll(const edo__source *source, const edo_op *op)
{
    return edo__is_message(edo__request_of(op)) && (source->traits & EDO__SOURCE_SEVERAL);
}

/* Called after the end of an operation. Wakes the first waiter of the operation's side, if the ring
 * has no poll for the waiters of that side. */
void edo__uring_pass_on(edo__source *source, const edo_op *op);

/* Ends an operation, and passes the wake on. Returns: EDO_READY. */
static inline edo_poll edo__uring_end_op(edo__source *source, const edo_op *op)
{
    bool was_woken = op->detail & EDO__DETAIL_WOKEN;
    if (edo__unlikely(was_woken && edo__uring_shares_poll(source, op)))
        edo__uring_pass_on(source, op);
    return EDO_READY;
}

/* ---- uring_call.c ---- */

/* Handles the completion of a call. Thread: the owner, or the holder of `turning`. */
void edo__uring_complete_call(edo__uring *driver, edo_op *op, int result);

edo_poll edo__uring_call(edo_driver *base, edo_op *op, const edo__file_call *call,
                         edo_wakeable *waker);
edo_poll edo__uring_poll_call(edo_driver *base, edo_op *op, edo_wakeable *waker, bool ending);

/* ---- uring_cancel.c ---- */

/* Submits a cancel of an operation that is in the ring. The ring must be usable by this thread.
 * Returns: false when the queue is full. */
bool edo__uring_submit_cancel(edo__uring *driver, const edo_op *op);

/* Removes the request to cancel an operation from the list. Returns: the request. Thread: the
 * owner. */
edo__uring_request *edo__uring_take_cancel(edo__uring *driver, const edo_op *op);

/* Submits the requested cancels, as long as there are SQEs. Thread: the owner. */
void edo__uring_serve_requests(edo__uring *driver);

edo_poll edo__uring_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker);

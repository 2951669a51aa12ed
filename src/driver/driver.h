/* The driver contract: how operations reach the kernel.
 *
 * A driver belongs to one runtime, which turns it on one thread at a time; in one with workers that
 * need not be the thread of the worker whose driver it is, and drive and cancel may be called by
 * other threads meanwhile. It is completion-shaped: an operation is started, and some turn later it
 * has ended. Readiness pollers (epoll, kqueue) start it by making the call, and park it when the
 * call would block; rings submit it.
 *
 * An operation is driven by the poll of its task, on the thread that polls. While it is parked it
 * stands in the wait list of its side, and the driver may touch it: only under the source's lock. A
 * completer takes the lock, wakes the operation (task/wait_list.h), gives the lock, commits. A poll
 * of an operation that is parked or woken takes the lock, so it misses no wake.
 *
 * All waiters of a side wait with one driver. A stream has at most one per side, and its two sides
 * may belong to different runtimes. A source with EDO__SOURCE_SEVERAL belongs, while anything waits
 * on it, to one runtime: an operation of a second one answers -EXDEV.
 */
#pragma once

#include <edo/runtime.h>

#include "base/list.h"
#include "base/lock.h"
#include "sys/sockets.h"
#include "sys/sys.h"
#include "task/wait_list.h"

typedef struct edo_driver edo_driver;
typedef struct edo__source edo__source;

/* Request of an operation to a driver: the low byte of edo_op.detail. */
typedef enum edo__request {
    EDO__READ, // an edo__transfer_op, from progress on
    EDO__WRITE,
    EDO__WRITEV,
    EDO__ACCEPT, // result: a descriptor, close-on-exec
    EDO__POLL,   // an edo__poll_op; result: the events that hold
} edo__request;

/* A read, a write or a writev. */
typedef struct EDO__OVERLAY edo__transfer_op {
    edo_future base;
    struct edo_io *io; // the stream; not the driver's matter
    union {
        char *data;
        const edo_slice *slices; // of a writev
    };
    uint64_t length;   // bytes; of a writev: slices
    uint64_t progress; // bytes
    edo__op_wait wait;
} edo__transfer_op;

EDO__OVERLAY_FITS(edo__transfer_op);

static inline edo__transfer_op *edo__transfer_of(const edo_op *op)
{
    return (edo__transfer_op *)(uintptr_t)op;
}

/* A poll. */
typedef struct EDO__OVERLAY edo__poll_op {
    edo_future base;
    void *own[2];    // the operation's; not the driver's matter
    uint64_t events; // those asked for, of poll(2)
    uint64_t progress;
    edo__op_wait wait;
} edo__poll_op;

EDO__OVERLAY_FITS(edo__poll_op);

static inline edo__poll_op *edo__poll_of(const edo_op *op)
{
    return (edo__poll_op *)(uintptr_t)op;
}

enum { EDO__READ_SIDE, EDO__WRITE_SIDE, EDO__SIDES };

/* Bits of edo__side.ready; the rest of the word counts events, so that readiness is taken back only
 * if no event came since it was looked at. */
enum {
    EDO__READY_NOW = 1,   // a call may succeed
    EDO__READY_FINAL = 2, // hang-up or error: a call never blocks again
    EDO__READY_EVENT = 4, // one more event
};

typedef struct edo__side {
    edo_atomic(uint32_t) ready; // readiness drivers only
    uint16_t way;               // EDO__BY_*; the claim of the side
    edo_atomic(bool) is_shared; // of the read side: the descriptor was handed out
    uint8_t mark;               // low bits of edo__lock_mark of the waiters' process; the lock
    edo_atomic(int) visit;      // a descriptor and 1: see epoll_source.c; or 0; the lock
    edo__wait_list waiters;     // see edo__side_waiters; the lock
    edo_driver *driver;         // where they wait, and what is visited; the lock
} edo__side;

/* The operations that wait on a side. Those of a parent before a fork may be half written in the
 * child's copy: no link of theirs is followed. Under the source's lock. */
static inline edo__wait_list *edo__side_waiters(edo__side *side)
{
    if (edo__unlikely(side->mark != (uint8_t)edo__lock_mark)) {
        side->mark = (uint8_t)edo__lock_mark;
        side->waiters = (edo__wait_list){ NULL };
    }
    return &side->waiters;
}

/* How a call on a descriptor that is no socket is kept from blocking, and a write from raising
 * SIGPIPE: by flags of the call; by the same with the signal masked; by the status of the open file.
 * A side begins with the first, and goes on to the next when the kernel refuses it. */
enum { EDO__BY_FLAGS, EDO__BY_MASK, EDO__BY_STATUS };

/* Bits of edo__source.state. The claims count operations in flight: one per side, or any number. */
enum {
    EDO__SOURCE_CLOSED = 1,
    EDO__SOURCE_READING = 2,
    EDO__SOURCE_WRITING = 4,
    EDO__SOURCE_COUNTS = 16, // operations are counted, in units of USER; see EDO__SOURCE_SEVERAL
    EDO__SOURCE_USER = 32,
};

/* Bits of edo__source.traits, fixed from its making on. */
enum {
    EDO__SOURCE_SOCKET = 1,    // recv and send, not read and write
    EDO__SOURCE_LISTENER = 2,  // it accepts
    EDO__SOURCE_BORROWED = 4,  // the descriptor is not ours to close
    EDO__SOURCE_TCP = 8,       // has the options of TCP
    EDO__SOURCE_MADE = 16,     // a TCP connection that this library made: see edo__has_met_end
    EDO__SOURCE_WRAPPED = 32,  // other processes may have the open file, and change its status
    EDO__SOURCE_LATCHED = 64,  // a poll takes the event away that it tells of
    EDO__SOURCE_SEVERAL = 128, // takes several operations per side at once, first come first served
};

/* A descriptor as drivers see it; part of an edo_io or a listener. Any thread; the lock guards
 * waiters and registration. */
struct edo__source {
    edo_fd fd;
    edo_atomic(uint32_t) state;
    edo__lock lock;
    uint32_t traits;
    edo_driver *driver; // where it is registered, or NULL; the lock
    edo__side sides[EDO__SIDES];
    void *extra;          // the driver's, freed by its forget
    edo__node registered; // in the driver's list, while driver is set
    union {
        struct edo__maker *maker; // until its end; may be NULL
        edo__source *next_dead;   // the driver's, once it is forgotten
    };
    void (*release)(edo__source *); // frees what the source is part of
};

/* Counts of a driver's work. Written by one thread at a time, read by any. */
typedef struct edo__io_counters {
    edo_atomic(uint64_t) registered, deregistered; // descriptors, with the kernel, until further
                                                   // notice
    edo_atomic(uint64_t) ready;                    // events of descriptors, completions
} edo__io_counters;

/* Any thread; others may be counting. */
static inline void edo__driver_counters_copy(edo__io_counters *to, const edo__io_counters *from)
{
    to->registered = edo_load_figure(&from->registered);
    to->deregistered = edo_load_figure(&from->deregistered);
    to->ready = edo_load_figure(&from->ready);
}

struct edo_driver {
    const struct edo_driver_ops *ops;
    edo_runtime *runtime;
    edo_atomic(uint32_t) pins; // other threads that use it although its runtime may end
    edo__io_counters counters;
};

/* Drivers outlive all operations of their runtime. Sources may outlive their driver: other threads
 * find it, and pin it, under the lock of the source. Owner: the thread that turns it; with workers
 * it is another one from turn to turn, and close is called when no worker is left. */
typedef struct edo_driver_ops {
    const char *name;

    /* Opens one. argument: what follows "name:" in the config, or NULL. *ret_reason: why not, as
     * text. Owner. */
    int (*open)(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                const char **ret_reason);

    /* All operations of the runtime have ended; sources lose their registration. Waits until nobody
     * pins it. In the child of a fork it only closes descriptors. Owner. */
    void (*close)(edo_driver *driver);

    /* Starts an operation whose word is EDO__OP_IDLE, inside a poll of its task: EDO_READY with
     * base.result, or EDO_PENDING, and then the waker will be woken. It is parked under the
     * source's lock, and not once the source is closed. Fate and budget are the caller's matter. */
    edo_poll (*drive)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* Resumes an operation that the driver has woken, inside a poll of its task; its word is
     * EDO__OP_IDLE again. base.result: its result, or -EAGAIN: it may try again. Answers as
     * drive. */
    edo_poll (*resume)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* Asks an operation to end that is parked, or that the driver has woken (word and base.result
     * as for resume), inside a poll of its task: EDO_READY with base.result (its own, or -ECANCELED
     * if it had no effect), or EDO_PENDING until the kernel has released it. May be asked again. */
    edo_poll (*cancel)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* No operation refers to the source any more: closes the descriptor unless it is borrowed, and
     * calls source->release when no event can refer to it. Called, with the driver pinned, for
     * sources whose driver was this one. Any thread. */
    void (*forget)(edo_driver *driver, edo__source *source);

    /* Looks for events and completes operations; waits at most timeout nanoseconds (0: no wait,
     * INT64_MAX: for ever) if there is none. Returns: how many were found; errors are none. Runs no
     * user code. Owner. */
    int (*turn)(edo_driver *driver, int64_t timeout);

    /* Ends the wait of turn, or the next one's. Any thread; async-signal-safe. */
    void (*unpark)(edo_driver *driver);

    /* A descriptor that is readable when turn would find something; -EOPNOTSUPP. Owner. */
    edo_fd (*fd)(edo_driver *driver);

    /* Adds a descriptor of the runtime's own to what makes fd() readable. Owner. */
    int (*watch)(edo_driver *driver, edo_fd fd);
} edo_driver_ops;

/* ---- what drivers share ---- */

/* Closes the descriptor of a source, unless it is borrowed. */
static inline void edo__source_close_fd(edo__source *source)
{
    if (!(source->traits & EDO__SOURCE_BORROWED)) {
        edo__sys_put_back_status(source->fd);
        edo__sys_close(source->fd);
    }
    source->fd = -1;
}

/* Where an operation of a driver's runtime would wait now. The closer sets CLOSED before it takes the
 * lock to have the waiters polled: either it finds the waiter, or the poll that parks finds the bit.
 * Under the source's lock.
 * Returns: 0; -ECANCELED: the source is closed; -EXDEV: another runtime waits.
 * *driver: this one, or the one of the same runtime where others wait. */
int edo__op_may_park(edo__source *source, const edo_op *op, edo_driver **driver);

/* Parks an operation. Under the source's lock. */
void edo__op_park(edo__source *source, edo_op *op, edo_driver *driver, edo_wakeable *waker);

/* Ends the wait of a parked operation. Under the source's lock. */
void edo__op_wake(edo__source *source, edo_op *op, edo__wakes *wakes);

/* One poll of an operation that has begun. Inside a poll. */
edo_poll edo__op_go_on(edo__source *source, edo_op *op, edo_wakeable *waker, bool ending);

/* One poll of an operation; `here`: the driver that starts it. Inside a poll. */
static inline edo_poll edo__op_step(edo__source *source, edo_op *op, edo_driver *here,
                                    edo_wakeable *waker, bool ending)
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (!is_new) return edo__op_go_on(source, op, waker, ending);
    if (!ending) return here->ops->drive(here, source, op, waker);
    op->base.result = -ECANCELED;
    return EDO_READY;
}

/* Has all waiters of a source polled again. They stay parked. Any thread. */
void edo__source_repoll(edo__source *source);

/* There is something for the side, as a driver of readiness learns of it: one more event. Under the
 * source's lock. */
void edo__note_ready(edo__side *side, uint32_t final);

/* Makes the call that the operation asks for, once, without blocking. Returns: its result, or -EAGAIN. */
int64_t edo__try(edo__source *source, edo_op *op);

/* Most bytes of one call. The kernel goes on for as long as the peer is fast, so without a limit
 * a call of gigabytes keeps the thread for hundreds of milliseconds. */
enum { EDO__MAX_TRANSFER = 256 * 1024 };

/* Where the next call of a read or a write begins. */
static inline char *edo__rest_of(const edo_op *op)
{
    return edo__transfer_of(op)->data + edo__transfer_of(op)->progress;
}

/* How many bytes it asks for. */
static inline size_t edo__asked(const edo_op *op)
{
    const edo__transfer_op *transfer = edo__transfer_of(op);
    uint64_t rest = transfer->length - transfer->progress;
    return rest < EDO__MAX_TRANSFER ? (size_t)rest : EDO__MAX_TRANSFER;
}

/* Whether the transfer that has just been made proves that a further one would block, which saves
 * the call that would say so.
 *
 * To move less than was asked is no proof by itself: TCP ends a read at an urgent mark, kTLS at the
 * end of a record, and either direction ends where the memory of the program cannot be used. It is
 * one for a read from a connection that this library made and whose descriptor it has not handed
 * out. Nobody can have set up kTLS there. An urgent mark is reported: its byte is taken by nobody,
 * so the event of its arrival still says EPOLLPRI, which keeps the side ready until a call would
 * block; and an event that comes after the look at the side undoes what was concluded from it.
 * edo_read_exact() is excepted, because its next step uses memory that may have been the reason. */
static inline bool edo__has_met_end(const edo__source *source, const edo_op *op)
{
    enum { NO_PROOF = 0xff | 1 << 8 | 1 << 9 }; // any request but a read, or one of the whole
    return (source->traits & EDO__SOURCE_MADE) && !(op->detail & NO_PROOF) && op->base.result > 0 &&
           (uint64_t)op->base.result < edo__asked(op) &&
           !edo_load_relaxed(&source->sides[EDO__READ_SIDE].is_shared);
}

/* Bits of edo_op.detail above the request. */
enum {
    EDO__DETAIL_WRITE_SIDE = 1 << 8,
    EDO__DETAIL_WHOLE = 1 << 9,       // _exact and _all
    EDO__DETAIL_CLAIMED = 1 << 10,    // it holds its side of the source
    EDO__DETAIL_BOTH_SIDES = 1 << 11, // EDO__POLL for reading and writing
    EDO__DETAIL_IN_CALL = 1 << 12,    // a ring makes the call itself; the source's lock
};

/* The side that a request works on. */
static inline unsigned edo__side_of(const edo_op *op)
{
    return op->detail >> 8 & 1;
}

/* The side in whose list an operation waits: that of reading, if it waits for both. */
static inline edo__side *edo__op_place(edo__source *source, const edo_op *op)
{
    return &source->sides[edo__side_of(op)];
}

static inline edo__request edo__request_of(const edo_op *op)
{
    return (edo__request)(op->detail & 0xff);
}

/* The driver contract: how operations reach the kernel.
 *
 * A driver belongs to one runtime, which turns the driver on one thread at a time. In a runtime
 * with workers, each worker has a driver. Another thread may turn that driver in the worker's
 * place, and during a turn other threads may call drive and cancel. The contract is
 * completion-shaped: drive starts an operation, and the operation ends in some later turn. A
 * readiness driver (epoll, kqueue) makes the call of an operation, and parks the operation when the
 * call would block. A ring submits the operation to the kernel.
 *
 * An operation is driven by the poll of its task, on the polling thread. A parked operation is in
 * the wait list of its side. The driver may access a parked operation only under the source's lock.
 * A completer takes the lock, wakes the operation (task/wait_list.h), releases the lock and commits
 * the wake. A poll of the operation takes the same lock, so the poll misses no wake. In one case
 * the poll needs no lock: the operation is already woken, and the lock is free (edo__wait_is_over).
 *
 * All waiters of a side wait with one driver. A stream has at most one waiter per side, and the two
 * sides may wait in different runtimes. A source with EDO__SOURCE_SEVERAL belongs to one runtime
 * while operations wait on the source. Meanwhile, an operation of a second runtime fails with
 * -EXDEV. */
#pragma once

#include <edo/lent.h>
#include <edo/message.h>
#include <edo/runtime.h>

#include "base/list.h"
#include "base/lock.h"
#include "sys/filesystem.h"
#include "sys/sockets.h"
#include "sys/sys.h"
#include "task/wait_list.h"

typedef struct edo_driver edo_driver;
typedef struct edo__source edo__source;

/* Request of an operation to a driver: the low byte of edo_op.detail. */
typedef enum edo__request {
    EDO__READ, // an edo__transfer_op; the call begins at byte `progress`
    EDO__WRITE,
    EDO__READV, // the first slice is not empty
    EDO__WRITEV,
    EDO__ACCEPT,    // result: a descriptor with close-on-exec
    EDO__POLL,      // an edo__poll_op; result: the events that are ready
    EDO__READ_LENT, // an edo__transfer_op; `lent` receives the memory if bytes were read
    EDO__RECV,      // an edo__datagram_op; result: true size of the datagram
    EDO__SEND,
    EDO__RECV_MESSAGES, // an edo__message_op; result: number of messages, at least 1
    EDO__SEND_MESSAGES, // begins at message `progress`; only UDP sockets take several messages
                        // without SINGLES
    EDO__SEND_SEGMENTS, // one message; its only buffer is cut into datagrams; result: bytes
} edo__request;

/* A read, a write, a readv, a writev or a lent read. */
typedef struct EDO__OVERLAY edo__transfer_op {
    edo_future base;
    struct edo_io *io; // the stream; not used by drivers
    union {
        char *data;
        const edo_slice *slices; // slices of a readv or writev
        edo_lent *lent;          // of a lent read
    };
    uint64_t length;   // number of bytes; readv, writev: number of slices
    uint64_t progress; // number of bytes transferred so far
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
    void *own[2];    // private to the kind of operation; not used by drivers
    uint64_t events; // requested events, as for poll(2)
    uint64_t progress;
    edo__op_wait wait;
} edo__poll_op;

EDO__OVERLAY_FITS(edo__poll_op);

static inline edo__poll_op *edo__poll_of(const edo_op *op)
{
    return (edo__poll_op *)(uintptr_t)op;
}

/* One datagram. */
typedef struct EDO__OVERLAY edo__datagram_op {
    edo_future base;
    void *socket; // not used by drivers
    void *data;
    uint64_t length;      // bytes of data
    edo_address *address; // address of the peer, or NULL; replaced by `progress` at the end
    edo__op_wait wait;
} edo__datagram_op;

EDO__OVERLAY_FITS(edo__datagram_op);

static inline edo__datagram_op *edo__datagram_of(const edo_op *op)
{
    return (edo__datagram_op *)(uintptr_t)op;
}

/* A transfer of messages. The messages are in the caller's memory. */
typedef struct EDO__OVERLAY edo__message_op {
    edo_future base;
    void *socket; // not used by drivers
    edo_message *messages;
    uint64_t count;    // number of messages; SEND_SEGMENTS: bytes per datagram
    uint64_t progress; // number of messages sent so far; SEND_SEGMENTS: bytes
    edo__op_wait wait;
} edo__message_op;

EDO__OVERLAY_FITS(edo__message_op);

static inline edo__message_op *edo__message_of(const edo_op *op)
{
    return (edo__message_op *)(uintptr_t)op;
}

enum { EDO__READ_SIDE, EDO__WRITE_SIDE, EDO__SIDES };

/* Bits of edo__side.ready. The higher bits of the word count events. So a compare-and-swap that
 * clears the readiness fails if an event has come since the word was read. */
enum {
    EDO__READY_NOW = 1,   // a call may succeed
    EDO__READY_FINAL = 2, // hang-up or error: a call never blocks again
    EDO__READY_EVENT = 4, // unit of the number of events
};

typedef struct edo__side {
    edo_atomic(uint32_t) ready;  // used only by drivers that report readiness
    uint8_t way;                 // EDO__BY_*; guarded by the side's claim; see stream/zero_copy.c
    edo_atomic(bool) is_visited; // extra->visits has a visit of this side; guarded by the lock
    uint8_t mark;                // low bits of the edo__lock_mark of the process that has written
                                 // `waiters`; guarded by the lock
    bool is_polled : 1;          // the ring has a poll for all waiters; guarded by the lock
    bool polls_edges : 1;        // the ring's last poll reported only errors, so the next poll
                                 // reports only new events; guarded by the lock
    bool is_unwatched : 1;       // write side only: registered without EPOLLOUT; guarded by the
                                 // lock
    edo__wait_list waiters;      // see edo__side_waiters; guarded by the lock
    edo_driver *driver;          // driver of the waiters and of the visit; guarded by the lock
} edo__side;

/* Returns: the wait list of a side. In the child of a fork, the parent's list may be half written.
 * So the child's first call empties the list without following its links. Called under the source's
 * lock. */
static inline edo__wait_list *edo__side_waiters(edo__side *side)
{
    if (edo__unlikely(side->mark != (uint8_t)edo__lock_mark)) {
        side->mark = (uint8_t)edo__lock_mark;
        side->waiters = (edo__wait_list){ NULL };
        side->is_polled = false;
    }
    return &side->waiters;
}

/* Ways to make a call that neither blocks nor raises SIGPIPE, on a descriptor other than a socket.
 * - FLAGS: the call has a flag against blocking and a flag against the signal.
 * - MASK: the call has a flag against blocking. The thread blocks the signal during the call.
 * - STATUS: the open file is non-blocking. The thread blocks the signal during the call.
 * A side begins with FLAGS. When the kernel refuses a way, the side uses the next way. */
enum { EDO__BY_FLAGS, EDO__BY_MASK, EDO__BY_STATUS };

/* Bits of edo__source.state: whether the source is closed, and the claims of operations in flight.
 * There is one claim per side. A source with EDO__SOURCE_SEVERAL has no claims, and counts its
 * operations instead. */
enum {
    EDO__SOURCE_CLOSED = 1,
    EDO__SOURCE_READING = 2,
    EDO__SOURCE_WRITING = 4,
    EDO__SOURCE_COUNTS = 16, // the source counts its operations, in units of USER
    EDO__SOURCE_USER = 32,   // one operation
};

/* Bits of edo__source.traits, constant from the source's creation. */
enum {
    EDO__SOURCE_SOCKET = 1,     // uses recv and send, not read and write
    EDO__SOURCE_LISTENER = 2,   // accepts connections
    EDO__SOURCE_BORROWED = 4,   // the descriptor is closed by its owner, not by edo
    EDO__SOURCE_TCP = 8,        // has the options of TCP
    EDO__SOURCE_MADE = 16,      // TCP or Unix stream made by this library; see edo__has_met_end
    EDO__SOURCE_WRAPPED = 32,   // other processes may share the open file, and change its status
    EDO__SOURCE_LATCHED = 64,   // a poll consumes the event that it reports
    EDO__SOURCE_SEVERAL = 128,  // several operations per side at once, served in their order
    EDO__SOURCE_DATAGRAM = 256, // messages have boundaries, and may be cut
    EDO__SOURCE_RECORDS = 512,  // a connection of records (seqpacket); DATAGRAM is set too
    EDO__SOURCE_FIFO = 1024,    // read end of a FIFO, perhaps opened before any writer
    EDO__SOURCE_MASTER = 2048,  // master of a pseudo-terminal: EIO is the end of the input
    EDO__SOURCE_IN_HEAP = 4096, // the object was allocated by edo__worker_alloc() from a heap
};

/* Functions of an object that contains a source. */
typedef struct edo__source_ops {
    void (*release)(edo__source *); // frees the object
} edo__source_ops;

/* may_alias: a stream on a descriptor is a source, and edo_io.ops is the same pointer. */
typedef const edo__source_ops *EDO__OVERLAY edo__source_ops_ptr;

/* Members that few sources need. Allocated by edo__source_extend(). */
typedef struct edo__source_extra {
    edo_driver *driver;       // see edo__source_driver; guarded by the lock
    int registered;           // if a duplicate is registered, its descriptor plus 1; else 0;
                              // guarded by the lock
    int visits[EDO__SIDES];   // descriptor of the visit of each visited side; guarded by the lock
    struct edo__maker *maker; // valid until the source ends; may be NULL
} edo__source_extra;

enum { EDO__SOURCE_ERRORS = 128 };

/* A descriptor, as drivers see it; a member of an edo_io or a listener. Thread: any. The lock
 * guards the waiters and the registration. */
struct edo__source {
    edo__source_ops_ptr ops;
    edo_fd fd;
    edo_atomic(uint32_t) state;
    edo__lock lock;
    uint16_t traits;
    edo_atomic(bool) is_shared; // a short read does not prove that the next read would block; see
                                // edo__has_met_end
    uint8_t has_extra : 1;      // `extra` is valid instead of `driver`; guarded by the lock
    uint8_t error : 7;          // errno that a report of a ring's poll has taken from the socket,
                                // below EDO__SOURCE_ERRORS; or 0; guarded by the lock
    union {
        edo_driver *driver;       // see edo__source_driver; guarded by the lock
        edo__source_extra *extra; // does not change once it is set
    };
    edo__side sides[EDO__SIDES];
    union {
        edo__node registered; // node in the list of the driver with which the source is registered
        edo__source *next_dead; // next in the driver's list of forgotten sources
        void *own;              // private to a driver without such a list
    };
};

_Static_assert(sizeof(void *) != 8 || sizeof(edo__source) <= 96, "most of a stream's memory");

/* Returns: the driver with which a source is registered, or NULL. Called under the source's
 * lock. */
static inline edo_driver *edo__source_driver(const edo__source *source)
{
    return edo__unlikely(source->has_extra) ? source->extra->driver : source->driver;
}

static inline void edo__source_set_driver(edo__source *source, edo_driver *driver)
{
    if (edo__unlikely(source->has_extra))
        source->extra->driver = driver;
    else
        source->driver = driver;
}

/* Gives a source the members of an edo__source_extra, unless it has them. Called under the source's
 * lock, or by the source's creator. Returns: false if out of memory. */
bool edo__source_extend(edo__source *source);

/* Frees the object of a source to which no event, operation or driver refers any more. */
void edo__source_release(edo__source *source);

/* Counts of a driver's work. One thread at a time writes the counts; any thread may read them. */
typedef struct edo__io_counters {
    edo_atomic(uint64_t) registered, deregistered; // registrations with the kernel, and their ends
    edo_atomic(uint64_t) ready;                    // events of descriptors, and completions
} edo__io_counters;

/* Copies the counts. Thread: any, also while another thread counts. */
static inline void edo__driver_counters_copy(edo__io_counters *to, const edo__io_counters *from)
{
    to->registered = edo_load_figure(&from->registered);
    to->deregistered = edo_load_figure(&from->deregistered);
    to->ready = edo_load_figure(&from->ready);
}

struct edo_driver {
    const struct edo_driver_ops *ops;
    edo_runtime *runtime;
    edo_atomic(uint32_t) pins; // number of uses by other threads; close waits for 0
    edo_atomic(bool) binds; // an operation was woken whose side has other waiters, with which its
                            // task's next operation must wait; a hint, cleared by its reader
    edo__io_counters counters;
};

enum { EDO__FULL_TURN = 32 }; // events; a turn with this number may have left events behind

/* Drivers outlive all operations of their runtime. A source may outlive its driver. So a thread
 * that is not the owner finds and pins the driver of a source under the source's lock. Owner: the
 * thread that turns the driver. With workers, the owner may change from turn to turn. close is
 * called after all workers have ended. */
typedef struct edo_driver_ops {
    const char *name;
    /* An operation waits with the driver of the worker that polls it. The exceptions set
     * edo_driver.binds. */
    bool waits_with_poller;

    /* Opens a driver. argument: the text after "name:" in the config, or NULL. *ret_reason: text
     * that explains a failure. Thread: the owner. */
    int (*open)(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                const char **ret_reason);

    /* Closes a driver. All operations of the runtime have ended. Sources lose their registration.
     * Waits until no thread pins the driver. In the child of a fork, only closes descriptors.
     * Thread: the owner. */
    void (*close)(edo_driver *driver);

    /* Starts an operation. Called inside a poll of the operation's task. The operation's word is
     * EDO__OP_IDLE, and the caller has checked the fate and the budget. If the operation must wait,
     * parks it under the source's lock, unless the source is closed. Returns: EDO_READY, with the
     * result in base.result; or EDO_PENDING, and the driver later wakes the task through waker. */
    edo_poll (*drive)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* Resumes an operation that the driver has woken. Called inside a poll of the operation's task.
     * The operation's word is EDO__OP_IDLE again. base.result is the result, or -EAGAIN if the
     * operation must be tried again. `driver` is the driver of the poll, if the driver that has
     * woken the operation is in the same runtime. Returns: as drive. */
    edo_poll (*resume)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* Requests the end of an operation. Called inside a poll of the operation's task. May be called
     * again. The operation is in one of three states:
     * - It is parked.
     * - The driver has woken it. The word and base.result are as for resume.
     * - The driver has woken it, and it is about to start again. base.result is -ECANCELED. The
     *   driver passes the wake on to the next waiter.
     * Returns: EDO_PENDING while the kernel still uses the operation; or EDO_READY with
     * base.result: the result of the call, or -ECANCELED if the operation had no effect. */
    edo_poll (*cancel)(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker);

    /* Starts a call that reads or writes a file. Such a call may wait for a disk, and has no
     * source. Called inside a poll of the operation's task. Sets op->link.at.driver to this driver.
     * The driver also uses the operation's word, and the rest of its link. Returns: EDO_PENDING,
     * and poll_call then polls the call; or EDO_READY with -EAGAIN in base.result if the driver
     * cannot make this call now. The function is NULL in drivers without such calls. */
    edo_poll (*call)(edo_driver *driver, edo_op *op, const edo__file_call *call,
                     edo_wakeable *waker);

    /* Polls a started call. Called inside a poll of the operation's task. ending: the operation was
     * cancelled. Returns: EDO_PENDING; or EDO_READY with base.result: the call's result, -ECANCELED
     * if the call had no effect, or -EAGAIN if the call must be made in another way. */
    edo_poll (*poll_call)(edo_driver *driver, edo_op *op, edo_wakeable *waker, bool ending);

    /* Ends a source to which no operation refers any more. Closes the descriptor, unless the
     * descriptor is borrowed. Calls edo__source_release() as soon as no event can refer to the
     * source. The source is one of this driver, and the driver is pinned. Thread: any. */
    void (*forget)(edo_driver *driver, edo__source *source);

    /* Fetches events and completes operations. Without an event, waits at most timeout nanoseconds
     * (0: no wait; INT64_MAX: no limit). Runs no user code. Returns: the number of events;
     * EDO__FULL_TURN or more if there may be further events. Thread: the owner. */
    int (*turn)(edo_driver *driver, int64_t timeout);

    /* Ends the wait of a turn, or of the next turn. Thread: any. Async-signal-safe. */
    void (*unpark)(edo_driver *driver);

    /* Returns: a descriptor that is readable whenever a turn would find events; or -EOPNOTSUPP.
     * Thread: the owner. */
    edo_fd (*fd)(edo_driver *driver);

    /* Adds a descriptor of the runtime. When that descriptor is readable, the descriptor of fd() is
     * readable too. Thread: the owner. */
    int (*watch)(edo_driver *driver, edo_fd fd);
} edo_driver_ops;

/* ---- functions for all drivers ---- */

/* Closes the descriptor of a source, unless the descriptor is borrowed. First puts back the status
 * of the open file. If the descriptor is borrowed, puts the status back only if this source has
 * changed it, because another stream may depend on the status. */
static inline void edo__source_close_fd(edo__source *source)
{
    bool is_borrowed = source->traits & EDO__SOURCE_BORROWED;
    bool has_changed = source->sides[EDO__READ_SIDE].way == EDO__BY_STATUS ||
                       source->sides[EDO__WRITE_SIDE].way == EDO__BY_STATUS;
    if (!is_borrowed || has_changed) edo__sys_put_back_status(source->fd);
    if (!is_borrowed) edo__sys_close(source->fd);
    source->fd = -1;
}

/* Checks whether an operation may park, and with which driver. Called under the source's lock. The
 * closer of a source sets CLOSED, and then takes the lock to wake the waiters. So either the closer
 * finds the operation parked, or this function finds CLOSED.
 * *driver: the driver of the poll. If the side has waiters of the same runtime, this function sets
 * *driver to the driver of these waiters.
 * Returns: 0; -ECANCELED: the source is closed; -EXDEV: operations of another runtime wait. */
int edo__op_may_park(edo__source *source, const edo_op *op, edo_driver **driver);

/* Parks an operation at the end of the wait list. If the operation was woken but not served, parks
 * it at the front, so that waiters are served in their order. Called under the source's lock. */
void edo__op_park(edo__source *source, edo_op *op, edo_driver *driver, edo_wakeable *waker);

/* Ends the wait of a parked operation. Called under the source's lock. */
void edo__op_wake(edo__source *source, edo_op *op, edo__wakes *wakes);

/* Polls an operation that has already started. here: the driver of the poll. Called inside a poll
 * of the operation's task. */
edo_poll edo__op_go_on(edo__source *source, edo_op *op, edo_driver *here, edo_wakeable *waker,
                       bool ending);

/* Cancels an operation that is about to start. The operation's result is -ECANCELED. Called inside
 * a poll of the operation's task. */
edo_poll edo__op_cancel_start(edo__source *source, edo_op *op, edo_driver *here,
                              edo_wakeable *waker);

/* Polls an operation. here: the driver of the poll, with which the operation starts, if it has not
 * started yet. Called inside a poll of the operation's task. */
static inline edo_poll edo__op_step(edo__source *source, edo_op *op, edo_driver *here,
                                    edo_wakeable *waker, bool ending)
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (!is_new) return edo__op_go_on(source, op, here, waker, ending);
    if (ending) return edo__op_cancel_start(source, op, here, waker);
    return here->ops->drive(here, source, op, waker);
}

/* Wakes the tasks of all waiters of a source, so that they poll again. The operations remain
 * parked. Thread: any. */
void edo__source_repoll(edo__source *source);

/* Counts an event and marks the side as ready. Called under the source's lock. */
void edo__note_ready(edo__side *side, uint32_t final);

/* Makes the operation's system call once, without blocking. Returns: the call's result, or
 * -EAGAIN. */
int64_t edo__try(edo__source *source, edo_op *op);

/* Whether a request moves datagrams or messages. */
static inline bool edo__is_message(edo__request request)
{
    return request >= EDO__RECV;
}

/* Makes the system call of a request that moves datagrams or messages, for edo__try(). Sets errno
 * on failure. The ring does not make such a call, because the call needs a struct msghdr until its
 * end, and an operation has no room for a struct msghdr. */
int64_t edo__message_try(const edo__source *source, const edo_op *op);

/* Takes one message from the error queue of a socket, without waiting. Returns: number of bytes in
 * the buffers; -EAGAIN if the queue is empty; or another negative errno. */
int64_t edo__message_take_error(const edo__source *source, edo_message *message);

/* Returns: number of bytes of a received message that are in its buffers. */
int64_t edo__message_bytes(const edo_message *message);

/* Greatest number of messages per call. */
enum { EDO__MAX_MESSAGES = 64 };

/* Greatest number of bytes per call. A call continues in the kernel as long as the peer keeps pace.
 * Without this limit, a call with gigabytes would occupy the thread for hundreds of
 * milliseconds. */
enum { EDO__MAX_TRANSFER = 256 * 1024 };

/* Returns: the place in the buffer of a read or write at which the next call begins. */
static inline char *edo__rest_of(const edo_op *op)
{
    return edo__transfer_of(op)->data + edo__transfer_of(op)->progress;
}

/* Returns: number of bytes that the next call requests. */
static inline size_t edo__asked(const edo_op *op)
{
    const edo__transfer_op *transfer = edo__transfer_of(op);
    uint64_t rest = transfer->length - transfer->progress;
    return rest < EDO__MAX_TRANSFER ? (size_t)rest : EDO__MAX_TRANSFER;
}

/* Whether the last transfer proves that a further transfer would block. The proof saves the call
 * that would answer EAGAIN.
 *
 * A short read is a proof if the read was short because there were no more bytes. A read may be
 * short for other reasons. They are excluded as follows:
 * - The end of a kTLS record. kTLS can be set up only through the descriptor. So this library must
 *   have made the connection, and the program must not have asked for the descriptor. (edo_io_fd()
 *   sets is_shared.)
 * - TCP's urgent mark. The event of the mark has EPOLLPRI, and keeps the side ready until a call
 *   would block. If the event comes during the read, the readiness is not cleared either. After the
 *   urgent byte was read, no event reports the mark any more. So the read of the urgent byte sets
 *   is_shared.
 * - Memory that the program cannot access. The next call of edo_read_exact() uses the rest of the
 *   buffer, which may be that memory. So a read of edo_read_exact() is never a proof.
 * - On a Unix stream, the end of a message with descriptors. When a read reports descriptors,
 *   receive_noting in try.c sets is_shared.
 * - On a Unix stream whose socket asks for credentials, the end of the bytes of one sender.
 *   edo_unix_set_credentials() sets is_shared. */
static inline bool edo__has_met_end(const edo__source *source, const edo_op *op)
{
    enum { NO_PROOF = 1 << 8 | 1 << 9, REQUEST = 0xff }; // the write side; WHOLE
    uint32_t request = op->detail & REQUEST;
    return (source->traits & EDO__SOURCE_MADE) && !(op->detail & NO_PROOF) &&
           (request == EDO__READ || request == EDO__READ_LENT) && op->base.result > 0 &&
           (uint64_t)op->base.result < edo__asked(op) && !edo_load_relaxed(&source->is_shared);
}

/* Bits of edo_op.detail above the request. */
enum {
    EDO__DETAIL_WRITE_SIDE = 1 << 8,
    EDO__DETAIL_WHOLE = 1 << 9,       // the operation ends when all bytes were transferred
    EDO__DETAIL_CLAIMED = 1 << 10,    // the operation has claimed its side
    EDO__DETAIL_BOTH_SIDES = 1 << 11, // EDO__POLL for reading and writing
    EDO__DETAIL_IN_CALL = 1 << 12,    // the ring itself makes the call; guard: the source's lock
    EDO__DETAIL_PEEK = 1 << 13,       // EDO__RECV: the datagram remains in the socket
    EDO__DETAIL_SINGLES = 1 << 14,    // the kernel must not cut buffers into datagrams
    EDO__DETAIL_WOKEN = 1 << 15,      // woken, but not served yet; set by the poller
    EDO__DETAIL_OWN = 1 << 16,        // a flag private to the kind of operation
    EDO__DETAIL_OWN_UNIT = 1 << 17,   // unit of a number private to the kind, in the highest bits
};

/* Returns: the side of an operation, an index of edo__source.sides. */
static inline unsigned edo__side_of(const edo_op *op)
{
    return op->detail >> 8 & 1;
}

/* Returns: the side in whose wait list an operation waits. An operation that waits for both sides
 * is in the list of the read side. */
static inline edo__side *edo__op_place(edo__source *source, const edo_op *op)
{
    return &source->sides[edo__side_of(op)];
}

static inline edo__request edo__request_of(const edo_op *op)
{
    return (edo__request)(op->detail & 0xff);
}

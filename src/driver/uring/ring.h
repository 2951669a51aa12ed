/*
 * ring.h - one io_uring, spoken to by raw system calls.
 *
 * A ring is a pair of queues shared with the kernel: entries that ask for operations go into the
 * submission queue (SQ), and the results come back through the completion queue (CQ). This file
 * knows the queues, the system calls and the oddities of kernel versions; it knows nothing of
 * operations, tasks and buffers, which belong to the driver on top.
 *
 * One thread at a time: every function here must be called under the owner's lock, if it has one,
 * except for edo__ring_enter_to and what takes completions: these are for the one thread that
 * turns the ring, and go together with what others do to the submission queue under the lock.
 * A ring with IORING_SETUP_SINGLE_ISSUER is stricter: the kernel answers -EEXIST to any thread but
 * the one that called edo__ring_init (with IORING_SETUP_R_DISABLED: edo__ring_enable).
 *
 * The owner's steps, in order:
 *
 *     1. edo__ring_init; on failure log the reason and use another driver.
 *     2. edo__ring_sqe, one of the edo__sqe_* helpers and edo__sqe_tag, for each operation.
 *     3. edo__ring_enter: submits what was prepared and waits.
 *     4. edo__ring_peek, handle that many completions, edo__ring_advance; until peek answers 0.
 *     5. Back to 2. Before edo__ring_deinit the completion of every operation has been seen:
 *        the kernel ends what is left in the background and may write to its buffers meanwhile.
 *
 * An entry that was prepared is never lost: it stays queued until the kernel has taken it. A
 * completion is never lost either: when the CQ is full the kernel keeps the rest, and the next
 * edo__ring_enter fetches it.
 *
 * docs/internals/io_uring.md says why the flags are as they are.
 */
#pragma once

#include <linux/io_uring.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/atomic.h"

/* Set-up flags that older kernel headers lack, with the kernel that brought them. */
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7) // 5.18
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8) // 5.19
#endif
#ifndef IORING_SETUP_TASKRUN_FLAG
#define IORING_SETUP_TASKRUN_FLAG (1U << 9) // 5.19
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12) // 6.0
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13) // 6.1
#endif
#ifndef IORING_SQ_TASKRUN
#define IORING_SQ_TASKRUN (1U << 2) // 5.19
#endif
#ifndef IORING_RECVSEND_POLL_FIRST
#define IORING_RECVSEND_POLL_FIRST (1U << 0) // 5.19
#endif
#ifndef IORING_CQE_F_SOCK_NONEMPTY
#define IORING_CQE_F_SOCK_NONEMPTY (1U << 2) // 5.19
#endif
#ifndef IORING_POLL_ADD_MULTI
#define IORING_POLL_ADD_MULTI (1U << 0) // 5.13
#endif

/* For a ring that one thread alone submits to and reaps: the cheapest way. */
#define EDO__RING_OWNED                                                                            \
    (IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |           \
     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

/* For a ring that another thread may enter, or whose completions it must see, while the owner
 * computes. */
#define EDO__RING_SHARED                                                                           \
    (IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

/* What the kernel can do beyond what edo__ring_init requires; bits of edo__ring.can. */
#define EDO__RING_CAN_MULTI_POLL (1U << 1) // edo__sqe_poll_multishot
#define EDO__RING_CAN_POLL_FIRST (1U << 2) // IORING_RECVSEND_POLL_FIRST in ioprio

/*
 * One io_uring. Lies in its driver; touched only by the thread that holds the driver. Zeroed
 * memory is a ring that was never set up, and may be passed to edo__ring_deinit.
 */
struct edo__ring {
    /* Completion queue; `cq_tail` is the kernel's to write, `cq_head` ours. */
    struct io_uring_cqe *cqes;
    edo_atomic(unsigned) *cq_tail;
    edo_atomic(unsigned) *cq_head;
    edo_atomic(unsigned) cq_next; // our copy of *cq_head, which nobody else writes
    unsigned cq_mask;

    /* Submission queue; `sq_head` and `sq_flags` are the kernel's to write, `sq_tail` ours. */
    struct io_uring_sqe *sqes;
    edo_atomic(unsigned) *sq_head;
    edo_atomic(unsigned) *sq_tail;
    edo_atomic(unsigned) *sq_flags;
    unsigned sq_next; // where the next entry goes; *sq_tail follows when it is submitted
    unsigned sq_mask;

    int fd;         // the ring itself; can be polled: readable when there is something to reap
    int registered; // its index in the table of `owner`, or -1
    uint64_t owner; // the thread in whose table it is registered
    unsigned enter_flags;        // for every io_uring_enter that waits
    unsigned setup_flags;        // as the kernel accepted them
    unsigned features;           // IORING_FEAT_*
    unsigned can;                // EDO__RING_CAN_*
    edo_atomic(uint64_t) enters; // calls of io_uring_enter so far, for metrics; two at a time may
                                 // count as one

    void *map; // both queues' indices and the CQ's entries
    size_t map_size;
    size_t sqes_size;
};

/*
 * Sets up a ring with room for `entries` submissions (rounded up to a power of two, cut to the
 * kernel's limit) and four times as many completions. `flags_wanted` is EDO__RING_OWNED,
 * EDO__RING_SHARED, any subset of these, or 0; the best set of flags that lies in it and that the
 * kernel knows is used. With IORING_SETUP_R_DISABLED in addition, the ring stays closed until
 * edo__ring_enable.
 *
 * Returns 0 or -errno; on failure `*ret_reason` is a line for the log, valid until the calling
 * thread's next edo__ring_init. -EOPNOTSUPP: the kernel lacks something that is required.
 */
int edo__ring_init(struct edo__ring *ring, unsigned entries, unsigned flags_wanted,
                   const char **ret_reason);

/* Opens a ring that was set up with IORING_SETUP_R_DISABLED; the calling thread becomes its single
 * issuer. Returns 0 or -errno. */
int edo__ring_enable(struct edo__ring *ring);

/*
 * Has the kernel signal an eventfd whenever there is something to reap or to fetch; once per ring. A
 * sleeper on the ring's own descriptor is not woken by deferred work. Returns 0 or -errno.
 */
int edo__ring_signal(struct edo__ring *ring, int event);

/* Ends the ring. To be called by the thread that set it up (or enabled it), otherwise the kernel
 * keeps the ring until that thread ends. Zeroed memory and NULL are allowed. */
void edo__ring_deinit(struct edo__ring *ring);

/* For the child after fork(), which has inherited the descriptor but not the memory: closes the
 * descriptor and forgets the rest. The parent's ring is not affected. */
void edo__ring_forget(struct edo__ring *ring);

/*
 * A zeroed entry, for one edo__sqe_* helper to fill in before anything else is called on the ring.
 * Submits when the queue is full. NULL when the kernel would not take any entry (see
 * edo__ring_submit): reap, then try again.
 */
struct io_uring_sqe *edo__ring_sqe(struct edo__ring *ring);

/*
 * Submits everything that was prepared, without waiting. Returns 0 or -errno; entries that were
 * not taken stay queued. -EBUSY: completions must be reaped first; -EAGAIN, -ENOMEM: the kernel
 * is short of memory; -EEXIST: another thread's ring.
 */
int edo__ring_submit(struct edo__ring *ring);

/*
 * Submits everything that was prepared and waits until `wait_nr` completions are there, or
 * `timeout_ns` have passed (0: do not wait; negative: no limit), or a signal came. Makes no system
 * call when there is nothing to submit, to wait for or to fetch.
 *
 * Returns 0 however the wait ended, or -errno if the ring is unusable: -EEXIST another thread's
 * ring, -EBADFD not enabled, -EBADR the kernel had no memory to keep a completion and lost it. A
 * lack of resources for submission is not a failure: what was not taken stays queued, see
 * edo__ring_pending; then the wait is cut to 10 ms so that the caller tries again soon.
 */
int edo__ring_enter(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns);

/*
 * edo__ring_enter in two steps, for a ring that several threads submit to: publish, under the lock,
 * shows the kernel what was prepared and answers where that ends; enter_to, without the lock,
 * submits up to there and waits. Others may prepare more meanwhile, and submit it, and what was
 * published: the kernel takes each entry once, in the order of the queue.
 */
unsigned edo__ring_publish(struct edo__ring *ring);
int edo__ring_enter_to(struct edo__ring *ring, unsigned end, unsigned wait_nr, int64_t timeout_ns);

/* Waits as edo__ring_enter does, and submits nothing. Any thread, without the lock. */
int edo__ring_wait(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns);

/* How many prepared entries the kernel has not taken. The acquire pairs with the kernel's release
 * of sq_head: an entry that we fill in again has been read by then. */
static inline unsigned edo__ring_pending(const struct edo__ring *ring)
{
    return ring->sq_next - edo_load_acquire(ring->sq_head);
}

/* How many completions can be reaped now. The acquire pairs with the kernel's release of cq_tail:
 * the entries before it are written. */
static inline unsigned edo__ring_ready(const struct edo__ring *ring)
{
    return edo_load_acquire(ring->cq_tail) - edo_load_relaxed(&ring->cq_next);
}

/* After edo__ring_ready, before the completions are handled, where other threads submit: what they
 * did before they published comes before. The acquire pairs with the release in edo__ring_publish;
 * that the kernel orders the two ends is not for a compiler, or a checker, to see. */
static inline void edo__ring_see_submitters(const struct edo__ring *ring)
{
    (void)edo_load_acquire(ring->sq_tail);
}

/* Whether the kernel holds back completions that only an edo__ring_enter brings in: deferred task
 * work, or what did not fit into the CQ. A hint: the system call that it leads to
 * orders what follows. */
static inline bool edo__ring_has_work(const struct edo__ring *ring)
{
    return (edo_load_relaxed(ring->sq_flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/*
 * The completions that can be reaped and lie side by side: answers their number and points
 * `*ret_first` to the first. They stay valid until edo__ring_advance. When the queue wraps around
 * the rest comes with the next peek, so loop until it answers 0.
 */
static inline unsigned edo__ring_peek(const struct edo__ring *ring, struct io_uring_cqe **ret_first)
{
    unsigned ready = edo__ring_ready(ring);
    unsigned at = edo_load_relaxed(&ring->cq_next) & ring->cq_mask;
    unsigned until_wrap = ring->cq_mask + 1 - at;

    if (ready == 0) return 0;
    *ret_first = &ring->cqes[at];
    return ready < until_wrap ? ready : until_wrap;
}

/* Gives the first `count` completions back to the kernel. The release pairs with the kernel's
 * acquire of cq_head: our reads of the entries come before they are overwritten. */
static inline void edo__ring_advance(struct edo__ring *ring, unsigned count)
{
    unsigned next = edo_load_relaxed(&ring->cq_next) + count;
    edo_store_relaxed(&ring->cq_next, next);
    edo_store_release(ring->cq_head, next);
}

/*
 * Helpers that fill in a zeroed entry. Memory that they point to (buffers, iovecs, message headers,
 * addresses) belongs to the kernel until the completion; only an iovec array and a message header
 * may go as soon as the entry was submitted (IORING_FEAT_SUBMIT_STABLE).
 */

/* The kernel cuts a transfer to this length (its MAX_RW_COUNT, with pages of 4 KiB), as it does in
 * read(2); the cut is ours because an entry's length has 32 bits. */
#define EDO__SQE_LEN_MAX 0x7ffff000U

static inline uint32_t edo__sqe_len(size_t len)
{
    return len < EDO__SQE_LEN_MAX ? (uint32_t)len : EDO__SQE_LEN_MAX;
}

static inline uint64_t edo__sqe_ptr(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* What every operation on a descriptor has. */
static inline void edo__sqe_op(struct io_uring_sqe *sqe, unsigned opcode, int fd, const void *addr,
                               uint32_t len)
{
    sqe->opcode = (uint8_t)opcode;
    sqe->fd = fd;
    sqe->addr = edo__sqe_ptr(addr);
    sqe->len = len;
}

/* The value that stands in the completion as `user_data`. */
static inline void edo__sqe_tag(struct io_uring_sqe *sqe, uint64_t tag)
{
    sqe->user_data = tag;
}

static inline void edo__sqe_recv(struct io_uring_sqe *sqe, int fd, void *buf, size_t len, int flags)
{
    edo__sqe_op(sqe, IORING_OP_RECV, fd, buf, edo__sqe_len(len));
    sqe->msg_flags = (uint32_t)flags;
}

/* A closed peer is -EPIPE, never SIGPIPE. (Newer kernels add the flag by themselves.) */
static inline void edo__sqe_send(struct io_uring_sqe *sqe, int fd, const void *buf, size_t len,
                                 int flags)
{
    edo__sqe_op(sqe, IORING_OP_SEND, fd, buf, edo__sqe_len(len));
    sqe->msg_flags = (uint32_t)(flags | MSG_NOSIGNAL);
}

/* As accept4(2); `addr` and `addr_len` may be NULL. */
static inline void edo__sqe_accept(struct io_uring_sqe *sqe, int fd, struct sockaddr *addr,
                                   socklen_t *addr_len, int flags)
{
    edo__sqe_op(sqe, IORING_OP_ACCEPT, fd, addr, 0);
    sqe->addr2 = edo__sqe_ptr(addr_len);
    sqe->accept_flags = (uint32_t)flags;
}

/* Waits once for `events` (POLLIN and so on); the completion's result is what is ready. */
static inline void edo__sqe_poll(struct io_uring_sqe *sqe, int fd, unsigned events)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16; // the kernel's field began as 16 bits at its front
#endif
    edo__sqe_op(sqe, IORING_OP_POLL_ADD, fd, NULL, 0);
    sqe->poll32_events = events;
}

/* One completion whenever `events` become ready anew, each with IORING_CQE_F_MORE; edge-triggered.
 * Needs EDO__RING_CAN_MULTI_POLL. */
static inline void edo__sqe_poll_multishot(struct io_uring_sqe *sqe, int fd, unsigned events)
{
    edo__sqe_poll(sqe, fd, events);
    sqe->len = IORING_POLL_ADD_MULTI;
}

/*
 * Cancels the operation that has this tag. Completes with 0 (it ends with -ECANCELED or what it
 * had), -ENOENT (it had completed already; its completion is in the CQ or on its way) or -EALREADY
 * (it runs in a kernel thread and may or may not be interrupted). In each case the operation's own
 * completion decides, and comes.
 */
static inline void edo__sqe_cancel(struct io_uring_sqe *sqe, uint64_t tag)
{
    edo__sqe_op(sqe, IORING_OP_ASYNC_CANCEL, -1, NULL, 0);
    sqe->addr = tag;
}

/*
 * One io_uring, used through raw system calls.
 *
 * A ring is a pair of queues shared with the kernel: requests for operations (SQEs) go into the
 * submission queue (SQ), and the results (CQEs) come back through the completion queue (CQ). This
 * file handles the queues, the system calls and the differences between kernel versions.
 * Operations, tasks and buffers belong to the driver, which uses this file.
 *
 * Thread: one at a time. If the owner has a lock, the functions are called under that lock. Three
 * kinds of functions need no lock: edo__ring_enter_to, edo__ring_wait, and the functions that take
 * completions. Only the thread that turns the ring calls them. Meanwhile, other threads may use the
 * submission queue under the lock. A ring with IORING_SETUP_SINGLE_ISSUER is stricter: only one
 * thread may use it. This is the thread that called edo__ring_init; with IORING_SETUP_R_DISABLED,
 * it is the thread that called edo__ring_enable. To any other thread, the kernel answers -EEXIST.
 *
 * The owner's steps, in order:
 *
 *     1. edo__ring_init. On failure, the owner logs the reason and uses another driver.
 *     2. For each operation: edo__ring_sqe, one of the edo__sqe_* helpers, and edo__sqe_tag.
 *     3. edo__ring_enter: submits the prepared SQEs and waits.
 *     4. edo__ring_peek, handling of the completions, edo__ring_advance; repeated until peek
 *        returns 0.
 *     5. Back to 2. The last step is edo__ring_deinit.
 *
 * Before edo__ring_deinit, the owner must have seen the completion of every operation. Otherwise
 * the kernel ends the remaining operations in the background, and may write to their buffers
 * meanwhile.
 *
 * A prepared SQE is never lost, because an SQE remains queued until the kernel has taken it. When
 * the CQ is full, the kernel keeps further completions, and the next edo__ring_enter fetches them.
 * A completion is lost only if the kernel lacks memory to keep it. edo__ring_enter then fails with
 * -EBADR.
 *
 * docs/internals/io_uring.md explains the choice of flags.
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

/* Set-up flags that older kernel headers lack, with the kernel that introduced them. */
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

/* The cheapest flags. Only for a ring on which one thread submits and reaps. */
#define EDO__RING_OWNED                                                                            \
    (IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |           \
     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

/* Flags for a ring that other threads may enter or reap while the owner computes. */
#define EDO__RING_SHARED                                                                           \
    (IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

/* Optional features of the kernel; bits of edo__ring.can. */
#define EDO__RING_CAN_MULTI_POLL (1U << 1) // edo__sqe_poll_multishot
#define EDO__RING_CAN_POLL_FIRST (1U << 2) // IORING_RECVSEND_POLL_FIRST in ioprio

/*
 * One io_uring, a member of its driver. The rules for threads are at the top of this file. Zeroed
 * memory is a ring that was never set up, and may be passed to edo__ring_deinit.
 */
struct edo__ring {
    /* Completion queue. The kernel writes `cq_tail`, the program writes `cq_head`. */
    struct io_uring_cqe *cqes;
    edo_atomic(unsigned) *cq_tail;
    edo_atomic(unsigned) *cq_head;
    edo_atomic(unsigned) cq_next; // copy of *cq_head, which no other thread writes
    unsigned cq_mask;

    /* Submission queue. The kernel writes `sq_head` and `sq_flags`, the program writes
     * `sq_tail`. */
    struct io_uring_sqe *sqes;
    edo_atomic(unsigned) *sq_head;
    edo_atomic(unsigned) *sq_tail;
    edo_atomic(unsigned) *sq_flags;
    unsigned sq_next; // index of the next SQE to prepare; copied to *sq_tail by a submission
    unsigned sq_mask;

    int fd;                      // descriptor of the ring; readable when there are completions
    int registered;              // index in the table of `owner`, or -1
    uint64_t owner;              // thread that has the ring in its table of registered rings
    unsigned enter_flags;        // flags of every io_uring_enter that waits
    unsigned setup_flags;        // setup flags that the kernel has accepted
    unsigned features;           // IORING_FEAT_*
    unsigned can;                // EDO__RING_CAN_*
    edo_atomic(uint64_t) enters; // number of io_uring_enter calls, for metrics; may miss one of
                                 // two simultaneous calls

    void *map; // mapping of the CQEs and of the indices of both queues
    size_t map_size;
    size_t sqes_size;
};

/*
 * Sets up a ring with room for `entries` submissions and four times as many completions. `entries`
 * is rounded up to a power of two, and cut to the kernel's limit. `flags_wanted` is
 * EDO__RING_OWNED, EDO__RING_SHARED, any subset of these, or 0. The ring gets the best set of flags
 * that is a subset of `flags_wanted` and that the kernel knows. `flags_wanted` may also contain
 * IORING_SETUP_R_DISABLED. If it does, the ring is disabled until edo__ring_enable.
 *
 * Returns: 0 or a negative errno; -EOPNOTSUPP: the kernel lacks a required feature. On failure
 * `*ret_reason` is a line for the log. The line is valid until the calling thread's next
 * edo__ring_init.
 */
int edo__ring_init(struct edo__ring *ring, unsigned entries, unsigned flags_wanted,
                   const char **ret_reason);

/* Enables a ring that was set up with IORING_SETUP_R_DISABLED. The calling thread becomes the
 * ring's single issuer. Returns: 0 or a negative errno. */
int edo__ring_enable(struct edo__ring *ring);

/*
 * Makes the kernel signal an eventfd whenever there are completions to reap or to fetch. A loop
 * outside the ring polls this eventfd. It cannot poll the ring's own descriptor instead, because
 * deferred work does not wake a thread that sleeps on that descriptor. Called at most once per
 * ring. Returns: 0 or a negative errno.
 */
int edo__ring_signal(struct edo__ring *ring, int event);

/* Ends the ring. Must be called by the thread that set up (or enabled) the ring. If another thread
 * calls it, the kernel keeps the ring until the thread that set up the ring ends. Zeroed memory and
 * NULL are allowed. */
void edo__ring_deinit(struct edo__ring *ring);

/* Closes the descriptor and clears the struct, in the child of a fork. The child has inherited the
 * descriptor but not the mapped queues. The parent's ring is not affected. */
void edo__ring_forget(struct edo__ring *ring);

/*
 * Returns: a zeroed SQE. One edo__sqe_* helper must fill in the SQE before any other call on the
 * ring. When the queue is full, this function submits first. If the kernel then takes no SQE (see
 * edo__ring_submit), this function returns NULL, and the caller reaps and tries again.
 */
struct io_uring_sqe *edo__ring_sqe(struct edo__ring *ring);

/*
 * Submits all prepared SQEs, without waiting. SQEs that the kernel did not take remain queued.
 * Returns: 0; -EBUSY: completions must be reaped first; -EAGAIN, -ENOMEM: the kernel is short of
 * memory; -EEXIST: the ring belongs to another thread; or another negative errno.
 */
int edo__ring_submit(struct edo__ring *ring);

/*
 * Submits all prepared SQEs, then waits. The wait ends when the CQ has `wait_nr` completions, when
 * `timeout_ns` have passed (0: no wait; negative: no limit), or when a signal arrives. Makes no
 * system call if there is nothing to submit, to wait for or to fetch.
 *
 * Returns: 0 after a wait, whatever ended the wait; or a negative errno if the ring is unusable.
 * Examples:
 * - -EEXIST: the ring belongs to another thread.
 * - -EBADFD: the ring is not enabled.
 * - -EBADR: the kernel lacked memory to keep a completion, and lost the completion.
 * The call does not fail if the kernel lacks resources for submissions. The SQEs that the kernel
 * did not take remain queued (see edo__ring_pending), and the wait is at most 10 ms long, so that
 * the caller soon tries again.
 */
int edo__ring_enter(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns);

/*
 * edo__ring_enter in two steps, for a ring to which several threads submit. The first step,
 * publish, is called under the lock. It makes the prepared SQEs visible to the kernel, and returns
 * their end in the queue. The second step, enter_to, is called without the lock. It submits up to
 * that end, and waits. Meanwhile, other threads may prepare and submit SQEs. The kernel takes each
 * SQE once, in the order of the queue.
 */
unsigned edo__ring_publish(struct edo__ring *ring);
int edo__ring_enter_to(struct edo__ring *ring, unsigned end, unsigned wait_nr, int64_t timeout_ns);

/* Waits like edo__ring_enter, but submits nothing. Thread: the one that turns the ring, without the
 * lock. */
int edo__ring_wait(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns);

/* Returns: number of prepared SQEs that the kernel has not taken. The load acquires, so the
 * kernel's reads of an SQE precede the next use of the SQE. Partner: the kernel's release of
 * sq_head. */
static inline unsigned edo__ring_pending(const struct edo__ring *ring)
{
    return ring->sq_next - edo_load_acquire(ring->sq_head);
}

/* Returns: number of completions that can be reaped now. The load acquires, so the kernel's writes
 * to these CQEs precede the caller's reads. Partner: the kernel's release of cq_tail. */
static inline unsigned edo__ring_ready(const struct edo__ring *ring)
{
    return edo_load_acquire(ring->cq_tail) - edo_load_relaxed(&ring->cq_next);
}

/* Acquires all writes that submitting threads made before they published their SQEs. Called between
 * edo__ring_ready and the handling of completions, on rings to which other threads submit. Partner:
 * the release in edo__ring_publish. The kernel already orders the publishing before the completion,
 * but neither a compiler nor a checker can see that order. */
static inline void edo__ring_see_submitters(const struct edo__ring *ring)
{
    (void)edo_load_acquire(ring->sq_tail);
}

/* Whether the kernel holds back completions that only an edo__ring_enter fetches. Either they come
 * from deferred task work, or they did not fit into the CQ. The load is relaxed, because the flag
 * is only a hint. The system call that follows orders all other accesses. */
static inline bool edo__ring_has_work(const struct edo__ring *ring)
{
    return (edo_load_relaxed(ring->sq_flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/*
 * Finds completions that can be reaped and are adjacent in memory. Points `*ret_first` to the first
 * of these completions, which remain valid until edo__ring_advance. Returns: their number. If the
 * completions wrap around the end of the queue, the next call finds the rest. So the caller repeats
 * the call until the result is 0.
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

/* Returns the first `count` completions to the kernel. The store releases, so the reads of the CQEs
 * precede the kernel's next writes to them. Partner: the kernel's acquire of cq_head. */
static inline void edo__ring_advance(struct edo__ring *ring, unsigned count)
{
    unsigned next = edo_load_relaxed(&ring->cq_next) + count;
    edo_store_relaxed(&ring->cq_next, next);
    edo_store_release(ring->cq_head, next);
}

/* Entry of a queue of provided buffers, as in newer kernels' struct io_uring_buf. The `tail` of the
 * first entry is the tail of the queue, which the kernel reads. In the other entries, `tail` is not
 * used. */
struct edo__ring_buffer {
    uint64_t addr;
    uint32_t len; // bytes
    uint16_t number;
    edo_atomic(uint16_t) tail;
};

/* Registers a queue of `count` provided buffers (Linux 5.19). `count` is a power of two. The queue
 * must begin at the start of a page, and must remain in memory until the end of the ring. Thread:
 * as for edo__ring_submit. Returns: 0 or a negative errno. */
int edo__ring_provide(const struct edo__ring *ring, const struct edo__ring_buffer *queue,
                      unsigned count, uint16_t group);

/*
 * Helpers that fill in a zeroed SQE. A buffer or an address that an SQE points to belongs to the
 * kernel until the completion. An iovec array or a message header may be freed once the SQE is
 * submitted (IORING_FEAT_SUBMIT_STABLE).
 */

/* Greatest length of a transfer, in bytes. The kernel cuts longer transfers to this length, in a
 * ring as in read(2). The length is MAX_RW_COUNT with pages of 4 KiB. edo cuts transfers before the
 * kernel does, because an SQE has only 32 bits for the length. */
#define EDO__SQE_LEN_MAX 0x7ffff000U

static inline uint32_t edo__sqe_len(size_t len)
{
    return len < EDO__SQE_LEN_MAX ? (uint32_t)len : EDO__SQE_LEN_MAX;
}

static inline uint64_t edo__sqe_ptr(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* Sets the members that all operations on a descriptor have in common. */
static inline void edo__sqe_op(struct io_uring_sqe *sqe, unsigned opcode, int fd, const void *addr,
                               uint32_t len)
{
    sqe->opcode = (uint8_t)opcode;
    sqe->fd = fd;
    sqe->addr = edo__sqe_ptr(addr);
    sqe->len = len;
}

/* Sets the value that `user_data` has in the completion. */
static inline void edo__sqe_tag(struct io_uring_sqe *sqe, uint64_t tag)
{
    sqe->user_data = tag;
}

static inline void edo__sqe_recv(struct io_uring_sqe *sqe, int fd, void *buf, size_t len, int flags)
{
    edo__sqe_op(sqe, IORING_OP_RECV, fd, buf, edo__sqe_len(len));
    sqe->msg_flags = (uint32_t)flags;
}

/* Receives into a buffer that the kernel chooses from a group. The completion has the number of the
 * buffer. */
static inline void edo__sqe_recv_provided(struct io_uring_sqe *sqe, int fd, uint16_t group,
                                          size_t len)
{
    edo__sqe_op(sqe, IORING_OP_RECV, fd, NULL, edo__sqe_len(len));
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = group;
}

/* As send(2) with MSG_NOSIGNAL. If the peer has closed, the result is -EPIPE, without SIGPIPE. */
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

/* Waits once for `events` (POLLIN, ...). The result of the completion is the set of ready
 * events. */
static inline void edo__sqe_poll(struct io_uring_sqe *sqe, int fd, unsigned events)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16; // older kernels read only the first 16 bits of the field
#endif
    edo__sqe_op(sqe, IORING_OP_POLL_ADD, fd, NULL, 0);
    sqe->poll32_events = events;
}

/* Polls repeatedly, edge-triggered. Each time `events` become ready again, there is a completion
 * with IORING_CQE_F_MORE. Needs EDO__RING_CAN_MULTI_POLL. */
static inline void edo__sqe_poll_multishot(struct io_uring_sqe *sqe, int fd, unsigned events)
{
    edo__sqe_poll(sqe, fd, events);
    sqe->len = IORING_POLL_ADD_MULTI;
}

/*
 * Cancels the operation with this tag. The cancel completes with one of three results:
 * - 0: the operation ends, with -ECANCELED or with its own result.
 * - -ENOENT: the operation has ended, and its completion is in the CQ or will soon be there.
 * - -EALREADY: the operation runs in a kernel thread, and may or may not be interrupted.
 * In each case the operation has a completion of its own, with the operation's result.
 */
static inline void edo__sqe_cancel(struct io_uring_sqe *sqe, uint64_t tag)
{
    edo__sqe_op(sqe, IORING_OP_ASYNC_CANCEL, -1, NULL, 0);
    sqe->addr = tag;
}

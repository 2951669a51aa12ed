/* Buffers of a ring for lent reads. The kernel chooses a buffer for a read only when bytes have
 * arrived, so a read that waits has no buffer.
 *
 * The driver maps the buffers at its first lent read (IORING_REGISTER_PBUF_RING, Linux 5.19). Free
 * buffers are in a queue that is shared with the kernel. The kernel takes buffers from the front,
 * without a lock. Any thread may put a buffer back at the end, under the buffers' own lock. This
 * lock is the last in the order of locks. If the queue is empty, a read ends with -ENOBUFS, and the
 * driver makes the call itself.
 *
 *     FREE -- the kernel completes a read ----------------> LENT, +1 reference
 *     LENT -- edo_lent_return(), or nothing was read -----> FREE, -1 reference
 *
 * The driver also has a reference. The memory is freed when the last reference ends, so a buffer
 * may outlive its driver. */
#pragma once

#include "driver/lent.h"
#include "driver/uring/ring.h"

typedef struct edo__uring_buffers edo__uring_buffers;

enum {
    EDO__URING_BUFFER_SIZE = 2048, // bytes; a larger message is continued by plain calls
    EDO__URING_BUFFER_COUNT = 32,  // a power of two; about the completions of a busy turn
    EDO__URING_BUFFER_GROUP = 0,   // the kernel's number of these buffers
};

/* Maps and registers buffers. Thread: one that may prepare SQEs. Returns: NULL if the kernel lacks
 * the feature, or memory is short. */
edo__uring_buffers *edo__uring_buffers_open(const struct edo__ring *ring);

/* Drops the driver's reference, after the end of the ring. NULL is ignored. */
void edo__uring_buffers_close(edo__uring_buffers *buffers);

/* Passes the buffer of a completion to the caller of a read, or puts the buffer back. flags,
 * result: members of the completion; `flags` has IORING_CQE_F_BUFFER. Thread: the one that takes
 * completions. */
void edo__uring_buffers_pass(edo__uring_buffers *buffers, uint32_t flags, int result,
                             edo_lent *ret_lent);

/* Set-up, end and system calls of an io_uring. The frequent functions of the queues are inline in
 * ring.h. */
#include "driver/uring/ring.h"

#include <errno.h>
#include <linux/time_types.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Names that older kernel headers lack. Some of the kernel's names are enumerators, and #ifdef
 * cannot test for an enumerator. For these, this file defines names of its own with the kernel's
 * values. */
#define OP_SOCKET           45U // IORING_OP_SOCKET, 5.19
#define REGISTER_RING_FDS   20U // IORING_REGISTER_RING_FDS, 5.18
#define UNREGISTER_RING_FDS 21U // IORING_UNREGISTER_RING_FDS, 5.18
#define REGISTER_PBUF_RING  22U // IORING_REGISTER_PBUF_RING, 5.19
#ifndef IORING_FEAT_RSRC_TAGS
#define IORING_FEAT_RSRC_TAGS (1U << 10) // 5.13
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17) // 6.15
#endif
#ifndef IORING_ENTER_REGISTERED_RING
#define IORING_ENTER_REGISTERED_RING (1U << 4) // 5.18
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7) // 6.15
#endif

/* Size of the CQ, as a multiple of the size of the SQ. The kernel's default is 2. This is too small
 * for a server, which has many more operations in flight than it prepares in one turn. Room for a
 * completion costs only 16 bytes, but an overflow costs an allocation. */
#define CQ_PER_SQ 4U

/* ns to wait before the next attempt after the kernel took no submissions for lack of resources. */
#define RETRY_NS 10000000

#define NS_PER_S 1000000000

/* Number of opcodes to probe; greater than any opcode that edo uses, at most 256. */
#define PROBE_OPS 64U

#define ALWAYS (IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)

/* Sets of flags, from the best to none. The comment of each set names the first kernel that knows
 * the set. */
static const unsigned setup_ladder[] = {
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG, // 6.1
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG,                                                   // 6.0
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, // 5.19
    IORING_SETUP_SUBMIT_ALL,                                                         // 5.18
    0,
};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

struct need {
    unsigned value;
    const char *lack;
};

#define NEED(name)                                                                                 \
    {                                                                                              \
        name, "kernel lacks " #name                                                                \
    }

static const struct need needed_features[] = {
    NEED(IORING_FEAT_SINGLE_MMAP),   // both queues in one mapping
    NEED(IORING_FEAT_NODROP),        // completions that do not fit into the CQ are kept
    NEED(IORING_FEAT_SUBMIT_STABLE), // iovecs may be freed after submission
    NEED(IORING_FEAT_RW_CUR_POS),    // an offset of UINT64_MAX stands for the file's position
    NEED(IORING_FEAT_FAST_POLL),     // operations on sockets wait without kernel threads
    NEED(IORING_FEAT_EXT_ARG),       // io_uring_enter accepts a time limit
};

static const struct need needed_ops[] = {
    NEED(IORING_OP_NOP),         NEED(IORING_OP_READV),        NEED(IORING_OP_WRITEV),
    NEED(IORING_OP_READ),        NEED(IORING_OP_WRITE),        NEED(IORING_OP_RECV),
    NEED(IORING_OP_SEND),        NEED(IORING_OP_RECVMSG),      NEED(IORING_OP_SENDMSG),
    NEED(IORING_OP_ACCEPT),      NEED(IORING_OP_CONNECT),      NEED(IORING_OP_POLL_ADD),
    NEED(IORING_OP_POLL_REMOVE), NEED(IORING_OP_ASYNC_CANCEL),
};

static int sys_setup(unsigned entries, struct io_uring_params *params)
{
    long rc = syscall(__NR_io_uring_setup, entries, params);

    return rc < 0 ? -errno : (int)rc;
}

static int sys_register(int fd, unsigned opcode, void *arg, unsigned count)
{
    long rc = syscall(__NR_io_uring_register, fd, opcode, arg, count);

    return rc < 0 ? -errno : (int)rc;
}

/* Returns: a number for the calling thread. Unlike a thread id or the address of a thread-local
 * variable, the number is never used again in the process. */
static uint64_t this_thread(void)
{
    static edo_atomic(uint64_t) last;
    static _Thread_local uint64_t token;

    if (token == 0) token = edo_add_relaxed(&last, 1) + 1;
    return token;
}

/* Writes "<what>: <error>" for the log. Returns: `rc`, which is negative. */
static int failed(int rc, const char *what, const char **ret_reason)
{
    static _Thread_local char text[96]; // the longest `what` and glibc's longest message fit

    snprintf(text, sizeof text, "%s: %s", what, strerror(-rc));
    *ret_reason = text;
    return rc;
}

/* Creates the ring with the best allowed set of flags that the kernel knows. The kernel answers
 * EINVAL for an unknown flag, and also for other mistakes. Only the last attempt has no flags. So
 * if that attempt fails too, there is another mistake. */
static int create(unsigned entries, unsigned wanted, struct io_uring_params *params)
{
    int fd = -EINVAL;

    for (size_t i = 0; i < LENGTH(setup_ladder) && fd == -EINVAL; i++) {
        if ((setup_ladder[i] & ~wanted) != 0) continue;
        memset(params, 0, sizeof *params);
        params->flags = ALWAYS | setup_ladder[i] | (wanted & IORING_SETUP_R_DISABLED);
        params->cq_entries = entries * CQ_PER_SQ;
        fd = sys_setup(entries, params);
    }
    return fd;
}

static int check_features(unsigned features, const char **ret_reason)
{
    for (size_t i = 0; i < LENGTH(needed_features); i++) {
        if ((features & needed_features[i].value) == 0) {
            *ret_reason = needed_features[i].lack;
            return -EOPNOTSUPP;
        }
    }
    return 0;
}

static bool has_op(const struct io_uring_probe *probe, unsigned op)
{
    return op < probe->ops_len && (probe->ops[op].flags & IO_URING_OP_SUPPORTED) != 0;
}

/* Probes which operations the kernel has. Also finds whether the kernel has POLL_FIRST, which
 * cannot be probed. OP_SOCKET is as old as POLL_FIRST, so a kernel that has OP_SOCKET also has
 * POLL_FIRST. */
static int check_ops(struct edo__ring *ring, const char **ret_reason)
{
    alignas(struct io_uring_probe) unsigned char
        memory[sizeof(struct io_uring_probe) + PROBE_OPS * sizeof(struct io_uring_probe_op)] = {
            0
        };
    struct io_uring_probe *probe = (struct io_uring_probe *)memory;
    int rc = sys_register(ring->fd, IORING_REGISTER_PROBE, probe, PROBE_OPS);

    if (rc < 0) return failed(rc, "IORING_REGISTER_PROBE", ret_reason);
    for (size_t i = 0; i < LENGTH(needed_ops); i++) {
        if (!has_op(probe, needed_ops[i].value)) {
            *ret_reason = needed_ops[i].lack;
            return -EOPNOTSUPP;
        }
    }
    if (has_op(probe, OP_SOCKET)) ring->can |= EDO__RING_CAN_POLL_FIRST;
    if ((ring->features & IORING_FEAT_RSRC_TAGS) != 0) ring->can |= EDO__RING_CAN_MULTI_POLL;
    return 0;
}

/* Maps a part of the ring. The child of a fork does not inherit the mapping, because a child that
 * wrote to the queues would corrupt the parent's queues. */
static int map_part(int fd, size_t size, uint64_t offset, void **ret_part)
{
    void *part = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                      (off_t)offset);

    if (part == MAP_FAILED) return -errno;
    if (madvise(part, size, MADV_DONTFORK) < 0) {
        int rc = -errno;
        munmap(part, size);
        return rc;
    }
    *ret_part = part;
    return 0;
}

static void *field(const struct edo__ring *ring, uint32_t offset)
{
    return (char *)ring->map + offset;
}

/* Sets the pointers to the fields in the mapping. Fills the SQ's indirection array so that each
 * slot maps to itself. The array never changes later. */
static void find_fields(struct edo__ring *ring, const struct io_uring_params *params)
{
    unsigned *array = field(ring, params->sq_off.array);

    ring->sq_head = field(ring, params->sq_off.head);
    ring->sq_tail = field(ring, params->sq_off.tail);
    ring->sq_flags = field(ring, params->sq_off.flags);
    ring->sq_mask = params->sq_entries - 1;
    for (unsigned i = 0; i < params->sq_entries; i++)
        array[i] = i;

    ring->cq_head = field(ring, params->cq_off.head);
    ring->cq_tail = field(ring, params->cq_off.tail);
    ring->cqes = field(ring, params->cq_off.cqes);
    ring->cq_mask = params->cq_entries - 1;
}

static int map_queues(struct edo__ring *ring, const struct io_uring_params *params)
{
    size_t sq_end = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    size_t cq_end = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    void *sqes;
    int rc;

    ring->map_size = sq_end > cq_end ? sq_end : cq_end;
    ring->sqes_size = params->sq_entries * sizeof(struct io_uring_sqe);
    rc = map_part(ring->fd, ring->map_size, IORING_OFF_SQ_RING, &ring->map);
    if (rc < 0) return rc;
    rc = map_part(ring->fd, ring->sqes_size, IORING_OFF_SQES, &sqes);
    if (rc < 0) {
        munmap(ring->map, ring->map_size);
        return rc;
    }
    ring->sqes = sqes;
    find_fields(ring, params);
    return 0;
}

static void unmap_queues(struct edo__ring *ring)
{
    munmap(ring->sqes, ring->sqes_size);
    munmap(ring->map, ring->map_size);
}

/* Registers the ring in the calling thread's table of rings, which saves the look-up of the
 * descriptor in every io_uring_enter. If the registration fails, calls use the descriptor. */
static void adopt(struct edo__ring *ring)
{
    struct io_uring_rsrc_update slot = { .offset = UINT32_MAX, .data = (uint32_t)ring->fd };

    if (sys_register(ring->fd, REGISTER_RING_FDS, &slot, 1) != 1) return;
    ring->registered = (int)slot.offset;
    ring->owner = this_thread();
}

static bool adopted_here(const struct edo__ring *ring)
{
    return ring->registered >= 0 && ring->owner == this_thread();
}

/* Undoes adopt(), but only on the thread that called adopt(). In the table of another thread, the
 * same index may be another ring. */
static void disown(struct edo__ring *ring)
{
    struct io_uring_rsrc_update slot = { .offset = (uint32_t)ring->registered };

    if (adopted_here(ring)) (void)sys_register(ring->fd, UNREGISTER_RING_FDS, &slot, 1);
}

/* Completes the set-up once the ring has a descriptor. */
static int build(struct edo__ring *ring, const struct io_uring_params *params,
                 const char **ret_reason)
{
    int rc = check_features(ring->features, ret_reason);

    if (rc < 0) return rc;
    rc = check_ops(ring, ret_reason);
    if (rc < 0) return rc;
    rc = map_queues(ring, params);
    if (rc < 0) return failed(rc, "mapping the rings", ret_reason);
    return 0;
}

int edo__ring_init(struct edo__ring *ring, unsigned entries, unsigned flags_wanted,
                   const char **ret_reason)
{
    struct io_uring_params params;
    int fd = create(entries, flags_wanted, &params);
    int rc;

    *ring = (struct edo__ring){ 0 };
    if (fd < 0) return failed(fd, "io_uring_setup", ret_reason);
    ring->fd = fd;
    ring->registered = -1;
    ring->setup_flags = params.flags;
    ring->features = params.features;
    ring->enter_flags = IORING_ENTER_GETEVENTS;
    if ((params.features & IORING_FEAT_NO_IOWAIT) != 0) ring->enter_flags |= IORING_ENTER_NO_IOWAIT;
    rc = build(ring, &params, ret_reason);
    if (rc < 0) {
        close(fd);
        *ring = (struct edo__ring){ 0 };
        return rc;
    }
    if ((params.flags & IORING_SETUP_R_DISABLED) == 0) adopt(ring);
    return 0;
}

int edo__ring_enable(struct edo__ring *ring)
{
    int rc = sys_register(ring->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

    if (rc < 0) return rc;
    adopt(ring);
    return 0;
}

int edo__ring_signal(struct edo__ring *ring, int event)
{
    return sys_register(ring->fd, IORING_REGISTER_EVENTFD, &event, 1);
}

int edo__ring_provide(const struct edo__ring *ring, const struct edo__ring_buffer *queue,
                      unsigned count, uint16_t group)
{
    struct {
        uint64_t addr;
        uint32_t count;
        uint16_t group, flags;
        uint64_t reserved[3];
    } request = { .addr = edo__sqe_ptr(queue), .count = count, .group = group };

    return sys_register(ring->fd, REGISTER_PBUF_RING, &request, 1);
}

void edo__ring_deinit(struct edo__ring *ring)
{
    if (ring == NULL || ring->map == NULL) return;
    disown(ring);
    unmap_queues(ring);
    close(ring->fd);
    *ring = (struct edo__ring){ 0 };
}

void edo__ring_forget(struct edo__ring *ring)
{
    if (ring->map != NULL) close(ring->fd);
    *ring = (struct edo__ring){ 0 };
}

static int sys_enter(struct edo__ring *ring, unsigned to_submit, unsigned wait_nr, unsigned flags,
                     const struct io_uring_getevents_arg *arg)
{
    int fd = ring->fd;
    long rc;

    if (adopted_here(ring)) {
        fd = ring->registered;
        flags |= IORING_ENTER_REGISTERED_RING;
    }
    edo_store_relaxed(&ring->enters, edo_load_relaxed(&ring->enters) + 1);
    rc = syscall(__NR_io_uring_enter, fd, to_submit, wait_nr, flags, arg,
                 arg != NULL ? sizeof *arg : 0);
    return rc < 0 ? -errno : (int)rc;
}

/* Submits, waits, and makes the kernel deliver the completions that the kernel holds back. */
static int enter_and_get(struct edo__ring *ring, unsigned to_submit, unsigned wait_nr,
                         int64_t timeout_ns)
{
    struct __kernel_timespec limit = { .tv_sec = timeout_ns / NS_PER_S,
                                       .tv_nsec = timeout_ns % NS_PER_S };
    struct io_uring_getevents_arg arg = { .ts = edo__sqe_ptr(&limit) };

    if (wait_nr == 0 || timeout_ns < 0)
        return sys_enter(ring, to_submit, wait_nr, ring->enter_flags, NULL);
    return sys_enter(ring, to_submit, wait_nr, ring->enter_flags | IORING_ENTER_EXT_ARG, &arg);
}

/* Makes the prepared SQEs visible to the kernel. The store releases, so the kernel reads SQEs that
 * are completely filled in. Partner: the kernel's acquire of sq_tail. */
unsigned edo__ring_publish(struct edo__ring *ring)
{
    edo_store_release(ring->sq_tail, ring->sq_next);
    return ring->sq_next;
}

/* Returns: number of SQEs before `end` that the kernel has not taken. This is 0 if the kernel has
 * already taken SQEs after `end`. */
static unsigned left_before(const struct edo__ring *ring, unsigned end)
{
    int left = (int)(end - edo_load_acquire(ring->sq_head));

    return left > 0 ? (unsigned)left : 0;
}

/* The head of the queue shows how many SQEs the kernel has taken. The result of the system call
 * does not show it, because another thread may submit at the same time. Kernels without SUBMIT_ALL
 * stop after each refused SQE, so the call is made in a loop. */
int edo__ring_submit(struct edo__ring *ring)
{
    unsigned end = edo__ring_publish(ring);
    unsigned left = left_before(ring, end);

    while (left > 0) {
        int rc = sys_enter(ring, left, 0, 0, NULL);
        unsigned rest = left_before(ring, end);
        if (rest == left) return rc < 0 ? rc : -EAGAIN;
        left = rest;
    }
    return 0;
}

struct io_uring_sqe *edo__ring_sqe(struct edo__ring *ring)
{
    struct io_uring_sqe *sqe;

    if (edo__ring_pending(ring) > ring->sq_mask) {
        (void)edo__ring_submit(ring); // the next line checks for room in the queue
        if (edo__ring_pending(ring) > ring->sq_mask) return NULL;
    }
    sqe = &ring->sqes[ring->sq_next++ & ring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    return sqe;
}

/* Converts the result of a wait into the result for the caller. Older kernels return -EBUSY when
 * the CQ is full and they hold back more completions. This is a success, because there are
 * completions to reap. */
static int wait_result(int rc)
{
    bool ended = rc >= 0 || rc == -EINTR || rc == -ETIME || rc == -EBUSY;

    return ended ? 0 : rc;
}

/* Whether the kernel took no submissions now, but may take them later. An older kernel takes none
 * while it holds back completions (-EBUSY). Any kernel takes none while memory is short (-EAGAIN,
 * -ENOMEM). A result of 0 also means that the kernel took none. */
static bool is_starved(int rc)
{
    return rc == 0 || rc == -EBUSY || rc == -EAGAIN || rc == -ENOMEM;
}

/* Called after submissions that the kernel did not take for lack of resources. Waits briefly, then
 * the caller tries again. If there are completions to reap, does not wait, because reaping frees
 * resources. */
static int wait_starved(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns)
{
    if (timeout_ns < 0 || timeout_ns > RETRY_NS) timeout_ns = RETRY_NS;
    if (wait_nr > 0) wait_nr = edo__ring_ready(ring) > 0 ? 0 : 1;
    return edo__ring_wait(ring, wait_nr, timeout_ns);
}

int edo__ring_wait(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns)
{
    return wait_result(enter_and_get(ring, 0, wait_nr, timeout_ns));
}

int edo__ring_enter(struct edo__ring *ring, unsigned wait_nr, int64_t timeout_ns)
{
    return edo__ring_enter_to(ring, edo__ring_publish(ring), wait_nr, timeout_ns);
}

/* A system call that submits fewer SQEs than requested does not wait, so the call is repeated. If
 * other threads have submitted some of the SQEs, one repetition is enough. On kernels without
 * SUBMIT_ALL, each refused SQE needs one repetition. */
int edo__ring_enter_to(struct edo__ring *ring, unsigned end, unsigned wait_nr, int64_t timeout_ns)
{
    unsigned left = left_before(ring, end);

    if (timeout_ns == 0 || edo__ring_ready(ring) >= wait_nr) wait_nr = 0;
    if (left == 0 && wait_nr == 0 && !edo__ring_has_work(ring)) return 0;
    for (;;) {
        unsigned before = left;
        int rc = enter_and_get(ring, left, wait_nr, timeout_ns);
        if (left == 0 || rc == (int)left) return wait_result(rc);
        left = left_before(ring, end);
        if (left < before) continue;
        return is_starved(rc) ? wait_starved(ring, wait_nr, timeout_ns) : wait_result(rc);
    }
}

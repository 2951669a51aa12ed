/* Requests of edo to rings: descriptors for the rings and for accepted connections, and the
 * kernel's memory. An accept in a ring keeps the limit of descriptors that was in force when it was
 * submitted. So an accept that has to fail is submitted under a limit of 0. */
#include "faults/ring.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <edo/features.h>

static long forward(long number, const long words[6])
{
    return syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

#if EDO_HAS_IO_URING

#include <linux/io_uring.h>

enum {
    RINGS = 64,            // rings at a time, indexed by descriptor modulo RINGS
    REGISTERED = 16,       // size of a thread's table of rings in the kernel
    REGISTER_RING_FDS = 20 // newer than some headers
};

static struct ring {
    int fd;
    unsigned head, tail, mask, array; // offsets
    char *queue;
    const struct io_uring_sqe *entries;
} rings[RINGS]; // each used by the ring's owner

static _Thread_local int registered[REGISTERED];

static struct ring *ring_of(int fd)
{
    return &rings[(unsigned)fd % RINGS];
}

static long set_up(const long words[6])
{
    if (faults_fails(FAULT_FD)) return -1;
    long fd = forward(__NR_io_uring_setup, words);
    if (fd < 0) return fd;
    const struct io_uring_params *params = (const struct io_uring_params *)words[1];
    *ring_of((int)fd) = (struct ring){
        .fd = (int)fd,
        .head = params->sq_off.head,
        .tail = params->sq_off.tail,
        .mask = params->sq_off.ring_mask,
        .array = params->sq_off.array,
    };
    return fd;
}

void faults_ring_mapped(int fd, off_t offset, void *memory)
{
    if (fd < 0 || ring_of(fd)->fd != fd) return;
    if (offset == IORING_OFF_SQ_RING) ring_of(fd)->queue = memory;
    if (offset == (off_t)IORING_OFF_SQES) ring_of(fd)->entries = memory;
}

static bool takes_memory(long opcode)
{
    return opcode == IORING_REGISTER_PROBE || opcode == IORING_REGISTER_EVENTFD ||
           opcode == REGISTER_RING_FDS;
}

static long do_register(const long words[6])
{
    if (takes_memory(words[1]) && faults_fails(FAULT_WATCH)) return -1;
    long rc = forward(__NR_io_uring_register, words);
    if (words[1] == REGISTER_RING_FDS && rc == 1) {
        const struct io_uring_rsrc_update *slot = (const struct io_uring_rsrc_update *)words[2];
        registered[slot->offset % REGISTERED] = (int)slot->data;
    }
    return rc;
}

static bool is_registered(unsigned flags)
{
    return flags & 1u << 4; // IORING_ENTER_REGISTERED_RING, newer than some headers
}

static const unsigned *field(const struct ring *ring, unsigned offset)
{
    return (const unsigned *)(const void *)(ring->queue + offset);
}

/* Each accept among the SQEs to submit counts as a request. */
static bool has_failing_accept(const struct ring *ring, unsigned count)
{
    bool fails = false;
    if (!ring->queue || !ring->entries) return false;
    unsigned head = *field(ring, ring->head), mask = *field(ring, ring->mask);
    for (unsigned i = 0; i < count; i++) {
        unsigned index = field(ring, ring->array)[(head + i) & mask];
        if (ring->entries[index].opcode == IORING_OP_ACCEPT) fails |= faults_fails(FAULT_FD);
    }
    return fails;
}

/* Submits under a limit of 0; the wait that follows has the old limit again. */
static long enter_without_descriptors(const long words[6])
{
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){ 0, limit.rlim_max };
    setrlimit(RLIMIT_NOFILE, &none);
    long taken = syscall(__NR_io_uring_enter, words[0], words[1], 0L,
                         is_registered((unsigned)words[3]) ? 1L << 4 : 0L, NULL, 0L);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &limit);
    errno = error;
    if (taken < words[1]) return taken;
    const long rest[6] = { words[0], 0, words[2], words[3], words[4], words[5] };
    (void)forward(__NR_io_uring_enter, rest);
    return taken;
}

static long enter(const long words[6])
{
    unsigned fd = (unsigned)words[0];
    const struct ring *ring = ring_of(
        is_registered((unsigned)words[3]) ? registered[fd % REGISTERED] : (int)fd);
    if (words[1] > 0 && has_failing_accept(ring, (unsigned)words[1]))
        return enter_without_descriptors(words);
    return forward(__NR_io_uring_enter, words);
}

long faults_ring_call(long number, const long words[6])
{
    switch (number) {
    case __NR_io_uring_setup: return set_up(words);
    case __NR_io_uring_register: return do_register(words);
    case __NR_io_uring_enter: return enter(words);
    default: return forward(number, words);
    }
}

#else

void faults_ring_mapped(int fd, off_t offset, void *memory)
{
    (void)fd;
    (void)offset;
    (void)memory;
}

long faults_ring_call(long number, const long words[6])
{
    return forward(number, words);
}

#endif

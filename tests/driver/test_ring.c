/* edo-test: once. The raw io_uring layer on the running kernel, with every set of flags that
 * drivers use. tests/driver/test_ring_kernels.c plays kernels that lack features. */
#include "support/support.h"
#include "driver/sqes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver/uring/ring.h"

#define SKIPPED      77
#define ENTRIES      8U
#define NO_LIMIT     (-1)
#define NS_PER_MS    1000000
#define NS_PER_S     1000000000LL
#define TAG_OP       1U
#define TAG_OTHER    2U
#define ARRAY_LEN(a) (sizeof(a) / sizeof(a)[0])

/* The set of flags under test; all tests run once for each set. */
struct setup {
    const char *name;
    unsigned flags;
};

static const struct setup setups[] = {
    { "ring, owned", EDO__RING_OWNED },
    { "ring, owned without deferred work", EDO__RING_OWNED & ~IORING_SETUP_DEFER_TASKRUN },
    { "ring, shared", EDO__RING_SHARED },
    { "ring, no flags", 0 },
};

static const struct setup *current;

struct fixture {
    struct edo__ring ring;
    int pair[2]; // a connected pair of stream sockets
};

static int make_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *reason = "none";

    if (f == NULL || edo__ring_init(&f->ring, ENTRIES, current->flags, &reason) < 0) {
        fprintf(stderr, "no ring: %s\n", reason);
        free(f);
        return -1;
    }
    *state = f;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->pair);
}

static int drop_fixture(void **state)
{
    struct fixture *f = *state;

    edo__ring_deinit(&f->ring);
    close(f->pair[0]);
    close(f->pair[1]);
    free(f);
    return 0;
}

#define with_ring(name)                                                                            \
    fixture(make_fixture, drop_fixture)                                                            \
    test(name)

/* A new SQE with a tag. */
static struct io_uring_sqe *entry(struct edo__ring *ring, uint64_t tag)
{
    struct io_uring_sqe *sqe = edo__ring_sqe(ring);

    assert_non_null(sqe);
    edo__sqe_tag(sqe, tag);
    return sqe;
}

static void add_nops(struct edo__ring *ring, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sqe_nop(entry(ring, from + i));
}

/* Tag, result and flags of a completion. */
struct outcome {
    uint64_t tag;
    int result;
    unsigned flags;
};

/* Submits, waits and takes one completion. */
static struct outcome next(struct edo__ring *ring)
{
    struct io_uring_cqe *first;
    struct outcome outcome;

    while (edo__ring_peek(ring, &first) == 0)
        assert_int_equal(edo__ring_enter(ring, 1, NO_LIMIT), 0);
    outcome = (struct outcome){ first->user_data, first->res, first->flags };
    edo__ring_advance(ring, 1);
    return outcome;
}

static void expect(struct edo__ring *ring, uint64_t tag, int result)
{
    struct outcome got = next(ring);

    assert_int_equal(got.tag, tag);
    assert_int_equal(got.result, result);
}

static void expect_nothing(struct edo__ring *ring)
{
    assert_int_equal(edo__ring_enter(ring, 0, 0), 0);
    assert_int_equal(edo__ring_ready(ring), 0);
}

/* Takes the results of an operation and of its cancellation, in either order. */
static void next_two(struct edo__ring *ring, int *ret_op, int *ret_other)
{
    int *results[] = { NULL, ret_op, ret_other }; // by tag

    *ret_op = *ret_other = INT32_MIN;
    for (unsigned i = 0; i < 2; i++) {
        struct outcome got = next(ring);
        assert_in_range(got.tag, TAG_OP, TAG_OTHER);
        *results[got.tag] = got.result;
    }
    assert_int_not_equal(*ret_op, INT32_MIN);
    assert_int_not_equal(*ret_other, INT32_MIN);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Takes all available completions, checks that their tags are `from`, `from + 1`, ..., and answers
 * their number. */
static unsigned take_in_order(struct edo__ring *ring, unsigned from)
{
    struct io_uring_cqe *first;
    unsigned taken = 0;
    unsigned count;

    while ((count = edo__ring_peek(ring, &first)) > 0) {
        assert_true(first + count <= ring->cqes + ring->cq_mask + 1);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(first[i].user_data, from + taken++);
        edo__ring_advance(ring, count);
    }
    return taken;
}

with_ring(batch_beyond_the_queue)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    unsigned count = 3 * ENTRIES + 1;

    assert_int_equal(ring->sq_mask + 1, ENTRIES);
    assert_true(count <= ring->cq_mask + 1);
    add_nops(ring, 0, count);
    assert_int_equal(edo__ring_pending(ring), 1); // three full queues were submitted automatically
    assert_int_equal(ring->enters, 3);
    assert_int_equal(edo__ring_enter(ring, count, NO_LIMIT), 0);
    assert_int_equal(edo__ring_pending(ring), 0);
    assert_int_equal(ring->enters, 4);
    assert_int_equal(take_in_order(ring, 0), count);
    expect_nothing(ring);
}

/* Batches of odd sizes, so that the queues wrap around at all positions. */
with_ring(wrap_around)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;

    for (unsigned i = 0; i < 200; i++) {
        add_nops(ring, i, 5);
        assert_int_equal(edo__ring_enter(ring, 5, NO_LIMIT), 0);
        assert_int_equal(take_in_order(ring, i), 5);
    }
}

with_ring(entries_are_zeroed)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    static const struct io_uring_sqe zeroed;

    add_nops(ring, TAG_OP, ENTRIES);
    assert_int_equal(edo__ring_submit(ring), 0);
    for (unsigned i = 0; i < ENTRIES; i++) // each SQE was used before, with a tag other than 0
        assert_memory_equal(edo__ring_sqe(ring), &zeroed, sizeof zeroed);
}

/* Submits ten times as many operations as the CQ holds, before it takes a completion. */
static unsigned overflow(struct edo__ring *ring)
{
    unsigned count = 10 * (ring->cq_mask + 1);

    add_nops(ring, 0, count);
    assert_int_equal(edo__ring_submit(ring), 0);
    assert_int_equal(edo__ring_ready(ring), ring->cq_mask + 1);
    assert_true(edo__ring_has_work(ring));
    return count;
}

with_ring(overflow_without_waiting)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    unsigned count = overflow(ring);
    unsigned taken = take_in_order(ring, 0);

    while (taken < count) {
        unsigned before = taken;
        assert_int_equal(edo__ring_enter(ring, 0, 0), 0);
        taken += take_in_order(ring, taken);
        assert_true(taken > before);
    }
    assert_int_equal(taken, count);
    assert_false(edo__ring_has_work(ring));
    expect_nothing(ring);
}

with_ring(overflow_with_waiting)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    unsigned count = overflow(ring);

    for (unsigned i = 0; i < count; i++)
        expect(ring, i, 0);
    expect_nothing(ring);
}

/* SQEs are prepared and submitted while the kernel holds completions back. */
with_ring(submitting_while_overflown)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    unsigned count = overflow(ring);

    add_nops(ring, count, ENTRIES);
    for (unsigned i = 0; i < count + ENTRIES; i++)
        expect(ring, i, 0);
    expect_nothing(ring);
}

with_ring(time_limit)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    static const int64_t limits[] = { 1, 300000, 5 * NS_PER_MS };

    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        int64_t start = now_ns();
        assert_int_equal(edo__ring_enter(ring, 1, limits[i]), 0);
        assert_true(now_ns() - start >= limits[i]);
        assert_int_equal(edo__ring_ready(ring), 0);
    }
}

with_ring(completion_ends_a_limited_wait)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;

    add_nops(ring, 0, 1);
    assert_int_equal(edo__ring_enter(ring, 1, 3600 * NS_PER_S), 0);
    assert_int_equal(take_in_order(ring, 0), 1);
}

with_ring(idle_turn_makes_no_system_call)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;

    assert_int_equal(edo__ring_enter(ring, 1, 0), 0);
    assert_int_equal(edo__ring_enter(ring, 0, NO_LIMIT), 0);
    assert_int_equal(edo__ring_submit(ring), 0);
    assert_int_equal(ring->enters, 0);
    add_nops(ring, 0, 2);
    assert_int_equal(edo__ring_submit(ring), 0);
    assert_int_equal(edo__ring_enter(ring, 2, NO_LIMIT),
                     0); // both completions have already arrived
    assert_int_equal(ring->enters, 1);
    assert_int_equal(take_in_order(ring, 0), 2);
}

/* A turn without a wait fetches finished operations. If the kernel defers its work until a call,
 * the flag must show that work. */
with_ring(deferred_work_is_flagged)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    expect_nothing(ring);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    if ((ring->setup_flags & IORING_SETUP_DEFER_TASKRUN) != 0) {
        assert_int_equal(edo__ring_ready(ring), 0);
        assert_true(edo__ring_has_work(ring));
    }
    assert_int_equal(edo__ring_enter(ring, 0, 0), 0);
    assert_int_equal(edo__ring_ready(ring), 1);
    assert_false(edo__ring_has_work(ring));
    expect(ring, TAG_OP, 1);
}

with_ring(ring_descriptor_can_be_polled)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    struct pollfd p = { .fd = ring->fd, .events = POLLIN };
    char got;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    assert_int_equal(edo__ring_submit(ring), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    assert_int_equal(poll(&p, 1, -1), 1);
    expect(ring, TAG_OP, 1);
}

with_ring(recv_and_send)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char buf[16] = { 0 };
    int received;
    int sent;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], buf, sizeof buf, 0);
    expect_nothing(ring);
    edo__sqe_send(entry(ring, TAG_OTHER), f->pair[1], "edo", 3, 0);
    next_two(ring, &received, &sent);
    assert_int_equal(received, 3);
    assert_int_equal(sent, 3);
    assert_string_equal(buf, "edo");

    close(f->pair[1]);
    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], buf, sizeof buf, 0);
    expect(ring, TAG_OP, 0);
    edo__sqe_send(entry(ring, TAG_OP), f->pair[0], "edo", 3, 0);
    expect(ring, TAG_OP, -EPIPE); // SIGPIPE would have killed the process
    f->pair[1] = -1;
}

/* O_NONBLOCK makes no difference to an operation on a socket: it waits. MSG_DONTWAIT does. */
with_ring(non_blocking_socket_waits)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got;

    assert_int_equal(fcntl(f->pair[0], F_SETFL, O_NONBLOCK), 0);
    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    expect_nothing(ring);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    expect(ring, TAG_OP, 1);
    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, MSG_DONTWAIT);
    expect(ring, TAG_OP, -EAGAIN);
}

with_ring(read_and_write)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char head[2];
    char tail[4];
    struct iovec in[] = { { head, sizeof head }, { tail, sizeof tail } };
    struct iovec out[] = { { "sum", 3 }, { "ida", 3 } };

    sqe_write(entry(ring, TAG_OP), f->pair[1], "edo", 3);
    expect(ring, TAG_OP, 3);
    sqe_read(entry(ring, TAG_OP), f->pair[0], tail, sizeof tail);
    expect(ring, TAG_OP, 3);
    assert_memory_equal(tail, "edo", 3);
    sqe_writev(entry(ring, TAG_OP), f->pair[1], out, ARRAY_LEN(out));
    expect(ring, TAG_OP, 6);
    sqe_readv(entry(ring, TAG_OP), f->pair[0], in, ARRAY_LEN(in));
    expect(ring, TAG_OP, 6);
    assert_memory_equal(head, "su", 2);
    assert_memory_equal(tail, "mida", 4);
}

/* The file's position, used as offset, moves with each operation. */
with_ring(file_position)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    FILE *file = tmpfile();
    int fd = file != NULL ? fileno(file) : -1;
    char buf[8] = { 0 };

    assert_true(fd >= 0);
    sqe_write(entry(ring, TAG_OP), fd, "ab", 2);
    expect(ring, TAG_OP, 2);
    sqe_write(entry(ring, TAG_OP), fd, "cd", 2);
    expect(ring, TAG_OP, 2);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
    sqe_read(entry(ring, TAG_OP), fd, buf, sizeof buf);
    expect(ring, TAG_OP, 3);
    assert_string_equal(buf, "bcd");
    fclose(file);
}

with_ring(messages)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char buf[8] = { 0 };
    struct iovec out = { "edo", 3 };
    struct iovec in = { buf, sizeof buf };
    struct msghdr sent = { .msg_iov = &out, .msg_iovlen = 1 };
    struct msghdr received = { .msg_iov = &in, .msg_iovlen = 1 };

    sqe_sendmsg(entry(ring, TAG_OP), f->pair[1], &sent, 0);
    expect(ring, TAG_OP, 3);
    sqe_recvmsg(entry(ring, TAG_OP), f->pair[0], &received, 0);
    expect(ring, TAG_OP, 3);
    assert_string_equal(buf, "edo");
    close(f->pair[0]);
    sqe_sendmsg(entry(ring, TAG_OP), f->pair[1], &sent, 0);
    expect(ring, TAG_OP, -EPIPE);
    f->pair[0] = -1;
}

test(length_is_cut)
{
    assert_int_equal(edo__sqe_len(0), 0);
    assert_int_equal(edo__sqe_len(EDO__SQE_LEN_MAX), EDO__SQE_LEN_MAX);
    assert_int_equal(edo__sqe_len(SIZE_MAX), EDO__SQE_LEN_MAX);
}

/* A listening socket on a free port of the loopback address. */
static int listener(struct sockaddr_in *ret_addr)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_addr = addr;
    return fd;
}

/* Starts to connect a new socket through the ring. */
static int start_connect(struct edo__ring *ring, const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    sqe_connect(entry(ring, TAG_OTHER), fd, (const struct sockaddr *)addr, sizeof *addr);
    return fd;
}

with_ring(accept_and_connect)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    struct sockaddr_in addr, peer, own;
    socklen_t peer_len = sizeof peer;
    socklen_t own_len = sizeof own;
    int server = listener(&addr);
    int client, accepted, connected;

    edo__sqe_accept(entry(ring, TAG_OP), server, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC);
    expect_nothing(ring);
    client = start_connect(ring, &addr);
    next_two(ring, &accepted, &connected);
    assert_int_equal(connected, 0);
    assert_true(accepted >= 0);
    assert_int_equal(fcntl(accepted, F_GETFD), FD_CLOEXEC);
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_len), 0);
    assert_int_equal(peer.sin_port, own.sin_port);
    close(accepted);
    close(client);
    close(server);
}

with_ring(cancel_of_a_pending_recv)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got = 0;
    int received, cancelled;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    expect_nothing(ring);
    edo__sqe_cancel(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &received, &cancelled);
    assert_int_equal(received, -ECANCELED);
    assert_int_equal(cancelled, 0);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    assert_int_equal(read(f->pair[0], &got, 1),
                     1); // the cancelled operation has not taken the byte
}

with_ring(cancel_in_the_same_batch)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got;
    int received, cancelled;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    edo__sqe_cancel(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &received, &cancelled);
    assert_int_equal(received, -ECANCELED);
    assert_int_equal(cancelled, 0);
}

/* The operation was done before the cancellation: both completions show it, and no byte is lost. */
with_ring(cancel_loses_the_race)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got = 0;
    int received, cancelled;

    assert_int_equal(write(f->pair[1], "x", 1), 1);
    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    edo__sqe_cancel(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &received, &cancelled);
    assert_int_equal(received, 1);
    assert_int_equal(got, 'x');
    assert_int_equal(cancelled, -ENOENT);
}

/* Data and cancellation come together, and the kernel decides which wins. Either nothing was read
 * and the byte is still there, or it was read and the result is 1. */
with_ring(cancel_races_with_data)
{
    struct fixture *f = *state;
    struct edo__ring *ring = &f->ring;
    char got = 0;
    int received, cancelled;

    edo__sqe_recv(entry(ring, TAG_OP), f->pair[0], &got, 1, 0);
    expect_nothing(ring);
    assert_int_equal(write(f->pair[1], "x", 1), 1);
    edo__sqe_cancel(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &received, &cancelled);
    if (received == -ECANCELED) {
        assert_int_equal(cancelled, 0);
        received = (int)read(f->pair[0], &got, 1);
    }
    assert_int_equal(received, 1);
    assert_int_equal(got, 'x');
}

with_ring(cancel_of_nothing)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;

    edo__sqe_cancel(entry(ring, TAG_OTHER), TAG_OP);
    expect(ring, TAG_OTHER, -ENOENT);
}

static void ring_bell(int fd)
{
    assert_int_equal(eventfd_write(fd, 1), 0);
}

with_ring(poll)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int polled, removed;

    edo__sqe_poll(entry(ring, TAG_OP), fd, POLLIN);
    expect_nothing(ring);
    ring_bell(fd);
    expect(ring, TAG_OP, POLLIN);
    edo__sqe_poll(entry(ring, TAG_OP), fd, POLLIN | POLLOUT); // ready at once
    expect(ring, TAG_OP, POLLIN | POLLOUT);
    edo__sqe_poll(entry(ring, TAG_OP), fd, POLLPRI);
    sqe_poll_remove(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &polled, &removed);
    assert_int_equal(polled, -ECANCELED);
    assert_int_equal(removed, 0);
    close(fd);
}

/* A multishot poll on an eventfd: each write completes it, although the counter is never read. */
with_ring(multishot_poll)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int polled, removed;

    if ((ring->can & EDO__RING_CAN_MULTI_POLL) == 0) skip();
    edo__sqe_poll_multishot(entry(ring, TAG_OP), fd, POLLIN);
    expect_nothing(ring);
    for (unsigned i = 0; i < 3; i++) {
        struct outcome got;
        ring_bell(fd);
        got = next(ring);
        assert_int_equal(got.result, POLLIN);
        assert_true((got.flags & IORING_CQE_F_MORE) != 0);
        expect_nothing(ring);
    }
    sqe_poll_remove(entry(ring, TAG_OTHER), TAG_OP);
    next_two(ring, &polled, &removed);
    assert_int_equal(polled, -ECANCELED);
    assert_int_equal(removed, 0);
    close(fd);
}

static void on_signal(int number)
{
    (void)number;
}

/* Signals a thread again and again until its wait has ended. */
struct pesterer {
    pthread_t victim;
    int stop; // eventfd
};

static void *pester(void *arg)
{
    struct pesterer *p = arg;
    struct pollfd stop = { .fd = p->stop, .events = POLLIN };

    while (poll(&stop, 1, 1) == 0)
        pthread_kill(p->victim, SIGUSR1);
    return NULL;
}

with_ring(signal_ends_a_wait)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    struct sigaction action = { .sa_handler = on_signal }; // without SA_RESTART
    struct pesterer p = { .victim = pthread_self(), .stop = eventfd(0, EFD_CLOEXEC) };
    static const int64_t limits[] = { NO_LIMIT, 3600 * NS_PER_S };
    pthread_t thread;

    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, pester, &p), 0);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        assert_int_equal(edo__ring_enter(ring, 1, limits[i]), 0);
        assert_int_equal(edo__ring_ready(ring), 0);
    }
    ring_bell(p.stop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(p.stop);
}

/* Result of another thread that enters the ring. */
static void *enter_from_thread(void *arg)
{
    struct edo__ring *ring = arg;

    return (void *)(intptr_t)edo__ring_enter(ring, 1, NO_LIMIT);
}

static int in_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    void *result;

    assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return (int)(intptr_t)result;
}

with_ring(entering_from_another_thread)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    int result;

    add_nops(ring, 0, 1);
    result = in_thread(enter_from_thread, ring);
    if ((ring->setup_flags & IORING_SETUP_SINGLE_ISSUER) != 0) {
        assert_int_equal(result, -EEXIST);
        assert_int_equal(edo__ring_pending(ring), 1); // the owner can still submit the SQE
    } else {
        assert_int_equal(result, 0);
        assert_int_equal(edo__ring_ready(ring), 1);
    }
    expect(ring, 0, 0);
}

/* Opens the ring, uses it and ends it, all in one thread. */
static void *enable_and_use(void *arg)
{
    struct edo__ring *ring = arg;
    struct io_uring_sqe *sqe;
    int rc = edo__ring_enable(ring);

    if (rc < 0) return (void *)(intptr_t)rc;
    sqe = edo__ring_sqe(ring);
    sqe_nop(sqe);
    rc = edo__ring_enter(ring, 1, NO_LIMIT);
    if (rc == 0 && edo__ring_ready(ring) != 1) rc = -EIO;
    edo__ring_deinit(ring);
    return (void *)(intptr_t)rc;
}

test(enabling_in_another_thread)
{
    const char *reason;
    struct edo__ring ring;

    assert_int_equal(
        edo__ring_init(&ring, ENTRIES, current->flags | IORING_SETUP_R_DISABLED, &reason), 0);
    assert_int_equal(edo__ring_enter(&ring, 1, 1), -EBADFD);
    assert_int_equal(in_thread(enable_and_use, &ring), 0);
}

/* In the child: 0 if the ring's memory is not mapped and the descriptor is closed. */
static int check_child(struct edo__ring *ring)
{
    int fd = ring->fd;
    unsigned char resident;

    if (mincore(ring->map, 1, &resident) == 0 || errno != ENOMEM) return 1;
    if (mincore(ring->sqes, 1, &resident) == 0 || errno != ENOMEM) return 2;
    edo__ring_forget(ring);
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) return 3;
    return 0;
}

with_ring(fork)
{
    struct edo__ring *ring = &((struct fixture *)*state)->ring;
    pid_t child;
    int status;

    assert_int_equal(fcntl(ring->fd, F_GETFD), FD_CLOEXEC);
    add_nops(ring, 0, 1);
    child = quiet_fork();
    if (child == 0) _exit(check_child(ring));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect(ring, 0, 0);
}

test(rings_come_and_go)
{
    struct edo__ring zeroed = { 0 };
    struct edo__ring rings[3];
    const char *reason = "untouched";

    edo__ring_deinit(NULL);
    edo__ring_deinit(&zeroed);
    for (unsigned i = 0; i < 50; i++) {
        for (size_t j = 0; j < ARRAY_LEN(rings); j++) {
            assert_int_equal(edo__ring_init(&rings[j], 1, current->flags, &reason), 0);
            assert_true(rings[j].registered >= 0);
            add_nops(&rings[j], 0, 1);
        }
        for (size_t j = 0; j < ARRAY_LEN(rings); j++) {
            expect(&rings[j], 0, 0);
            edo__ring_deinit(&rings[j]);
        }
    }
    assert_string_equal(reason, "untouched");
}

test(sizes)
{
    struct edo__ring ring;
    const char *reason;

    assert_int_equal(edo__ring_init(&ring, 0, current->flags, &reason), -EINVAL);
    assert_string_equal(reason, "io_uring_setup: Invalid argument");
    assert_int_equal(edo__ring_init(&ring, 100, current->flags, &reason), 0);
    assert_int_equal(ring.sq_mask + 1, 128);
    assert_int_equal(ring.cq_mask + 1, 512);
    edo__ring_deinit(&ring);
    assert_int_equal(edo__ring_init(&ring, 1U << 20, current->flags, &reason), 0);
    assert_int_equal(ring.sq_mask + 1, 1U << 15); // the kernel's limit
    edo__ring_deinit(&ring);
}

int main(void)
{
    struct edo__ring probe;
    const char *reason;
    int failures = 0;

    if (edo__ring_init(&probe, 1, 0, &reason) < 0) {
        printf("skipped: %s\n", reason);
        return SKIPPED;
    }
    edo__ring_deinit(&probe);
    for (size_t i = 0; i < ARRAY_LEN(setups); i++) {
        current = &setups[i];
        failures += run_all_tests_as(current->name);
    }
    return failures == 0 ? 0 : 1;
}

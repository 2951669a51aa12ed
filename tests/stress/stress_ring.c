/* stress_ring - random traffic through one io_uring, and the cost of its set-up flags.
 *
 * usage: stress_ring [--seconds N] [--seed S] [--measure]
 *
 * Every pair of sockets carries numbered bytes from end to end, while receives and sends are
 * cancelled at random and the queues are far too small: each operation must complete exactly once,
 * and each byte must arrive once and in order, whatever a cancellation answered. With --measure the
 * program prints times instead, for each set of flags. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "driver/uring/ring.h"
#include "driver/sqes.h"

#define SKIPPED  77
#define NS_PER_S 1000000000LL
#define NO_LIMIT (-1)

#define PAIRS         48
#define SMALL_ENTRIES 8U // so that both queues overflow
#define CHUNK         64U
#define CANCEL_ONE_IN 4U
#define SEND_ONE_IN   3U
#define SHORT_WAIT_NS 100000

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const struct setup {
    const char *name;
    unsigned flags;
} setups[] = {
    { "SINGLE_ISSUER|DEFER_TASKRUN", EDO__RING_OWNED },
    { "SINGLE_ISSUER|COOP_TASKRUN", EDO__RING_OWNED & ~IORING_SETUP_DEFER_TASKRUN },
    { "COOP_TASKRUN", EDO__RING_SHARED },
    { "no flags", 0 },
};

/* Kinds of operations; a tag has the pair and the kind. */
enum kind { RECV, SEND, CANCEL, KINDS };

struct pair {
    int fd[2]; // bytes go from fd[1] to fd[0]
    bool in_flight[KINDS];
    uint64_t sent; // bytes whose send has completed
    uint64_t received;
    unsigned char in[CHUNK];
    unsigned char out[CHUNK];
};

struct stress {
    struct edo__ring ring;
    uint64_t random;
    bool draining; // no further sends and cancellations
    uint64_t completed;
    uint64_t cancelled;
    struct pair pairs[PAIRS];
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* xorshift64: small, and good enough for these choices. */
static unsigned draw(struct stress *s, unsigned below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)(s->random >> 32) % below;
}

static unsigned char byte_at(uint64_t position)
{
    return (unsigned char)(position * 31 >> 3);
}

static struct io_uring_sqe *entry(struct edo__ring *ring, uint64_t tag)
{
    struct io_uring_sqe *sqe = edo__ring_sqe(ring);

    check(sqe != NULL);
    edo__sqe_tag(sqe, tag);
    return sqe;
}

static struct io_uring_sqe *start(struct stress *s, unsigned index, enum kind kind)
{
    struct pair *p = &s->pairs[index];

    check(!p->in_flight[kind]);
    p->in_flight[kind] = true;
    return entry(&s->ring, index * KINDS + kind);
}

static void start_recv(struct stress *s, unsigned index)
{
    struct pair *p = &s->pairs[index];

    if (!p->in_flight[RECV] && !(s->draining && p->received == p->sent))
        edo__sqe_recv(start(s, index, RECV), p->fd[0], p->in, 1 + draw(s, CHUNK), 0);
}

static void start_send(struct stress *s, unsigned index)
{
    struct pair *p = &s->pairs[index];
    unsigned len = 1 + draw(s, CHUNK);

    if (p->in_flight[SEND] || s->draining) return;
    for (unsigned i = 0; i < len; i++)
        p->out[i] = byte_at(p->sent + i);
    edo__sqe_send(start(s, index, SEND), p->fd[1], p->out, len, 0);
}

static void start_cancel(struct stress *s, unsigned index)
{
    unsigned kind = draw(s, 2) == 0 ? RECV : SEND;

    if (s->pairs[index].in_flight[CANCEL] || s->draining || draw(s, CANCEL_ONE_IN) != 0) return;
    edo__sqe_cancel(start(s, index, CANCEL), index * KINDS + kind);
}

static void finish_recv(struct pair *p, int result)
{
    check(result > 0 && result <= (int)CHUNK);
    for (int i = 0; i < result; i++)
        check(p->in[i] == byte_at(p->received++));
}

static void finish(struct stress *s, const struct io_uring_cqe *cqe)
{
    struct pair *p = &s->pairs[cqe->user_data / KINDS];
    enum kind kind = (enum kind)(cqe->user_data % KINDS);

    check(cqe->user_data < PAIRS * KINDS && p->in_flight[kind]);
    p->in_flight[kind] = false;
    s->completed++;
    if (kind == CANCEL) {
        check(cqe->res == 0 || cqe->res == -ENOENT || cqe->res == -EALREADY);
    } else if (cqe->res == -ECANCELED) {
        s->cancelled++;
    } else if (kind == RECV) {
        finish_recv(p, cqe->res);
    } else {
        check(cqe->res > 0);
        p->sent += (unsigned)cqe->res;
    }
}

static void reap(struct stress *s)
{
    struct io_uring_cqe *first;
    unsigned count;

    while ((count = edo__ring_peek(&s->ring, &first)) > 0) {
        for (unsigned i = 0; i < count; i++)
            finish(s, &first[i]);
        edo__ring_advance(&s->ring, count);
    }
}

/* More receives than sends, so that many wait and meet a cancellation. */
static void turn(struct stress *s)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        start_recv(s, draw(s, PAIRS));
        start_cancel(s, draw(s, PAIRS));
        if (draw(s, SEND_ONE_IN) == 0) start_send(s, draw(s, PAIRS));
    }
    check(edo__ring_enter(&s->ring, draw(s, PAIRS), SHORT_WAIT_NS) == 0);
    reap(s);
}

static bool is_quiet(const struct stress *s)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        const struct pair *p = &s->pairs[i];
        if (p->in_flight[RECV] || p->in_flight[SEND] || p->in_flight[CANCEL]) return false;
        if (p->received != p->sent) return false;
    }
    return true;
}

/* Receives the bytes that were sent, then cancels the waiting receives. */
static void drain(struct stress *s)
{
    s->draining = true;
    while (!is_quiet(s)) {
        for (unsigned i = 0; i < PAIRS; i++) {
            struct pair *p = &s->pairs[i];
            start_recv(s, i);
            if (p->in_flight[RECV] && !p->in_flight[SEND] && !p->in_flight[CANCEL] &&
                p->received == p->sent)
                edo__sqe_cancel(start(s, i, CANCEL), i * KINDS + RECV);
        }
        check(edo__ring_enter(&s->ring, 1, NO_LIMIT) == 0);
        reap(s);
    }
}

static void stress(const struct setup *setup, int64_t duration_ns, uint64_t seed)
{
    static struct stress s;
    const char *reason;
    int64_t end = now_ns() + duration_ns;

    memset(&s, 0, sizeof s);
    s.random = seed;
    check(edo__ring_init(&s.ring, SMALL_ENTRIES, setup->flags, &reason) == 0);
    for (unsigned i = 0; i < PAIRS; i++)
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s.pairs[i].fd) == 0);
    while (now_ns() < end)
        turn(&s);
    drain(&s);
    check(edo__ring_enter(&s.ring, 0, 0) == 0 && edo__ring_ready(&s.ring) == 0);
    edo__ring_deinit(&s.ring);
    for (unsigned i = 0; i < PAIRS; i++) {
        close(s.pairs[i].fd[0]);
        close(s.pairs[i].fd[1]);
    }
    printf("%-28s %10llu operations, %llu cancelled\n", setup->name,
           (unsigned long long)s.completed, (unsigned long long)s.cancelled);
}

/* Measurements: each answers nanoseconds per operation. */

#define ROUNDS  200000U
#define BATCH   64U
#define BATCHES (ROUNDS / BATCH)

/* Takes all available completions. Returns: their number. */
static unsigned discard(struct edo__ring *ring)
{
    struct io_uring_cqe *first;
    unsigned count = edo__ring_peek(ring, &first);

    edo__ring_advance(ring, count);
    return count;
}

static void complete(struct edo__ring *ring, unsigned count)
{
    check(edo__ring_enter(ring, count, NO_LIMIT) == 0);
    while (count > 0)
        count -= discard(ring);
}

static double measure_nops(struct edo__ring *ring, unsigned batch)
{
    int64_t start = now_ns();

    for (unsigned i = 0; i < ROUNDS / batch; i++) {
        for (unsigned j = 0; j < batch; j++)
            sqe_nop(entry(ring, j));
        complete(ring, batch);
    }
    return (double)(now_ns() - start) / ROUNDS;
}

static double measure_idle_turns(struct edo__ring *ring)
{
    int64_t start = now_ns();

    for (unsigned i = 0; i < ROUNDS; i++)
        check(edo__ring_enter(ring, 1, 0) == 0);
    return (double)(now_ns() - start) / ROUNDS;
}

/* A turn: receives wait on all pairs, then one send to each makes them complete. */
static double measure_messages(struct edo__ring *ring)
{
    static char in[BATCH];
    int fd[BATCH][2];
    int64_t start;
    double ns;

    for (unsigned j = 0; j < BATCH; j++)
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd[j]) == 0);
    start = now_ns();
    for (unsigned i = 0; i < BATCHES; i++) {
        for (unsigned j = 0; j < BATCH; j++)
            edo__sqe_recv(entry(ring, j), fd[j][0], &in[j], 1, 0);
        for (unsigned j = 0; j < BATCH; j++)
            edo__sqe_send(entry(ring, j), fd[j][1], "x", 1, 0);
        complete(ring, 2 * BATCH);
    }
    ns = (double)(now_ns() - start) / (BATCHES * BATCH);
    for (unsigned j = 0; j < BATCH; j++) {
        close(fd[j][0]);
        close(fd[j][1]);
    }
    return ns;
}

static void measure(const struct setup *setup)
{
    struct edo__ring ring;
    const char *reason;
    int registered;
    double with, without;

    check(edo__ring_init(&ring, 2 * BATCH, setup->flags, &reason) == 0);
    with = measure_nops(&ring, 1);
    registered = ring.registered;
    ring.registered = -1;
    without = measure_nops(&ring, 1);
    ring.registered = registered;
    printf("%-28s %8.0f %12.0f %8.0f %9.0f %6.1f\n", setup->name, with, without,
           measure_nops(&ring, BATCH), measure_messages(&ring), measure_idle_turns(&ring));
    edo__ring_deinit(&ring);
}

/* Ticks that the machine counts as "waiting for I/O" during a wait of one second for a byte that
 * does not come. */
static long iowait_ticks(unsigned cut_flags)
{
    struct edo__ring ring;
    const char *reason;
    long ticks[2];
    char byte;
    int fd[2];

    check(edo__ring_init(&ring, 1, EDO__RING_OWNED, &reason) == 0);
    ring.enter_flags &= ~cut_flags;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    edo__sqe_recv(entry(&ring, 0), fd[0], &byte, 1, 0);
    for (unsigned i = 0; i < LENGTH(ticks); i++) {
        FILE *stat = fopen("/proc/stat", "r");
        check(stat != NULL && fscanf(stat, "cpu %*d %*d %*d %*d %ld", &ticks[i]) == 1);
        fclose(stat);
        if (i == 0) check(edo__ring_enter(&ring, 1, NS_PER_S) == 0);
    }
    close(fd[1]);
    complete(&ring, 1);
    close(fd[0]);
    edo__ring_deinit(&ring);
    return ticks[1] - ticks[0];
}

static int measure_all(void)
{
    printf("%-28s %8s %12s %8s %9s %6s\n", "ns for each", "nop", "unregistered", "of 64", "message",
           "idle");
    for (size_t i = 0; i < LENGTH(setups); i++)
        measure(&setups[i]);
    printf("iowait ticks in a second: %ld as set up, %ld without NO_IOWAIT\n", iowait_ticks(0),
           iowait_ticks(~(unsigned)IORING_ENTER_GETEVENTS));
    return 0;
}

int main(int argc, char **argv)
{
    int64_t seconds = 5;
    uint64_t seed = 1;
    struct edo__ring probe;
    const char *reason;

    if (edo__ring_init(&probe, 1, 0, &reason) < 0) {
        printf("skipped: %s\n", reason);
        return SKIPPED;
    }
    edo__ring_deinit(&probe);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--measure") == 0) return measure_all();
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) seconds = atoll(argv[++i]);
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
    }
    for (size_t i = 0; i < LENGTH(setups); i++)
        stress(&setups[i], seconds * NS_PER_S / (int64_t)LENGTH(setups), seed | 1);
    return 0;
}

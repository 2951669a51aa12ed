/* edo-test: once. stress_uring - rings that several threads use, without a runtime around them.
 *
 * usage: stress_uring [--seconds N] [--seed S]
 *
 * Workers, each with its own ring, poll reads and accepts on any ring, cancel some, and sleep in
 * their rings. Other threads, the meddlers, write, connect, close streams and listeners, wake
 * sleepers, and turn rings whose worker is busy. At the end of each generation comes a calm phase:
 * every operation that still waits gets its event, and is polled only when it was woken. So a lost
 * SQE or a lost wake is a hang, which an alarm finds. Every byte must arrive once and in order, and
 * no memory or descriptor may leak. */
#include "support/chore.h"
#include "support/streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "stress/options.h"
#include "driver/drivers.h"
#include "sys/sys.h"

enum {
    SKIPPED = 77,
    WORKERS = 3,
    MEDDLERS = 2,
    STREAMS = 24,
    LISTENERS = 4,
    CHUNK = 64,
    POLLS_PER_TURN = 8,
    STEPS = 3000, // of a meddler, per generation
    GRACE = 60,   // seconds until a hang is reported
    NANOSECONDS = 1000000000,
    SHORT_NAP = 20000,
};

static void insist_at(bool condition, int line)
{
    if (condition) return;
    fprintf(stderr, "stress_uring: line %d failed\n", line);
    abort();
}
#define insist(condition) insist_at((condition), __LINE__)

/* One stream or listener. `polling` is held around each poll; `holding` guards the handle, its
 * other end and the counts. */
typedef struct place {
    pthread_mutex_t polling, holding;
    chore chore;
    bool in_flight, cancelled;
    unsigned char buffer[CHUNK];
    edo_io *io, *conn;
    int peer;
    edo_listener *listener;
    struct sockaddr_in address;
    uint64_t sent, received;
} place;

static struct {
    edo_runtime runtime;
    edo_driver *drivers[WORKERS];
    pthread_mutex_t workers[WORKERS]; // around each turn
    place streams[STREAMS], listeners[LISTENERS];
    edo_atomic(uint32_t) calm, stopped, meddling;
    edo_atomic(uint64_t) reads, accepts, cancels;
} world = { .runtime = { .has_threads = true, .base.worker_count = WORKERS } };

static bool is_stream(const place *p)
{
    return p >= world.streams && p < world.streams + STREAMS;
}

static uint64_t id_of(const place *p)
{
    return (uint64_t)(p - world.streams);
}

/* ---- handles ---- */

static void open_listener(place *p)
{
    socklen_t size = sizeof p->address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->address = (struct sockaddr_in){ .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    insist(fd >= 0 && bind(fd, (struct sockaddr *)&p->address, size) == 0);
    insist(listen(fd, SOMAXCONN) == 0);
    insist(getsockname(fd, (struct sockaddr *)&p->address, &size) == 0);
    insist(edo_listener_from_fd(fd, &p->listener) == 0);
}

/* Under `holding`. */
static void be_open(place *p, test_random *random)
{
    if (is_stream(p) && !p->io) {
        p->io = open_stream((stream_kind)below(random, STREAM_KINDS), &p->peer);
        p->sent = p->received = 0;
    }
    if (!is_stream(p) && !p->listener) open_listener(p);
}

/* Closes with a reset, so that the port is free at once: ports are limited. */
static void reset(int fd)
{
    struct linger now = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); // pipes refuse
    close(fd);
}

static void close_handle(place *p)
{
    pthread_mutex_lock(&p->holding);
    if (p->io) {
        edo_close(p->io);
        reset(p->peer);
    }
    edo_listener_close(p->listener);
    p->io = NULL;
    p->listener = NULL;
    pthread_mutex_unlock(&p->holding);
}

/* ---- polls; polling ---- */

static void start(place *p, test_random *random)
{
    pthread_mutex_lock(&p->holding);
    be_open(p, random);
    if (is_stream(p))
        chore_set(&p->chore, edo__io_source(p->io),
                  edo_read(p->io, p->buffer, 1 + below(random, CHUNK)));
    else
        chore_set(&p->chore, (edo__source *)(void *)p->listener, edo_accept(p->listener, &p->conn));
    insist(edo__source_claim(p->chore.source, p->chore.side) == 0);
    p->chore.claimed = true;
    p->cancelled = false;
    pthread_mutex_unlock(&p->holding);
}

static bool is_closed(place *p)
{
    pthread_mutex_lock(&p->holding);
    bool closed = !p->io && !p->listener;
    pthread_mutex_unlock(&p->holding);
    return closed;
}

/* Checks a result. A stream may also fail because its peer has closed. */
static void check_result(place *p)
{
    int64_t result = p->chore.op.base.result;
    if (result == -ECANCELED || ((result == 0 || result == -ECONNRESET) && is_closed(p))) {
        edo_add_relaxed(&world.cancels, 1);
    } else if (is_stream(p)) {
        insist(result > 0 && is_pattern(p->buffer, (size_t)result, id_of(p), p->received));
        p->received += (uint64_t)result;
        edo_add_relaxed(&world.reads, 1);
    } else {
        insist(result >= 0);
        close((int)result);
        edo_add_relaxed(&world.accepts, 1);
    }
}

static void poll_it(place *p, edo_driver *here)
{
    p->in_flight = chore_poll(&p->chore, here, p->cancelled) == EDO_PENDING;
    if (!p->in_flight) check_result(p);
}

/* Polls, also without a wake, and sometimes cancelled. */
static void visit(place *p, edo_driver *here, test_random *random)
{
    if (pthread_mutex_trylock(&p->polling) != 0) return;
    bool woken = p->in_flight && chore_take_wake(&p->chore);
    if (!p->in_flight && !edo_load_relaxed(&world.calm)) {
        start(p, random);
        poll_it(p, here);
    } else if (woken || (p->in_flight && below(random, 8) == 0)) {
        if (below(random, 4) == 0) p->cancelled = true;
        poll_it(p, here);
    }
    pthread_mutex_unlock(&p->polling);
}

/* Polls only woken operations. Returns: whether there were any. */
static bool visit_calmly(place *places, size_t count, edo_driver *here)
{
    bool any = false;
    for (place *p = places; p < places + count; p++) {
        pthread_mutex_lock(&p->polling);
        if (p->in_flight && chore_take_wake(&p->chore)) {
            poll_it(p, here);
            any = true;
        }
        pthread_mutex_unlock(&p->polling);
    }
    return any;
}

static place *choose(test_random *random)
{
    unsigned i = below(random, STREAMS + LISTENERS);
    return i < STREAMS ? &world.streams[i] : &world.listeners[i - STREAMS];
}

/* ---- workers ---- */

static void work_worker(unsigned worker, int64_t timeout)
{
    edo_driver *driver = world.drivers[worker];
    pthread_mutex_lock(&world.workers[worker]);
    driver->ops->turn(driver, timeout);
    pthread_mutex_unlock(&world.workers[worker]);
}

static void be_calm(unsigned worker)
{
    bool any;
    do {
        any = visit_calmly(world.streams, STREAMS, world.drivers[worker]);
        any |= visit_calmly(world.listeners, LISTENERS, world.drivers[worker]);
    } while (any);
    if (!edo_load_acquire(&world.stopped)) work_worker(worker, INT64_MAX);
}

static void be_busy(unsigned worker, test_random *random)
{
    for (unsigned i = 0; i < POLLS_PER_TURN; i++)
        visit(choose(random), world.drivers[worker], random);
    work_worker(worker, below(random, 3) ? 0 : INT64_MAX);
}

static void work(unsigned worker, test_random *random)
{
    while (!edo_load_acquire(&world.stopped))
        if (edo_load_acquire(&world.calm))
            be_calm(worker);
        else
            be_busy(worker, random);
}

/* ---- meddlers ---- */

/* Under `holding`. Full buffers take nothing. */
static void send_some(place *p, size_t size)
{
    unsigned char bytes[CHUNK];
    fill_pattern(bytes, size, id_of(p), p->sent);
    ssize_t n = write(p->peer, bytes, size);
    insist(n > 0 || (n < 0 && errno == EAGAIN));
    if (n > 0) p->sent += (uint64_t)n;
}

/* Under `holding`. A full backlog takes nothing. */
static void connect_once(const place *p)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    insist(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&p->address, sizeof p->address) < 0)
        insist(errno == EINPROGRESS || errno == EAGAIN || errno == EADDRNOTAVAIL);
    reset(fd);
}

static void feed(place *p, size_t size)
{
    pthread_mutex_lock(&p->holding);
    if (p->io) send_some(p, size);
    if (p->listener) connect_once(p);
    pthread_mutex_unlock(&p->holding);
}

static void help_out(unsigned worker, int64_t timeout)
{
    if (pthread_mutex_trylock(&world.workers[worker]) != 0) return;
    world.drivers[worker]->ops->turn(world.drivers[worker], timeout);
    pthread_mutex_unlock(&world.workers[worker]);
}

static void meddle(test_random *random)
{
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned worker = below(random, WORKERS), dice = below(random, 100);
        if (dice < 50)
            feed(choose(random), 1 + below(random, CHUNK));
        else if (dice < 54)
            close_handle(choose(random));
        else if (dice < 80)
            help_out(worker, dice < 60 ? SHORT_NAP : 0);
        else
            world.drivers[worker]->ops->unpark(world.drivers[worker]);
    }
}

/* Gives the waiting operation its event. A later poll sees the calm, and starts nothing. */
static void feed_last(place *p)
{
    pthread_mutex_lock(&p->polling);
    pthread_mutex_unlock(&p->polling);
    feed(p, 1);
}

static void settle_place(place *p, bool *ret_all)
{
    pthread_mutex_lock(&p->polling);
    bool waits = p->in_flight;
    pthread_mutex_unlock(&p->polling);
    if (waits) *ret_all = false;
}

static bool has_settled(void)
{
    bool all = true;
    for (unsigned i = 0; i < STREAMS; i++)
        settle_place(&world.streams[i], &all);
    for (unsigned i = 0; i < LISTENERS; i++)
        settle_place(&world.listeners[i], &all);
    return all;
}

static void unpark_all(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        world.drivers[i]->ops->unpark(world.drivers[i]);
}

/* Begins the calm, by the last meddler. From then on workers sleep until one of their operations is
 * woken. */
static void calm_down(void)
{
    edo_store_release(&world.calm, 1);
    unpark_all();
    for (unsigned i = 0; i < STREAMS; i++)
        feed_last(&world.streams[i]);
    for (unsigned i = 0; i < LISTENERS; i++)
        feed_last(&world.listeners[i]);
    while (!has_settled())
        sched_yield();
    edo_store_release(&world.stopped, 1);
    unpark_all();
}

/* ---- generations ---- */

static uint64_t generation;

static void live(unsigned index, void *arg)
{
    test_random random = test_random_make(generation * (WORKERS + MEDDLERS) + index);
    (void)arg;
    if (index < WORKERS) {
        work(index, &random);
        return;
    }
    meddle(&random);
    if (edo_sub_acq_rel(&world.meddling, 1) == 1) calm_down();
}

static bool open_drivers(void)
{
    const char *reason = "";
    for (unsigned i = 0; i < WORKERS; i++)
        if (edo__uring_driver.open(&world.runtime, NULL, &world.drivers[i], &reason) < 0) {
            fprintf(stderr, "%s\n", reason);
            return false;
        }
    return true;
}

static void close_drivers(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        world.drivers[i]->ops->close(world.drivers[i]);
}

static void close_some_handles(bool streams)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (streams) close_handle(&world.streams[i]);
    for (unsigned i = 0; i < LISTENERS; i++)
        if (streams || i % 2) close_handle(&world.listeners[i]);
}

/* Listeners end before their driver, while it closes, or after it. */
static void end_half(unsigned index, void *arg)
{
    (void)arg;
    if (index)
        close_drivers();
    else
        close_some_handles(false);
}

static void live_once(void)
{
    insist(open_drivers());
    world.calm = world.stopped = 0;
    world.meddling = MEDDLERS;
    run_threads(WORKERS + MEDDLERS, live, NULL);
    run_threads(2, end_half, NULL);
    close_some_handles(true);
    insist(edo_memory_in_use() == 0);
    generation++;
}

static void init_places(place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_init(&places[i].polling, NULL);
        pthread_mutex_init(&places[i].holding, NULL);
    }
}

static void init_world(void)
{
    init_places(world.streams, STREAMS);
    init_places(world.listeners, LISTENERS);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_mutex_init(&world.workers[i], NULL);
}

int main(int argc, char **argv)
{
    int64_t seconds = read_options(argc, argv, NULL, NULL);
    if (!open_drivers()) return SKIPPED;
    close_drivers();
    init_world();
    size_t before = open_descriptors();
    int64_t end = edo__sys_now() + seconds * NANOSECONDS;
    do {
        expect_end_within(GRACE);
        live_once();
        insist(open_descriptors() == before);
    } while (edo__sys_now() < end);
    printf("%llu generations, %llu reads, %llu accepts, %llu cancelled\n",
           (unsigned long long)generation, (unsigned long long)world.reads,
           (unsigned long long)world.accepts, (unsigned long long)world.cancels);
    return 0;
}

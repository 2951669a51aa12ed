/* edo-test: once. The io_uring driver of a worker: a ring that several threads use. The tests call
 * the driver's functions as a runtime would, but without a runtime. */
#include "support/chore.h"
#include "support/streams.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"
#include "runtime/runtime.h"
#include "driver/drivers.h"
#include "driver/uring/uring.h"
#include "sys/sys.h"

enum { SKIPPED = 77, ROUNDS = 200, TURNS = 20, SECONDS = 2 };

/* Offset, for a filter, of the number of SQEs to submit: the low half of the call's second
 * argument. */
#define TO_SUBMIT                                                                                  \
    (offsetof(struct seccomp_data, args[1]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

static void insist_at(bool condition, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d failed\n", line);
    abort();
}
#define insist(condition) insist_at((condition), __LINE__)

/* ---- drivers ---- */

static edo_runtime with_workers = { .has_threads = true, .base.worker_count = 2 };
static edo_runtime without_workers;

static edo_driver *open_for(edo_runtime *runtime)
{
    edo_driver *driver;
    const char *reason = "";
    int rc = edo__uring_driver.open(runtime, NULL, &driver, &reason);
    if (rc < 0) fprintf(stderr, "%s\n", reason);
    insist(rc == 0);
    return driver;
}

static edo_driver *open_shared(void)
{
    return open_for(&with_workers);
}

static void turn(edo_driver *driver, int64_t timeout)
{
    driver->ops->turn(driver, timeout);
}

static void close_driver(edo_driver *driver)
{
    driver->ops->close(driver);
}

static struct edo__ring *ring_of(edo_driver *driver)
{
    return &edo__uring_of(driver)->ring;
}

/* ---- a thread that turns a ring until it is stopped ---- */

typedef struct turner {
    pthread_t thread;
    edo_driver *driver;
    int64_t timeout;
    uint32_t stopped; // atomic
} turner;

static void *turn_on(void *arg)
{
    turner *self = arg;
    while (!edo_load_acquire(&self->stopped))
        turn(self->driver, self->timeout);
    return NULL;
}

static void start_turner(turner *self, edo_driver *driver, int64_t timeout)
{
    *self = (turner){ .driver = driver, .timeout = timeout };
    insist(pthread_create(&self->thread, NULL, turn_on, self) == 0);
}

static void stop_turner(turner *self)
{
    edo_store_release(&self->stopped, 1);
    self->driver->ops->unpark(self->driver);
    insist(pthread_join(self->thread, NULL) == 0);
}

/* Waits until `asleep` is set. From then on, a thread that prepares SQEs must submit them; the
 * turner may still be on its way into the kernel. */
static void await_sleep(edo_driver *driver)
{
    while (!edo_load_relaxed(&edo__uring_of(driver)->asleep))
        sched_yield();
}

/* ---- a task: an operation that any thread may poll, one at a time ---- */

static void set_read(chore *self, edo_io *io)
{
    self->byte = 0;
    chore_set(self, edo__io_source(io), edo_read(io, &self->byte, 1));
}

static void await_wake(chore *self)
{
    while (!chore_take_wake(self))
        sched_yield();
}

/* Polls at each wake, while other threads turn. Returns: the result. */
static int64_t finish(chore *self, edo_driver *here, bool cancelled)
{
    while (chore_poll(self, here, cancelled) == EDO_PENDING)
        await_wake(self);
    return self->op.base.result;
}

/* The same, and turns the ring itself: no other thread does. */
static void finish_turning(chore *self, edo_driver *driver)
{
    while (chore_poll(self, driver, false) == EDO_PENDING)
        while (!chore_take_wake(self))
            turn(driver, INT64_MAX);
}

/* ---- which ring is which ---- */

test(flags)
{
    const unsigned for_one = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    edo_driver *shared = open_shared(), *owned = open_for(&without_workers);
    assert_int_equal(ring_of(shared)->setup_flags & for_one, 0);
    assert_true(edo__uring_of(shared)->shared);
    assert_false(edo__uring_of(owned)->shared);
    assert_int_equal(shared->ops->fd(shared),
                     -EOPNOTSUPP); // for workers only, not for foreign loops
    close_driver(shared);
    close_driver(owned);
}

/* ---- preparing ---- */

/* While the turner sleeps, the thread that prepares SQEs submits them; otherwise no completion
 * would come. */
test(started_while_asleep)
{
    static chore read;
    turner other;
    int peer;
    edo_driver *driver = open_shared();
    start_turner(&other, driver, INT64_MAX);
    for (stream_kind kind = UNIX_STREAM; kind < STREAM_KINDS; kind++) {
        int64_t end = rounds_end(SECONDS);
        for (int i = 0; i < ROUNDS && !is_late(end); i++) {
            edo_io *io = open_stream(kind, &peer);
            set_read(&read, io);
            await_sleep(driver);
            assert_int_equal(chore_poll(&read, driver, false), EDO_PENDING);
            fd_write_all(peer, "b", 1);
            await_wake(&read);
            assert_int_equal(finish(&read, driver, false), 1);
            assert_int_equal(read.byte, 'b');
            edo_close(io);
            close(peer);
        }
    }
    stop_turner(&other);
    close_driver(driver);
}

/* While no turner sleeps, SQEs wait for the next turn, which submits all of them in one call. */
test(one_call)
{
    static chore reads[20];
    edo_io *io[ARRAY_LENGTH(reads)];
    int peers[ARRAY_LENGTH(reads)];
    edo_driver *driver = open_shared();
    turn(driver, 0);
    uint64_t before = ring_of(driver)->enters;
    for (size_t i = 0; i < ARRAY_LENGTH(reads); i++) {
        io[i] = open_stream(UNIX_STREAM, &peers[i]);
        set_read(&reads[i], io[i]);
        assert_int_equal(chore_poll(&reads[i], driver, false), EDO_PENDING);
    }
    assert_int_equal(ring_of(driver)->enters, before);
    turn(driver, 0);
    assert_int_equal(ring_of(driver)->enters, before + 1);
    for (size_t i = 0; i < ARRAY_LENGTH(reads); i++) {
        fd_write_all(peers[i], "b", 1);
        while (!chore_take_wake(&reads[i]))
            turn(driver, INT64_MAX);
        assert_int_equal(finish(&reads[i], driver, false), 1);
        edo_close(io[i]);
        close(peers[i]);
    }
    close_driver(driver);
}

/* ---- a poll on another worker ---- */

typedef struct starter {
    chore *chore;
    edo_driver *driver;
    bool turns;
} starter;

static void *start_chore(void *arg)
{
    const starter *self = arg;
    insist(chore_poll(self->chore, self->driver, false) == EDO_PENDING);
    if (self->turns) turn(self->driver, 0);
    return NULL;
}

static void start_elsewhere(chore *what, edo_driver *driver, bool turns)
{
    pthread_t thread;
    starter arg = { what, driver, turns };
    insist(pthread_create(&thread, NULL, start_chore, &arg) == 0);
    insist(pthread_join(thread, NULL) == 0);
}

/* The thread that submitted the read has ended. The kernel may cancel the read then, or when the
 * read could go on; the driver tries it again. */
test(submitter_ends)
{
    static chore read;
    int peer;
    edo_driver *driver = open_shared();
    for (int i = 0; i < ROUNDS / 10; i++) {
        edo_io *io = open_stream(i % 2 ? TCP_STREAM : PIPE_STREAM, &peer);
        set_read(&read, io);
        start_elsewhere(&read, driver, true);
        fd_write_all(peer, "b", 1);
        finish_turning(&read, driver);
        assert_int_equal(read.op.base.result, 1);
        edo_close(io);
        close(peer);
    }
    close_driver(driver);
}

typedef enum ending { CANCELLED, BYTE, BOTH, CLOSED, ENDINGS } ending;

static void end_read(chore *read, edo_driver *here, edo_io *io, int peer, ending how)
{
    if (how == BYTE || how == BOTH) fd_write_all(peer, "b", 1);
    if (how == CLOSED) edo_close(io);
    int64_t result = finish(read, here, how == CANCELLED || how == BOTH);
    if (how == CANCELLED || how == CLOSED) assert_int_equal(result, -ECANCELED);
    if (how == BYTE) assert_int_equal(result, 1);
    if (how == BOTH) assert_true(result == -ECANCELED || result == 1);
    if (result == 1) assert_int_equal(read->byte, 'b');
    if (how != CLOSED) edo_close(io);
    close(peer);
}

/* An operation in one worker's ring, whose turner sleeps, is polled and cancelled by another
 * worker. */
test(ends_elsewhere)
{
    static chore read;
    turner others[2];
    edo_driver *drivers[] = { open_shared(), open_shared() };
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        start_turner(&others[i], drivers[i], INT64_MAX);
    for (stream_kind kind = UNIX_STREAM; kind < STREAM_KINDS; kind++) {
        int64_t end = rounds_end(SECONDS);
        for (int i = 0; i < ROUNDS && !is_late(end); i++) {
            int peer;
            edo_io *io = open_stream(kind, &peer);
            set_read(&read, io);
            assert_int_equal(chore_poll(&read, drivers[0], false), EDO_PENDING);
            assert_ptr_equal(read.source->sides[EDO__READ_SIDE].driver, drivers[0]);
            if (i % 2) await_sleep(drivers[0]);
            end_read(&read, drivers[1], io, peer, (ending)(i % ENDINGS));
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        stop_turner(&others[i]);
    close_driver(drivers[0]);
    close_driver(drivers[1]);
}

/* ---- a worker that computes ---- */

typedef struct computer {
    chore *chore;
    edo_driver *driver;
    uint32_t began; // atomic
} computer;

/* Submits an operation, and computes until another thread has handled its completion. */
static void *compute(void *arg)
{
    computer *self = arg;
    insist(chore_poll(self->chore, self->driver, false) == EDO_PENDING);
    turn(self->driver, 0);
    edo_store_release(&self->began, 1);
    while (!edo_load_relaxed(&self->chore->wakes))
        continue;
    return NULL;
}

test(served_by_helper)
{
    static chore read;
    int peer;
    edo_driver *driver = open_shared();
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        edo_io *io = open_stream(TCP_STREAM, &peer);
        set_read(&read, io);
        computer arg = { .chore = &read, .driver = driver };
        assert_int_equal(pthread_create(&thread, NULL, compute, &arg), 0);
        while (!edo_load_acquire(&arg.began))
            sched_yield();
        fd_write_all(peer, "b", 1);
        while (!edo_load_relaxed(&read.wakes))
            turn(driver,
                 i % 2
                     ? 0
                     : INT64_MAX); // the completion ends this wait, although its submitter computes
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(finish(&read, driver, false), 1);
        edo_close(io);
        close(peer);
    }
    close_driver(driver);
}

/* ---- the end of a sleep ---- */

static edo_driver *signalled;

static void unpark_in_handler(int signal)
{
    (void)signal;
    signalled->ops->unpark(signalled);
}

typedef struct sleeper {
    edo_driver *driver;
    uint32_t turns;   // atomic
    uint32_t stopped; // atomic
} sleeper;

static void *sleep_often(void *arg)
{
    sleeper *self = arg;
    while (!edo_load_acquire(&self->stopped)) {
        turn(self->driver, INT64_MAX);
        edo_add_acq_rel(&self->turns, 1);
    }
    return NULL;
}

/* Each unpark ends one turn, whether it comes before the sleep or during it. */
test(unpark)
{
    pthread_t thread;
    sleeper other = { .driver = open_shared() };
    struct sigaction action = { .sa_handler = unpark_in_handler }, before;
    signalled = other.driver;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_often, &other), 0);
    int64_t end = rounds_end(SECONDS);
    for (uint32_t i = 0; i < ROUNDS && !is_late(end); i++) {
        if (i % 3 == 0) await_sleep(other.driver);
        if (i % 2)
            raise(SIGUSR1);
        else
            other.driver->ops->unpark(other.driver);
        while (edo_load_acquire(&other.turns) <= i)
            sched_yield();
    }
    edo_store_release(&other.stopped, 1);
    other.driver->ops->unpark(other.driver);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    close_driver(other.driver);
}

/* ---- listeners ---- */

/* A listener begins with its source. */
static edo__source *source_of(edo_listener *listener)
{
    return (edo__source *)(void *)listener;
}

static edo_listener *listen_at(struct sockaddr_in *address)
{
    edo_listener *listener;
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    insist(fd >= 0);
    insist(bind(fd, (struct sockaddr *)address, size) ==
           0); // without SO_REUSEADDR: the address is free
    insist(listen(fd, SOMAXCONN) == 0);
    insist(getsockname(fd, (struct sockaddr *)address, &size) == 0);
    insist(edo_listener_from_fd(fd, &listener) == 0);
    return listener;
}

static struct sockaddr_in any_port(void)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    insist(fd >= 0);
    insist(connect(fd, (const struct sockaddr *)address, sizeof *address) == 0);
    return fd;
}

static edo_io *no_conn;

static void set_accept(chore *self, edo_listener *listener)
{
    chore_set(self, source_of(listener), edo_accept(listener, &no_conn));
}

/* Accepts go to both rings, and are submitted although a turner sleeps. */
test(accept_elsewhere)
{
    static chore accept;
    turner others[2];
    edo_driver *drivers[] = { open_shared(), open_shared() };
    struct sockaddr_in address = any_port();
    edo_listener *listener = listen_at(&address);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        start_turner(&others[i], drivers[i], INT64_MAX);
    int64_t end = rounds_end(SECONDS);
    for (int i = 0; i < ROUNDS && !is_late(end); i++) {
        int client = i % 3 ? -1 : connect_to(&address);
        set_accept(&accept, listener);
        await_sleep(drivers[0]);
        edo_poll poll = chore_poll(&accept, drivers[i % 2], false);
        if (client < 0) {
            assert_int_equal(poll, EDO_PENDING);
            client = connect_to(&address);
        }
        int64_t fd = poll == EDO_READY ? accept.op.base.result
                                       : finish(&accept, drivers[(i + 1) % 2], false);
        assert_true(fd >= 0);
        close((int)fd);
        close(client);
    }
    edo_listener_close(listener);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        stop_turner(&others[i]);
    close_driver(drivers[0]);
    close_driver(drivers[1]);
}

/* An accept on whose side others wait binds the next one to the same ring. */
test(accepts_bind)
{
    static chore accepts[2];
    edo_driver *driver = open_shared();
    struct sockaddr_in address = any_port();
    edo_listener *listener = listen_at(&address);
    for (size_t i = 0; i < ARRAY_LENGTH(accepts); i++) {
        set_accept(&accepts[i], listener);
        assert_int_equal(chore_poll(&accepts[i], driver, false), EDO_PENDING);
    }
    turn(driver, 0);
    for (size_t left = ARRAY_LENGTH(accepts); left > 0; left--) {
        int client = connect_to(&address);
        size_t i = 0;
        while (!chore_take_wake(&accepts[i])) {
            i = (i + 1) % ARRAY_LENGTH(accepts);
            turn(driver, 0);
        }
        assert_int_equal(edo_load_figure(&driver->binds), left > 1);
        edo_store_figure(&driver->binds, false);
        assert_int_equal(chore_poll(&accepts[i], driver, false), EDO_READY);
        close((int)accepts[i].op.base.result);
        close(client);
    }
    edo_listener_close(listener);
    close_driver(driver);
}

/* ---- a kernel that takes nothing ---- */

test(no_entries)
{
    enum { MORE = 300 }; // more than the queue holds
    static chore waits[MORE], accept;
    edo_io *ios[MORE];
    int peers[MORE];
    edo_driver *driver = open_shared();
    struct sockaddr_in address = any_port();
    edo_listener *listener = listen_at(&address);
    turn(driver, 0);
    struct edo__ring *ring = ring_of(driver), whole = *ring;
    ring->fd = ring->registered = -1;
    for (size_t i = 0; i < MORE; i++) {
        ios[i] = open_stream(UNIX_STREAM, &peers[i]);
        set_read(&waits[i], ios[i]);
        assert_int_equal(chore_poll(&waits[i], driver, false), EDO_PENDING);
    }
    assert_true(chore_take_wake(&waits[MORE - 1])); // woken to try again
    set_accept(&accept, listener);
    assert_int_equal(chore_poll(&accept, driver, false), EDO_PENDING);
    assert_true(chore_take_wake(&accept));
    ring->fd = whole.fd;
    ring->registered = whole.registered;
    for (size_t i = 0; i < MORE; i++) {
        assert_int_equal(chore_poll(&waits[i], driver, false), EDO_PENDING);
        turn(driver, 0);
    }
    int client = connect_to(&address);
    finish_turning(&accept, driver);
    assert_true(accept.op.base.result >= 0);
    close((int)accept.op.base.result);
    close(client);
    for (size_t i = 0; i < MORE; i++) {
        fd_write_all(peers[i], "b", 1);
        finish_turning(&waits[i], driver);
        assert_int_equal(waits[i].op.base.result, 1);
        edo_close(ios[i]);
        close(peers[i]);
    }
    edo_listener_close(listener);
    close_driver(driver);
}

/* On this thread only, and for good. */
static void refuse_submissions(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, TO_SUBMIT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    insist(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    insist(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void *start_refused(void *arg)
{
    refuse_submissions();
    return start_chore(arg);
}

/* The kernel does not take the SQEs from the thread that prepared them. The sleeping turner is
 * unparked, and submits them. */
test(refused_while_asleep)
{
    static chore read;
    pthread_t thread;
    turner other;
    int peer;
    edo_driver *driver = open_shared();
    edo_io *io = open_stream(TCP_STREAM, &peer);
    starter arg = { .chore = &read, .driver = driver };
    start_turner(&other, driver, INT64_MAX);
    set_read(&read, io);
    await_sleep(driver);
    assert_int_equal(pthread_create(&thread, NULL, start_refused, &arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fd_write_all(peer, "b", 1);
    await_wake(&read);
    assert_int_equal(finish(&read, driver, false), 1);
    edo_close(io);
    close(peer);
    stop_turner(&other);
    close_driver(driver);
}

/* The queue is full, and the poll of the driver's own descriptor has ended. */
static void *turn_refused(void *arg)
{
    edo_driver *driver = arg;
    edo__uring *ring = edo__uring_of(driver);
    int never = eventfd(0, EFD_NONBLOCK);
    refuse_submissions();
    edo__uring_begin(ring);
    for (struct io_uring_sqe *sqe; (sqe = edo__uring_sqe(ring));)
        edo__sqe_poll(sqe, never, POLLIN);
    edo__uring_end(ring);
    ring->watches[0].armed = false;
    for (uint32_t i = 1; i <= TURNS; i++) {
        turn(driver, INT64_MAX);
        insist(ring->refusals == i);
    }
    close(never);
    return NULL;
}

/* A turn that cannot sleep, because the kernel takes no SQE, pauses instead, longer each time. */
test(refused_turns_pause)
{
    pthread_t thread;
    edo_driver *driver = open_shared();
    assert_int_equal(pthread_create(&thread, NULL, turn_refused, driver), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    driver->ops->unpark(driver);
    turn(driver, INT64_MAX);
    assert_int_equal(edo__uring_of(driver)->refusals, 0);
    close_driver(driver);
}

static bool has_rings(void)
{
    edo_driver *driver;
    const char *reason;
    if (edo__uring_driver.open(&with_workers, NULL, &driver, &reason) < 0) return false;
    close_driver(driver);
    return true;
}

int main(void)
{
    if (!has_rings()) return SKIPPED;
    return run_all_tests();
}

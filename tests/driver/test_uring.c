/* edo-test: once. Properties of the io_uring driver alone: operations that stay in the kernel for a
 * while, a ring that belongs to one thread. For listeners see test_uring_accept.c. */
#include "driver/rings.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- operations that another thread polls ---- */

typedef enum ending { CANCELLED, BYTE_BEFORE, BYTE_AFTER, CANCELLED_AGAINST_BYTE, ENDINGS } ending;

static void check_end(int64_t result, ending how, char byte)
{
    bool cancelled = result == -ECANCELED;
    if (how == CANCELLED) assert_true(cancelled);
    if (how == BYTE_BEFORE || how == BYTE_AFTER) assert_int_equal(result, 1);
    if (!cancelled) assert_int_equal(byte, 'b');
}

static int64_t end_on(edo_runtime *runtime, edo_op *op, ending how, int peer)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    if (how == BYTE_BEFORE) fd_write_all(peer, "b", 1);
    assert_int_equal(edo_spawn_with(&task, &options, end_op, .op = op), 0);
    edo_turn(runtime, 0);
    if (how == BYTE_AFTER || how == CANCELLED_AGAINST_BYTE) fd_write_all(peer, "b", 1);
    if (how == CANCELLED || how == CANCELLED_AGAINST_BYTE) edo_task_cancel(task);
    while (!edo_task_is_done(task))
        edo_turn(runtime, EDO_NEVER);
    int64_t result = op->base.result;
    edo_detach(task);
    return result;
}

/* A read that begins in the other thread's ring, and is finished or cancelled on this thread. */
static void read_across(other_thread *other, edo_runtime *here, stream_kind kind, ending how)
{
    static edo_op op;
    static char byte;
    int peer;
    sem_t begun;
    edo_task *beginner; // its handle keeps the read's waker valid until the next poll
    edo_io *io = open_stream(kind, &peer);
    edo_spawn_options options = { .runtime = other->runtime };
    byte = 0;
    op = edo_read(io, &byte, 1);
    sem_init(&begun, 0, 0);
    assert_int_equal(edo_spawn_with(&beginner, &options, start_op, .op = &op, .begun = &begun), 0);
    while (sem_wait(&begun) < 0)
        continue;
    int64_t result = end_on(here, &op, how, peer);
    check_end(result, how, byte);
    edo_detach(beginner);
    edo_close(io);
    close(peer);
    sem_destroy(&begun);
}

test(polled_by_another_thread)
{
    static const char *const drivers[] = { "io_uring", "epoll" };
    other_thread other;
    start_other(&other);
    for (size_t driver = 0; driver < ARRAY_LENGTH(drivers); driver++) {
        edo_runtime *here = new_runtime(drivers[driver]);
        for (stream_kind kind = UNIX_STREAM; kind < STREAM_KINDS; kind++)
            for (int i = 0; i < 20 * ENDINGS; i++)
                read_across(&other, here, kind, (ending)(i % ENDINGS));
        assert_int_equal(edo_runtime_destroy(here), 0);
    }
    edo_listener_close(other.listener);
    stop_other(&other);
}

/* The wait of a pipe is over, but another reader has taken the byte: the read goes on in the ring
 * of the runtime that polls it now. */
static void lose_byte(other_thread *other, edo_runtime *here)
{
    static edo_op op;
    static char byte;
    int peer;
    sem_t begun;
    edo_task *beginner, *task;
    edo_io *io = open_stream(PIPE_STREAM, &peer);
    edo_spawn_options there = { .runtime = other->runtime }, options = { .runtime = here };
    op = edo_read(io, &byte, 1);
    sem_init(&begun, 0, 0);
    assert_int_equal(edo_spawn_with(&beginner, &there, start_op, .op = &op, .begun = &begun), 0);
    while (sem_wait(&begun) < 0)
        continue;
    fd_write_all(peer, "a", 1);
    while (edo_load_acquire(&op.word) != EDO__OP_WOKEN)
        sched_yield();
    fd_read_all(edo_io_fd(io), &byte, 1);
    assert_int_equal(edo_spawn_with(&task, &options, end_op, .op = &op), 0);
    edo_turn(here, 0);
    edo_turn(here, 0);
    edo_driver *waits_at = edo__io_source(io)->sides[EDO__READ_SIDE].driver;
    assert_ptr_equal(waits_at, here->workers[0]->driver);
    fd_write_all(peer, "b", 1);
    while (!edo_task_is_done(task))
        edo_turn(here, EDO_NEVER);
    assert_int_equal(op.base.result, 1);
    assert_int_equal(byte, 'b');
    edo_detach(task);
    edo_detach(beginner);
    edo_close(io);
    close(peer);
    sem_destroy(&begun);
}

test(lost_to_another)
{
    other_thread other;
    start_other(&other);
    edo_runtime *here = new_ring();
    for (int i = 0; i < 5; i++)
        lose_byte(&other, here);
    assert_int_equal(edo_runtime_destroy(here), 0);
    edo_listener_close(other.listener);
    stop_other(&other);
}

/* ---- cancelling ---- */

/* The kernel may cancel an operation without a request: the operation then goes on. */
struct not_asked {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *task;
    int peer;
    char byte;
};

edo_async(not_asked)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        edo__sqe_cancel(edo__uring_sqe(edo__uring_of(edo_current_runtime()->workers[0]->driver)),
                        edo__uring_tag(edo__wait_first(
                            &edo__io_source(self->io)->sides[EDO__READ_SIDE].waiters)));
        settle();
        assert_false(edo_task_is_done(self->task));
        fd_write_all(self->peer, "b", 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

test_each_kind(not_asked)

/* Waits until the other end has acknowledged all bytes: the system may deliver them late. */
static void await_delivery(int socket)
{
    int left;
    do {
        sched_yield();
        assert_return_code(ioctl(socket, SIOCOUTQ, &left), errno);
    } while (left > 0);
}

/* In the turn that fetched the byte, another task is polled first and cancels the read: too
 * late. */
struct cancels {
    edo_frame();
    edo_args(edo_io *io; edo_task **victim;);
    char byte;
};

edo_async(cancels)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_task_cancel(*self->victim);
        edo_return(0);
    }
}

struct late_cancel {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *first, *second;
    edo_task *canceller, *victim;
    int peers[2];
    char byte;
};

edo_async(late_cancel)
{
    edo_body {
        int64_t n;
        self->first = open_stream(UNIX_STREAM, &self->peers[0]);
        self->second = open_stream(self->kind, &self->peers[1]);
        n = edo_spawn(&self->canceller, cancels, .io = self->first, .victim = &self->victim);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->victim, run_op, .op = edo_read(self->second, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(self->peers[0], "a", 1);
        fd_write_all(self->peers[1], "b", 1);
        if (self->kind == TCP_STREAM) await_delivery(self->peers[1]);
        edo_await(n, edo_join(self->canceller));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->victim));
        if (self->kind == PIPE_STREAM) { // the ring only waited: nothing was read
            assert_int_equal(n, -ECANCELED);
            edo_await(n, edo_read(self->second, &self->byte, 1));
        }
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'b');
        edo_close(self->first);
        edo_close(self->second);
        close(self->peers[0]);
        close(self->peers[1]);
        edo_return(0);
    }
}

test_each_kind(late_cancel)

/* Another thread closes the stream between the poll's check of CLOSED and the parking of the
 * operation, where the closer would find it. */
typedef struct too_late {
    edo_future base;
    edo__source *source;
    edo_op *op;
} too_late;

static edo_poll too_late_poll(edo_future *future, edo_cx *cx)
{
    too_late *self = (too_late *)(void *)future;
    edo_driver *driver = edo_current_runtime()->workers[0]->driver;
    assert_int_equal(driver->ops->drive(driver, self->source, self->op, edo_cx_waker(cx)),
                     EDO_READY);
    future->result = self->op->base.result;
    return EDO_READY;
}

static const edo_future_ops too_late_ops = { .name = "too_late", .poll = too_late_poll };

async_test(closed_before,
    edo_io *io, *conn;
    edo_listener *listener;
    edo__source *source;
    too_late late;
    edo_op op;
    int peer;
    char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(TCP_STREAM, &self->peer);
        self->source = edo__io_source(self->io);
        self->op = edo_read(self->io, &self->byte, 1);
        assert_int_equal(edo__source_claim(self->source, EDO__SOURCE_READING), 0);
        edo_close(self->io);
        self->late = (too_late){ { .ops = &too_late_ops }, self->source, &self->op };
        edo_await_on(n, &self->late.base);
        assert_int_equal(n, -ECANCELED);
        edo__source_leave(self->source, EDO__SOURCE_READING);
        close(self->peer);

        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->source = source_of(self->listener);
        self->op = edo_accept(self->listener, &self->conn);
        assert_int_equal(edo__source_claim(self->source, EDO__SOURCE_READING), 0);
        edo_listener_close(self->listener);
        self->late = (too_late){ { .ops = &too_late_ops }, self->source, &self->op };
        edo_await_on(n, &self->late.base);
        assert_int_equal(n, -ECANCELED);
        edo__source_leave(self->source, EDO__SOURCE_READING);
        edo_return(0);
    }
}

/* ---- more operations than the queues hold ---- */

enum { WAITS = 3000 }; // the rings' queues hold 256 and 1024

struct wait_all {
    edo_frame();
    edo_args(bool cancels;);
    edo_task *tasks[WAITS];
    int event, i;
};

edo_async(wait_all)
{
    edo_body {
        int64_t n;
        self->event = eventfd(0, EFD_NONBLOCK);
        for (self->i = 0; self->i < WAITS; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_wait_fd(self->event, EDO_READABLE));
            assert_int_equal(n, 0);
        }
        settle();
        assert_int_equal(edo_runtime_task_count(edo_current_runtime()), WAITS + 1);
        for (self->i = 0; self->cancels && self->i < WAITS; self->i++)
            edo_task_cancel(self->tasks[self->i]);
        if (!self->cancels) fd_write_all(self->event, &(uint64_t){ 1 }, sizeof(uint64_t));
        for (self->i = 0; self->i < WAITS; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, self->cancels ? -ECANCELED : EDO_READABLE);
        }
        close(self->event);
        edo_return(0);
    }
}

test(more_than_the_queues_hold)
{
    edo_runtime *runtime = new_ring();
    assert_int_equal(edo_block_on(runtime, wait_all, .cancels = false), 0);
    assert_int_equal(edo_block_on(runtime, wait_all, .cancels = true), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a kernel that takes nothing ---- */

enum {
    MORE = 300,        // more operations than SQEs, all begun in one turn
    INTERVAL = 100000, // polls per turn: no turn of the ring while it is broken
};

struct no_entries {
    edo_frame(struct accept_number callee;);
    edo_args();
    edo_task *tasks[MORE], *accepter;
    edo_listener *listener;
    edo_io *conn;
    int event, client, i;
    unsigned number;
};

edo_async(no_entries)
{
    edo_body {
        int64_t n;
        self->event = eventfd(0, EFD_NONBLOCK);
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        settle();
        break_ring(driver_of(edo_current_runtime()));
        for (self->i = 0; self->i < MORE; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_wait_fd(self->event, EDO_READABLE));
            assert_int_equal(n, 0);
        }
        n = edo_spawn(&self->accepter, accept_number, .listener = self->listener,
                      .ret_number = &self->number);
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < 3; self->i++)
            edo_await(n, edo_yield()); // runs after all of them, repeatedly
        mend_ring(driver_of(edo_current_runtime()));
        settle();

        break_ring(driver_of(edo_current_runtime()));
        for (self->i = 0; self->i < MORE; self->i++)
            edo_task_cancel(self->tasks[self->i]);
        for (self->i = 0; self->i < 3; self->i++)
            edo_await(n, edo_yield());
        mend_ring(driver_of(edo_current_runtime()));
        for (self->i = 0; self->i < MORE; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        self->client = connect_as(self->listener, 9);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, 0);
        assert_int_equal(self->number, 9);
        edo_listener_close(self->listener);
        close(self->client);
        close(self->event);
        edo_return(0);
    }
}

test(no_entries)
{
    edo_runtime *runtime;
    edo_config config = { .driver = "io_uring", .test_clock = true, .event_interval = INTERVAL };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, no_entries), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* A cancel that another thread requests while there is no SQE is served by the next turn, before
 * that turn sleeps. */
static void *cancel_there(void *op)
{
    edo_task *task;
    edo_runtime *here = new_runtime("epoll");
    edo_spawn_options options = { .runtime = here };
    insist(edo_spawn_with(&task, &options, end_op, .op = op) == 0);
    edo_turn(here, 0);
    edo_task_cancel(task);
    while (!edo_task_is_done(task))
        edo_turn(here, EDO_NEVER);
    edo_detach(task);
    insist(edo_runtime_destroy(here) == 0);
    return NULL;
}

static void begin_here(edo_runtime *runtime, edo_op *op, edo_task **ret_beginner)
{
    sem_t begun;
    edo_spawn_options options = { .runtime = runtime };
    sem_init(&begun, 0, 0);
    assert_int_equal(edo_spawn_with(ret_beginner, &options, start_op, .op = op, .begun = &begun),
                     0);
    while (sem_trywait(&begun) < 0)
        edo_turn(runtime, 0);
    sem_destroy(&begun);
}

test(request_without_entries)
{
    static edo_op op;
    char byte;
    int peer, never = eventfd(0, EFD_NONBLOCK);
    pthread_t thread;
    edo_task *beginner;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    edo_runtime *runtime = new_ring();
    edo__uring *driver = driver_of(runtime);
    op = edo_read(io, &byte, 1);
    begin_here(runtime, &op, &beginner);
    edo_turn(runtime, 0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_there, &op), 0);
    while (!edo_load_acquire(&driver->requests))
        sched_yield();
    assert_int_equal(edo__ring_wait(&driver->ring, 1, -1), 0); // for the wake after the request
    break_full_ring(driver, never);
    edo__uring_reap(driver);
    edo__uring_serve_requests(driver);
    assert_non_null(driver->requests);
    mend_ring(driver);
    while (edo_load_acquire(&op.word) == EDO__OP_PARKED)
        driver->base.ops->turn(&driver->base, INT64_MAX);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(op.base.result, -ECANCELED);
    edo_detach(beginner);
    edo_close(io);
    close(peer);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    close(never);
}

static uint64_t calls(void)
{
    return ring_of(edo_current_runtime())->enters;
}

enum { MANY = 64 }; // fewer than the ring's queue holds

/* A turn submits all operations that its tasks began, in one call. */
async_test(one_call, edo_task *tasks[MANY]; uint64_t enters; int event, i;)
{
    edo_body {
        int64_t n;
        self->event = eventfd(0, EFD_NONBLOCK);
        settle();
        self->enters = calls();
        for (self->i = 0; self->i < MANY / 2; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_wait_fd(self->event, EDO_READABLE));
            assert_int_equal(n, 0);
        }
        settle();
        assert_int_equal(calls() - self->enters, 1);
        settle();
        assert_int_equal(calls() - self->enters, 1); // no call without SQEs
        fd_write_all(self->event, &(uint64_t){ 1 }, sizeof(uint64_t));
        for (self->i = 0; self->i < MANY / 2; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, EDO_READABLE);
        }
        close(self->event);
        edo_return(0);
    }
}

/* ---- foreign loops ---- */

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* The kernel handles a limited amount per call; the descriptor stays readable until all of it was
 * fetched. */
test(descriptor_tells_the_rest)
{
    int event = eventfd(0, EFD_NONBLOCK), seen = 0;
    edo_runtime *runtime = new_ring();
    edo_driver *driver = runtime->workers[0]->driver;
    int fd = edo_runtime_fd(runtime);
    while (is_readable(fd))
        edo_turn(runtime, 0);
    for (int i = 0; i < MANY; i++)
        edo__sqe_poll(edo__uring_sqe(edo__uring_of(driver)), event, POLLIN);
    assert_int_equal(driver->ops->turn(driver, 0), 0);
    fd_write_all(event, &(uint64_t){ 1 }, sizeof(uint64_t));
    assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
    while (is_readable(fd))
        seen += driver->ops->turn(driver, 0);
    assert_int_equal(seen, MANY);
    close(event);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- beside epoll ---- */

struct know {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(know)
{
    edo_body {
        int64_t n;
        edo_await_for(n, edo_ms(1), edo_read(self->io, &self->byte, 1));
        edo_return(n);
    }
}

/* The stream is registered with epoll, which sees the event of a read in the ring. */
test(events_of_epoll)
{
    int peer;
    char byte = 0;
    edo_op op;
    edo_task *task;
    edo_runtime *epoll = new_runtime("epoll"), *ring = new_ring();
    edo_io *io = open_stream(TCP_STREAM, &peer);
    assert_int_equal(edo_block_on(epoll, know, .io = io), -ETIMEDOUT);
    edo_spawn_options options = { .runtime = ring };
    assert_int_equal(
        edo_spawn_with(&task, &options, run_op, .op = edo_read(io, &byte, 1), .ret_op = &op), 0);
    edo_turn(ring, 0);
    fd_write_all(peer, "b", 1);
    edo_turn(epoll, 0);
    while (!edo_task_is_done(task))
        edo_turn(ring, EDO_NEVER);
    edo_detach(task);
    assert_int_equal(op.base.result, 1);
    assert_int_equal(byte, 'b');
    edo_close(io);
    close(peer);
    assert_int_equal(edo_runtime_destroy(ring), 0);
    assert_int_equal(edo_runtime_destroy(epoll), 0);
}

/* ---- one thread for a ring ---- */

static void *turn_once(void *runtime)
{
    edo_turn(runtime, 0);
    return NULL;
}

static void turn_by_two(void *arg)
{
    (void)arg;
    pthread_t thread;
    edo_runtime *runtime = new_ring();
    edo_turn(runtime, 0);
    pthread_create(&thread, NULL, turn_once, runtime);
    pthread_join(thread, NULL);
}

test(second_thread)
{
    expect_abort(turn_by_two, NULL,
                 "edo: io_uring: a runtime belongs to the thread that turned it first");
}

/* Another thread turns the runtime first: a wake and a descriptor from before that turn still
 * work. */
static void *live(void *arg)
{
    edo_runtime *runtime = arg;
    insist(edo_turn(runtime, EDO_NEVER) >= 0); // ended by the wake
    insist(edo_block_on(runtime, nothing) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
    return NULL;
}

test(turned_by_another_thread)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        edo_runtime *runtime = new_ring();
        runtime->workers[0]->driver->ops->unpark(runtime->workers[0]->driver);
        assert_int_equal(pthread_create(&thread, NULL, live, runtime), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* ---- kernels that refuse ---- */

static void refuse_rings(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void run_refused(void *arg)
{
    (void)arg;
    log_capture();
    refuse_rings();
    edo_runtime *runtime = new_ring();
    assert_string_equal(edo_runtime_driver(runtime), "epoll");
    assert_int_equal(log_lines("io_uring_setup: Operation not permitted"), 1);
    assert_int_equal(edo_block_on(runtime, nothing), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    log_release();
}

test(refused)
{
    expect_success_in_child(run_refused, NULL);
}

int main(void)
{
    setenv("EDO_DRIVER", "io_uring", 1);
    if (!has_rings()) return SKIPPED;
    return run_all_tests();
}

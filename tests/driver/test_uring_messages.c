/* edo-test: once. Operations on messages that share one poll of an io_uring, on a ring without SQEs,
 * between runtimes and between workers. */
#include "driver/rings.h"
#include "support/chore.h"
#include "support/udp.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "driver/drivers.h"
#include "net/udp.h"

enum { INTERVAL = 100000 }; // polls per turn: no turn of the ring while it is broken

static edo__uring *this_driver(void)
{
    return driver_of(edo_current_runtime());
}

/* Waits in the kernel until the ring has a completion. */
static void wait_for_completion(void)
{
    assert_int_equal(edo__ring_enter(&this_driver()->ring, 1, -1), 0);
    assert_true(edo__ring_ready(&this_driver()->ring) > 0);
}

static bool polls_repeatedly(const struct edo__ring *ring)
{
    return ring->can & EDO__RING_CAN_MULTI_POLL;
}

#define run_interrupted(fn)                                                                        \
    do {                                                                                           \
        edo_runtime *runtime_;                                                                     \
        edo_config config_ = { .driver = "io_uring",                                               \
                               .test_clock = true,                                                 \
                               .event_interval = INTERVAL };                                       \
        assert_int_equal(edo_runtime_create(&config_, &runtime_), 0);                              \
        assert_int_equal(edo_block_on(runtime_, fn), 0);                                           \
        assert_int_equal(edo_runtime_destroy(runtime_), 0);                                        \
    } while (0)

/* ---- a woken receive that cannot wait again ---- */

/* The first receive was woken, but its datagram was taken, and there is no SQE for the next poll.
 * Its cancellation wakes the second receive. */
struct lost_wake {
    edo_frame();
    edo_args();
    edo_udp *socket;
    edo_address to;
    edo_task *tasks[2];
    char buffers[2][8], byte;
    int fd, never, i;
};

edo_async(lost_wake)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        self->never = eventfd(0, EFD_NONBLOCK);
        for (self->i = 0; self->i < 2; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_udp_recv(self->socket, self->buffers[self->i], 8));
            assert_int_equal(n, 0);
        }
        settle();
        send_plainly(self->fd, "a", 1, &self->to);
        wait_for_completion();
        edo__uring_reap(this_driver()); // wakes the first receive
        assert_int_equal(edo_udp_try_recv(self->socket, &self->byte, 1), 1);
        break_full_ring(this_driver(), self->never);
        edo_await(n, edo_yield());
        edo_task_cancel(self->tasks[0]);
        edo_await(n, edo_yield());
        assert_true(edo_task_is_done(self->tasks[0]));
        mend_ring(this_driver());
        edo_await(n, edo_join(self->tasks[0]));
        assert_int_equal(n, -ECANCELED);
        send_plainly(self->fd, "b", 1, &self->to);
        edo_await(n, edo_join(self->tasks[1]));
        assert_int_equal(n, 1);
        assert_int_equal(self->buffers[1][0], 'b');
        close(self->fd);
        close(self->never);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

test(lost_wake)
{
    run_interrupted(lost_wake);
}

/* ---- a poll that cannot be cancelled ---- */

/* The error queue of the socket is unread, so the receive waits with a multishot poll. The report
 * of a datagram comes while there is no SQE to cancel that poll. */
struct full_report {
    edo_frame();
    edo_args();
    edo_udp *socket, *nobody;
    edo_address to, dead;
    edo_task *task;
    char byte;
    int fd, never;
};

edo_async(full_report)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->nobody = dead_socket(&self->dead);
        self->fd = plain_socket();
        self->never = eventfd(0, EFD_NONBLOCK);
        assert_int_equal(edo_udp_set(self->socket, EDO_UDP_ERRORS, 1), 0);
        edo_await(n, edo_udp_send_to(self->socket, "lost", 4, &self->dead));
        assert_int_equal(n, 4);
        struct pollfd error = { .fd = edo_udp_fd(self->socket) };
        assert_int_equal(poll(&error, 1, -1), 1); // the report of the lost datagram may be late
        n = edo_spawn(&self->task, run_op, .op = edo_udp_recv(self->socket, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        assert_true(self->socket->source.sides[EDO__READ_SIDE].polls_edges);
        send_plainly(self->fd, "a", 1, &self->to);
        wait_for_completion();
        break_full_ring(this_driver(), self->never);
        edo__uring_reap(this_driver());
        mend_ring(this_driver());
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'a');
        close(self->fd);
        close(self->never);
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

test(full_report)
{
    need(polls_repeatedly);
    run_interrupted(full_report);
}

/* ---- a woken receive that another runtime polls ---- */

static void begin_there(other_thread *other, edo_op *op, edo_task **ret_beginner)
{
    sem_t begun;
    edo_spawn_options there = { .runtime = other->runtime };
    sem_init(&begun, 0, 0);
    assert_int_equal(edo_spawn_with(ret_beginner, &there, start_op, .op = op, .begun = &begun), 0);
    while (sem_wait(&begun) < 0)
        continue;
    sem_destroy(&begun);
}

/* The first receive was woken in the other runtime, and its datagram was taken. This runtime polls
 * the receive, which fails. The second receive still waits in the other runtime, and is served. */
static void leave_other(const char *driver)
{
    edo_address to;
    edo_task *beginners[2], *task;
    edo_op ops[2];
    char bytes[2], byte;
    other_thread other;
    start_other(&other);
    edo_runtime *here = new_runtime(driver);
    edo_udp *socket = loopback_socket(&to);
    int fd = plain_socket();
    for (int i = 0; i < 2; i++) {
        ops[i] = edo_udp_recv(socket, &bytes[i], 1);
        begin_there(&other, &ops[i], &beginners[i]);
    }
    send_plainly(fd, "a", 1, &to);
    while (edo_load_acquire(&ops[0].word) != EDO__OP_WOKEN)
        sched_yield();
    assert_int_equal(edo_udp_try_recv(socket, &byte, 1), 1);
    edo_spawn_options options = { .runtime = here };
    assert_int_equal(edo_spawn_with(&task, &options, end_op, .op = &ops[0]), 0);
    while (!edo_task_is_done(task))
        edo_turn(here, EDO_NEVER);
    edo_detach(task);
    assert_int_equal(ops[0].base.result, -EXDEV);

    while (edo_load_acquire(&ops[1].word) != EDO__OP_WOKEN)
        sched_yield();
    send_plainly(fd, "b", 1, &to);
    edo_spawn_options there = { .runtime = other.runtime };
    assert_int_equal(edo_spawn_with(&task, &there, end_op, .op = &ops[1]), 0);
    while (!edo_task_is_done(task))
        sched_yield();
    edo_detach(task);
    assert_int_equal(ops[1].base.result, 1);
    assert_int_equal(bytes[1], 'b');
    for (int i = 0; i < 2; i++)
        edo_detach(beginners[i]);
    close(fd);
    edo_udp_close(socket);
    edo_listener_close(other.listener);
    assert_int_equal(edo_runtime_destroy(here), 0);
    stop_other(&other);
}

test(left_to_another)
{
    leave_other("io_uring");
    leave_other("epoll");
}

/* ---- a receive that starts again in another runtime ---- */

/* Starts two receives. The first one is woken, but its datagram is taken, and there is no SQE for
 * the next poll. So it is to start again. */
struct start_again {
    edo_frame();
    edo_args(edo_udp *socket; edo_op *ops; edo_task **tasks; const edo_address *to; int fd;
             int never;);
    sem_t begun;
    char byte;
    int i;
};

edo_async(start_again)
{
    edo_body {
        int64_t n;
        sem_init(&self->begun, 0, 0);
        for (self->i = 0; self->i < 2; self->i++) {
            n = edo_spawn(&self->tasks[self->i], start_op, .op = &self->ops[self->i],
                          .begun = &self->begun);
            assert_int_equal(n, 0);
        }
        settle();
        send_plainly(self->fd, "a", 1, self->to);
        wait_for_completion();
        edo__uring_reap(this_driver()); // wakes the first receive
        assert_int_equal(edo_udp_try_recv(self->socket, &self->byte, 1), 1);
        break_full_ring(this_driver(), self->never);
        n = edo_spawn(&self->tasks[2], start_op, .op = &self->ops[0], .begun = &self->begun);
        assert_int_equal(n, 0);
        edo_await(n, edo_yield());
        mend_ring(this_driver());
        assert_true(edo_task_is_done(self->tasks[2]));
        assert_int_equal(edo_load_relaxed(&self->ops[0].word), EDO__OP_IDLE);
        assert_int_equal(edo_load_relaxed(&self->ops[1].word), EDO__OP_PARKED);
        sem_destroy(&self->begun);
        edo_return(0);
    }
}

/* The first receive fails in the other runtime, and wakes the second one. */
static void start_again_elsewhere(const char *driver)
{
    edo_address to;
    edo_task *tasks[3];
    edo_op ops[2];
    char bytes[2];
    edo_runtime *home, *here = new_runtime(driver);
    edo_config config = { .driver = "io_uring", .test_clock = true, .event_interval = INTERVAL };
    assert_int_equal(edo_runtime_create(&config, &home), 0);
    edo_udp *socket = loopback_socket(&to);
    int fd = plain_socket(), never = eventfd(0, EFD_NONBLOCK);
    for (int i = 0; i < 2; i++)
        ops[i] = edo_udp_recv(socket, &bytes[i], 1);
    assert_int_equal(edo_block_on(home, start_again, .socket = socket, .ops = ops, .tasks = tasks,
                                  .to = &to, .fd = fd, .never = never),
                     0);
    assert_int_equal(edo_block_on(here, end_op, .op = &ops[0]), -EXDEV);
    assert_int_equal(edo_load_acquire(&ops[1].word), EDO__OP_WOKEN);
    send_plainly(fd, "b", 1, &to);
    assert_int_equal(edo_block_on(home, end_op, .op = &ops[1]), 1);
    assert_int_equal(bytes[1], 'b');
    for (int i = 0; i < 3; i++)
        edo_detach(tasks[i]);
    close(fd);
    close(never);
    edo_udp_close(socket);
    assert_int_equal(edo_runtime_destroy(here), 0);
    assert_int_equal(edo_runtime_destroy(home), 0);
}

test(started_again_elsewhere)
{
    start_again_elsewhere("io_uring");
    start_again_elsewhere("epoll");
}

/* ---- workers ---- */

static edo_runtime with_workers = { .has_threads = true, .base.worker_count = 2 };

static edo_driver *open_worker(void)
{
    edo_driver *driver;
    const char *reason;
    assert_int_equal(edo__uring_driver.open(&with_workers, NULL, &driver, &reason), 0);
    return driver;
}

static void begin_receive(chore *self, edo_udp *socket, edo_driver *here)
{
    chore_set(self, &socket->source, edo_udp_recv(socket, &self->byte, 1));
    assert_int_equal(chore_poll(self, here, false), EDO_PENDING);
}

static void await_receive(chore *self, edo_driver *turned)
{
    while (!chore_take_wake(self))
        turned->ops->turn(turned, INT64_MAX);
}

/* The first of two receives in the ring of one worker is served by another worker. That worker then
 * polls the second one, which was woken too, and begins a third one, in this or the other order.
 * Both wait with the other worker from then on, and the second one is served first. */
static void follow(bool second_is_first)
{
    static chore receives[3];
    edo_address to;
    edo_driver *there = open_worker(), *here = open_worker();
    edo_udp *socket = loopback_socket(&to);
    const edo__side *side = &socket->source.sides[EDO__READ_SIDE];
    int fd = plain_socket();
    begin_receive(&receives[0], socket, there);
    begin_receive(&receives[1], socket, there);
    send_plainly(fd, "a", 1, &to);
    await_receive(&receives[0], there);
    assert_int_equal(chore_poll(&receives[0], here, false), EDO_READY);
    assert_int_equal(receives[0].op.base.result, 1);
    assert_true(chore_take_wake(&receives[1]));
    if (!second_is_first) begin_receive(&receives[2], socket, here);
    assert_int_equal(chore_poll(&receives[1], here, false), EDO_PENDING);
    if (second_is_first) begin_receive(&receives[2], socket, here);
    assert_ptr_equal(side->driver, here);

    send_plainly(fd, "b", 1, &to);
    await_receive(&receives[1], here);
    assert_int_equal(chore_poll(&receives[1], here, false), EDO_READY);
    assert_int_equal(receives[1].byte, 'b');
    assert_true(chore_take_wake(&receives[2]));
    assert_int_equal(chore_poll(&receives[2], there, true), EDO_READY);
    assert_int_equal(receives[2].op.base.result, -ECANCELED);
    close(fd);
    edo_udp_close(socket);
    there->ops->close(there);
    here->ops->close(here);
}

test(waiters_follow_the_poller)
{
    edo__self.runtime = &with_workers;
    follow(true);
    follow(false);
    edo__self.runtime = NULL;
}

int main(void)
{
    setenv("EDO_DRIVER", "io_uring", 1);
    if (!has_rings()) return SKIPPED;
    return run_all_tests();
}

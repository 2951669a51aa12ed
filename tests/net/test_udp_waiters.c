/* Several operations at once on one UDP socket: the order of service, and cancellation, by which no
 * datagram is lost. */
#include "support/udp.h"

#include <edo/metrics.h>

#include "base/atomic.h"

enum { WAITERS = 8 };

typedef struct waiter {
    edo_task *task;
    edo_op op;
    char buffer[8];
} waiter;

static void begin_receive(waiter *one, edo_udp *socket)
{
    int rc = edo_spawn(&one->task, run_op, .op = edo_udp_recv(socket, one->buffer, 8),
                       .ret_op = &one->op);
    assert_int_equal(rc, 0);
}

/* ---- order ---- */

/* Each datagram goes to the receive that has waited longest. Datagrams come one by one, because two
 * of them may be taken by two workers in either order. */
async_test(first_come_first_served, edo_udp *socket; edo_address to; int fd; unsigned i;
           waiter waiters[WAITERS];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        for (self->i = 0; self->i < WAITERS; self->i++) {
            begin_receive(&self->waiters[self->i], self->socket);
            settle();
        }
        for (self->i = 0; self->i < WAITERS; self->i++) {
            n = 'a' + self->i;
            send_plainly(self->fd, &(char){ (char)n }, 1, &self->to);
            if (driver_is("chaos")) continue; // completes in random order
            edo_await(n, edo_join(self->waiters[self->i].task));
            assert_int_equal(n, 1);
            assert_int_equal(self->waiters[self->i].buffer[0], 'a' + self->i);
        }
        for (self->i = 0; driver_is("chaos") && self->i < WAITERS; self->i++) {
            edo_await(n, edo_join(self->waiters[self->i].task));
            assert_int_equal(n, 1);
        }
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

enum { TAKERS = 3, TURNS = 10 };

struct take {
    edo_frame();
    edo_args(edo_udp *socket; unsigned number; unsigned *last; unsigned *count;);
    char byte;
};

edo_async(take)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_udp_recv(self->socket, &self->byte, 1));
            if (n < 0) break;
            *self->last = self->number;
            edo_add_acq_rel(self->count, 1);
        }
        edo_return(n);
    }
}

/* A receive that begins when others wait already is served after them. */
async_test(in_turn, edo_udp *socket; edo_address to; int fd; unsigned i, last, count;
           edo_task *takers[TAKERS];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        self->count = 0;
        for (self->i = 0; self->i < TAKERS; self->i++) {
            n = edo_spawn(&self->takers[self->i], take, .socket = self->socket, .number = self->i,
                          .last = &self->last, .count = &self->count);
            assert_int_equal(n, 0);
            settle();
        }
        for (self->i = 0; self->i < TAKERS * TURNS; self->i++) {
            send_plainly(self->fd, "x", 1, &self->to);
            do
                settle();
            while (edo_load_acquire(&self->count) == self->i);
            if (!driver_is("chaos")) assert_int_equal(self->last, self->i % TAKERS);
        }
        edo_udp_close(self->socket);
        for (self->i = 0; self->i < TAKERS; self->i++) {
            edo_await(n, edo_join(self->takers[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        close(self->fd);
        edo_return(0);
    }
}

/* Datagrams that come at once serve as many receives. */
async_test(one_for_each, edo_udp *socket; edo_address to; int fd; unsigned i, seen;
           waiter waiters[WAITERS];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->seen = 0;
        self->fd = plain_socket();
        for (self->i = 0; self->i < WAITERS; self->i++)
            begin_receive(&self->waiters[self->i], self->socket);
        settle();
        for (self->i = 0; self->i < WAITERS; self->i++)
            send_plainly(self->fd, &(char){ (char)self->i }, 1, &self->to);
        for (self->i = 0; self->i < WAITERS; self->i++) {
            edo_await(n, edo_join(self->waiters[self->i].task));
            assert_int_equal(n, 1);
            self->seen |= 1u << self->waiters[self->i].buffer[0];
        }
        assert_int_equal(self->seen, (1u << WAITERS) - 1);
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

/* Cancels the waiter at each place; the others are served. */
async_test(cancel_at_each_place, edo_udp *socket; edo_address to; int fd; unsigned at, i;
           waiter waiters[WAITERS];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        for (self->at = 0; self->at < WAITERS; self->at++) {
            for (self->i = 0; self->i < WAITERS; self->i++)
                begin_receive(&self->waiters[self->i], self->socket);
            settle();
            edo_task_cancel(self->waiters[self->at].task);
            edo_await(n, edo_join(self->waiters[self->at].task));
            assert_int_equal(n, -ECANCELED);
            for (self->i = 0; self->i < WAITERS - 1; self->i++)
                send_plainly(self->fd, "x", 1, &self->to);
            for (self->i = 0; self->i < WAITERS; self->i++) {
                if (self->i == self->at) continue;
                edo_await(n, edo_join(self->waiters[self->i].task));
                assert_int_equal(n, 1);
            }
            assert_int_equal(edo_udp_try_recv(self->socket, &self->waiters[0].buffer, 8), -EAGAIN);
        }
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* Datagrams and cancellations come at the same time, in either order: each datagram is received
 * once, and no waiter that remains misses one. */
enum { ROUNDS = 200 };

async_test(race, edo_udp *socket; edo_address to; int fd; unsigned round, i, sent, got, cancelled;
           waiter waiters[WAITERS]; test_random random;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        self->random = test_random_make(1);
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            for (self->i = 0; self->i < WAITERS; self->i++)
                begin_receive(&self->waiters[self->i], self->socket);
            if (test_random_below(&self->random, 2)) settle();
            self->sent = (unsigned)test_random_below(&self->random, WAITERS + 1);
            for (self->i = 0; self->i < self->sent; self->i++)
                send_plainly(self->fd, "x", 1, &self->to);
            if (test_random_below(&self->random, 2)) edo_await(n, edo_yield());
            self->cancelled = (unsigned)test_random_below(&self->random, 1u << WAITERS);
            for (self->i = 0; self->i < WAITERS; self->i++)
                if (self->cancelled >> self->i & 1) edo_task_cancel(self->waiters[self->i].task);
            for (self->i = self->got = 0; self->i < WAITERS; self->i++) {
                if (!(self->cancelled >> self->i & 1)) continue;
                edo_await(n, edo_join(self->waiters[self->i].task));
                assert_true(n == 1 || n == -ECANCELED);
                self->got += n == 1;
            }
            for (self->i = 0; self->i < WAITERS; self->i++) {
                if (self->cancelled >> self->i & 1) continue;
                send_plainly(self->fd, "x", 1, &self->to); // one for each that remains
                self->sent++;
            }
            for (self->i = 0; self->i < WAITERS; self->i++) {
                if (self->cancelled >> self->i & 1) continue;
                edo_await(n, edo_join(self->waiters[self->i].task));
                assert_int_equal(n, 1);
                self->got++;
            }
            while (edo_udp_try_recv(self->socket, self->waiters[0].buffer, 8) == 1)
                self->got++;
            assert_int_equal(self->got, self->sent);
        }
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* The buffer of a cancelled receive is not written after its end. */
async_test(buffer_is_free, edo_udp *socket; edo_address to; int fd; char abandoned[4], buffer[4];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        memcpy(self->abandoned, "....", 4);
        edo_await_for(n, edo_ms(1), edo_udp_recv(self->socket, self->abandoned, 4));
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(edo_op_progress(edo_last_op()), 0);
        send_plainly(self->fd, "data", 4, &self->to);
        edo_await(n, edo_udp_recv(self->socket, self->buffer, 4));
        assert_int_equal(n, 4);
        assert_memory_equal(self->abandoned, "....", 4);
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- two sides, many tasks ---- */

struct echoes {
    edo_frame();
    edo_args(edo_udp *socket; unsigned count;);
    edo_address from;
    char buffer[16];
};

edo_async(echoes)
{
    edo_body {
        int64_t n;
        for (; self->count > 0; self->count--) {
            edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 16, &self->from));
            assert_true(n > 0);
            edo_await(n, edo_udp_send_to(self->socket, self->buffer, (size_t)n, &self->from));
            assert_true(n > 0);
        }
        edo_return(0);
    }
}

struct asks {
    edo_frame();
    edo_args(edo_address to; unsigned count;);
    edo_udp *socket;
    char buffer[16];
};

edo_async(asks)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_udp_open(&self->to, NULL, &self->socket), 0);
        for (; self->count > 0; self->count--) {
            edo_await(n, edo_udp_send(self->socket, &self->count, sizeof self->count));
            assert_int_equal(n, sizeof self->count);
            edo_await(n, edo_udp_recv(self->socket, self->buffer, 16));
            assert_int_equal(n, sizeof self->count);
            assert_memory_equal(self->buffer, &self->count, sizeof self->count);
        }
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

enum { ASKERS = 6, QUESTIONS = 50 };

async_test(many_tasks, edo_udp *socket; edo_address to; edo_task *tasks[2 * ASKERS]; unsigned i;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        for (self->i = 0; self->i < ASKERS; self->i++) {
            n = edo_spawn(&self->tasks[self->i], echoes, .socket = self->socket,
                          .count = QUESTIONS);
            assert_int_equal(n, 0);
            n = edo_spawn(&self->tasks[ASKERS + self->i], asks, .to = self->to, .count = QUESTIONS);
            assert_int_equal(n, 0);
        }
        for (self->i = 0; self->i < 2 * ASKERS; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, 0);
        }
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- events ---- */

/* A datagram has been sent, so there is more room: no event for a socket on which no send waits. */
current_thread_only("it counts the events of one driver")
async_test(a_send_is_no_event, edo_udp *socket, *peer; edo_address to; waiter one;
           uint64_t before; edo_metrics metrics; char in[4];)
{
    edo_body {
        int64_t n;
        if (!driver_is("epoll")) edo_return(0);
        self->socket = loopback_socket(NULL);
        self->peer = loopback_socket(&self->to);
        begin_receive(&self->one, self->socket);
        settle();
        assert_int_equal(edo_metrics_read(edo_current_runtime(), &self->metrics), 0);
        self->before = self->metrics.ready_events;
        edo_await(n, edo_udp_send_to(self->socket, "abcd", 4, &self->to));
        assert_int_equal(n, 4);
        assert_int_equal(edo_udp_try_recv(self->peer, self->in, 4), 4);
        settle();
        assert_int_equal(edo_metrics_read(edo_current_runtime(), &self->metrics), 0);
        assert_int_equal(self->metrics.ready_events, self->before);
        edo_task_cancel(self->one.task);
        edo_await(n, edo_join(self->one.task));
        assert_int_equal(n, -ECANCELED);
        edo_udp_close(self->socket);
        edo_udp_close(self->peer);
        edo_return(0);
    }
}

/* ---- two runtimes ---- */

static void receive_there(unsigned index, void *arg)
{
    char buffer[8];
    (void)index;
    int64_t n = edo_wait_for(edo_s(60), edo_udp_recv(arg, buffer, sizeof buffer));
    assert_int_equal(n, -EXDEV);
}

async_test(a_second_runtime, edo_udp *socket; waiter one;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(NULL);
        begin_receive(&self->one, self->socket);
        settle();
        run_threads(1, receive_there, self->socket);
        edo_task_cancel(self->one.task);
        edo_await(n, edo_join(self->one.task));
        assert_int_equal(n, -ECANCELED);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* The error queue of UDP sockets. */
#include "support/udp.h"

typedef struct taken {
    edo_message message;
    edo_slice slice;
    edo_control control;
    edo_datagram_error error;
    char buffer[16];
    _Alignas(8) char records[EDO_UDP_CONTROL_SIZE];
} taken;

static edo_message *ready(taken *in)
{
    in->slice = (edo_slice){ in->buffer, sizeof in->buffer };
    in->control = (edo_control){ in->records, sizeof in->records, 0 };
    in->message = (edo_message){ .slices = &in->slice, .slice_count = 1, .control = &in->control };
    return &in->message;
}

static edo_udp *error_socket(void)
{
    edo_udp *socket = loopback_socket(NULL);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_ERRORS, 1), 0);
    return socket;
}

async_test(an_error_waits_in_the_queue, edo_udp *socket, *nobody; edo_address dead; taken in;)
{
    edo_body {
        int64_t n;
        self->socket = error_socket();
        self->nobody = dead_socket(&self->dead);
        edo_await(n, edo_udp_send_to(self->socket, "lost", 4, &self->dead));
        assert_int_equal(n, 4);
        edo_await(n, edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 4);
        assert_memory_equal(self->in.buffer, "lost", 4);
        assert_true(edo_address_equals(&self->in.message.address, &self->dead));
        assert_int_equal(self->in.message.flags, EDO_MESSAGE_FROM_ERRORS);
        assert_true(edo_datagram_error_read(&self->in.control, &self->in.error));
        assert_int_equal(self->in.error.error, -ECONNREFUSED);
        assert_int_equal(self->in.error.origin, EDO_ERROR_ICMP);
        assert_int_equal(self->in.error.type, 3);
        assert_int_equal(self->in.error.code, 3);
        assert_true(edo_address_is_loopback(&self->in.error.offender));
        /* The pending error of the socket has been taken with it, or is next. */
        n = edo_udp_try_recv_error(self->socket, ready(&self->in));
        assert_true(n == -EAGAIN || n == -ECONNREFUSED);
        assert_int_equal(edo_udp_try_recv_error(self->socket, ready(&self->in)), -EAGAIN);
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

async_test(waits_for_an_error, edo_udp *socket, *nobody; edo_address dead; taken in;
           edo_task *task;)
{
    edo_body {
        int64_t n;
        self->socket = error_socket();
        self->nobody = dead_socket(&self->dead);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_udp_send_to(self->socket, "lost", 4, &self->dead));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 4);
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

/* An error that has no message in the queue is taken, once. */
async_test(an_error_without_a_message, edo_udp *socket, *nobody; edo_address dead; taken in;
           edo_task *task;)
{
    edo_body {
        int64_t n;
        self->nobody = dead_socket(&self->dead);
        assert_int_equal(edo_udp_open(&self->dead, NULL, &self->socket), 0);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_udp_send(self->socket, "lost", 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECONNREFUSED);
        assert_int_equal(edo_udp_take_error(self->socket), 0);
        edo_await(n, edo_udp_send(self->socket, "lost", 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, -ECONNREFUSED);
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

/* An answer from a dead peer fails neither a send to somebody else nor a receive. */
enum { SENDS = 100 };

async_test(answers_of_others, edo_udp *socket, *live, *nobody; edo_address dead, to, own; taken in;
           char buffer[8]; unsigned i;)
{
    edo_body {
        int64_t n;
        self->socket = error_socket();
        self->nobody = dead_socket(&self->dead);
        self->live = loopback_socket(&self->to);
        assert_int_equal(edo_udp_local(self->socket, &self->own), 0);
        for (self->i = 0; self->i < SENDS; self->i++) {
            edo_await(n, edo_udp_send_to(self->socket, "dead", 4, &self->dead));
            assert_int_equal(n, 4);
            edo_await(n, edo_udp_send_to(self->socket, "live", 4, &self->to));
            assert_int_equal(n, 4);
            edo_await(n, edo_udp_recv(self->live, self->buffer, 8));
            assert_int_equal(n, 4);
            edo_await(n, edo_udp_send_to(self->socket, "dead", 4, &self->dead));
            edo_await(n, edo_udp_send_to(self->live, "back", 4, &self->own));
            edo_await(n, edo_udp_recv(self->socket, self->buffer, 8));
            assert_int_equal(n, 4);
            while (edo_udp_try_recv_error(self->socket, ready(&self->in)) != -EAGAIN)
                continue;
        }
        edo_udp_close(self->socket);
        edo_udp_close(self->live);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

/* A receive that waits beside a queue that nobody reads costs nothing, and is served. */
static uint64_t polls_of(const edo_task *task)
{
    edo_task_metrics metrics;
    assert_int_equal(edo_task_metrics_read(task, &metrics), 0);
    return metrics.polls;
}

static edo_task *spawn_counted(edo_op op)
{
    edo_task *task;
    edo_spawn_options options = { .metrics = true };
    assert_int_equal(edo_spawn_with(&task, &options, run_op, .op = op), 0);
    return task;
}

async_test(an_unread_queue, edo_udp *socket, *nobody; edo_address dead, own; edo_task *task; int fd;
           char buffer[8]; uint64_t before; unsigned i;)
{
    edo_body {
        int64_t n;
        self->socket = error_socket();
        self->nobody = dead_socket(&self->dead);
        self->fd = plain_socket();
        assert_int_equal(edo_udp_local(self->socket, &self->own), 0);
        edo_await(n, edo_udp_send_to(self->socket, "dead", 4, &self->dead));
        for (self->i = 0; self->i < 3; self->i++) {
            self->task = spawn_counted(edo_udp_recv(self->socket, self->buffer, 8));
            settle();
            self->before = polls_of(self->task);
            settle();
            settle();
            edo_await(n, edo_sleep(edo_s(10))); // the test clock advances once all is at rest
            assert_true(polls_of(self->task) - self->before <= 10);
            send_plainly(self->fd, "data", 4, &self->own);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, 4);
        }
        close(self->fd);
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

async_test(times_of_sends, edo_udp *socket; edo_address to; taken in;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        assert_int_equal(edo_udp_set(self->socket, EDO_UDP_SEND_TIMESTAMPS, 1), 0);
        edo_await(n, edo_udp_send_to(self->socket, "timed", 5, &self->to));
        assert_int_equal(n, 5);
        edo_await(n, edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 0); // a stamp without the datagram
        assert_true(edo_datagram_error_read(&self->in.control, &self->in.error));
        assert_int_equal(self->in.error.origin, EDO_ERROR_TIMESTAMP);
        assert_int_equal(self->in.error.error, 0);
        assert_int_equal(self->in.error.id, 0);
        assert_true(self->in.error.timestamp > 1700000000000000000);
        assert_int_equal(edo_udp_try_recv_error(self->socket, ready(&self->in)), -EAGAIN);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* An empty queue of a blocking socket does not block. */
test(a_blocking_socket)
{
    edo_udp *socket;
    taken in;
    assert_int_equal(edo_udp_from_fd(plain_socket(), &socket), 0);
    assert_int_equal(edo_udp_try_recv_error(socket, ready(&in)), -EAGAIN);
    assert_int_equal(edo_udp_try_recv_error(NULL, &in.message), -EINVAL);
    assert_int_equal(edo_udp_try_recv_error(socket, NULL), -EINVAL);
    edo_udp_close(socket);
}

async_test(cancelled_and_closed, edo_udp *socket, *nobody; edo_address dead; taken in;
           edo_task *task;)
{
    edo_body {
        int64_t n;
        self->socket = error_socket();
        self->nobody = dead_socket(&self->dead);
        edo_await_for(n, edo_ms(1), edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, -ETIMEDOUT);
        edo_await(n, edo_udp_send_to(self->socket, "lost", 4, &self->dead));
        edo_await(n, edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 4);
        while (edo_udp_try_recv_error(self->socket, ready(&self->in)) != -EAGAIN)
            continue;
        n = edo_spawn(&self->task, run_op,
                      .op = edo_udp_recv_error(self->socket, ready(&self->in)));
        assert_int_equal(n, 0);
        settle();
        edo_udp_close(self->socket);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

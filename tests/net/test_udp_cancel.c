/* Each operation of a UDP socket, cancelled at every point: before its first poll, and after each
 * number of turns, beside a datagram that arrives or does not. It has had its effect, or none. */
#include "support/udp.h"

enum { KINDS = 5, POINTS = 8, SIZE = 8, SEGMENTS = 4 };

typedef struct place {
    char bytes[SIZE * SEGMENTS];
    edo_slice slice;
    edo_message message;
    edo_address from;
} place;

static void prepare(place *at, size_t size)
{
    at->slice = (edo_slice){ at->bytes, size };
    at->message = (edo_message){ .slices = &at->slice, .slice_count = 1 };
}

static edo_op receive_of(unsigned kind, edo_udp *socket, place *at)
{
    prepare(at, SIZE);
    switch (kind) {
    case 0: return edo_udp_recv(socket, at->bytes, SIZE);
    case 1: return edo_udp_recv_from(socket, at->bytes, SIZE, &at->from);
    case 2: return edo_udp_recv_message(socket, &at->message);
    case 3: return edo_udp_recv_many(socket, &at->message, 1);
    default: return edo_udp_peek(socket, at->bytes, SIZE, &at->from);
    }
}

static edo_op send_of(unsigned kind, edo_udp *socket, place *at, const edo_address *to)
{
    prepare(at, kind == 4 ? SIZE * SEGMENTS : SIZE);
    at->message.address = *to;
    switch (kind) {
    case 0: return edo_udp_send_to(socket, at->bytes, SIZE, to);
    case 1: return edo_udp_send_message(socket, &at->message);
    case 2: return edo_udp_send_many(socket, &at->message, 1);
    case 3: return edo_udp_send_to(socket, NULL, 0, to);
    default: return edo_udp_send_segments(socket, &at->message, SIZE);
    }
}

/* Takes all datagrams. Returns: their number. expected: number of those that are waited for. */
static unsigned drain(edo_udp *socket, unsigned expected)
{
    char bytes[SIZE];
    unsigned count = 0;
    for (; count < expected; count++) {
        await_datagram(socket);
        assert_true(edo_udp_try_recv(socket, bytes, SIZE) >= 0);
    }
    while (edo_udp_try_recv(socket, bytes, SIZE) >= 0)
        count++;
    return count;
}

/* ---- before the first poll ---- */

async_test(cancelled_before_the_first_poll, edo_udp *socket; edo_address own; edo_op op;
           unsigned kind; place at;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->own);
        for (self->kind = 0; self->kind < 2 * KINDS; self->kind++) {
            n = edo_udp_try_send_to(self->socket, "ready", 5, &self->own);
            assert_int_equal(n, 5);
            self->op = self->kind < KINDS
                           ? receive_of(self->kind, self->socket, &self->at)
                           : send_of(self->kind - KINDS, self->socket, &self->at, &self->own);
            edo_cancel(&self->op.base);
            edo_await_on(n, &self->op.base);
            assert_int_equal(n, -ECANCELED);
            assert_int_equal(drain(self->socket, 1), 1);
        }
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- receives ---- */

async_test(receives_cancelled, edo_udp *socket; edo_address own; int fd; edo_task *task; edo_op op;
           unsigned kind, point, turn, sent; place at;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->own);
        self->fd = plain_socket();
        for (self->kind = 0; self->kind < KINDS; self->kind++) {
            for (self->point = 0; self->point < 4 * POINTS; self->point++) {
                n = edo_spawn(&self->task, run_op,
                              .op = receive_of(self->kind, self->socket, &self->at),
                              .ret_op = &self->op);
                assert_int_equal(n, 0);
                self->sent = self->point & 1;
                if (self->point & 2) settle();
                if (self->sent) send_plainly(self->fd, "datagram", SIZE, &self->own);
                for (self->turn = 0; self->turn < self->point / 4; self->turn++)
                    edo_await(n, edo_yield());
                edo_task_cancel(self->task);
                edo_await(n, edo_join(self->task));
                assert_true(n > 0 || n == -ECANCELED);
                assert_true(n < 0 || self->sent);
                assert_int_equal(edo_op_progress(&self->op) != 0, n > 0);
                unsigned left = self->sent && (n < 0 || self->kind == 4);
                assert_int_equal(drain(self->socket, left), left);
            }
        }
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- sends ---- */

async_test(sends_cancelled, edo_udp *socket, *sender; edo_address to; edo_task *task;
           unsigned kind, point, turn; place at;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->sender = loopback_socket(NULL);
        for (self->kind = 0; self->kind < KINDS; self->kind++) {
            for (self->point = 0; self->point < POINTS; self->point++) {
                n = edo_spawn(&self->task, run_op,
                              .op = send_of(self->kind, self->sender, &self->at, &self->to));
                assert_int_equal(n, 0);
                for (self->turn = 0; self->turn < self->point; self->turn++)
                    edo_await(n, edo_yield());
                edo_task_cancel(self->task);
                edo_await(n, edo_join(self->task));
                assert_true(n >= 0 || n == -ECANCELED);
                unsigned all = self->kind == 4 ? SEGMENTS : 1;
                unsigned part = self->kind == 4 ? (unsigned)self->at.message.size / SIZE : 0;
                assert_int_equal(drain(self->socket, n >= 0 ? all : part), n >= 0 ? all : part);
            }
        }
        edo_udp_close(self->sender);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* ---- the error queue ---- */

async_test(errors_cancelled, edo_udp *socket, *nobody; edo_address dead; edo_task *task;
           unsigned point, turn, sent, left; place at;)
{
    edo_body {
        int64_t n;
        self->nobody = dead_socket(&self->dead);
        self->socket = loopback_socket(NULL);
        assert_int_equal(edo_udp_set(self->socket, EDO_UDP_ERRORS, 1), 0);
        for (self->point = 0; self->point < 2 * POINTS; self->point++) {
            prepare(&self->at, SIZE);
            n = edo_spawn(&self->task, run_op,
                          .op = edo_udp_recv_error(self->socket, &self->at.message));
            assert_int_equal(n, 0);
            self->sent = self->point & 1;
            settle();
            if (self->sent) edo_udp_try_send_to(self->socket, "datagram", SIZE, &self->dead);
            for (self->turn = 0; self->turn < self->point / 2; self->turn++)
                edo_await(n, edo_yield());
            edo_task_cancel(self->task);
            edo_await(n, edo_join(self->task));
            assert_true(n == SIZE || n == -ECANCELED);
            if (self->sent && n != SIZE) await_network_error(self->socket);
            self->left = 0;
            prepare(&self->at, SIZE);
            while (edo_udp_try_recv_error(self->socket, &self->at.message) != -EAGAIN) {
                self->left += self->at.message.size == SIZE; // else an error of the socket
                self->at.message.size = 0;
            }
            assert_int_equal(self->left + (n == SIZE), self->sent);
        }
        edo_udp_close(self->socket);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

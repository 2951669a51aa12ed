/* UDP sockets: life, datagrams, truncation, errors of the network. */
#include "support/udp.h"

#include "runtime/inspect/maker.h"

/* ---- datagrams ---- */

async_test(there_and_back, edo_udp *client, *server; edo_address to, from, own; char buffer[64];)
{
    edo_body {
        int64_t n;
        self->server = loopback_socket(&self->to);
        self->client = loopback_socket(&self->own);
        edo_await(n, edo_udp_send_to(self->client, "hello", 5, &self->to));
        assert_int_equal(n, 5);
        edo_await(n, edo_udp_recv_from(self->server, self->buffer, 64, &self->from));
        assert_int_equal(n, 5);
        assert_int_equal(edo_op_progress(edo_last_op()), 5);
        assert_memory_equal(self->buffer, "hello", 5);
        assert_true(edo_address_equals(&self->from, &self->own));
        edo_await(n, edo_udp_send_to(self->server, self->buffer, 5, &self->from));
        assert_int_equal(n, 5);
        edo_await(n, edo_udp_recv(self->client, self->buffer, 64));
        assert_int_equal(n, 5);
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

async_test(waits_for_a_datagram, edo_task *task; edo_udp *socket; edo_address to, from; int fd;
           char buffer[8];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        n = edo_spawn(&self->task, run_op,
                      .op = edo_udp_recv_from(self->socket, self->buffer, 8, &self->from));
        assert_int_equal(n, 0);
        settle();
        send_plainly(self->fd, "late", 4, &self->to);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "late", 4);
        assert_true(edo_address_is_loopback(&self->from));
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

async_test(connected, edo_udp *ends[2]; edo_address peer, local; char buffer[8]; int fd;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        edo_await(n, edo_udp_send(self->ends[0], "ping", 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_udp_recv(self->ends[1], self->buffer, 8));
        assert_int_equal(n, 4);
        assert_int_equal(edo_udp_peer(self->ends[0], &self->peer), 0);
        assert_int_equal(edo_udp_local(self->ends[1], &self->local), 0);
        assert_true(edo_address_equals(&self->peer, &self->local));
        self->fd = plain_socket(); // datagrams of others do not arrive
        send_plainly(self->fd, "other", 5, &self->local);
        close(self->fd);
        edo_await_for(n, edo_ms(1), edo_udp_recv(self->ends[1], self->buffer, 8));
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(edo_udp_connect(self->ends[0], NULL), 0);
        assert_int_equal(edo_udp_peer(self->ends[0], &self->peer), -ENOTCONN);
        edo_await(n, edo_udp_send(self->ends[0], "ping", 4));
        assert_int_equal(n, -EDESTADDRREQ);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

async_test(opened_towards_a_peer, edo_udp *client, *server; edo_address to; char buffer[8];)
{
    edo_body {
        int64_t n;
        self->server = loopback_socket(&self->to);
        assert_int_equal(edo_udp_open(&self->to, NULL, &self->client), 0);
        edo_await(n, edo_udp_send(self->client, "x", 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_udp_recv(self->server, self->buffer, 8));
        assert_int_equal(n, 1);
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

/* A datagram of no bytes has a sender, and is neither the end nor nothing. */
async_test(empty_datagrams, edo_udp *socket; edo_address to, from; int fd; char buffer[8];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        send_plainly(self->fd, "", 0, &self->to);
        send_plainly(self->fd, "later", 5, &self->to);
        edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 8, &self->from));
        assert_int_equal(n, 0);
        assert_true(edo_address_is_loopback(&self->from));
        edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 8, &self->from));
        assert_int_equal(n, 5);
        edo_await(n, edo_udp_send_to(self->socket, NULL, 0, &self->to));
        assert_int_equal(n, 0);
        edo_await(n, edo_udp_recv(self->socket, NULL, 0));
        assert_int_equal(n, 0);
        assert_int_equal(edo_udp_try_recv(self->socket, self->buffer, 8), -EAGAIN);
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* A cut datagram is told, with its true size, and is not merged with the next one. */
async_test(cut_datagrams, edo_udp *socket; edo_address to, from; int fd; char long_one[2000];
           char buffer[1000]; edo_slice slice; edo_message message;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        fill_pattern(self->long_one, 2000, 7, 0);
        for (n = 0; n < 2; n++) {
            send_plainly(self->fd, self->long_one, 2000, &self->to);
            send_plainly(self->fd, "next", 4, &self->to);
        }
        edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 1000, &self->from));
        assert_int_equal(n, -EMSGSIZE);
        assert_int_equal(edo_op_progress(edo_last_op()), 2000);
        assert_true(is_pattern(self->buffer, 1000, 7, 0));
        assert_true(edo_address_is_loopback(&self->from));
        edo_await(n, edo_udp_recv(self->socket, self->buffer, 1000));
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "next", 4);

        self->slice = (edo_slice){ self->buffer, 1000 };
        self->message = (edo_message){ .slices = &self->slice, .slice_count = 1 };
        edo_await(n, edo_udp_recv_message(self->socket, &self->message));
        assert_int_equal(n, 1000);
        assert_int_equal(self->message.size, 2000);
        assert_int_equal(self->message.flags, EDO_MESSAGE_TRUNCATED);
        edo_await(n, edo_udp_recv_message(self->socket, &self->message));
        assert_int_equal(n, 4);
        assert_int_equal(self->message.flags, 0);
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

async_test(peek, edo_udp *socket; edo_address to, from; int fd; char buffer[8]; edo_slice slice;
           edo_message message;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->fd = plain_socket();
        send_plainly(self->fd, "0123456789", 10, &self->to);
        edo_await(n, edo_udp_peek(self->socket, self->buffer, 4, &self->from));
        assert_int_equal(n, -EMSGSIZE);
        assert_int_equal(edo_op_progress(edo_last_op()), 10);
        assert_int_equal(edo_udp_try_peek(self->socket, self->buffer, 8, NULL), -EMSGSIZE);
        self->slice = (edo_slice){ self->buffer, 8 };
        self->message = (edo_message){ .slices = &self->slice,
                                       .slice_count = 1,
                                       .options = EDO_MESSAGE_PEEK };
        edo_await(n, edo_udp_recv_message(self->socket, &self->message));
        assert_int_equal(n, 8);
        assert_int_equal(self->message.size, 10);
        assert_true(edo_address_equals(&self->message.address, &self->from));
        self->message.options = 0;
        edo_await(n, edo_udp_recv_message(self->socket, &self->message));
        assert_int_equal(n, 8);
        assert_int_equal(edo_udp_try_recv(self->socket, self->buffer, 8), -EAGAIN);
        close(self->fd);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

async_test(vectors, edo_udp *ends[2]; char a[4], b[4]; edo_slice out[3], in[2]; edo_message sent,
           got;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        self->out[0] = (edo_slice){ memcpy(self->a, "ab", 2), 2 };
        self->out[1] = (edo_slice){ NULL, 0 };
        self->out[2] = (edo_slice){ memcpy(self->b, "cde", 3), 3 };
        self->sent = (edo_message){ .slices = self->out, .slice_count = 3 };
        edo_await(n, edo_udp_send_message(self->ends[0], &self->sent));
        assert_int_equal(n, 5);
        self->in[0] = (edo_slice){ self->a, 4 };
        self->in[1] = (edo_slice){ self->b, 4 };
        self->got = (edo_message){ .slices = self->in, .slice_count = 2 };
        edo_await(n, edo_udp_recv_message(self->ends[1], &self->got));
        assert_int_equal(n, 5);
        assert_int_equal(self->got.size, 5);
        assert_memory_equal(self->a, "abcd", 4);
        assert_memory_equal(self->b, "e", 1);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

async_test(both_families, edo_udp *server, *client; edo_address to, from; char buffer[8];)
{
    edo_body {
        int64_t n;
        if (!has_ipv6()) edo_return(0);
        assert_int_equal(edo_udp_bind_text(":0", NULL, &self->server), 0);
        assert_int_equal(edo_udp_local(self->server, &self->to), 0);
        self->client = loopback_socket(NULL);
        self->to = edo_address_v4((const uint8_t[]){ 127, 0, 0, 1 }, edo_address_port(&self->to));
        edo_await(n, edo_udp_send_to(self->client, "four", 4, &self->to));
        assert_int_equal(n, 4);
        edo_await(n, edo_udp_recv_from(self->server, self->buffer, 8, &self->from));
        assert_int_equal(n, 4);
        assert_true(edo_address_is_v4_mapped(&self->from));
        self->from = edo_address_unmapped(&self->from);
        assert_true(edo_address_is_loopback(&self->from));
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

/* ---- without waiting ---- */

test(tries_outside_of_a_runtime)
{
    edo_udp *ends[2];
    char buffer[8];
    edo_address from, peer;
    edo_slice slice = { buffer, sizeof buffer };
    edo_message message = { .slices = &slice, .slice_count = 1 };
    connected_sockets(ends);
    assert_int_equal(edo_udp_peer(ends[1], &peer), 0);
    assert_int_equal(edo_udp_try_recv(ends[1], buffer, 8), -EAGAIN);
    assert_int_equal(edo_udp_try_recv_message(ends[1], &message), -EAGAIN);
    assert_int_equal(edo_udp_try_recv_many(ends[1], &message, 1), -EAGAIN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(edo_udp_try_send(ends[0], "data", 4), 4);
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_peek(ends[1], buffer, 8, &from), 4);
    assert_true(edo_address_equals(&from, &peer));
    assert_int_equal(edo_udp_try_recv_from(ends[1], buffer, 8, &from), 4);
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_recv(ends[1], buffer, 3), -EMSGSIZE);
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_recv_message(ends[1], &message), 4);
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_recv_many(ends[1], &message, 1), 1);
    assert_int_equal(edo_udp_try_send_message(ends[0], &message), 8);
    assert_int_equal(edo_udp_try_send_to(ends[0], "x", 1, NULL), -EINVAL);
    edo_udp_close(ends[0]);
    edo_udp_close(ends[1]);
}

/* ---- life ---- */

test(bad_arguments)
{
    edo_udp *socket = NULL;
    edo_address address, none = { { 0 } }, path;
    edo_udp_options options = { .recv_buffer = -1 };
    assert_int_equal(edo_address_unix("/x", &path), 0);
    assert_int_equal(edo_udp_bind(NULL, NULL, &socket), -EINVAL);
    assert_int_equal(edo_udp_bind(&none, NULL, &socket), -EINVAL);
    assert_int_equal(edo_udp_bind(&path, NULL, &socket), -EINVAL);
    assert_int_equal(edo_udp_bind_text("127.0.0.1", NULL, &socket), -EINVAL);
    assert_int_equal(edo_udp_bind_text("127.0.0.1:0", &options, &socket), -EINVAL);
    assert_int_equal(edo_udp_bind_text("127.0.0.1:0", NULL, NULL), -EINVAL);
    assert_int_equal(edo_udp_local(NULL, &address), -EINVAL);
    assert_int_equal(edo_udp_connect(NULL, &address), -EINVAL);
    assert_int_equal(edo_udp_fd(NULL), -EINVAL);
    assert_int_equal(edo_udp_into_fd(NULL), -EINVAL);
    assert_int_equal(edo_udp_take_error(NULL), -EINVAL);
    assert_int_equal(edo_udp_try_recv(NULL, &address, 1), -EINVAL);
    assert_int_equal(edo_udp_try_send_to(NULL, "x", 1, &address), -EINVAL);
    assert_null(socket);
    edo_udp_close(NULL);
}

async_test(bad_operations, edo_udp *socket; edo_message message; char buffer[4];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(NULL);
        edo_await(n, edo_udp_recv(NULL, self->buffer, 4));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_udp_recv(self->socket, NULL, 4));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_udp_send_to(self->socket, "x", 1, NULL));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_udp_recv_message(self->socket, NULL));
        assert_int_equal(n, -EINVAL);
        self->message = (edo_message){ .slice_count = 1 };
        edo_await(n, edo_udp_send_message(self->socket, &self->message));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_udp_recv_many(self->socket, &self->message, 0));
        assert_int_equal(n, -EINVAL);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

test(descriptors)
{
    edo_udp *socket;
    edo_address address;
    size_t before = open_descriptors();
    int fd = plain_socket(), pipe_fds[2];
    assert_int_equal(edo_udp_from_fd(fd, &socket), 0);
    assert_int_equal(edo_udp_fd(socket), fd);
    assert_int_equal(edo_udp_peer(socket, &address), -ENOTCONN);
    assert_int_equal(edo_udp_into_fd(socket), fd);
    assert_true(fd_is_open(fd));
    close(fd);
    assert_int_equal(edo_udp_from_fd(fd, &socket), -EBADF);
    assert_return_code(pipe(pipe_fds), errno);
    assert_int_equal(edo_udp_from_fd(pipe_fds[0], &socket), -ENOTSOCK);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    open_pair(UNIX_STREAM, pipe_fds);
    assert_int_equal(edo_udp_from_fd(pipe_fds[0], &socket), -EINVAL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_int_equal(open_descriptors(), before);
}

async_test(a_close_ends_waiters, edo_task *tasks[3]; edo_udp *socket; char buffer[8]; unsigned i;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(NULL);
        for (self->i = 0; self->i < 3; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_udp_recv(self->socket, self->buffer, 8));
            assert_int_equal(n, 0);
        }
        settle();
        assert_int_equal(edo_udp_into_fd(self->socket), -EBUSY);
        edo_udp_close(self->socket);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        edo_return(0);
    }
}

/* The memory of ended sockets is kept as long as there is a runtime. */
static edo_udp *socket_beside_a_runtime(void)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    return loopback_socket(NULL);
}

static void use_after_close(void *arg)
{
    edo_udp *socket = socket_beside_a_runtime();
    char buffer[8];
    (void)arg;
    edo_udp_close(socket);
    edo_udp_try_recv(socket, buffer, 8);
}

static void close_twice(void *arg)
{
    edo_udp *socket = socket_beside_a_runtime();
    (void)arg;
    edo_udp_close(socket);
    edo_udp_close(socket);
}

test(misuse)
{
    if (!EDO__KEEPS_CLOSED) skip(); // the memory is freed: a sanitizer reports the use
    expect_abort(use_after_close, NULL, "edo_udp_recv: the socket was closed before");
    expect_abort(close_twice, NULL, "edo_udp_close: the socket was closed before");
}

/* ---- errors of the network ---- */

/* On a connected socket an error is told once; the socket can be used as before. */
async_test(refused_once, edo_udp *client, *server; edo_address to, from; char buffer[8];)
{
    edo_body {
        int64_t n;
        self->server = dead_socket(&self->to);
        assert_int_equal(edo_udp_open(&self->to, NULL, &self->client), 0);
        edo_await(n, edo_udp_send(self->client, "1", 1));
        assert_int_equal(n, 1);
        await_network_error(self->client);
        edo_await(n, edo_udp_send(self->client, "2", 1));
        assert_int_equal(n, -ECONNREFUSED);
        assert_int_equal(edo_udp_local(self->client, &self->from), 0);
        assert_int_equal(edo_udp_connect(self->server, &self->from), 0); // from now on it receives
        edo_await(n, edo_udp_send(self->client, "3", 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_udp_recv(self->server, self->buffer, 8));
        assert_int_equal(n, 1);
        assert_memory_equal(self->buffer, "3", 1);
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

enum { REFUSALS = 4 };

/* Each error of the network wakes one waiting receive, also while the error queue is unread. */
struct refused_receives {
    edo_frame();
    edo_args(bool keeps_errors;);
    edo_udp *client, *nobody;
    edo_address to;
    char buffer[8];
    edo_task *task;
    int i;
};

edo_async(refused_receives)
{
    edo_body {
        int64_t n;
        self->nobody = dead_socket(&self->to);
        assert_int_equal(edo_udp_open(&self->to, NULL, &self->client), 0);
        assert_int_equal(edo_udp_set(self->client, EDO_UDP_ERRORS, self->keeps_errors), 0);
        for (self->i = 0; self->i < REFUSALS; self->i++) {
            n = edo_spawn(&self->task, run_op, .op = edo_udp_recv(self->client, self->buffer, 8));
            assert_int_equal(n, 0);
            settle();
            edo_await(n, edo_udp_send(self->client, "1", 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, -ECONNREFUSED);
            assert_int_equal(edo_udp_take_error(self->client), 0);
        }
        edo_udp_close(self->client);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

async_test(refused_receive, edo_callees(struct refused_receives callee;) int i;)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < 2; self->i++) {
            edo_call(n, refused_receives, .keeps_errors = self->i);
            assert_int_equal(n, 0);
        }
        edo_return(0);
    }
}

/* Each error fails the receive that has waited longest. */
async_test(refused_in_order, edo_udp *client, *nobody; edo_address to; char buffer[8];
           edo_task *tasks[REFUSALS]; int i;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // completes in random order
        self->nobody = dead_socket(&self->to);
        assert_int_equal(edo_udp_open(&self->to, NULL, &self->client), 0);
        for (self->i = 0; self->i < REFUSALS; self->i++) {
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_udp_recv(self->client, self->buffer, 8));
            assert_int_equal(n, 0);
            settle();
        }
        for (self->i = 0; self->i < REFUSALS; self->i++) {
            edo_await(n, edo_udp_send(self->client, "1", 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, -ECONNREFUSED);
            settle();
        }
        edo_udp_close(self->client);
        edo_udp_close(self->nobody);
        edo_return(0);
    }
}

/* An echo server whose first client has vanished serves the second one. */
async_test(a_client_vanishes, edo_udp *server, *client; edo_address to, from; char buffer[8];)
{
    edo_body {
        int64_t n;
        self->server = loopback_socket(&self->to);
        self->client = loopback_socket(NULL);
        edo_await(n, edo_udp_send_to(self->client, "one", 3, &self->to));
        edo_udp_close(self->client);
        edo_await(n, edo_udp_recv_from(self->server, self->buffer, 8, &self->from));
        assert_int_equal(n, 3);
        edo_await(n, edo_udp_send_to(self->server, self->buffer, 3, &self->from));
        assert_int_equal(n, 3); // nobody is there
        self->client = loopback_socket(NULL);
        edo_await(n, edo_udp_send_to(self->client, "three", 5, &self->to));
        edo_await(n, edo_udp_recv_from(self->server, self->buffer, 8, &self->from));
        assert_int_equal(n, 5);
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

/* TCP, with each request failing. */
#include "faults/sweep.h"

#include <stdio.h>
#include <sys/socket.h>

#include "support/streams.h"

/* Time to wait for a peer that may never come, by the test clock. Limited only under persistent
 * failures, because a driver that is late on purpose would lose against that clock. */
static int64_t patience(void)
{
    return faults_persist() ? edo_minutes(10) : EDO_NEVER;
}

/* ---- a server and its clients ---- */

struct echo {
    edo_frame();
    edo_args(edo_io *conn;);
    char buffer[64];
};

edo_async(echo)
{
    edo_body {
        int64_t n;
        edo_tcp_set_nodelay(self->conn, true);
        for (;;) {
            edo_await(n, edo_read(self->conn, self->buffer, sizeof self->buffer));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->conn, self->buffer, (size_t)n));
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(n);
    }
}

struct server {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    edo_scope scope;
};

/* Goes on after a connection that was lost for lack of memory, until it is cancelled. */
edo_async(server)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, 0);
        for (;;) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc == -ENOMEM) continue;
            if (rc < 0) break;
            rc = edo_scope_spawn(&self->scope, echo, .conn = self->conn);
            if (rc < 0) edo_close(self->conn);
        }
        edo_shield();
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(0);
    }
}

struct client {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
    int64_t result;
    char buffer[5];
};

edo_async(client)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_tcp_connect(self->address, &self->conn));
        if (rc < 0) edo_return(rc);
        edo_tcp_set_nodelay(self->conn, true); // for a driver that writes single bytes
        edo_await(rc, edo_write_all(self->conn, "hello", sizeof self->buffer));
        if (rc > 0)
            edo_await_for(rc, patience(),
                          edo_read_exact(self->conn, self->buffer, sizeof self->buffer));
        self->result = rc < 0 ? rc : 0;
        edo_await_for(rc, patience(), edo_finish(self->conn));
        edo_return(first_failure(self->result, rc));
    }
}

/* Result of a client whose server has a shortage: the connection is reset, never accepted, or
 * refused. */
static int64_t as_client_sees(int64_t rc)
{
    bool servers_fault = rc == -ECONNRESET || rc == -EPIPE || rc == -ETIMEDOUT || rc == -EDO_EOF;
    return servers_fault && (faults_hit() || faults_persist()) ? 0 : rc;
}

enum { CLIENTS = 5 };

struct service {
    edo_frame(struct client client;);
    edo_args();
    edo_listener *listener;
    edo_task *server, *clients[CLIENTS];
    char address[EDO_ADDRESS_SIZE];
    int64_t result;
    unsigned i;
};

edo_async(service)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        if (rc < 0) edo_return(rc);
        rc = edo_listener_address(self->listener, self->address, sizeof self->address);
        assert_true(rc > 0);
        self->result = edo_spawn(&self->server, server, .listener = self->listener);
        if (self->result < 0) {
            edo_listener_close(self->listener);
            edo_return(self->result);
        }
        for (self->i = 0; self->i < CLIENTS; self->i++) {
            rc = edo_spawn(&self->clients[self->i], client, .address = self->address);
            if (rc < 0) self->clients[self->i] = NULL;
            self->result = first_failure(self->result, rc);
        }
        for (self->i = 0; self->i < CLIENTS; self->i++) {
            if (!self->clients[self->i]) continue;
            edo_await(rc, edo_join(self->clients[self->i]));
            self->result = first_failure(self->result, as_client_sees(rc));
        }
        edo_task_cancel(self->server);
        edo_await(rc, edo_join(self->server));
        edo_listener_close(self->listener);
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t echo_service(void)
{
    return on_runtime(service);
}
fault_test(echo_service)

/* ---- many connections that wait in the queue, and are never accepted ---- */

enum { WAITING = 24 };

struct queue {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn, *conns[WAITING];
    char address[EDO_ADDRESS_SIZE];
    int64_t result;
    unsigned i, count;
};

edo_async(queue)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        if (rc < 0) edo_return(rc);
        edo_listener_address(self->listener, self->address, sizeof self->address);
        edo_await_for(rc, edo_ms(1), edo_accept(self->listener, &self->conn));
        self->result = rc == -ETIMEDOUT ? 0 : rc;
        for (self->i = 0; self->i < WAITING; self->i++) {
            edo_await(rc, edo_tcp_connect(self->address, &self->conns[self->count]));
            self->result = first_failure(self->result, rc);
            if (rc == 0) self->count++;
        }
        edo_await_for(rc, patience(), edo_accept(self->listener, &self->conn));
        if (rc == 0) edo_close(self->conn);
        if (rc == -ETIMEDOUT && faults_persist()) rc = 0; // a shortage that does not end
        self->result = first_failure(self->result, rc);
        edo_listener_close(self->listener);
        while (self->count)
            edo_close(self->conns[--self->count]);
        edo_return(self->result);
    }
}

static int64_t accept_queue(void)
{
    return on_runtime(queue);
}
fault_test(accept_queue)

/* ---- connections that are refused, or cancelled before they are established ---- */

struct refused {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
};

edo_async(refused)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_connect_from("127.0.0.1:0", self->address, &self->conn));
        edo_return(rc == -ECONNREFUSED ? 0 : rc);
    }
}

static int64_t refusal(void)
{
    char address[EDO_ADDRESS_SIZE];
    uint16_t port;
    int fd = reserve_port(AF_INET, &port);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    int64_t rc = on_runtime(refused, .address = address);
    close(fd);
    return rc;
}
fault_test(refusal)

/* ---- a listener on a socket of the program ---- */

static int64_t listener_from_fd(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    assert_return_code(listen(fd, 1), errno);
    edo_listener *listener;
    int rc = edo_listener_from_fd(fd, &listener);
    if (rc < 0)
        close(fd);
    else
        edo_listener_close(listener);
    return rc;
}
fault_test(listener_from_fd)

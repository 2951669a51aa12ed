/* UDP, with each request failing. */
#include "faults/sweep.h"

#include <string.h>

struct answer {
    edo_frame();
    edo_args(edo_udp *socket; unsigned count;);
    edo_address from;
    char buffer[16];
};

edo_async(answer)
{
    edo_body {
        int64_t n = 0;
        for (; self->count > 0 && n >= 0; self->count--) {
            edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 16, &self->from));
            if (n < 0) break;
            edo_await(n, edo_udp_send_to(self->socket, self->buffer, (size_t)n, &self->from));
        }
        edo_return(n < 0 ? n : 0);
    }
}

/* Fails if there is no answer in ten minutes of the test clock, which is the failure of the
 * server. */
struct ask {
    edo_frame();
    edo_args(edo_udp *socket;);
    char buffer[16];
};

edo_async(ask)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_udp_send(self->socket, "question", 8));
        if (n < 0) edo_return(n);
        if (faults_persist() || faults_hit())
            edo_await_for(n, edo_minutes(10), edo_udp_recv(self->socket, self->buffer, 16));
        else
            edo_await(n, edo_udp_recv(self->socket, self->buffer, 16));
        edo_return(n < 0 ? n : 0);
    }
}

enum { SERVERS = 2, CLIENTS = 4 };

struct conversation {
    edo_frame(struct join_all join_all;);
    edo_args();
    edo_udp *server, *clients[CLIENTS];
    edo_task *tasks[SERVERS + CLIENTS];
    edo_address address;
    int64_t result;
    unsigned i, good;
};

static int64_t open_all(struct conversation *self)
{
    int64_t rc = edo_udp_bind_text("127.0.0.1:0", NULL, &self->server);
    if (rc == 0) rc = edo_udp_local(self->server, &self->address);
    for (unsigned i = 0; i < CLIENTS && rc == 0; i++)
        rc = edo_udp_open(&self->address, NULL, &self->clients[i]);
    return rc;
}

static int64_t spawn_all(struct conversation *self)
{
    int64_t rc = 0;
    for (unsigned i = 0; i < SERVERS && rc == 0; i++)
        rc = edo_spawn(&self->tasks[i], answer, .socket = self->server, .count = CLIENTS / SERVERS);
    for (unsigned i = 0; i < CLIENTS && rc == 0; i++)
        rc = edo_spawn(&self->tasks[SERVERS + i], ask, .socket = self->clients[i]);
    return rc;
}

static void cancel_all(edo_task **tasks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (tasks[i]) edo_task_cancel(tasks[i]);
}

/* Two tasks answer on one socket. A client or a server that fails ends all others. */
edo_async(conversation)
{
    edo_body {
        memset(self->clients, 0, sizeof self->clients);
        memset(self->tasks, 0, sizeof self->tasks);
        self->server = NULL;
        self->result = open_all(self);
        if (self->result == 0) self->result = spawn_all(self);
        if (self->result < 0) cancel_all(self->tasks, SERVERS + CLIENTS);
        edo_call(self->result, join_all, .tasks = self->tasks + SERVERS, .count = CLIENTS,
                 .so_far = self->result, .ret_good = &self->good);
        if (self->result < 0) cancel_all(self->tasks, SERVERS);
        edo_call(self->result, join_all, .tasks = self->tasks, .count = SERVERS,
                 .so_far = self->result, .ret_good = &self->good);
        for (self->i = 0; self->i < CLIENTS; self->i++)
            edo_udp_close(self->clients[self->i]);
        edo_udp_close(self->server);
        edo_return(self->result);
    }
}

/* A client that got no answer has lost it by the server's failure. */
static int64_t datagrams(void)
{
    int64_t rc = on_runtime(conversation);
    return rc == -ETIMEDOUT && (faults_hit() || faults_persist()) ? 0 : rc;
}

fault_test(datagrams)

/* The wait for the error queue registers a second descriptor. */
struct errors {
    edo_frame();
    edo_args();
    edo_udp *socket, *dead;
    edo_address address;
    edo_message message;
    edo_task *receiver;
    char buffer[8];
};

struct receives {
    edo_frame();
    edo_args(edo_udp *socket;);
    char buffer[8];
};

edo_async(receives)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_udp_recv(self->socket, self->buffer, 8));
        edo_return(n == -ECANCELED ? 0 : n);
    }
}

static int64_t open_errors(struct errors *self)
{
    int64_t rc = edo_udp_bind_text("127.0.0.1:0", NULL, &self->dead);
    if (rc == 0) rc = edo_udp_local(self->dead, &self->address);
    edo_udp_close(self->dead);
    if (rc == 0) rc = edo_udp_bind_text("127.0.0.1:0", NULL, &self->socket);
    if (rc == 0) rc = edo_udp_set(self->socket, EDO_UDP_ERRORS, 1);
    return rc;
}

edo_async(errors)
{
    edo_body {
        int64_t rc;
        int64_t n;
        self->socket = self->dead = NULL;
        self->receiver = NULL;
        rc = open_errors(self);
        if (rc == 0) rc = edo_spawn(&self->receiver, receives, .socket = self->socket);
        if (rc < 0) {
            edo_udp_close(self->socket);
            edo_return(rc);
        }
        edo_await_void(edo_sleep(1)); // the receive waits now
        self->message = (edo_message){ 0 };
        edo_await_for(n, edo_ms(1), edo_udp_recv_error(self->socket, &self->message));
        if (n == -ETIMEDOUT) {
            edo_await(n, edo_udp_send_to(self->socket, "lost", 4, &self->address));
            if (n > 0) edo_await(n, edo_udp_recv_error(self->socket, &self->message));
        }
        edo_udp_close(self->socket);
        self->message.error = (int)n;
        edo_await(n, edo_join(self->receiver));
        edo_return(first_failure(self->message.error, n));
    }
}

static int64_t error_queue(void)
{
    return on_runtime(errors);
}

fault_test(error_queue)

static int64_t options(void)
{
    edo_udp *socket;
    int fd;
    edo_udp_options options = { .reuse_address = true, .recv_buffer = 4096 };
    int rc = edo_udp_bind_text(":0", &options, &socket);
    if (rc < 0) return rc;
    fd = edo_udp_into_fd(socket);
    rc = edo_udp_from_fd(fd, &socket);
    if (rc < 0)
        close(fd);
    else
        edo_udp_close(socket);
    return rc;
}

fault_test(options)

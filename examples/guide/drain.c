/* A server that drains: at SIGTERM it finishes what it has begun. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <edo/edo.h>

/* region: request */
struct request {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_limit limit;
};

edo_async(request)
{
    edo_body {
        edo_shield();                        // once begun, it is answered
        edo_within(&self->limit, edo_s(5)) { // but not for ever: behind a shield, so
            edo_try(edo_write_all(self->conn, "begun, ", 7)); // a limit holds there as well
            edo_try(edo_sleep(edo_ms(20)));
            edo_try(edo_write_all(self->conn, "done", 4));
        }
        edo_return(0);
    }
}

struct connection {
    edo_frame(struct request request;);
    edo_args(edo_io *conn;);
    char line[256];
};

edo_async(connection)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await_for(n, edo_s(60), edo_read(self->conn, self->line, sizeof self->line));
            edo_check_or(close, n);
            if (n == 0) break; // the peer has closed
            edo_try_call_or(close, request, .conn = self->conn);
        }
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: request */

/* region: serve */
struct serve {
    edo_frame();
    edo_args(const char *address; void (*listening)(edo_listener *););
    edo_listener *listener;
    edo_io *conn;
    edo_scope connections;
};

edo_async(serve)
{
    edo_body {
        int rc;
        edo_try(edo_tcp_listen(self->address, &self->listener));
        self->listening(self->listener);
        edo_scope_open(&self->connections, EDO_SCOPE_IGNORE); // a peer's failure is not ours
        for (;;) {
            edo_try_or(drain, edo_accept(self->listener, &self->conn)); // SIGTERM: -ECANCELED
            rc = edo_scope_spawn(&self->connections, connection, .conn = self->conn);
            if (rc < 0) edo_close(self->conn);
        }
drain:
        edo_listener_close(self->listener);   // the kernel refuses new connections from now on
        edo_scope_cancel(&self->connections); // idle ones end; a request is behind its shield
        edo_shield();
        edo_await_void(edo_scope_join(&self->connections));
        edo_return(edo_failure());
    }
}
/* end: serve */

/* ---- two visitors, on a plain thread ---- */

static struct sockaddr_in server;
static pthread_t visitors;

static int connect_to_server(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) exit(1);
    return fd;
}

/* Reads as much as there is until the end, or until text has come. */
static void read_until(int fd, const char *text, char *buffer, size_t size)
{
    size_t length = 0;
    for (ssize_t n; (n = read(fd, buffer + length, size - 1 - length)) > 0;) {
        length += (size_t)n;
        buffer[length] = 0;
        if (text && strstr(buffer, text)) return;
    }
    buffer[length] = 0;
}

static void *visit(void *arg)
{
    (void)arg;
    char begun[64], rest[64];
    int idle = connect_to_server(), busy = connect_to_server();
    if (write(busy, "hello", 5) != 5) exit(1);
    read_until(busy, "begun, ", begun, sizeof begun);
    kill(getpid(), SIGTERM); // in the middle of the request
    read_until(busy, NULL, rest, sizeof rest);
    printf("the busy connection: %s%s\n", begun, rest);
    read_until(idle, NULL, rest, sizeof rest);
    printf("the idle connection: closed\n");
    close(idle);
    close(busy);
    return NULL;
}

static void listening(edo_listener *listener)
{
    socklen_t size = sizeof server;
    if (getsockname(edo_listener_fd(listener), (struct sockaddr *)&server, &size) < 0) exit(1);
    if (pthread_create(&visitors, NULL, visit, NULL) != 0) exit(1);
}

/* region: main */
int main(void)
{
    int status = edo_run(serve, .address = "127.0.0.1:0", .listening = listening);
    pthread_join(visitors, NULL);
    printf("status %d\n", status);
    return status;
}
/* end: main */

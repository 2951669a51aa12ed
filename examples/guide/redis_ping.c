/* A Redis server, step 1: it listens, and answers each line. */
#include "redis_talk.h"

/* region: connection */
/* Answers the commands of one client. */
struct serve {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_reader in;
    edo_slice line;
    char memory[1024];
};

static const char *reply_to(edo_slice line)
{
    if (line.size == 4 && memcmp(line.data, "PING", 4) == 0) return "+PONG\r\n";
    return "-ERR unknown command\r\n";
}

edo_async(serve)
{
    edo_body {
        int64_t n;
        edo_reader_init(&self->in, self->conn, self->memory, sizeof self->memory);
        for (;;) {
            edo_try_or(close, n, edo_read_line(&self->in, &self->line));
            if (n == 0) break;
            const char *reply = reply_to(self->line);
            edo_try_or(close, edo_write_all(self->conn, reply, strlen(reply)));
        }
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: connection */

/* region: server */
struct server {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    edo_scope clients;
};

edo_async(server)
{
    edo_body {
        edo_scope_open(&self->clients, EDO_SCOPE_IGNORE); // one client's failure is not ours
        for (;;) {
            edo_try_or(end, edo_accept(self->listener, &self->conn));
            if (edo_scope_spawn(&self->clients, serve, .conn = self->conn) < 0)
                edo_close(self->conn);
        }
end:
        edo_scope_cancel(&self->clients);
        edo_shield();
        edo_await_void(edo_scope_join(&self->clients));
        edo_listener_close(self->listener);
        edo_return(edo_failure());
    }
}
/* end: server */

struct demo {
    edo_frame(struct talk talk;);
    edo_args();
    char address[EDO_ADDRESS_SIZE];
    edo_listener *listener;
    edo_io *conn;
    edo_task *server;
};

edo_async(demo)
{
    static const struct exchange script[] = { { "PING\r\n", 1 }, { "GET a\r\n", 1 }, { 0 } };
    edo_body {
        int64_t rc;
        edo_try(edo_tcp_listen("127.0.0.1:0", &self->listener));
        edo_check(edo_listener_address(self->listener, self->address, sizeof self->address));
        edo_check(edo_spawn(&self->server, server, .listener = self->listener));
        edo_try(edo_tcp_connect(self->address, &self->conn));
        edo_call(rc, talk, .conn = self->conn, .script = script);
        edo_task_cancel(self->server);
        edo_await(rc, edo_join(self->server));
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

int main(void)
{
    return edo_run(demo);
}

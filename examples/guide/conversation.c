/* A server and a client in one program: the client asks, the server answers. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: server */
struct answer {
    edo_frame();
    edo_args(edo_io *conn;);
    char question[64];
    size_t length;
};

edo_async(answer)
{
    edo_body {
        int64_t n;
        self->length = 0;
        do {
            edo_try_or(close, n,
                       edo_read(self->conn, self->question + self->length,
                                sizeof self->question - self->length));
            self->length += (size_t)n;
        } while (n > 0 && self->length < sizeof self->question);

        edo_try_or(close, edo_write_all(self->conn, "You asked: ", 11));
        edo_try_or(close, edo_write_all(self->conn, self->question, self->length));
        edo_await(n, edo_finish(self->conn));
        edo_return(n);
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}

struct serve_one {
    edo_frame(struct answer answer;);
    edo_args(edo_listener *listener;);
    edo_io *conn;
};

edo_async(serve_one)
{
    edo_body {
        int rc;
        edo_try(edo_accept(self->listener, &self->conn));
        edo_call(rc, answer, .conn = self->conn); // owns the stream from here on
        edo_return(rc);
    }
}
/* end: server */

/* region: client */
struct ask {
    edo_frame();
    edo_args(const char *address; const char *question;);
    edo_io *conn;
    char reply[128];
};

edo_async(ask)
{
    edo_body {
        int64_t n;
        edo_await_for(n, edo_s(5), edo_tcp_connect(self->address, &self->conn));
        edo_check(n);
        edo_check_or(close, edo_tcp_set_nodelay(self->conn, true));
        edo_try_or(close, edo_write_all(self->conn, self->question, strlen(self->question)));
        edo_try_or(close, edo_shutdown_write(self->conn)); // no more questions
        edo_await(n, edo_read_exact(self->conn, self->reply, sizeof self->reply));
        if (n == -EDO_EOF) n = (int64_t)edo_op_progress(edo_last_op());
        edo_check_or(close, n);
        printf("%.*s\n", (int)n, self->reply);
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: client */

/* region: both */
struct conversation {
    edo_frame();
    edo_args();
    edo_listener *listener;
    char address[EDO_ADDRESS_SIZE];
    struct serve_one server;
    struct ask client;
};

edo_async(conversation)
{
    edo_body {
        int rc;
        edo_try(edo_tcp_listen("127.0.0.1:0", &self->listener)); // any free port
        rc = edo_listener_address(self->listener, self->address, sizeof self->address);
        if (rc >= 0) {
            edo_init(&self->server, serve_one, .listener = self->listener);
            edo_init(&self->client, ask, .address = self->address, .question = "why?");
            edo_try_all(rc, &self->server.base, &self->client.base);
        }
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}
/* end: both */

int main(void)
{
    return edo_run(conversation);
}

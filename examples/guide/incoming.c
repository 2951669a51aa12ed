/* Connections as a stream, and a client with a time limit. */
#include <stdio.h>

#include <edo/edo.h>

/* region: incoming */
struct serve_some {
    edo_frame();
    edo_args(edo_listener *listener; uint64_t count;);
    edo_op_source_of(edo_io *) incoming;
    edo_step_of(edo_io *) some;
    edo_io *conn;
};

edo_async(serve_some)
{
    edo_body {
        int64_t rc;
        edo_listener_stream(&self->incoming, self->listener);
        edo_take_init(&self->some, &self->incoming, self->count);
        edo_for_each(rc, &self->some, &self->conn) {
            edo_await(rc, edo_write_all(self->conn, "hello", 5));
            edo_close(self->conn);
        }
        edo_return(rc);
    }
}
/* end: incoming */

/* region: connect */
struct greet {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
    char text[5];
};

edo_async(greet)
{
    edo_body {
        int64_t rc;
        edo_await_for(rc, edo_s(3), edo_tcp_connect(self->address, &self->conn));
        edo_check(rc); // -ETIMEDOUT: no answer within 3 seconds
        edo_try_or(close, edo_read_exact(self->conn, self->text, sizeof self->text));
        printf("%.5s\n", self->text);
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: connect */

struct show {
    edo_frame(struct greet greet;);
    edo_args();
    edo_listener *listener;
    edo_task *server;
    char address[64];
    int i;
};

edo_async(show)
{
    edo_body {
        int64_t rc;
        edo_try(edo_tcp_listen("127.0.0.1:0", &self->listener));
        edo_listener_address(self->listener, self->address, sizeof self->address);
        edo_check(edo_spawn(&self->server, serve_some, .listener = self->listener, .count = 3));
        for (self->i = 0; self->i < 3; self->i++)
            edo_call(rc, greet, .address = self->address);
        edo_await(rc, edo_join(self->server));
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(show);
}

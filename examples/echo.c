/* An echo server: sends back what it receives, on as many connections as there are descriptors.
 * Ctrl-C ends it. Usage: echo [ADDRESS [WORKERS]] */
#include <stdlib.h>

#include <edo/edo.h>

struct echo {
    edo_frame();             // head of every frame; names the async functions that this one calls
    edo_args(edo_io *conn;); // given by the caller
    char buf[4096];          // its own locals
};

edo_async(echo)
{
    edo_body {
        int64_t n; // scratch: set and used between two awaits
        for (;;) {
            edo_await(n, edo_read(self->conn, self->buf, sizeof self->buf));
            if (n <= 0) break; // 0: the peer closed; < 0: -errno, also -ECANCELED
            edo_await(n, edo_write_all(self->conn, self->buf, (size_t)n));
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(n);
    }
}

struct serve {
    edo_frame();
    edo_args(const char *address;);
    edo_listener *listener;
    edo_io *conn;
};

edo_async(serve)
{
    edo_body {
        int rc;
        edo_try(edo_tcp_listen(self->address, &self->listener));
        for (;;) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc < 0) break;
            rc = edo_go(echo, .conn = self->conn); // a detached task; arguments by name
            if (rc < 0) edo_close(self->conn);     // not spawned: the arguments are still ours
        }
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

int main(int argc, char **argv)
{
    edo_config config = { .workers = argc > 2 ? atoi(argv[2]) : 0 }; // 0: all on this thread
    return edo_run_with(&config, serve, .address = argc > 1 ? argv[1] : "127.0.0.1:8080");
}

/* An echo server with a fiber per connection. Ctrl-C ends it.
 * Usage: fiber-echo [ADDRESS [WORKERS]] */
#include <stdlib.h>

#include <edo/edo.h>

static int64_t echo(void *arg)
{
    edo_io *conn = arg;
    char buf[4096];
    int64_t n;
    while ((n = edo_wait(edo_read(conn, buf, sizeof buf))) > 0) {
        n = edo_wait(edo_write_all(conn, buf, (size_t)n));
        if (n < 0) break;
    }
    edo_close(conn);
    return n;
}

static int64_t serve(void *arg)
{
    edo_listener *listener;
    edo_io *conn;
    int64_t rc = edo_wait(edo_tcp_listen(arg, &listener));
    if (rc < 0) return rc;
    while ((rc = edo_wait(edo_accept(listener, &conn))) >= 0)
        if (edo_fiber_go(echo, conn) < 0) edo_close(conn); // not spawned: it is still ours
    edo_listener_close(listener);
    return rc;
}

int main(int argc, char **argv)
{
    edo_config config = { .workers = argc > 2 ? atoi(argv[2]) : 0 }; // 0: all on this thread
    return edo_fiber_run_with(&config, NULL, serve, argc > 1 ? argv[1] : "127.0.0.1:8080");
}

/* Servers, driven from outside: they serve until they are killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { ADDRESS_SIZE = 32, LAST_PORT = 65535 };

/* Returns: 127.0.0.1 with the port that the text names. */
static const char *local_address(const char *port, char buffer[ADDRESS_SIZE])
{
    char *end;
    long number = strtol(port, &end, 10);
    bench_require(end == port || *end || number < 0 || number > LAST_PORT ? -EINVAL : 0, port);
    snprintf(buffer, ADDRESS_SIZE, "127.0.0.1:%ld", number);
    return buffer;
}

/* ---- accepting: a task per connection ---- */

struct acceptor {
    edo_frame();
    edo_args(const char *address; bench_handler_fn *handle;);
    edo_listener *listener;
    edo_io *conn;
};

static edo_op listen_on(const char *address, edo_listener **ret_listener)
{
    edo_unix_listen_options options = { .replace_stale = true };
    return strchr(address, '/') ? edo_unix_listen_with(address, options, ret_listener)
                                : edo_tcp_listen(address, ret_listener);
}

edo_async(acceptor)
{
    edo_body {
        int rc;
        edo_await(rc, listen_on(self->address, &self->listener));
        if (rc < 0) edo_return(rc);
        for (;;) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc < 0) break;
            rc = self->handle(self->conn);
            if (rc < 0) edo_close(self->conn);
        }
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

int bench_serve(edo_runtime *runtime, const char *port, bench_handler_fn *handle)
{
    char address[ADDRESS_SIZE];
    bench_require(
        edo_block_on(runtime, acceptor, .address = local_address(port, address), .handle = handle),
        "serve");
    return 0;
}

/* ---- echo: 4 KiB per connection, TCP_NODELAY ---- */

struct echo {
    edo_frame();
    edo_args(edo_io *conn;);
    char buffer[4096];
};

edo_async(echo)
{
    edo_body {
        int64_t n;
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

static int handle_echo(edo_io *conn)
{
    edo_tcp_set_nodelay(conn, true);
    return edo_go(echo, .conn = conn);
}

int bench_echo(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: echo PORT");
    return bench_serve(runtime, argv[0], handle_echo);
}

/* ---- unix_echo: the same on a Unix socket ---- */

static int handle_unix_echo(edo_io *conn)
{
    return edo_go(echo, .conn = conn);
}

int bench_unix_echo(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 && strchr(argv[0], '/') ? 0 : -EINVAL,
                  "usage: unix_echo PATH, with a slash");
    bench_require(edo_block_on(runtime, acceptor, .address = argv[0], .handle = handle_unix_echo),
                  "serve");
    return 0;
}

/* ---- echo_fiber: the same as a fiber per connection ---- */

static int64_t echo_in_fiber(void *arg)
{
    edo_io *conn = arg;
    char buffer[4096];
    int64_t n;
    while ((n = edo_wait(edo_read(conn, buffer, sizeof buffer))) > 0) {
        n = edo_wait(edo_write_all(conn, buffer, (size_t)n));
        if (n < 0) break;
    }
    edo_close(conn);
    return n;
}

static int handle_echo_in_fiber(edo_io *conn)
{
    edo_tcp_set_nodelay(conn, true);
    return edo_fiber_go(echo_in_fiber, conn);
}

int bench_echo_fiber(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: echo_fiber PORT");
    return bench_serve(runtime, argv[0], handle_echo_in_fiber);
}

/* ---- memserver: the same with 1 KiB, to see what a connection costs beside its buffer ---- */

struct small_echo {
    edo_frame();
    edo_args(edo_io *conn;);
    char buffer[1024];
};

edo_async(small_echo)
{
    edo_body {
        int64_t n;
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

static int handle_small_echo(edo_io *conn)
{
    return edo_go(small_echo, .conn = conn);
}

int bench_memserver(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: memserver PORT");
    return bench_serve(runtime, argv[0], handle_small_echo);
}

/* ---- memserver_lent: no buffer while a connection waits ---- */

struct lent_echo {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_lent lent;
};

edo_async(lent_echo)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read_lent(self->conn, &self->lent));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->conn, self->lent.data, self->lent.size));
            edo_lent_return(&self->lent);
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(n);
    }
}

static int handle_lent_echo(edo_io *conn)
{
    return edo_go(lent_echo, .conn = conn);
}

int bench_memserver_lent(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: memserver_lent PORT");
    return bench_serve(runtime, argv[0], handle_lent_echo);
}

/* ---- proxy: copies both ways, through one buffer per direction, or as edo_copy_both() does ---- */

/* One direction, to the end of its input, which is handed on. */
struct pump {
    edo_frame();
    edo_args(edo_io *from; edo_io *to; char *buffer; size_t size;);
};

edo_async(pump)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->from, self->buffer, self->size));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->to, self->buffer, (size_t)n));
            if (n < 0) break;
        }
        if (n < 0) edo_return(n);
        edo_await(n, edo_shutdown_write(self->to));
        edo_return(n);
    }
}

static const char *proxy_target;
static size_t proxy_size;

struct proxied {
    edo_frame();
    edo_args(edo_io *client;);
    edo_io *server;
    char *buffers;
    struct pump up, down;
};

/* The buffers are those of edo_copy_both() when no size was given. */
struct relayed {
    edo_frame();
    edo_args(edo_io *client;);
    edo_io *server;
    edo_relay relay;
    char memory[EDO_COPY_SIZE];
};

edo_async(relayed)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_connect(proxy_target, &self->server));
        if (rc < 0) goto connect_failed;
        edo_relay_init(&self->relay, self->client, self->server, self->memory, sizeof self->memory);
        edo_await(rc, edo_copy_both(&self->relay));
        edo_relay_deinit(&self->relay);
        edo_close(self->server);
connect_failed:
        edo_close(self->client);
        edo_return(rc);
    }
}

static int begin_pumps(struct proxied *self)
{
    self->buffers = malloc(2 * proxy_size);
    if (!self->buffers) return -ENOMEM;
    edo_init(&self->up, pump, .from = self->client, .to = self->server, .buffer = self->buffers,
             .size = proxy_size);
    edo_init(&self->down, pump, .from = self->server, .to = self->client,
             .buffer = self->buffers + proxy_size, .size = proxy_size);
    return 0;
}

/* A direction that fails ends the other one. */
edo_async(proxied)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_connect(proxy_target, &self->server));
        if (rc < 0) goto connect_failed;
        rc = begin_pumps(self);
        if (rc == 0) edo_try_all(rc, &self->up.base, &self->down.base);
        free(self->buffers);
        edo_close(self->server);
connect_failed:
        edo_close(self->client);
        edo_return(rc);
    }
}

static int handle_proxied(edo_io *conn)
{
    return proxy_size ? edo_go(proxied, .client = conn) : edo_go(relayed, .client = conn);
}

int bench_proxy(edo_runtime *runtime, int argc, char **argv)
{
    static char target[ADDRESS_SIZE];
    enum { DEFAULT_SIZE = 65536 };
    bench_require(argc == 2 || argc == 3 ? 0 : -EINVAL, "usage: proxy PORT DSTPORT [SIZE]");
    proxy_target = local_address(argv[1], target);
    proxy_size = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : DEFAULT_SIZE;
    return bench_serve(runtime, argv[0], handle_proxied);
}

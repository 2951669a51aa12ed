/* The echo server with many connections. */
#include "support/many.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/heap.h"
#include "io/io.h"
#include "support/streams.h"

enum {
    SPARE = 64,       // descriptors for other purposes
    MAX_CHUNK = 2048, // bytes of one exchange
    CHAOS_CHUNK = 16, // bytes of one exchange, on a driver that moves single bytes
    QUARANTINE = EDO_DEBUG ? 1 << 20 : 0,        // bytes of ended tasks, see task/handle.c
    MAX_KEPT = 4 * EDO__SLAB_ALIGN + QUARANTINE, // the heap keeps a slab per size class; see also
                                                 // max_kept()
    LONGEST_REST = 20,                           // milliseconds between two exchanges
};

typedef struct echo_server {
    edo_listener *listener;
    int done; // the child's end closes when the child ends
    unsigned accepted, ended, reset;
    size_t kept;     // bytes still allocated after all connections
    int64_t strange; // an error not caused by the peer, or 0
} echo_server;

/* ---- the server: examples/echo.c, with counts ---- */

struct echo_conn {
    edo_frame();
    edo_args(edo_io *conn; echo_server *server;);
    char buffer[1024];
};

static void count_end(echo_server *server, int64_t n)
{
    if (n == 0)
        edo_add_relaxed(&server->ended, 1);
    else if (n == -ECONNRESET || n == -EPIPE)
        edo_add_relaxed(&server->reset, 1);
    else
        edo_store_relaxed(&server->strange, n);
}

edo_async(echo_conn)
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
        count_end(self->server, n);
        edo_return(0);
    }
}

struct accept_conns {
    edo_frame();
    edo_args(echo_server *server; edo_scope *scope;);
    edo_io *conn;
};

edo_async(accept_conns)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_accept(self->server->listener, &self->conn));
            if (rc < 0) edo_return(rc);
            edo_add_relaxed(&self->server->accepted, 1);
            rc = edo_scope_spawn(self->scope, echo_conn, .conn = self->conn,
                                 .server = self->server);
            assert_int_equal(rc, 0);
        }
    }
}

struct serve_many {
    edo_frame();
    edo_args(echo_server *server;);
    edo_scope scope;
    edo_task *accepter;
    size_t live;
};

edo_async(serve_many)
{
    edo_body {
        int rc;
        self->live = test_allocator_live_bytes();
        edo_scope_open(&self->scope, 0);
        rc = edo_spawn(&self->accepter, accept_conns, .server = self->server,
                       .scope = &self->scope);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_wait_fd(self->server->done, EDO_READABLE));
        assert_int_equal(rc, EDO_READABLE);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        edo_task_cancel(self->accepter);
        edo_await(rc, edo_join(self->accepter));
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_yield()); // the driver frees sources in its turn
        self->server->kept = test_allocator_live_bytes() - self->live;
        edo_listener_close(self->server->listener);
        edo_return(0);
    }
}

/* ---- the clients ---- */

typedef struct client_group {
    many_options many;
    struct sockaddr_in address;
    int server_fds[2]; // of the parent
    char text[EDO_ADDRESS_SIZE];
    edo_io **conns;
    unsigned failures;
    uint64_t exchanges;
    int64_t began;
} client_group;

struct client {
    edo_frame();
    edo_args(client_group *all; unsigned index;);
    test_random random;
    edo_io *conn;
    int64_t until;
    uint64_t offset;
    size_t size;
    char out[MAX_CHUNK], in[MAX_CHUNK];
};

static bool is_to_reset(unsigned index)
{
    return index % 2;
}

static void fail_client(client_group *all, unsigned index, const char *what, int64_t n)
{
    if (!edo_add_relaxed(&all->failures, 1))
        fprintf(stderr, "connection %u: %s: %s\n", index, what, edo_strerror(n));
}

/* Ends a client. Connections with a reset end in the second half of the time. */
static int64_t end_of_client(struct client *self)
{
    int64_t duration = self->all->many.duration;
    if (is_to_reset(self->index))
        duration -= (int64_t)test_random_below(&self->random, (uint64_t)duration / 2 + 1);
    return self->all->began + duration;
}

static size_t next_chunk(struct client *self)
{
    size_t most = driver_is("chaos") ? CHAOS_CHUNK : MAX_CHUNK;
    size_t size = 1 + test_random_below(&self->random, most);
    fill_pattern(self->out, size, self->index, self->offset);
    return size;
}

static int64_t rest(struct client *self)
{
    return edo_ms((int64_t)test_random_below(&self->random, LONGEST_REST));
}

edo_async(client)
{
    edo_body {
        int64_t n;
        self->random = test_random_make(self->index);
        self->conn = self->all->conns[self->index];
        self->until = end_of_client(self);
        self->offset = 0;
        do {
            self->size = next_chunk(self);
            edo_await(n, edo_write_all(self->conn, self->out, self->size));
            if (n < 0) break;
            if (is_to_reset(self->index) && edo_now() >= self->until) break;
            edo_await(n, edo_read_exact(self->conn, self->in, self->size));
            if (n < 0) break;
            if (!is_pattern(self->in, self->size, self->index, self->offset)) {
                fail_client(self->all, self->index, "wrong bytes", -EBADMSG);
                break;
            }
            self->offset += self->size;
            edo_add_relaxed(&self->all->exchanges, 1);
            edo_await(n, edo_sleep(rest(self)));
        } while (is_to_reset(self->index) || edo_now() < self->until);
        if (n < 0) fail_client(self->all, self->index, "exchange", n);
        if (is_to_reset(self->index)) {
            edo_tcp_set_linger(self->conn, 0);
            edo_close(self->conn);
            edo_return(0);
        }
        edo_await(n, edo_finish(self->conn));
        if (n < 0) fail_client(self->all, self->index, "end", n);
        edo_return(0);
    }
}

struct connect_all {
    edo_frame();
    edo_args(client_group *all;);
    edo_scope scope;
    unsigned i;
};

edo_async(connect_all)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->all->many.connections; self->i++) {
            edo_await(rc, edo_tcp_connect(self->all->text, &self->all->conns[self->i]));
            assert_int_equal(rc, 0);
        }
        self->all->began = edo_now();
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < self->all->many.connections; self->i++) {
            rc = edo_scope_spawn(&self->scope, client, .all = self->all, .index = self->i);
            assert_int_equal(rc, 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* Runs the clients, in the child. The end of the child closes its end of `done`. */
static void run_clients(void *arg)
{
    client_group *all = arg;
    edo_runtime *runtime;
    close(all->server_fds[0]);
    close(all->server_fds[1]);
    all->conns = calloc(all->many.connections, sizeof *all->conns);
    assert_non_null(all->conns);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, connect_all, .all = all), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    fprintf(stderr, "%u connections, %llu exchanges\n", all->many.connections,
            (unsigned long long)all->exchanges);
    assert_int_equal(all->failures, 0);
    free(all->conns);
}

/* ---- both ---- */

static unsigned allowed_connections(unsigned wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    unsigned allowed = limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur - SPARE : wanted;
    return wanted < allowed ? wanted : allowed;
}

static int open_listener(client_group *all)
{
    socklen_t size = sizeof all->address;
    all->address = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&all->address, size), errno);
    assert_return_code(listen(fd, SOMAXCONN), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&all->address, &size), errno);
    snprintf(all->text, sizeof all->text, "127.0.0.1:%u", ntohs(all->address.sin_port));
    return fd;
}

/* Most bytes that may still be allocated after all connections. The last streams that have ended
 * are in the quarantine of runtime/inspect/maker.h, and keep the slabs in which they lie. */
static size_t max_kept(unsigned connections)
{
    size_t slabs = connections * sizeof(edo__fd_io) / EDO__SLAB_SIZE + 1;
    return MAX_KEPT + (slabs + test_workers()) * EDO__SLAB_ALIGN;
}

static void check_counts(const echo_server *server, unsigned connections)
{
    if (server->strange) fail_msg("the server met: %s", edo_strerror(server->strange));
    assert_int_equal(server->accepted, connections);
    assert_int_equal(server->reset, connections / 2);
    assert_int_equal(server->ended, connections - connections / 2);
    assert_in_range(server->kept, 0, max_kept(connections));
}

/* Calls test_seed() before the fork, so that the child has the same seed. */
void run_many(many_options options)
{
    edo_runtime *runtime;
    echo_server server = { .listener = NULL };
    client_group all = { .many = options };
    int done[2];
    test_seed();
    size_t before = open_descriptors();
    all.many.connections = allowed_connections(options.connections);
    assert_return_code(pipe(done), errno);
    all.server_fds[0] = open_listener(&all);
    all.server_fds[1] = server.done = done[0];
    int child = start_child(run_clients, &all);
    close(done[1]);
    test_allocator_install();
    assert_int_equal(edo_listener_from_fd(all.server_fds[0], &server.listener), 0);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, serve_many, .server = &server), 0);
    assert_int_equal(await_child(child), 0);
    check_counts(&server, all.many.connections);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    close(done[0]);
    assert_int_equal(open_descriptors(), before);
    test_allocator_remove();
}

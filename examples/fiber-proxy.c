/* A TCP proxy with three fibers per client: proxy.c in the other style. Connects every client to one
 * server, and copies in both directions until both have ended; an error in one ends both.
 *
 * usage: fiber-proxy LISTEN-ADDRESS SERVER-ADDRESS  (fiber-proxy :8081 127.0.0.1:8080) */
#include <stdio.h>

#include <edo/edo.h>

#define CONNECT_LIMIT edo_s(10) // the patience of clients

/* ---- one direction ---- */

struct copy {
    edo_io *from, *to; // borrowed: relay closes them
};

edo_fiber(copy)
{
    char buf[16384];
    int64_t n;
    while ((n = edo_wait(edo_read(self->from, buf, sizeof buf))) > 0) {
        n = edo_wait(edo_write_all(self->to, buf, (size_t)n));
        if (n < 0) return n;
    }
    return n < 0 ? n : edo_wait(edo_shutdown_write(self->to)); // the end goes on, too
}

/* ---- one client ---- */

static const edo_keepalive patient = { .idle = 60, .interval = 10, .count = 6 }; // two minutes

static int64_t copy_both(edo_io *client, edo_io *server)
{
    edo_fiber_scope(copies, EDO_SCOPE_FAIL_FAST);
    int rc = edo_fiber_scope_spawn_args(&copies, NULL, copy, .from = client, .to = server);
    if (rc == 0) rc = edo_fiber_scope_spawn_args(&copies, NULL, copy, .from = server, .to = client);
    if (rc < 0) edo_scope_cancel(&copies);
    int64_t joined = edo_wait(edo_scope_join(&copies));
    return rc < 0 ? rc : joined;
}

struct relay {
    edo_io *client;
    const char *server_address;
};

edo_fiber(relay)
{
    edo_io *server;
    (void)edo_tcp_set_keepalive(self->client, true, patient); // finds clients that are gone
    int64_t rc = edo_wait_for(CONNECT_LIMIT, edo_tcp_connect(self->server_address, &server));
    if (rc == 0) {
        rc = copy_both(self->client, server);
        edo_close(server);
    }
    edo_close(self->client);
    return rc;
}

/* ---- all of them ---- */

struct proxy {
    const char *address, *server_address;
};

edo_fiber(proxy)
{
    edo_listener *listener;
    edo_io *client;
    int64_t rc = edo_wait(edo_tcp_listen(self->address, &listener));
    if (rc < 0) return rc;
    while ((rc = edo_wait(edo_accept(listener, &client))) >= 0) {
        rc = edo_fiber_go_args(relay, .client = client, .server_address = self->server_address);
        if (rc < 0) edo_close(client);
    }
    edo_listener_close(listener);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: fiber-proxy LISTEN-ADDRESS SERVER-ADDRESS\n");
        return 2;
    }
    return edo_fiber_run_args(proxy, .address = argv[1], .server_address = argv[2]);
}

/* A TCP proxy: connects every client to one server, and copies in both directions until both have
 * ended. Each half may end on its own, as `ssh` and `nc -N` do; an error in one direction ends both.
 *
 * usage: proxy LISTEN-ADDRESS SERVER-ADDRESS        (proxy :8081 127.0.0.1:8080) */
#include <stdio.h>

#include <edo/edo.h>

#define CONNECT_LIMIT edo_s(10) // the patience of clients

/* ---- one client ---- */

static const edo_keepalive patient = { .idle = 60, .interval = 10, .count = 6 }; // two minutes

struct relay {
    edo_frame();
    edo_args(edo_io *client; const char *server_address;);
    edo_io *server;
    edo_relay copy;
    char memory[EDO_COPY_SIZE];
};

edo_async(relay)
{
    edo_body {
        int rc;
        (void)edo_tcp_set_keepalive(self->client, true, patient); // finds clients that are gone
        edo_await_for(rc, CONNECT_LIMIT, edo_tcp_connect(self->server_address, &self->server));
        if (rc == 0) {
            edo_relay_init(&self->copy, self->client, self->server, self->memory,
                           sizeof self->memory);
            edo_await(rc, edo_copy_both(&self->copy));
            edo_relay_deinit(&self->copy);
            edo_close(self->server);
        }
        edo_close(self->client);
        edo_return(rc);
    }
}

/* ---- all of them ---- */

struct proxy {
    edo_frame();
    edo_args(const char *address, *server_address;);
    edo_listener *listener;
    edo_io *client;
};

edo_async(proxy)
{
    edo_body {
        int rc;
        edo_try(edo_tcp_listen(self->address, &self->listener));
        for (;;) {
            edo_await(rc, edo_accept(self->listener, &self->client));
            if (rc < 0) break;
            rc = edo_go(relay, .client = self->client, .server_address = self->server_address);
            if (rc < 0) edo_close(self->client);
        }
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: proxy LISTEN-ADDRESS SERVER-ADDRESS\n");
        return 2;
    }
    return edo_run(proxy, .address = argv[1], .server_address = argv[2]);
}

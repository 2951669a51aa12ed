/* Tells which ports of a host take connections: many attempts at once, each with a limit.
 * usage: scanner HOST FIRST LAST        (scanner 127.0.0.1 1 1024) */
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

enum { AT_ONCE = 100 };

struct probe {
    edo_frame();
    edo_args(const char *host; int port;);
    char address[128];
    edo_io *conn;
};

edo_async(probe)
{
    edo_body {
        int rc;
        snprintf(self->address, sizeof self->address, "%s:%d", self->host, self->port);
        edo_await_for(rc, edo_s(1), edo_tcp_connect(self->address, &self->conn));
        if (rc < 0) edo_return(rc == -ECANCELED ? rc : 0);
        printf("%d\n", self->port);
        edo_close(self->conn);
        edo_return(0);
    }
}

struct scan {
    edo_frame();
    edo_args(const char *host; int first, last;);
    edo_scope probes;
    edo_member ended;
    int64_t result;
};

edo_async(scan)
{
    edo_body {
        int64_t rc;
        self->result = 0;
        edo_scope_open(&self->probes, EDO_SCOPE_RESULTS);
        while (self->first <= self->last && self->result >= 0) {
            self->result = edo_scope_spawn(&self->probes, probe, .host = self->host,
                                           .port = self->first);
            self->first++;
            if (edo_scope_count(&self->probes) < AT_ONCE) continue;
            edo_await(rc, edo_scope_next(&self->probes, &self->ended));
            if (rc < 0) self->result = rc;
        }
        edo_await(rc, edo_scope_join(&self->probes));
        edo_return(self->result < 0 ? self->result : rc);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: scanner HOST FIRST LAST\n");
        return 2;
    }
    return edo_run(scan, .host = argv[1], .first = atoi(argv[2]), .last = atoi(argv[3]));
}

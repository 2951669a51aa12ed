/* Tells which ports of a host take connections: scanner.c in the other style.
 * usage: fiber-scanner HOST FIRST LAST        (fiber-scanner 127.0.0.1 1 1024) */
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

enum { AT_ONCE = 100 };

struct probe {
    const char *host;
    int port;
};

edo_fiber(probe)
{
    char address[128];
    edo_io *conn;
    snprintf(address, sizeof address, "%s:%d", self->host, self->port);
    int64_t rc = edo_wait_for(edo_s(1), edo_tcp_connect(address, &conn));
    if (rc < 0) return rc == -ECANCELED ? rc : 0;
    printf("%d\n", self->port);
    edo_close(conn);
    return 0;
}

struct scan {
    const char *host;
    int first, last;
};

edo_fiber(scan)
{
    edo_member ended;
    int64_t result = 0;
    edo_fiber_scope(probes, EDO_SCOPE_RESULTS);
    for (int port = self->first; port <= self->last && result >= 0; port++) {
        result = edo_fiber_scope_spawn_args(&probes, NULL, probe, .host = self->host, .port = port);
        if (edo_scope_count(&probes) < AT_ONCE) continue;
        int64_t rc = edo_wait(edo_scope_next(&probes, &ended));
        if (rc < 0) result = rc;
    }
    int64_t joined = edo_wait(edo_scope_join(&probes));
    return result < 0 ? result : joined;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: fiber-scanner HOST FIRST LAST\n");
        return 2;
    }
    return edo_fiber_run_args(scan, .host = argv[1], .first = atoi(argv[2]), .last = atoi(argv[3]));
}

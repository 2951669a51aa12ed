/* mini-redis: a server that speaks Redis's protocol. See README.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "aof.h"
#include "call.h"
#include "config.h"
#include "server.h"

enum { MAX_INHERITED = 4 };

int main(int argc, char **argv)
{
    static edo_inherited inherited[MAX_INHERITED];
    if (!config_read(argc, argv)) return 2;
    int count = edo_listeners_from_env(inherited, MAX_INHERITED);
    if (count < 0) {
        fprintf(stderr, "mini-redis: inherited sockets: %s\n", edo_strerror(count));
        return 1;
    }
    commands_init();
    database_init();
    if (config.appendonly && aof_load() < 0) return 1;
    const edo_config runtime = { .name = "mini-redis", .workers = (int32_t)config.workers };
    return edo_run_with(&runtime, server, .inherited = inherited, .inherited_count = count);
}

/* mini-redis: a server that speaks Redis's protocol. See README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aof.h"
#include "call.h"
#include "config.h"
#include "hand_over.h"
#include "server.h"

int main(int argc, char **argv)
{
    edo_listener *tcp, *local;
    if (!config_read(argc, argv)) return 2;
    int rc = hand_over_inherit(&tcp, &local);
    if (rc < 0) {
        fprintf(stderr, "mini-redis: inherited sockets: %s\n", edo_strerror(rc));
        return 1;
    }
    if (chdir(config.dir) < 0) {
        perror(config.dir);
        return 1;
    }
    commands_init();
    database_init();
    if (config.appendonly && aof_load() < 0) return 1;
    const edo_config runtime = { .name = "mini-redis", .workers = (int32_t)config.workers };
    int status = edo_run_with(&runtime, server, .tcp = tcp, .unix_listener = local);
    if (status == 0 && hand_over_is_on()) {
        hand_over_execute(argv);
        return 1;
    }
    return status;
}

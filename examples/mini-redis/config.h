/* Options of the server. Those that CONFIG SET changes are atomic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fsync_policy { FSYNC_NO, FSYNC_EVERYSEC, FSYNC_ALWAYS };

struct config {
    const char *bind, *unixsocket, *dir;
    int64_t port, workers, maxclients;
    bool appendonly;
    int64_t
        timeout; // s without a command until a client is cut off; 0: never; atomic, as all below
    int64_t write_timeout; // s for a write to a client that does not read
    int64_t output_limit;  // bytes of messages that wait for a subscriber
    int64_t least_rewrite; // bytes of the log, until it is rewritten by itself
    int64_t appendfsync;   // enum fsync_policy; atomic
};

extern struct config config;

/* Reads "--port 6379" and the like. Returns: false: a line on stderr says why. */
bool config_read(int argc, char **argv);

/* Number of options; an option as text, name and value. */
int config_count(void);
const char *config_name(int index);
const char *config_value(int index, char buffer[32]);

/* Returns: 0; -ENOENT: no such option; -EINVAL: a bad value; -EPERM: only at the start. */
int config_set(const char *name, const char *value);
const char *fsync_name(int64_t policy);

/*
 * What edo-load was asked to do: the command line, parsed and checked once. Everything after that
 * only reads it.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct load_options {
    const char *target; // HOST:PORT or PATH as given, for messages
    struct sockaddr_storage address;
    socklen_t address_size;

    unsigned connections;
    size_t message_bytes;
    unsigned pipeline; // messages in flight on each connection
    double seconds;    // the measured window
    double warmup;     // before it, not counted

    unsigned resets; // connections that end with an RST after the measured window
    double reset_seconds;

    double wait;    // how long to retry until the server accepts
    double timeout; // no byte anywhere for so long is an error

    uint64_t seed;
    pid_t server_pid; // 0: unknown, nothing of the server is measured
    bool idle;
    bool verify;
    bool progress;
    bool json;
};

/*
 * Fills *ret_options from the command line. Ends the process by itself after --help (status 0) and
 * after a mistake (status 2, with one line on stderr that says which).
 */
void load_options_parse(int argc, char **argv, struct load_options *ret_options);

#endif

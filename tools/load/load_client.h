/*
 * The client: many connections to one echo server, driven by one thread with one level-triggered
 * epoll. Each connection is a closed loop: `pipeline` messages are in flight, and the end of one
 * starts the next, until the caller clears `renew`.
 *
 * The steps in order: init, connect, start, any number of turns, finish, deinit. The fields that
 * the caller may set between turns are marked; all others it only reads.
 *
 * A connection owns no buffer: what it sends is a function of its offset (load_stream.h), and what
 * it receives is checked and forgotten.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "load_histogram.h"
#include "load_options.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_FOREVER UINT64_MAX

enum {
    LOAD_NS_PER_MS = 1000000,
    LOAD_NS_PER_SECOND = 1000000000,
};

/*
 * UNUSED -> CONNECTING -> GREETING -> OPEN -> FINISHING -> CLOSED
 * and from each of them to CLOSED by a failure or a reset. GREETING waits for the echo of a first
 * message: only that proves that the server, and not just its kernel, has accepted. FINISHING has
 * sent our end of stream and waits for the server's.
 */
enum load_state {
    LOAD_UNUSED,
    LOAD_CONNECTING,
    LOAD_GREETING,
    LOAD_OPEN,
    LOAD_FINISHING,
    LOAD_CLOSED,
};

enum load_failure {
    LOAD_CONNECT_FAILED,
    LOAD_LOST,     // closed or reset by the server, or failed otherwise
    LOAD_MISMATCH, // a wrong byte, or more bytes than were sent
    LOAD_STALLED,  // the server owed something and no byte came for --timeout
    LOAD_FAILURES, // their number
};

struct load_conn {
    int fd;
    enum load_state state;
    uint32_t events;   // that epoll watches
    uint64_t key;      // of its stream
    uint64_t allowed;  // bytes of all messages started so far
    uint64_t sent;     // <= allowed
    uint64_t received; // <= sent
    uint64_t owes;     // `allowed` must exceed this before the connection may finish
    uint64_t *started; // when message m was started, at m % pipeline
};

struct load_client {
    const struct load_options *options;
    struct load_conn *conns;
    unsigned count;
    uint64_t *started; // all rings of start times
    int epoll;

    /* For the caller to set. */
    const char *phase; // named in progress lines
    bool renew;        // a finished message starts the next one
    bool measuring;    // finished messages go into the histogram

    bool finishing;   // connections with nothing in flight send their end of stream
    bool stopped;     // a mismatch has made everything after it pointless
    bool input_ended; // of standard input, when watched

    unsigned connecting;  // CONNECTING or GREETING
    unsigned open;        // OPEN or FINISHING
    uint64_t outstanding; // bytes allowed and neither received nor given up
    uint64_t requests;    // since the start
    uint64_t verified;    // bytes
    unsigned finished;    // connections that ended correctly, with the server's end of stream
    uint64_t failures[LOAD_FAILURES];
    unsigned failures_shown;

    uint64_t begun;
    uint64_t last_heard; // the last connect, byte or end of stream
    uint64_t next_report;
    uint64_t reported_requests;
    struct load_histogram latency;
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t load_now(void);
uint64_t load_nanoseconds(double seconds);

/* Prepares `count` connections. Returns 0 or a negative errno. */
int load_client_init(struct load_client *client, const struct load_options *options,
                     unsigned count);
void load_client_deinit(struct load_client *client);

/* Opens all connections and has one message echoed on each, a limited number at a time. Returns
 * early only after a mismatch. */
void load_client_connect(struct load_client *client);

/* Starts the first `pipeline` messages on each open connection. */
void load_client_start(struct load_client *client);

/* Waits for events until the given time at the latest, and serves them. Gives up all connections
 * when the server owes something and was not heard for the time-out. */
void load_client_turn(struct load_client *client, uint64_t until);

/* Whether there is a reason to go on. */
bool load_client_alive(const struct load_client *client);

/* Ends a connection with an RST, which is no failure. */
void load_client_reset(struct load_client *client, struct load_conn *conn);

/* Receives what is still owed, sends the end of stream on each connection, and waits for the
 * server's. */
void load_client_finish(struct load_client *client);

/* Sets input_ended when standard input ends. */
void load_client_watch_input(struct load_client *client);

uint64_t load_client_failures(const struct load_client *client);

#endif

/* Hand-over to a new version of the program: SIGUSR2.
 *
 * The server ends as usual, except that its sockets stay open: the listeners, and each client that is
 * between two commands. Then the process executes its program anew (argv[0], which may be another
 * version by now), which inherits the sockets as edo/inherit.h says, and the data through the log. No
 * connection is refused or closed: the system queues connections and input meanwhile.
 *
 * Clients in another state are closed: blocked, subscribed, in MULTI or WATCH, or in the middle of a
 * command or of a reply for more than two seconds. Without a log there would be no data, so SIGUSR2 is ignored. */
#pragma once

#include "client.h"

#define HAND_OVER_TCP     "tcp"
#define HAND_OVER_UNIX    "unix"
#define HAND_OVER_CLIENT  "client" // RESP2, by TCP
#define HAND_OVER_CLIENT3 "client-resp3"
#define HAND_OVER_LOCAL   "local" // RESP2, by the Unix socket
#define HAND_OVER_LOCAL3  "local-resp3"

/* Whether the server is ending for a hand-over. Thread: any. */
bool hand_over_is_on(void);

/* From this call on, SIGUSR2 does not end the process. Returns: 0, or a negative errno. */
int hand_over_open(void);

/* Waits for SIGUSR2. */
edo_declare_async(hand_over_waiter);
struct hand_over_waiter {
    edo_frame();
    edo_args();
};

/* Keeps a client's socket for the new program. Returns: false: it is in no state for that. */
bool hand_over_client(struct client *client);
void hand_over_listener(edo_listener *listener, bool is_unix);

/* Takes over the sockets that the process has inherited. Returns: 0, or a negative errno. */
int hand_over_inherit(edo_listener **ret_tcp, edo_listener **ret_unix);

/* Takes the next inherited client. Returns: false: there is none. */
bool hand_over_next(edo_fd *ret_fd, bool *ret_unix, bool *ret_resp3);

/* Executes the program anew. Returns only on failure. */
void hand_over_execute(char **argv);

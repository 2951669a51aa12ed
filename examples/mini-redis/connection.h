/* The task of a connection. */
#pragma once

#include "client.h"

struct read_input {
    edo_frame();
    edo_args(struct client *client;);
    edo_op read, mail;
};
struct write_replies {
    edo_frame();
    edo_args(struct client *client;);
    edo_op progress;
    size_t written;
};
struct wait_blocked {
    edo_frame();
    edo_args(struct client *client;);
    edo_op read, served, limit;
};

struct finish_client {
    edo_frame(struct read_input read; struct write_replies write;);
    edo_args(struct client *client;);
};

edo_declare_async(connection);
struct connection {
    edo_frame(struct read_input read; struct write_replies write; struct wait_blocked wait;
              struct finish_client finish;);
    edo_args(edo_io *conn; bool is_unix; bool is_resp3;);
    struct client *client;
    enum outcome outcome;
};

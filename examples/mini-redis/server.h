/* The server: listeners, clients, shutdown. */
#pragma once

#include <edo/edo.h>

#define SERVER_VERSION "7.0.15" // of the Redis whose behaviour it has

struct open_listeners {
    edo_frame();
    edo_args(struct server *server;);
    char address[300];
};
struct expirer {
    edo_frame();
    edo_args();
    edo_interval interval;
    unsigned shard;
};
struct acceptor {
    edo_frame();
    edo_args(edo_listener *listener; bool is_unix;);
    edo_io *conn;
};

edo_declare_async(server);
struct server {
    edo_frame(struct open_listeners open;);
    edo_args(edo_listener *tcp; edo_listener *unix_listener;); // NULL: they are opened
    edo_scope clients, acceptors, log;
    edo_semaphore slots; // connections that may still be accepted
    edo_notify stops;
    int64_t started; // ms
};

extern struct server *the_server; // while it runs

void server_stop(void);                      // as SIGTERM. Thread: any task
void server_cancel_client(uint64_t task_id); // Thread: any task of a client
void server_slot_free(void);

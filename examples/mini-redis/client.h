/* Clients: what the server knows of a connection. Unless noted, members belong to the task of the
 * connection. */
#pragma once

#include "blocked.h"
#include "call.h"
#include "parser.h"

struct queued { // a command between MULTI and EXEC
    const struct command *command;
    text *args;
    int count;
};

struct watch { // a node of its key
    struct node node;
    uint64_t changes; // until then, see key_watch()
};

/* Messages of other tasks to a client. */
struct mailbox {
    edo_thread_mutex lock;
    edo_buffer bytes; // the lock
    bool is_resp3;    // the lock
    bool is_full;     // the lock; the client is cut off
    edo_notify ready;
};

struct client {
    edo_io *conn;
    uint64_t id;                   // constant
    uint64_t task_id;              // constant
    bool is_unix;                  // constant
    char address[128], local[128]; // constant

    struct parser parser;
    edo_buffer input;
    struct reply reply;
    int64_t now;           // ms; read from the clock once for some commands
    bool closes;           // after the replies were written
    uint64_t log_position; // the log up to here has all changes of this client

    bool in_multi, exec_fails;
    struct queued *queue;
    size_t queue_count, queue_capacity;
    struct table watches; // of struct watch

    struct table channels, patterns; // of struct node
    bool is_monitor;
    struct mailbox mailbox;
    struct waiter waiter;

    /* Written by the task, read by CLIENT LIST: under the lock of the list. */
    struct {
        text name;
        const char *command;
        int64_t created, active; // ms
        bool is_killed;
    } shown;
    struct client *next, *before; // the list of clients
};

struct client *client_create(edo_io *conn, bool is_unix);
void client_destroy(struct client *client); // closes the connection

void client_set_protocol(struct client *client, bool is_resp3);

static inline bool client_is_subscribed(const struct client *client)
{
    return client->channels.count + client->patterns.count > 0;
}
static inline bool client_has_mail_on(const struct client *client)
{
    return client_is_subscribed(client) || client->is_monitor;
}

/* Adds a message for the client, which is cut off if too many wait.
 * Thread: any task, while the client cannot end. */
void client_mail(struct client *client, const void *data, size_t size);
void client_take_mail(struct client *client); // appends the messages to the reply

/* Executes all complete commands of the input, until one blocks or much output waits. */
enum outcome { NEEDS_INPUT, HAS_MORE, IS_BLOCKED, CLOSES };
enum outcome client_execute(struct client *client);

/* Runs a command with its locks. */
void client_call(struct client *client, const struct command *command, const struct span *args,
                 int count);
void client_forget_queue(struct client *client);
void client_forget_watches(struct client *client); // locks their shards

/* ---- the list of clients ---- */

void clients_lock(void);
void clients_unlock(void);
struct client *clients_first(void); // under the lock, as the next ones
uint64_t clients_count(void);
void client_kill(struct client *client); // under the lock: cancels the connection's task

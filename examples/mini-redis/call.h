/* A call of a command, and the table of commands. */
#pragma once

#include "database.h"
#include "reply.h"

struct client;

enum {
    CMD_WRITE = 1,        // changes keys: logged, refused while the log cannot be written
    CMD_ALL_SHARDS = 2,   // needs all keys
    CMD_BLOCKING = 4,     // may answer -EAGAIN: the client waits, see blocked.h
    CMD_NO_MULTI = 8,     // not inside MULTI
    CMD_IMMEDIATE = 16,   // executed, not queued, inside MULTI
    CMD_SUBSCRIBED = 32,  // permitted to a RESP2 client with subscriptions
    CMD_WAKES = 64,       // may add to a list or a stream, for which clients wait
    CMD_NO_MONITOR = 128, // not shown by MONITOR
};

enum { CALL_BLOCKS = 1 };

struct call {
    struct client *client; // NULL while the log is loaded
    const struct command *command;
    const struct span *args; // the first one is the command's name
    int count;
    struct reply *reply;
    int64_t now;        // ms; one moment for a whole transaction
    bool in_exec;       // blocking commands do not block
    bool is_retry;      // of a blocked client
    bool has_changed;   // keys were changed: the command is logged as it is,
    bool is_propagated; // unless it was logged in another form already
    edo_buffer *log;    // of a transaction, which is logged as a whole; NULL: none
    uint64_t woken;     // shards with lists or streams that have grown
};

struct command {
    const char *name;              // lower case
    int (*run)(struct call *call); // Returns: 0; CALL_BLOCKS
    int16_t arity;                 // with the name; negative: at least
    uint16_t flags;
    int16_t first_key, last_key, key_step; // 0: no keys; last_key: negative: from the end;
                                           // first_key -1: behind the word STREAMS
};

extern const struct command string_commands[], string_part_commands[], key_commands[],
    keyspace_commands[], list_commands[], list_move_commands[], set_commands[], hash_commands[],
    zset_commands[], zset_range_commands[], stream_commands[], xread_commands[], pubsub_commands[],
    transaction_commands[], server_commands[], client_commands[];

void commands_init(void);
const struct command *command_find(struct span name);
size_t commands_count(void);
const struct command *command_at(size_t index);

/* The shards of a call's keys. */
uint64_t command_shards(const struct command *command, const struct span *args, int count);

/* Checks name and number of the arguments. Returns: the command; NULL: an error was written. */
const struct command *command_check(const struct span *args, int count, struct reply *reply);

/* Runs a call whose shards are locked, and logs it. Returns: as command.run. */
int call_run(struct call *call);

/* ---- for commands ---- */

/* Logs this instead of the call itself; several of them are logged together. */
void call_propagate(struct call *call, int count, const struct span *args);
#define CALL_PROPAGATE(call, ...)                                                                  \
    call_propagate(call, sizeof((struct span[]){ __VA_ARGS__ }) / sizeof(struct span),             \
                   (struct span[]){ __VA_ARGS__ })

/* Notes a change of a key; NULL: it was removed. */
void call_changed(struct call *call, struct entry *entry);

/* Notes that a list or a stream has grown. */
void call_wakes(struct call *call, struct span key);

/* Finds the key args[index] of a type. Returns: false: it has another type, and the error was
 * written; else *ret_entry is the entry or NULL. */
bool call_find(struct call *call, int index, enum type type, struct entry **ret_entry);

/* The same, and adds the key if it is missing. */
bool call_find_or_add(struct call *call, int index, enum type type, struct entry **ret_entry);

/* Reads a number; on failure an error was written. */
bool call_int(struct call *call, int index, int64_t *ret_value);
bool call_double(struct call *call, int index, double *ret_value);

/* Reads the time of an expiry option or command. unit: ms; base: added. */
bool call_expiry(struct call *call, int index, int64_t unit, bool is_relative, int64_t *ret_when);

void call_syntax_error(struct call *call);
void call_wrong_type(struct call *call);
void call_wrong_arity(struct call *call);

/* known: names of the command's subcommands, in lower case, each with a space behind it. A known one
 * has a wrong number of arguments. */
void call_bad_subcommand(struct call *call, const char *known);
void call_range(struct call *call, int64_t start, int64_t stop, int64_t size, int64_t *ret_first,
                int64_t *ret_count); // of Redis's indices, negative ones from the end
static inline bool call_is(const struct call *call, int index, const char *word)
{
    return index < call->count && span_is(call->args[index], word);
}

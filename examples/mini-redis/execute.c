/* From the bytes of a client to its replies. */
#include "aof.h"
#include "client.h"
#include "pubsub.h"

enum {
    MUCH_OUTPUT = 256 * 1024, // bytes that are written before the next command runs
    COMMANDS_PER_TIME = 32,   // commands of a pipeline for one reading of the clock
};

static void note_command(struct client *client, const struct command *command, int64_t now)
{
    __atomic_store_n(&client->shown.command, command->name, __ATOMIC_RELAXED);
    __atomic_store_n(&client->shown.active, now, __ATOMIC_RELAXED);
}

void client_call(struct client *client, const struct command *command, const struct span *args,
                 int count)
{
    uint64_t shards = command_shards(command, args, count);
    bool may_block = command->flags & CMD_BLOCKING;
    struct call call = {
        .client = client,
        .command = command,
        .args = args,
        .count = count,
        .reply = &client->reply,
    };
    if (may_block) waiters_lock();
    shards_lock(shards);
    call.now = client->now;
    if (call_run(&call) == CALL_BLOCKS) waiter_add(client, &call, shards);
    shards_unlock(shards);
    if (may_block) waiters_unlock();
    note_command(client, command, call.now);
    if (call.has_changed) client->log_position = aof_position();
    if (call.woken) waiters_serve(call.woken);
}

static void queue_command(struct client *client, const struct command *command,
                          const struct span *args, int count)
{
    if (client->queue_count == client->queue_capacity) {
        client->queue_capacity = client->queue_capacity ? 2 * client->queue_capacity : 8;
        client->queue = must_realloc(client->queue, client->queue_capacity * sizeof *client->queue);
    }
    text *copies = must_alloc((size_t)count * sizeof *copies);
    for (int i = 0; i < count; i++)
        copies[i] = text_of(args[i]);
    client->queue[client->queue_count++] = (struct queued){ command, copies, count };
    reply_raw(&client->reply, "+QUEUED\r\n");
}

/* Whether the command may run now; else an error was written. */
static bool is_permitted(struct client *client, const struct command *command)
{
    bool is_limited = client_is_subscribed(client) && !client->reply.is_resp3;
    if (is_limited && !(command->flags & CMD_SUBSCRIBED)) {
        reply_error(&client->reply,
                    "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                    "QUIT / RESET are allowed in this context",
                    command->name);
        return false;
    }
    if ((command->flags & CMD_WRITE) && aof_error() < 0) {
        reply_error(&client->reply, "MISCONF Errors writing to the AOF file: %s",
                    edo_strerror(aof_error()));
        return false;
    }
    if (client->in_multi && (command->flags & CMD_NO_MULTI)) {
        reply_error(&client->reply, "ERR Command not allowed inside a transaction");
        return false;
    }
    return true;
}

static void execute(struct client *client, const struct span *args, int count)
{
    const struct command *command = command_check(args, count, &client->reply);
    if (!command || !is_permitted(client, command)) {
        client->exec_fails |= client->in_multi;
        return;
    }
    if (monitor_is_on() && !(command->flags & CMD_NO_MONITOR)) monitor_show(client, args, count);
    if (client->in_multi && !(command->flags & CMD_IMMEDIATE)) {
        queue_command(client, command, args, count);
        return;
    }
    client_call(client, command, args, count);
}

static enum outcome execute_next(struct client *client, size_t *used)
{
    struct parser *parser = &client->parser;
    int rc = parser_parse(parser, (char *)client->input.data + *used, client->input.size - *used);
    if (rc == 0) return NEEDS_INPUT;
    if (rc < 0) {
        reply_error(&client->reply, "ERR %s", parser->error);
        client->closes = true; // the input cannot be read any further
        return CLOSES;
    }
    if (parser->count) execute(client, parser->spans, (int)parser->count);
    *used += parser->at;
    parser_next(parser);
    if (client->waiter.client) return IS_BLOCKED;
    return client->closes ? CLOSES : HAS_MORE;
}

enum outcome client_execute(struct client *client)
{
    size_t used = 0;
    enum outcome outcome = HAS_MORE;
    for (unsigned n = 0; outcome == HAS_MORE && client->reply.bytes.size < MUCH_OUTPUT; n++) {
        if (n % COMMANDS_PER_TIME == 0) client->now = wall_ms();
        outcome = execute_next(client, &used);
    }
    if (used) edo_buffer_advance(&client->input, used);
    return outcome;
}

/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. */
#include "aof.h"
#include "client.h"

static int run_multi(struct call *call)
{
    if (call->client->in_multi) {
        reply_error(call->reply, "ERR MULTI calls can not be nested");
        return 0;
    }
    call->client->in_multi = true;
    reply_ok(call->reply);
    return 0;
}

static int run_discard(struct call *call)
{
    if (!call->client->in_multi) {
        reply_error(call->reply, "ERR DISCARD without MULTI");
        return 0;
    }
    client_forget_queue(call->client);
    client_forget_watches(call->client);
    reply_ok(call->reply);
    return 0;
}

static void watch(struct client *client, struct span key, int64_t now)
{
    uint64_t hash = hash_of(key);
    if (table_find(&client->watches, key, hash)) return;
    (void)key_find(key, now); // expired already: no change later
    struct node *node = table_node_create(&client->watches, NULL, key, hash);
    ((struct watch *)node)->changes = key_watch(key);
    table_insert(&client->watches, node);
}

/* Runs with the shards of its keys. */
static int run_watch(struct call *call)
{
    struct client *client = call->client;
    if (client->in_multi) {
        reply_error(call->reply, "ERR WATCH inside MULTI is not allowed");
        return 0;
    }
    for (int i = 1; i < call->count; i++)
        watch(client, call->args[i], call->now);
    reply_ok(call->reply);
    return 0;
}

/* Inside a transaction all shards are locked, and its end forgets the keys anyway. */
static int run_unwatch(struct call *call)
{
    if (!call->in_exec) client_forget_watches(call->client);
    reply_ok(call->reply);
    return 0;
}

/* ---- EXEC ---- */

static struct span *spans_of(const struct queued *queued)
{
    struct span *args = must_alloc((size_t)queued->count * sizeof *args);
    for (int i = 0; i < queued->count; i++)
        args[i] = text_span(&queued->args[i]);
    return args;
}

/* The shards of all commands and watched keys. */
static uint64_t shards_of(const struct client *client, bool *ret_writes)
{
    uint64_t shards = 0;
    for (size_t i = 0; i < client->queue_count; i++) {
        const struct queued *queued = &client->queue[i];
        struct span *args = spans_of(queued);
        shards |= command_shards(queued->command, args, queued->count);
        *ret_writes |= queued->command->flags & CMD_WRITE;
        free(args);
    }
    TABLE_EACH(&client->watches, node)
    {
        shards |= shard_bit(table_key(&client->watches, node));
    }
    return shards;
}

static bool watches_hold(const struct client *client, int64_t now)
{
    TABLE_EACH(&client->watches, node)
    {
        struct span key = table_key(&client->watches, node);
        (void)key_find(key, now); // a key that has expired has changed
        if (key_changes(key) != ((struct watch *)node)->changes) return false;
    }
    return true;
}

static void run_queued(struct call *exec, const struct queued *queued, edo_buffer *log)
{
    struct span *args = spans_of(queued);
    struct call call = {
        .client = exec->client,
        .command = queued->command,
        .args = args,
        .count = queued->count,
        .reply = exec->reply,
        .now = exec->now,
        .in_exec = true,
        .log = log,
    };
    (void)call_run(&call);
    exec->woken |= call.woken;
    exec->has_changed |= call.has_changed;
    free(args);
}

/* Logs the transaction as a whole, so that no other command comes between its parts. */
static void log_transaction(const edo_buffer *commands)
{
    edo_buffer log = { 0 };
    if (!commands->size) return;
    aof_put_command(&log, 1, &SPAN("MULTI"));
    put(&log, commands->data, commands->size);
    aof_put_command(&log, 1, &SPAN("EXEC"));
    aof_append_bytes(log.data, log.size);
    edo_buffer_deinit(&log);
}

static void run_transaction(struct call *call, uint64_t shards)
{
    struct client *client = call->client;
    edo_buffer log = { 0 };
    shards_lock(shards);
    call->now = wall_ms();
    if (!watches_hold(client, call->now)) {
        reply_null_array(call->reply);
    } else {
        reply_array(call->reply, client->queue_count);
        for (size_t i = 0; i < client->queue_count; i++)
            run_queued(call, &client->queue[i], &log);
        log_transaction(&log);
    }
    shards_unlock(shards);
    call->is_propagated = true;
    edo_buffer_deinit(&log);
}

static int run_exec(struct call *call)
{
    struct client *client = call->client;
    bool writes = false;
    if (!client->in_multi) {
        reply_error(call->reply, "ERR EXEC without MULTI");
        return 0;
    }
    uint64_t shards = shards_of(client, &writes);
    if (client->exec_fails)
        reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
    else if (writes && aof_error() < 0)
        reply_error(call->reply, "MISCONF Errors writing to the AOF file: %s",
                    edo_strerror(aof_error()));
    else
        run_transaction(call, shards);
    client_forget_queue(client);
    client_forget_watches(client);
    return 0;
}

const struct command transaction_commands[] = {
    { "multi", run_multi, 1, CMD_IMMEDIATE, 0, 0, 0 },
    { "exec", run_exec, 1, CMD_IMMEDIATE | CMD_NO_MONITOR, 0, 0, 0 },
    { "discard", run_discard, 1, CMD_IMMEDIATE, 0, 0, 0 },
    { "watch", run_watch, -2, CMD_IMMEDIATE, 1, -1, 1 },
    { "unwatch", run_unwatch, 1, 0, 0, 0, 0 },
    { 0 },
};

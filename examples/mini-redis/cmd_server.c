/* Commands of the server: INFO, CONFIG, COMMAND, SHUTDOWN and so on. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "aof.h"
#include "blocked.h"
#include "client.h"
#include "config.h"
#include "server.h"

/* ---- INFO ---- */

static void put_server(edo_buffer *info)
{
    int64_t uptime = (wall_ms() - the_server->started) / 1000;
    put_format(info,
               "# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nserver_name:mini-redis\r\n"
               "edo_driver:%s\r\nworkers:%u\r\nprocess_id:%d\r\ntcp_port:%lld\r\n"
               "uptime_in_seconds:%lld\r\n\r\n",
               SERVER_VERSION, edo_runtime_driver(edo_current_runtime()),
               edo_runtime_workers(edo_current_runtime()), (int)getpid(), (long long)config.port,
               (long long)uptime);
}

static void put_clients(edo_buffer *info)
{
    put_format(info,
               "# Clients\r\nconnected_clients:%llu\r\nmaxclients:%lld\r\n"
               "blocked_clients:%llu\r\n\r\n",
               (unsigned long long)clients_count(), (long long)config.maxclients,
               (unsigned long long)waiters_count());
}

static void put_memory(edo_buffer *info)
{
    struct mallinfo2 memory = mallinfo2();
    put_format(info, "# Memory\r\nused_memory:%zu\r\nmaxmemory:0\r\n\r\n",
               memory.uordblks + memory.hblkhd);
}

static void put_persistence(edo_buffer *info)
{
    put_format(
        info,
        "# Persistence\r\nloading:0\r\naof_enabled:%d\r\naof_rewrite_in_progress:%d\r\n"
        "aof_last_bgrewrite_status:%s\r\naof_last_write_status:%s\r\naof_current_size:%llu\r\naof_rewrites:%llu\r\n\r\n",
        aof_is_on(), aof_is_rewriting(), aof_rewrite_has_failed() ? "err" : "ok",
        aof_error() < 0 ? "err" : "ok", (unsigned long long)aof_size(),
        (unsigned long long)aof_rewrites());
}

static void put_stats(edo_buffer *info)
{
    put_format(info, "# Stats\r\nexpired_keys:%llu\r\n\r\n",
               (unsigned long long)__atomic_load_n(&database.expired, __ATOMIC_RELAXED));
}

static void put_replication(edo_buffer *info)
{
    put_format(info, "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n");
}

static void put_keyspace(edo_buffer *info)
{
    uint64_t expiring, count = database_count(&expiring);
    put_format(info, "# Keyspace\r\n");
    if (count)
        put_format(info, "db0:keys=%llu,expires=%llu,avg_ttl=0\r\n", (unsigned long long)count,
                   (unsigned long long)expiring);
}

static const struct {
    const char *name;
    void (*put)(edo_buffer *info);
} sections[] = {
    { "server", put_server },     { "clients", put_clients },
    { "memory", put_memory },     { "persistence", put_persistence },
    { "stats", put_stats },       { "replication", put_replication },
    { "keyspace", put_keyspace },
};

static int run_info(struct call *call)
{
    edo_buffer info = { 0 };
    bool all = call->count == 1 || call_is(call, 1, "all") || call_is(call, 1, "everything") ||
               call_is(call, 1, "default");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (all || call_is(call, 1, sections[i].name)) sections[i].put(&info);
    reply_verbatim(call->reply, (struct span){ (char *)info.data, info.size });
    edo_buffer_deinit(&info);
    return 0;
}

/* ---- CONFIG ---- */

static void config_get(struct call *call)
{
    char buffer[32];
    edo_buffer pairs = { 0 };
    size_t count = 0;
    for (int i = 0; i < config_count(); i++) {
        bool matches = false;
        for (int k = 2; k < call->count; k++)
            matches |= span_matches(call->args[k], span_of(config_name(i)));
        if (!matches) continue;
        put_bulk(&pairs, span_of(config_name(i)));
        put_bulk(&pairs, span_of(config_value(i, buffer)));
        count++;
    }
    reply_map(call->reply, count);
    put(&call->reply->bytes, pairs.data, pairs.size);
    edo_buffer_deinit(&pairs);
}

static bool copy_word(struct span span, char *buffer, size_t size)
{
    if (span.size >= size || memchr(span.data, 0, span.size)) return false;
    memcpy(buffer, span.data, span.size);
    buffer[span.size] = '\0';
    return true;
}

static const char *why_not_set(int rc)
{
    switch (rc) {
    case -EPERM: return "can't set immutable config";
    case -EINVAL: return "argument couldn't be parsed into an integer";
    case -EDOM: return "argument(s) must be one of the following: everysec, always, no";
    default: return "argument is out of range";
    }
}

static void config_set_pairs(struct call *call)
{
    char name[64], value[256];
    for (int i = 2; i + 1 < call->count; i += 2) {
        int rc = -ENOENT;
        if (copy_word(call->args[i], name, sizeof name) &&
            copy_word(call->args[i + 1], value, sizeof value))
            rc = config_set(name, value);
        if (rc == 0) continue;
        if (rc == -ENOENT)
            reply_error(
                call->reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                (int)(call->args[i].size < 64 ? call->args[i].size : 64), call->args[i].data);
        else
            reply_error(call->reply,
                        "ERR CONFIG SET failed (possibly related to argument '%s') - %s", name,
                        why_not_set(rc));
        return;
    }
    reply_ok(call->reply);
}

static int run_config(struct call *call)
{
    if (call_is(call, 1, "get") && call->count > 2)
        config_get(call);
    else if (call_is(call, 1, "set") && call->count > 3 && call->count % 2 == 0)
        config_set_pairs(call);
    else if (call_is(call, 1, "resetstat") && call->count == 2)
        reply_ok(call->reply);
    else
        call_bad_subcommand(call, "get set resetstat ");
    return 0;
}

/* ---- COMMAND ---- */

static void reply_command(struct call *call, const struct command *command)
{
    if (!command) {
        reply_null(call->reply);
        return;
    }
    reply_array(call->reply, 10);
    reply_text(call->reply, command->name);
    reply_int(call->reply, command->arity);
    reply_set(call->reply, 1);
    reply_status(call->reply, command->flags & CMD_WRITE ? "write" : "readonly");
    reply_int(call->reply, command->first_key < 0 ? 0 : command->first_key);
    reply_int(call->reply, command->last_key);
    reply_int(call->reply, command->key_step);
    for (int i = 0; i < 4; i++)
        reply_array(call->reply, 0); // categories, tips, key specifications, subcommands
}

/* Enough for redis-cli's hints. */
static void reply_docs(struct call *call, const struct command *command)
{
    reply_text(call->reply, command->name);
    reply_map(call->reply, 3);
    reply_text(call->reply, "summary");
    reply_text(call->reply, "See the page of this command at redis.io/commands");
    reply_text(call->reply, "since");
    reply_text(call->reply, "1.0.0");
    reply_text(call->reply, "group");
    reply_text(call->reply, "generic");
}

static void command_docs(struct call *call)
{
    size_t count = 0;
    for (int i = 2; i < call->count; i++)
        count += command_find(call->args[i]) != NULL;
    reply_map(call->reply, call->count > 2 ? count : commands_count());
    for (int i = 2; i < call->count; i++)
        if (command_find(call->args[i])) reply_docs(call, command_find(call->args[i]));
    for (size_t i = 0; call->count == 2 && i < commands_count(); i++)
        reply_docs(call, command_at(i));
}

static int run_command(struct call *call)
{
    if (call->count == 1) {
        reply_array(call->reply, commands_count());
        for (size_t i = 0; i < commands_count(); i++)
            reply_command(call, command_at(i));
    } else if (call_is(call, 1, "count") && call->count == 2) {
        reply_int(call->reply, (int64_t)commands_count());
    } else if (call_is(call, 1, "docs")) {
        command_docs(call);
    } else if (call_is(call, 1, "info")) {
        reply_array(call->reply, (size_t)call->count - 2);
        for (int i = 2; i < call->count; i++)
            reply_command(call, command_find(call->args[i]));
    } else {
        call_bad_subcommand(call, "count ");
    }
    return 0;
}

/* ---- others ---- */

static int run_shutdown(struct call *call)
{
    for (int i = 1; i < call->count; i++)
        if (!call_is(call, i, "nosave") && !call_is(call, i, "save") && !call_is(call, i, "now") &&
            !call_is(call, i, "force")) {
            call_syntax_error(call);
            return 0;
        }
    call->client->closes = true;
    server_stop();
    return 0;
}

static int run_time(struct call *call)
{
    struct timespec now;
    char buffer[NUMBER_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    reply_array(call->reply, 2);
    reply_bulk(call->reply, int_to_span(now.tv_sec, buffer));
    reply_bulk(call->reply, int_to_span(now.tv_nsec / 1000, buffer));
    return 0;
}

static int run_bgrewriteaof(struct call *call)
{
    if (!aof_is_on())
        reply_error(call->reply, "ERR the append only file is off");
    else if (!aof_rewrite_start())
        reply_error(call->reply, "ERR Background append only file rewriting already in progress");
    else
        reply_raw(call->reply, "+Background append only file rewriting started\r\n");
    return 0;
}

const struct command server_commands[] = {
    { "info", run_info, -1, CMD_ALL_SHARDS, 0, 0, 0 },
    { "config", run_config, -2, 0, 0, 0, 0 },
    { "command", run_command, -1, 0, 0, 0, 0 },
    { "shutdown", run_shutdown, -1, CMD_NO_MULTI, 0, 0, 0 },
    { "time", run_time, 1, 0, 0, 0, 0 },
    { "bgrewriteaof", run_bgrewriteaof, 1, CMD_NO_MULTI, 0, 0, 0 },
    { 0 },
};

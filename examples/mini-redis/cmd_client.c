/* Commands of the connection: PING, HELLO, CLIENT and so on. */
#include <stdio.h>

#include "client.h"
#include "pubsub.h"
#include "server.h"

static int run_ping(struct call *call)
{
    if (call->count > 2) {
        call_wrong_arity(call);
    } else if (client_is_subscribed(call->client) && !call->reply->is_resp3) {
        reply_array(call->reply, 2);
        reply_text(call->reply, "pong");
        reply_bulk(call->reply, call->count > 1 ? call->args[1] : SPAN(""));
    } else if (call->count > 1) {
        reply_bulk(call->reply, call->args[1]);
    } else {
        reply_raw(call->reply, "+PONG\r\n");
    }
    return 0;
}

static int run_echo(struct call *call)
{
    reply_bulk(call->reply, call->args[1]);
    return 0;
}

static int run_quit(struct call *call)
{
    reply_ok(call->reply);
    call->client->closes = true;
    return 0;
}

static int run_select(struct call *call)
{
    int64_t number;
    if (!span_to_int(call->args[1], &number))
        reply_error(call->reply, "ERR value is not an integer or out of range");
    else if (number != 0)
        reply_error(call->reply, "ERR DB index is out of range");
    else
        reply_ok(call->reply);
    return 0;
}

static bool name_is_valid(struct call *call, struct span name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] >= '!' && name.data[i] <= '~') continue;
        reply_error(call->reply,
                    "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    return true;
}

static bool set_name(struct call *call, struct span name)
{
    if (!name_is_valid(call, name)) return false;
    clients_lock();
    text_set(&call->client->shown.name, name);
    clients_unlock();
    return true;
}

/* ---- HELLO ---- */

static void reply_hello(struct call *call)
{
    reply_map(call->reply, 7);
    reply_text(call->reply, "server");
    reply_text(call->reply, "redis");
    reply_text(call->reply, "version");
    reply_text(call->reply, SERVER_VERSION);
    reply_text(call->reply, "proto");
    reply_int(call->reply, call->reply->is_resp3 ? 3 : 2);
    reply_text(call->reply, "id");
    reply_int(call->reply, (int64_t)call->client->id);
    reply_text(call->reply, "mode");
    reply_text(call->reply, "standalone");
    reply_text(call->reply, "role");
    reply_text(call->reply, "master");
    reply_text(call->reply, "modules");
    reply_array(call->reply, 0);
}

static int run_hello(struct call *call)
{
    int64_t version = call->reply->is_resp3 ? 3 : 2;
    if (call->count > 1 && !span_to_int(call->args[1], &version)) {
        reply_error(call->reply, "ERR Protocol version is not an integer or out of range");
        return 0;
    }
    if (version < 2 || version > 3) {
        reply_error(call->reply, "NOPROTO unsupported protocol version");
        return 0;
    }
    for (int i = 2; i < call->count; i++) {
        if (call_is(call, i, "setname") && i + 1 < call->count) {
            if (!set_name(call, call->args[++i])) return 0;
        } else if (call_is(call, i, "auth") && i + 2 < call->count) {
            i += 2; // any password, as a server without one
        } else {
            reply_error(call->reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)call->args[i].size, call->args[i].data);
            return 0;
        }
    }
    client_set_protocol(call->client, version == 3);
    reply_hello(call);
    return 0;
}

static int run_reset(struct call *call)
{
    client_forget_queue(call->client);
    client_forget_watches(call->client);
    pubsub_forget(call->client);
    table_deinit(&call->client->channels, NULL);
    table_deinit(&call->client->patterns, NULL);
    set_name(call, SPAN(""));
    client_set_protocol(call->client, false);
    reply_raw(call->reply, "+RESET\r\n");
    return 0;
}

static int run_monitor(struct call *call)
{
    if (!call->client->is_monitor) monitor_add(call->client);
    reply_ok(call->reply);
    return 0;
}

/* ---- CLIENT ---- */

/* Under the lock of the list; numbers of other tasks are snapshots. */
static void put_client(edo_buffer *list, const struct client *client)
{
    struct span name = text_span(&client->shown.name);
    int64_t now = wall_ms();
    int64_t active = __atomic_load_n(&client->shown.active, __ATOMIC_RELAXED);
    put_format(list,
               "id=%llu addr=%s laddr=%s fd=%d name=%.*s age=%lld idle=%lld flags=N db=0 "
               "cmd=%s user=default resp=%d\n",
               (unsigned long long)client->id, client->address, client->local,
               (int)edo_io_fd(client->conn), (int)name.size, name.data,
               (long long)(now - client->shown.created) / 1000, (long long)(now - active) / 1000,
               __atomic_load_n(&client->shown.command, __ATOMIC_RELAXED),
               __atomic_load_n(&client->mailbox.is_resp3, __ATOMIC_RELAXED) ? 3 : 2);
}

static void client_list(struct call *call, bool only_self)
{
    edo_buffer list = { 0 };
    clients_lock();
    for (struct client *client = clients_first(); client; client = client->next)
        if (!only_self || client == call->client) put_client(&list, client);
    clients_unlock();
    reply_verbatim(call->reply, (struct span){ (char *)list.data, list.size });
    edo_buffer_deinit(&list);
}

struct victims {
    int64_t id; // 0: any
    struct span address;
    bool skips_self;
};

static int64_t kill_clients(struct call *call, const struct victims *victims)
{
    int64_t count = 0;
    clients_lock();
    for (struct client *client = clients_first(); client; client = client->next) {
        if (victims->id && client->id != (uint64_t)victims->id) continue;
        if (victims->address.data && !span_equal(victims->address, span_of(client->address)))
            continue;
        if (client == call->client && victims->skips_self) continue;
        count++;
        if (client == call->client)
            client->closes = true;
        else
            client_kill(client);
    }
    clients_unlock();
    return count;
}

static bool read_victims(struct call *call, struct victims *victims)
{
    for (int i = 2; i + 1 < call->count; i += 2) {
        if (call_is(call, i, "id")) {
            if (span_to_int(call->args[i + 1], &victims->id) && victims->id > 0) continue;
            reply_error(call->reply, "ERR client-id should be greater than 0");
            return false;
        }
        if (call_is(call, i, "addr"))
            victims->address = call->args[i + 1];
        else if (call_is(call, i, "skipme"))
            victims->skips_self = !call_is(call, i + 1, "no");
        else if (!call_is(call, i, "type") || !call_is(call, i + 1, "normal")) {
            if (call_is(call, i, "type"))
                reply_error(call->reply, "ERR Unknown client type '%.*s'",
                            (int)call->args[i + 1].size, call->args[i + 1].data);
            else
                call_syntax_error(call);
            return false;
        }
    }
    if (call->count % 2 == 0) return true;
    call_syntax_error(call);
    return false;
}

static void run_kill(struct call *call)
{
    struct victims victims = { .skips_self = true };
    if (call->count == 3) {
        victims = (struct victims){ .address = call->args[2] };
        if (kill_clients(call, &victims))
            reply_ok(call->reply);
        else
            reply_error(call->reply, "ERR No such client");
    } else if (read_victims(call, &victims)) {
        reply_int(call->reply, kill_clients(call, &victims));
    }
}

static int run_client(struct call *call)
{
    struct span name = text_span(&call->client->shown.name);
    if (call_is(call, 1, "setname") && call->count == 3) {
        if (set_name(call, call->args[2])) reply_ok(call->reply);
    } else if (call_is(call, 1, "getname") && call->count == 2) {
        if (name.size)
            reply_bulk(call->reply, name);
        else
            reply_null(call->reply);
    } else if (call_is(call, 1, "id") && call->count == 2) {
        reply_int(call->reply, (int64_t)call->client->id);
    } else if (call_is(call, 1, "list")) {
        client_list(call, false);
    } else if (call_is(call, 1, "info") && call->count == 2) {
        client_list(call, true);
    } else if (call_is(call, 1, "kill") && call->count >= 3) {
        run_kill(call);
    } else if ((call_is(call, 1, "setinfo") && call->count == 4) ||
               ((call_is(call, 1, "no-evict") || call_is(call, 1, "no-touch")) &&
                call->count == 3)) {
        reply_ok(call->reply);
    } else {
        call_bad_subcommand(call, "setname getname id list info kill setinfo no-evict no-touch ");
    }
    return 0;
}

const struct command client_commands[] = {
    { "ping", run_ping, -1, CMD_SUBSCRIBED, 0, 0, 0 },
    { "echo", run_echo, 2, 0, 0, 0, 0 },
    { "quit", run_quit, -1, CMD_SUBSCRIBED | CMD_IMMEDIATE, 0, 0, 0 },
    { "select", run_select, 2, 0, 0, 0, 0 },
    { "hello", run_hello, -1, CMD_NO_MULTI, 0, 0, 0 },
    { "reset", run_reset, 1, CMD_SUBSCRIBED | CMD_IMMEDIATE, 0, 0, 0 },
    { "monitor", run_monitor, 1, CMD_NO_MULTI | CMD_NO_MONITOR, 0, 0, 0 },
    { "client", run_client, -2, 0, 0, 0, 0 },
    { 0 },
};

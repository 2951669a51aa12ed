/* SUBSCRIBE and its like. */
#include "client.h"
#include "pubsub.h"

static void confirm(struct call *call, const char *what, const struct span *name)
{
    struct client *client = call->client;
    reply_push(call->reply, 3);
    reply_text(call->reply, what);
    if (name)
        reply_bulk(call->reply, *name);
    else
        reply_null(call->reply);
    reply_int(call->reply, client->channels.count + client->patterns.count);
}

static int subscribe(struct call *call, bool is_pattern)
{
    for (int i = 1; i < call->count; i++) {
        pubsub_subscribe(call->client, call->args[i], is_pattern);
        confirm(call, is_pattern ? "psubscribe" : "subscribe", &call->args[i]);
    }
    return 0;
}

static int run_subscribe(struct call *call)
{
    return subscribe(call, false);
}

static int run_psubscribe(struct call *call)
{
    return subscribe(call, true);
}

static void unsubscribe_all(struct call *call, bool is_pattern, const char *what)
{
    struct table *own = is_pattern ? &call->client->patterns : &call->client->channels;
    if (own->count == 0) confirm(call, what, NULL);
    TABLE_EACH(own, node)
    {
        text name = text_of(table_key(own, node)); // outlives the node
        struct span span = text_span(&name);
        pubsub_unsubscribe(call->client, span, is_pattern);
        confirm(call, what, &span);
        text_deinit(&name);
    }
}

static int unsubscribe(struct call *call, bool is_pattern)
{
    const char *what = is_pattern ? "punsubscribe" : "unsubscribe";
    if (call->count == 1) unsubscribe_all(call, is_pattern, what);
    for (int i = 1; i < call->count; i++) {
        pubsub_unsubscribe(call->client, call->args[i], is_pattern);
        confirm(call, what, &call->args[i]);
    }
    return 0;
}

static int run_unsubscribe(struct call *call)
{
    return unsubscribe(call, false);
}

static int run_punsubscribe(struct call *call)
{
    return unsubscribe(call, true);
}

static int run_publish(struct call *call)
{
    reply_int(call->reply, pubsub_publish(call->args[1], call->args[2]));
    return 0;
}

/* ---- PUBSUB ---- */

struct names {
    const struct span *pattern;
    edo_buffer bytes;
    size_t count;
};

static void collect(void *context, struct span name, size_t count)
{
    struct names *names = context;
    (void)count;
    if (names->pattern && !span_matches(*names->pattern, name)) return;
    put_bulk(&names->bytes, name);
    names->count++;
}

static void reply_channels(struct call *call)
{
    struct names names = { .pattern = call->count > 2 ? &call->args[2] : NULL };
    pubsub_each(false, collect, &names);
    reply_array(call->reply, names.count);
    put(&call->reply->bytes, names.bytes.data, names.bytes.size);
    edo_buffer_deinit(&names.bytes);
}

static void count_pattern(void *context, struct span name, size_t count)
{
    (void)name;
    (void)count;
    ++*(int64_t *)context;
}

static int run_pubsub(struct call *call)
{
    int64_t patterns = 0;
    if (call_is(call, 1, "channels") && call->count <= 3) {
        reply_channels(call);
    } else if (call_is(call, 1, "numsub")) {
        reply_array(call->reply, 2 * ((size_t)call->count - 2));
        for (int i = 2; i < call->count; i++) {
            reply_bulk(call->reply, call->args[i]);
            reply_int(call->reply, (int64_t)pubsub_count(call->args[i]));
        }
    } else if (call_is(call, 1, "numpat") && call->count == 2) {
        pubsub_each(true, count_pattern, &patterns);
        reply_int(call->reply, patterns);
    } else {
        call_bad_subcommand(call, "channels numpat ");
    }
    return 0;
}

enum { SUBSCRIBES = CMD_SUBSCRIBED };

const struct command pubsub_commands[] = {
    { "subscribe", run_subscribe, -2, SUBSCRIBES, 0, 0, 0 },
    { "psubscribe", run_psubscribe, -2, SUBSCRIBES, 0, 0, 0 },
    { "unsubscribe", run_unsubscribe, -1, SUBSCRIBES, 0, 0, 0 },
    { "punsubscribe", run_punsubscribe, -1, SUBSCRIBES, 0, 0, 0 },
    { "publish", run_publish, 3, 0, 0, 0, 0 },
    { "pubsub", run_pubsub, -2, 0, 0, 0, 0 },
    { 0 },
};

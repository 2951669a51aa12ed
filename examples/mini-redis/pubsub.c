#include "pubsub.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "client.h"

struct channel {
    struct node node;
    struct client **clients;
    size_t count, capacity;
};

static edo_thread_rwlock lock;
static struct table channels, patterns; // the lock
static struct client **monitors;        // the lock
static size_t monitor_count;            // the lock
static uint32_t monitors_on;            // atomic

static struct table *table_for(bool is_pattern)
{
    struct table *table = is_pattern ? &patterns : &channels;
    if (!table->node_size) table_init(table, sizeof(struct channel));
    return table;
}

static void add_client(struct client *client, struct span name, bool is_pattern)
{
    struct table *table = table_for(is_pattern);
    uint64_t hash = hash_of(name);
    struct channel *channel = (struct channel *)table_find(table, name, hash);
    if (!channel) {
        channel = (struct channel *)table_node_create(table, NULL, name, hash);
        table_insert(table, &channel->node);
    }
    if (channel->count == channel->capacity) {
        channel->capacity = channel->capacity ? 2 * channel->capacity : 4;
        channel->clients = must_realloc(channel->clients,
                                        channel->capacity * sizeof *channel->clients);
    }
    channel->clients[channel->count++] = client;
}

static void remove_client(struct client *client, struct span name, bool is_pattern)
{
    struct table *table = table_for(is_pattern);
    struct channel *channel = (struct channel *)table_find(table, name, hash_of(name));
    size_t i = 0;
    while (channel->clients[i] != client)
        i++;
    channel->clients[i] = channel->clients[--channel->count];
    if (channel->count) return;
    table_remove(table, &channel->node);
    free(channel->clients);
    free(channel);
}

bool pubsub_subscribe(struct client *client, struct span name, bool is_pattern)
{
    struct table *own = is_pattern ? &client->patterns : &client->channels;
    uint64_t hash = hash_of(name);
    if (table_find(own, name, hash)) return false;
    table_insert(own, table_node_create(own, NULL, name, hash));
    edo_thread_rwlock_write(&lock);
    add_client(client, name, is_pattern);
    edo_thread_rwlock_unlock_write(&lock);
    return true;
}

bool pubsub_unsubscribe(struct client *client, struct span name, bool is_pattern)
{
    struct table *own = is_pattern ? &client->patterns : &client->channels;
    struct node *node = table_find(own, name, hash_of(name));
    if (!node) return false;
    edo_thread_rwlock_write(&lock);
    remove_client(client, name, is_pattern);
    edo_thread_rwlock_unlock_write(&lock);
    table_remove(own, node);
    free(node);
    return true;
}

static void forget_monitor(struct client *client)
{
    size_t i = 0;
    while (i < monitor_count && monitors[i] != client)
        i++;
    if (i == monitor_count) return;
    monitors[i] = monitors[--monitor_count];
    __atomic_store_n(&monitors_on, (uint32_t)monitor_count, __ATOMIC_RELAXED);
}

void pubsub_forget(struct client *client)
{
    edo_thread_rwlock_write(&lock);
    TABLE_EACH(&client->channels, node)
    {
        remove_client(client, table_key(&client->channels, node), false);
    }
    TABLE_EACH(&client->patterns, node)
    {
        remove_client(client, table_key(&client->patterns, node), true);
    }
    forget_monitor(client);
    edo_thread_rwlock_unlock_write(&lock);
    client->is_monitor = false;
}

/* ---- publishing ---- */

/* A message in both protocols; each is made when the first subscriber needs it. */
struct message {
    edo_buffer forms[2];
    const struct span *pattern;
    struct span channel, body;
};

static const edo_buffer *form_of(struct message *message, bool is_resp3)
{
    edo_buffer *form = &message->forms[is_resp3];
    if (form->size) return form;
    put_head(form, is_resp3 ? '>' : '*', message->pattern ? 4 : 3);
    put_bulk(form, message->pattern ? SPAN("pmessage") : SPAN("message"));
    if (message->pattern) put_bulk(form, *message->pattern);
    put_bulk(form, message->channel);
    put_bulk(form, message->body);
    return form;
}

static int64_t send_to(const struct channel *channel, struct message *message)
{
    for (size_t i = 0; i < channel->count; i++) {
        struct client *client = channel->clients[i];
        bool is_resp3 = __atomic_load_n(&client->mailbox.is_resp3, __ATOMIC_RELAXED);
        const edo_buffer *form = form_of(message, is_resp3);
        client_mail(client, form->data, form->size);
    }
    edo_buffer_deinit(&message->forms[0]);
    edo_buffer_deinit(&message->forms[1]);
    return (int64_t)channel->count;
}

int64_t pubsub_publish(struct span name, struct span body)
{
    struct message message = { .channel = name, .body = body };
    int64_t count = 0;
    edo_thread_rwlock_read(&lock);
    const struct channel *channel = (struct channel *)table_find(&channels, name, hash_of(name));
    if (channel) count += send_to(channel, &message);
    TABLE_EACH(&patterns, node)
    {
        struct span pattern = table_key(&patterns, node);
        message.pattern = &pattern;
        if (span_matches(pattern, name)) count += send_to((struct channel *)node, &message);
    }
    edo_thread_rwlock_unlock_read(&lock);
    return count;
}

void pubsub_each(bool of_patterns, void (*visit)(void *context, struct span name, size_t count),
                 void *context)
{
    edo_thread_rwlock_read(&lock);
    struct table *table = of_patterns ? &patterns : &channels;
    TABLE_EACH(table, node)
    {
        visit(context, table_key(table, node), ((struct channel *)node)->count);
    }
    edo_thread_rwlock_unlock_read(&lock);
}

size_t pubsub_count(struct span name)
{
    edo_thread_rwlock_read(&lock);
    const struct channel *channel = (struct channel *)table_find(&channels, name, hash_of(name));
    size_t count = channel ? channel->count : 0;
    edo_thread_rwlock_unlock_read(&lock);
    return count;
}

/* ---- MONITOR ---- */

void monitor_add(struct client *client)
{
    edo_thread_rwlock_write(&lock);
    client->is_monitor = true;
    monitors = must_realloc(monitors, (monitor_count + 1) * sizeof *monitors);
    monitors[monitor_count++] = client;
    __atomic_store_n(&monitors_on, (uint32_t)monitor_count, __ATOMIC_RELAXED);
    edo_thread_rwlock_unlock_write(&lock);
}

bool monitor_is_on(void)
{
    return __atomic_load_n(&monitors_on, __ATOMIC_RELAXED) > 0;
}

/* The letter of a C escape; 0: none. */
static char escape_of(char c)
{
    static const char bytes[] = "\n\r\t\a\b\\\"", letters[] = "nrtab\\\"";
    const char *found = c ? strchr(bytes, c) : NULL;
    return found ? letters[found - bytes] : '\0';
}

static void put_quoted(edo_buffer *line, struct span span)
{
    put(line, " \"", 2);
    for (size_t i = 0; i < span.size; i++) {
        char c = span.data[i], escape = escape_of(c);
        if (escape)
            put_format(line, "\\%c", escape);
        else if (isprint((unsigned char)c))
            put(line, &c, 1);
        else
            put_format(line, "\\x%02x", (unsigned char)c);
    }
    put(line, "\"", 1);
}

void monitor_show(const struct client *client, const struct span *args, int count)
{
    struct timespec now;
    edo_buffer line = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    put_format(&line, "+%lld.%06ld [0 %s%s]", (long long)now.tv_sec, now.tv_nsec / 1000,
               client->is_unix ? "unix:" : "", client->address);
    for (int i = 0; i < count; i++)
        put_quoted(&line, args[i]);
    put(&line, "\r\n", 2);
    edo_thread_rwlock_read(&lock);
    for (size_t i = 0; i < monitor_count; i++)
        client_mail(monitors[i], line.data, line.size);
    edo_thread_rwlock_unlock_read(&lock);
    edo_buffer_deinit(&line);
}

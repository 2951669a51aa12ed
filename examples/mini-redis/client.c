#include "client.h"

#include <stdio.h>

#include "config.h"
#include "pubsub.h"
#include "server.h"

static edo_thread_mutex lock;
static struct client *first;
static uint64_t count;   // atomic
static uint64_t last_id; // the lock

void clients_lock(void)
{
    edo_thread_mutex_lock(&lock);
}

void clients_unlock(void)
{
    edo_thread_mutex_unlock(&lock);
}

struct client *clients_first(void)
{
    return first;
}

uint64_t clients_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

static void enlist(struct client *client)
{
    clients_lock();
    client->id = ++last_id;
    client->next = first;
    if (first) first->before = client;
    first = client;
    __atomic_store_n(&count, count + 1, __ATOMIC_RELAXED);
    clients_unlock();
}

static void delist(struct client *client)
{
    clients_lock();
    if (client->next) client->next->before = client->before;
    if (client->before)
        client->before->next = client->next;
    else
        first = client->next;
    __atomic_store_n(&count, count - 1, __ATOMIC_RELAXED);
    clients_unlock();
}

static void read_addresses(struct client *client)
{
    if (!client->is_unix) {
        (void)edo_tcp_peer_address(client->conn, client->address, sizeof client->address);
        (void)edo_tcp_local_address(client->conn, client->local, sizeof client->local);
    } else {
        snprintf(client->address, sizeof client->address, "%s:0", config.unixsocket);
        snprintf(client->local, sizeof client->local, "%s:0", config.unixsocket);
    }
}

struct client *client_create(edo_io *conn, bool is_unix)
{
    struct client *client = must_alloc(sizeof *client);
    memset(client, 0, sizeof *client);
    client->conn = conn;
    client->is_unix = is_unix;
    client->task_id = edo_task_id(edo_current_task());
    client->shown.command = "NULL";
    client->shown.created = client->shown.active = wall_ms();
    parser_init(&client->parser);
    table_init(&client->channels, sizeof(struct node));
    table_init(&client->patterns, sizeof(struct node));
    table_init(&client->watches, sizeof(struct watch));
    read_addresses(client);
    if (!is_unix) (void)edo_tcp_set_nodelay(conn, true);
    enlist(client);
    return client;
}

void client_set_protocol(struct client *client, bool is_resp3)
{
    client->reply.is_resp3 = is_resp3;
    __atomic_store_n(&client->mailbox.is_resp3, is_resp3, __ATOMIC_RELAXED);
}

void client_forget_queue(struct client *client)
{
    for (size_t i = 0; i < client->queue_count; i++) {
        for (int k = 0; k < client->queue[i].count; k++)
            text_deinit(&client->queue[i].args[k]);
        free(client->queue[i].args);
    }
    free(client->queue);
    client->queue = NULL;
    client->queue_count = client->queue_capacity = 0;
    client->in_multi = client->exec_fails = false;
}

static void unwatch(struct span key)
{
    uint64_t shard = shard_bit(key);
    shards_lock(shard);
    key_unwatch(key);
    shards_unlock(shard);
}

void client_forget_watches(struct client *client)
{
    TABLE_EACH(&client->watches, node)
    {
        unwatch(table_key(&client->watches, node));
    }
    table_deinit(&client->watches, NULL);
}

/* No other task can reach the client once the subscriptions, the waiters and the list have lost
 * it. */
void client_destroy(struct client *client)
{
    if (!client) return;
    pubsub_forget(client);
    if (client->waiter.client) {
        waiter_end(client);
        waiter_release(&client->waiter);
    }
    delist(client);
    client_forget_queue(client);
    client_forget_watches(client);
    parser_deinit(&client->parser);
    table_deinit(&client->channels, NULL);
    table_deinit(&client->patterns, NULL);
    edo_buffer_deinit(&client->input);
    edo_buffer_deinit(&client->reply.bytes);
    edo_buffer_deinit(&client->mailbox.bytes);
    text_deinit(&client->shown.name);
    edo_notify_deinit(&client->mailbox.ready);
    edo_close(client->conn);
    free(client);
}

void client_kill(struct client *client)
{
    client->shown.is_killed = true;
    server_cancel_client(client->task_id);
}

/* ---- messages ---- */

void client_mail(struct client *client, const void *data, size_t size)
{
    struct mailbox *box = &client->mailbox;
    bool overflows = false;
    int64_t limit = __atomic_load_n(&config.output_limit, __ATOMIC_RELAXED);
    edo_thread_mutex_lock(&box->lock);
    if (!box->is_full) {
        overflows = box->bytes.size + size > (size_t)limit;
        box->is_full = overflows;
        if (!overflows) put(&box->bytes, data, size);
    }
    edo_thread_mutex_unlock(&box->lock);
    if (overflows)
        server_cancel_client(client->task_id); // its task may wait in a write
    else
        edo_notify_one(&box->ready);
}

void client_take_mail(struct client *client)
{
    struct mailbox *box = &client->mailbox;
    edo_thread_mutex_lock(&box->lock);
    put(&client->reply.bytes, box->bytes.data, box->bytes.size);
    edo_buffer_truncate(&box->bytes, 0);
    if (box->is_full) client->closes = true;
    edo_thread_mutex_unlock(&box->lock);
}

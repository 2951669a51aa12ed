#include "blocked.h"

#include "aof.h"
#include "client.h"

enum { MOST_SECONDS = INT32_MAX }; // a longer wait has no limit: nanoseconds would overflow

static edo_thread_mutex lock;
static struct waiter *first, *last;
static uint64_t count; // atomic

void waiters_lock(void)
{
    edo_thread_mutex_lock(&lock);
}

void waiters_unlock(void)
{
    edo_thread_mutex_unlock(&lock);
}

uint64_t waiters_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

int call_block(struct call *call, double seconds, int arg_count, const struct span *args)
{
    if (call->is_retry) return CALL_BLOCKS;
    struct waiter *waiter = &call->client->waiter;
    *waiter = (struct waiter){ .client = call->client, .command = call->command };
    waiter->count = arg_count;
    waiter->args = must_alloc((size_t)arg_count * sizeof *waiter->args);
    for (int i = 0; i < arg_count; i++)
        waiter->args[i] = text_of(args[i]);
    bool is_limited = seconds > 0 && seconds <= MOST_SECONDS;
    waiter->deadline = is_limited ? edo_now() + (int64_t)(seconds * 1e9) : EDO_NEVER;
    waiter->reply.is_resp3 = call->reply->is_resp3;
    return CALL_BLOCKS;
}

/* With the shards locked. */
static void count_in_shards(uint64_t shards, int change)
{
    for (; shards; shards &= shards - 1)
        database.shards[__builtin_ctzll(shards)].waiting += (uint32_t)change;
}

void waiter_add(struct client *client, const struct call *call, uint64_t shards)
{
    struct waiter *waiter = &client->waiter;
    (void)call;
    waiter->shards = shards;
    waiter->before = last;
    waiter->is_linked = true;
    if (last)
        last->next = waiter;
    else
        first = waiter;
    last = waiter;
    count_in_shards(shards, 1);
    __atomic_store_n(&count, count + 1, __ATOMIC_RELAXED);
}

/* With both locks. */
static void remove_waiter(struct waiter *waiter)
{
    if (waiter->next)
        waiter->next->before = waiter->before;
    else
        last = waiter->before;
    if (waiter->before)
        waiter->before->next = waiter->next;
    else
        first = waiter->next;
    waiter->is_linked = false;
    count_in_shards(waiter->shards, -1);
    __atomic_store_n(&count, count - 1, __ATOMIC_RELAXED);
}

void waiter_end(struct client *client)
{
    struct waiter *waiter = &client->waiter;
    waiters_lock();
    if (waiter->is_linked) {
        shards_lock(waiter->shards);
        remove_waiter(waiter);
        shards_unlock(waiter->shards);
    }
    waiters_unlock();
}

bool waiter_was_served(struct waiter *waiter)
{
    waiters_lock();
    bool is_served = waiter->is_served;
    waiters_unlock();
    return is_served;
}

void waiter_release(struct waiter *waiter)
{
    for (int i = 0; i < waiter->count; i++)
        text_deinit(&waiter->args[i]);
    free(waiter->args);
    edo_buffer_deinit(&waiter->reply.bytes);
    edo_notify_deinit(&waiter->served);
    *waiter = (struct waiter){ .next = NULL };
}

/* Runs a waiter's command. Returns: whether it was served; *woken: shards that it added to. */
static bool try_to_serve(struct waiter *waiter, uint64_t *woken)
{
    struct span *args = must_alloc((size_t)waiter->count * sizeof *args);
    for (int i = 0; i < waiter->count; i++)
        args[i] = text_span(&waiter->args[i]);
    struct call call = {
        .client = waiter->client,
        .command = waiter->command,
        .args = args,
        .count = waiter->count,
        .reply = &waiter->reply,
        .now = wall_ms(),
        .is_retry = true,
    };
    shards_lock(waiter->shards);
    bool is_served = call_run(&call) == 0;
    if (is_served) remove_waiter(waiter);
    shards_unlock(waiter->shards);
    free(args);
    *woken |= call.woken;
    return is_served;
}

/* One pass over the waiters. Returns: shards to which served commands have added. */
static uint64_t serve_once(uint64_t shards)
{
    uint64_t woken = 0;
    for (struct waiter *waiter = first, *next; waiter; waiter = next) {
        next = waiter->next;
        if (!(waiter->shards & shards) || !try_to_serve(waiter, &woken)) continue;
        waiter->log_position = aof_position();
        waiter->is_served = true;
        edo_notify_one(&waiter->served);
    }
    return woken;
}

void waiters_serve(uint64_t shards)
{
    waiters_lock();
    while (shards)
        shards = serve_once(shards);
    waiters_unlock();
}

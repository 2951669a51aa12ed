/* Ends of channels. Counts and closes the ends, and drops values. See channel.h. */
#include "sync/channel.h"

/* ---- the memory ---- */

static void free_channel(edo__channel *channel)
{
    size_t size = sizeof *channel;
    if (channel->is_bounded) channel->head_block->next = NULL;
    edo__channel_free_blocks(channel, channel->head_block);
    edo__channel_free_blocks(channel, channel->spare);
    edo__free_aligned(channel, size, _Alignof(edo__channel));
}

void edo__channel_leave(edo__channel *channel, uint32_t holders, edo__wakes *wakes)
{
    channel->holders -= holders;
    bool last = channel->holders == 0;
    edo__brief_give(&channel->lock);
    if (last) free_channel(channel);
    edo__wakes_commit(wakes);
}

/* ---- more ends ---- */

static void *add(edo__channel *channel, uint32_t *count)
{
    edo__brief_take(&channel->lock);
    ++*count;
    channel->holders++;
    edo__brief_give(&channel->lock);
    return channel;
}

void *edo__sender_ref(edo__channel *channel)
{
    return add(edo__channel_of("edo_sender_clone", channel), &channel->sender_count);
}

void *edo__receiver_ref(edo__channel *channel)
{
    edo__channel_of("edo_receiver_clone", channel);
    if (channel->has_one_receiver)
        edo__misuse("edo_receiver_clone",
                    "an mpsc channel has one receiver: create an mpmc channel");
    return add(channel, &channel->receiver_count);
}

void *edo__weak_ref(edo__channel *channel)
{
    return add(edo__channel_of("edo_weak_sender_clone", channel), &channel->weak_count);
}

void *edo__weak_downgrade(edo__channel *channel)
{
    return add(edo__channel_of("edo_sender_downgrade", channel), &channel->weak_count);
}

int edo__weak_upgrade(edo__channel *channel)
{
    edo__channel_of("edo_sender_upgrade", channel);
    edo__brief_take(&channel->lock);
    bool alive = channel->sender_count && !edo__channel_is_closed(channel);
    if (alive) {
        channel->sender_count++;
        channel->holders++;
    }
    edo__brief_give(&channel->lock);
    return alive ? 0 : -EPIPE;
}

/* ---- closing ---- */

/* Makes the channel refuse all further values. Called under the lock. */
static void refuse(edo__channel *channel, edo__wakes *wakes)
{
    for (edo_op *op; (op = edo__wait_first(&channel->senders));) {
        op->base.result = -EPIPE;
        edo__wait_wake(&channel->senders, op, wakes);
    }
    edo_store_relaxed(&channel->senders_wait, 0);
    edo__wait_wake_all(&channel->closed, wakes);
    edo__channel_settle(channel, wakes);
}

void edo__channel_shutdown(edo__channel *channel)
{
    edo__wakes wakes = { NULL, NULL };
    edo__channel_of("edo_sender_shutdown", channel);
    edo__brief_take(&channel->lock);
    channel->is_shut = true;
    refuse(channel, &wakes);
    edo__brief_give(&channel->lock);
    edo__wakes_commit(&wakes);
}

static void check_free(const char *call, const edo__wait_list *waiters)
{
    if (!edo__wait_list_is_empty(waiters))
        edo__misuse(call, "an operation is still pending at the last end of its kind");
}

void edo__sender_close(edo__channel *channel)
{
    edo__wakes wakes = { NULL, NULL };
    if (!channel) return;
    edo__brief_take(&channel->lock);
    if (--channel->sender_count == 0) {
        check_free("edo_sender_close", &channel->senders);
        check_free("edo_sender_close", &channel->closed);
        edo__channel_settle(channel, &wakes);
    }
    edo__channel_leave(channel, 1, &wakes);
}

void edo__weak_close(edo__channel *channel)
{
    edo__wakes wakes = { NULL, NULL };
    if (!channel) return;
    edo__brief_take(&channel->lock);
    channel->weak_count--;
    edo__channel_leave(channel, 1, &wakes);
}

static void leave_block(edo__channel *channel)
{
    edo__block *block = edo__channel_next_head(channel);
    if (block) block->next = NULL;
    edo__channel_free_blocks(channel, block);
}

/* Drops all values after the close of the last receiver. No other thread reads or puts values any
 * more. Called without the lock, because the drop function may use the channel's other ends. */
static void drop_values(edo__channel *channel)
{
    uint64_t head = edo_load_relaxed(&channel->head);
    for (; head != channel->tail; edo_store_relaxed(&channel->head, ++head)) {
        if (head == channel->turn_at) leave_block(channel);
        edo_plain_read(channel->head_slot);
        if (channel->drop) channel->drop(channel->head_slot, channel->context);
        channel->head_slot += channel->size;
    }
}

void edo__receiver_close(edo__channel *channel)
{
    edo__wakes wakes = { NULL, NULL };
    if (!channel) return;
    edo__brief_take(&channel->lock);
    if (--channel->receiver_count == 0) {
        check_free("edo_receiver_close", &channel->receivers);
        refuse(channel, &wakes);
        edo__brief_give(&channel->lock);
        edo__wakes_commit(&wakes); // before the drop function, which may be slow
        drop_values(channel);
        edo__brief_take(&channel->lock);
    }
    edo__channel_leave(channel, 1, &wakes);
}

/* ---- inspection ---- */

static size_t free_places(const edo__channel *channel, size_t length)
{
    return channel->is_bounded ? channel->capacity - channel->permits - length : SIZE_MAX;
}

edo_channel_stats edo__channel_stats(edo__channel *channel)
{
    edo__channel_of("edo_sender_stats", channel);
    edo__brief_take(&channel->lock);
    size_t length = channel->tail - edo_load_relaxed(&channel->head);
    edo_channel_stats stats = {
        .length = length,
        .capacity = channel->is_bounded ? channel->capacity : SIZE_MAX,
        .places = free_places(channel, length),
        .permits = channel->permits,
        .senders = channel->sender_count,
        .weak_senders = channel->weak_count,
        .receivers = channel->receiver_count,
        .is_closed = edo__channel_is_closed(channel) || channel->sender_count == 0,
    };
    edo__brief_give(&channel->lock);
    return stats;
}

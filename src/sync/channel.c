/* Blocks of a channel, and the steps of the channel under the lock. See channel.h. */
#include "sync/channel.h"

#include "runtime/runtime.h"

void edo__channel_no_end(const char *call)
{
    edo__misuse(call, "this end was closed or moved, or never created");
}

/* ---- blocks ---- */

static size_t block_size(const edo__channel *channel)
{
    return sizeof(edo__block) + channel->per_block * channel->size;
}

void edo__channel_free_blocks(edo__channel *channel, edo__block *garbage)
{
    while (garbage) {
        edo__block *next = garbage->next;
        edo__free(garbage, block_size(channel));
        garbage = next;
    }
}

static void add_spare(edo__channel *channel, edo__block *block)
{
    block->next = channel->spare;
    channel->spare = block;
    channel->spares++;
}

int edo__channel_grow(edo__channel *channel)
{
    edo__block *block = edo__alloc(block_size(channel));
    if (!block) return -ENOMEM;
    edo__brief_take(&channel->lock);
    add_spare(channel, block);
    edo__brief_give(&channel->lock);
    return 0;
}

static void begin_tail(edo__channel *channel, edo__block *block)
{
    channel->tail_block = block;
    channel->tail_slot = edo__block_slots(block);
    channel->tail_end = edo__block_end(channel, block);
}

bool edo__channel_next_tail(edo__channel *channel)
{
    edo__block *block = channel->is_bounded ? channel->tail_block : channel->spare;
    if (!block) return false;
    if (!channel->is_bounded) {
        channel->spare = block->next;
        channel->spares--;
        block->next = NULL;
        channel->tail_block->next = block;
    }
    begin_tail(channel, block);
    return true;
}

edo__block *edo__channel_next_head(edo__channel *channel)
{
    edo__block *block = channel->head_block;
    channel->head_block = block->next;
    channel->head_slot = edo__block_slots(channel->head_block);
    channel->turn_at += channel->per_block;
    return channel->is_bounded ? NULL : block;
}

static void next_head_block(edo__channel *channel, edo__block **garbage)
{
    edo__block *block = edo__channel_next_head(channel);
    if (!block) return;
    if (channel->spares < EDO__CHANNEL_SPARES) {
        add_spare(channel, block);
    } else {
        block->next = *garbage;
        *garbage = block;
    }
}

/* ---- values ---- */

/* Number of values from the head to the end of the block of the head. */
static uint64_t run_of(const edo__channel *channel)
{
    uint64_t end = channel->tail < channel->turn_at ? channel->tail : channel->turn_at;
    return end - edo_load_relaxed(&channel->head);
}

/* Takes values from one block. The channel has at least one value. Returns: the number of taken
 * values. */
static size_t take_run(edo__channel *channel, char *ret_values, size_t max, edo__block **garbage)
{
    uint64_t head = edo_load_relaxed(&channel->head);
    if (head == channel->turn_at) next_head_block(channel, garbage);
    uint64_t run = run_of(channel), count = run < max ? run : max;
    edo_plain_read(channel->head_slot);
    edo__copy_value(ret_values, channel->head_slot, count * channel->size);
    channel->head_slot += count * channel->size;
    edo_store_relaxed(&channel->head, head + count); // the lock orders this store
    return count;
}

int64_t edo__channel_take(edo__channel *channel, void *ret_values, size_t max, edo__wakes *wakes,
                          edo__block **garbage)
{
    size_t taken = 0;
    while (taken < max && channel->tail != edo_load_relaxed(&channel->head))
        taken += take_run(channel, (char *)ret_values + taken * channel->size, max - taken,
                          garbage);
    if (channel->has_one_receiver)
        channel->claimed = edo_load_relaxed(&channel->head) + run_of(channel);
    if (!taken) return edo__channel_is_over(channel) || !max ? 0 : -EAGAIN;
    if (edo_load_relaxed(&channel->senders_wait)) edo__channel_settle(channel, wakes);
    return (int64_t)taken;
}

static void serve_senders(edo__channel *channel, edo__wakes *wakes)
{
    edo_op *op;
    while ((op = edo__wait_first(&channel->senders)) &&
           edo__channel_has_places(channel, op->detail)) {
        channel->permits += op->detail;
        op->base.result = 0;
        edo__wait_wake(&channel->senders, op, wakes);
    }
    edo_store_relaxed(&channel->senders_wait, op != NULL);
}

void edo__channel_settle(edo__channel *channel, edo__wakes *wakes)
{
    serve_senders(channel, wakes);
    if (edo__channel_is_over(channel)) edo__wait_wake_all(&channel->receivers, wakes);
}

void edo__channel_serve(edo__channel *channel)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&channel->lock);
    serve_senders(channel, &wakes);
    edo__brief_give(&channel->lock);
    edo__wakes_commit(&wakes);
}

/* ---- creation ---- */

static uint32_t slots_per_block(size_t size)
{
    size_t room = EDO__BLOCK_BYTES ? EDO__BLOCK_BYTES - sizeof(edo__block) : 0;
    size_t slots = room / size;
    return slots < EDO__BLOCK_VALUES ? EDO__BLOCK_VALUES : (uint32_t)slots;
}

static edo__block *first_block(edo__channel *channel, size_t capacity)
{
    channel->is_bounded = capacity;
    channel->capacity = capacity ? capacity : SIZE_MAX / 2;
    channel->per_block = capacity ? (uint32_t)capacity : slots_per_block(channel->size);
    edo__block *block = edo__alloc(block_size(channel));
    if (block) block->next = capacity ? block : NULL;
    return block;
}

int edo__channel_create(edo__channel **ret_channel, size_t size, int kind,
                        const edo_channel_options *options)
{
    static const edo_channel_options none;
    if (!options) options = &none;
    size_t bytes;
    if (options->capacity > EDO_CHANNEL_MAX) return -EINVAL;
    if (__builtin_mul_overflow(options->capacity + EDO__BLOCK_VALUES, size, &bytes)) return -ENOMEM;
    edo__channel *channel = edo__alloc_aligned(sizeof *channel, _Alignof(edo__channel));
    if (!channel) return -ENOMEM;
    *channel = (edo__channel){ .size = size,
                               .has_one_receiver = kind == EDO__MPSC,
                               .drop = options->drop,
                               .context = options->context,
                               .sender_count = 1,
                               .receiver_count = 1,
                               .holders = 2 };
    edo__block *block = first_block(channel, options->capacity);
    if (!block) {
        edo__free_aligned(channel, sizeof *channel, _Alignof(edo__channel));
        return -ENOMEM;
    }
    begin_tail(channel, block);
    channel->head_block = block;
    channel->head_slot = channel->tail_slot;
    channel->turn_at = channel->per_block;
    *ret_channel = channel;
    return 0;
}

int edo__channel_create_bounded(edo__channel **ret_channel, size_t size, int kind, size_t capacity)
{
    if (capacity == 0) return -EINVAL;
    return edo__channel_create(ret_channel, size, kind,
                               &(edo_channel_options){ .capacity = capacity });
}

/* Channels in which each value has one receiver (edo/channels.h). One implementation serves mpsc
 * and mpmc channels, bounded and unbounded ones.
 *
 * A value lies in a slot. A block has a run of slots, and the blocks form a chain. An unbounded
 * channel appends blocks, and keeps a few emptied blocks. A bounded channel has a single block,
 * with one slot per place. The successor of this block is the block itself. `tail` is the number of
 * values that were put in. `head` is the number of values that were taken out.
 *
 * The lock (brief.h) guards all members except the receiver's part. The receivers of an mpmc
 * channel take values under the lock. The one receiver of an mpsc channel claims a run of values
 * under the lock, up to `claimed`, and then takes each of these values without the lock:
 *
 *     put      tail++                  a sender, under the lock
 *     claim    claimed = tail, or the end of the block     the receiver, under the lock
 *     take     head++ <= claimed       the receiver
 *
 * A slot in [head, claimed) is read by the receiver only. A sender reuses the slot after it has
 * read a later head (acquire; partner: the release of a take).
 *
 * Places. tail - head + permits <= capacity. A permit is a reserved place. A permit belongs to a
 * user, or to a waiting send. A waiting send has a permit between the grant of its place and its
 * next poll. The next poll moves the value. So a cancellation before that poll only releases the
 * place.
 *
 * No sender sleeps while a place is free, although the receiver takes values without the lock. A
 * sender that finds no place sets senders_wait, then reads head again. The receiver advances head,
 * then reads senders_wait. Sender and receiver each have a seq_cst fence between the two steps, so
 * at least one of them sees the store of the other. An unbounded channel has no waiting senders,
 * and needs no fence.
 *
 * A put wakes a waiting receive, which takes a value in its next poll. If the woken receive is
 * cancelled instead, it has taken nothing, and passes the wake on. If another receive takes the
 * value first, the woken receive returns to the front of the queue.
 *
 * Life. `holders` counts all ends, and each edo__permits that has places. The step that decreases
 * `holders` to 0 frees the channel. */
#pragma once

#include <edo/channels.h>

#include "base/base.h"
#include "sync/brief.h"
#include "sync/value.h"
#include "task/wait_list.h"

/* Header of a block; the slots follow. */
typedef struct edo__block {
    struct edo__block *next; // next block; NULL: none; in a bounded channel: this block
    uint64_t reserved;
} edo__block;

struct edo__channel {
    edo__lock lock;
    bool is_bounded, has_one_receiver;
    bool is_shut;        // a shutdown was called; guarded by the lock
    uint32_t per_block;  // slots per block
    uint64_t tail;       // number of values put in; guarded by the lock
    uint64_t known_head; // head at a sender's last read; guarded by the lock
    edo__block *tail_block;
    char *tail_slot, *tail_end; // next slot to fill, end of its block; guarded by the lock
    size_t size;                // bytes per value
    size_t capacity;            // number of places
    size_t permits;             // number of reserved places; guarded by the lock
    edo__wait_list receivers, senders, closed; // waiting operations; guarded by the lock
    edo__block *spare;                         // emptied blocks; guarded by the lock
    uint32_t spares;
    uint32_t sender_count, weak_count, receiver_count, holders; // guarded by the lock
    void (*drop)(void *value, void *context);
    void *context;

    /* written only by the receiver of an mpsc channel; in an mpmc channel, guarded by the lock */
    edo_atomic(uint64_t) head __attribute__((aligned(64)));
    uint64_t claimed;
    edo__block *head_block;
    char *head_slot;  // next slot to take
    uint64_t turn_at; // value of head at the end of its block

    edo_atomic(uint32_t) senders_wait; // 1: `senders` is not empty; written under the lock
};

enum {
#ifdef EDO_MODEL
    EDO__CHANNEL_SPARES = 1,
    EDO__BLOCK_BYTES = 0, // so a block has EDO__BLOCK_VALUES values
    EDO__BLOCK_VALUES = 2,
#else
    EDO__CHANNEL_SPARES = 2, // number of emptied blocks that are kept
    EDO__BLOCK_BYTES = 1024, // bytes per block, header included; more for large values
    EDO__BLOCK_VALUES = 4,   // least number of values per block
#endif
};

/* Number of values that use one unit of the budget, in an operation on many values. */
enum { EDO__VALUES_PER_UNIT = 64 };

_Static_assert(sizeof(struct edo__channel) <= 256, "an empty channel of 128 words in 1.5 KiB");

static inline char *edo__block_slots(edo__block *block)
{
    return (char *)(block + 1);
}

static inline char *edo__block_end(const edo__channel *channel, edo__block *block)
{
    return edo__block_slots(block) + channel->per_block * channel->size;
}

/* ---- under the lock ---- */

static inline bool edo__channel_is_closed(const edo__channel *channel)
{
    return channel->is_shut || channel->receiver_count == 0;
}

/* Whether no more values can be put into the channel. The channel may still hold values. */
static inline bool edo__channel_is_over(const edo__channel *channel)
{
    return (channel->is_shut || channel->sender_count == 0) && channel->permits == 0;
}

static inline bool edo__channel_has_places(edo__channel *channel, size_t count)
{
    uint64_t full = channel->capacity - channel->permits;
    if (edo__likely(channel->tail - channel->known_head + count <= full)) return true;
    channel->known_head = edo_load_acquire(&channel->head); // partner: edo__channel_take_one
    return channel->tail - channel->known_head + count <= full;
}

/* Moves the tail to another block. Returns: false: an unbounded channel must grow first. */
bool edo__channel_next_tail(edo__channel *channel);

/* Advances the head to the next block. Caller: the receiver, under the lock; or the only thread
 * that uses the channel. Returns: the former block of the head, which was removed from the chain;
 * NULL: the channel still uses that block. */
edo__block *edo__channel_next_head(edo__channel *channel);

/* Puts a value into a place that the caller owns, and wakes a receiver.
 * Returns: false: an unbounded channel must grow first. */
static inline bool edo__channel_put(edo__channel *channel, const void *value, edo__wakes *wakes)
{
    if (edo__unlikely(channel->tail_slot == channel->tail_end) && !edo__channel_next_tail(channel))
        return false;
    edo_plain_write(channel->tail_slot);
    edo__copy_value(channel->tail_slot, value, channel->size);
    channel->tail_slot += channel->size;
    channel->tail++;
    edo_op *op = edo__wait_first(&channel->receivers);
    if (edo__unlikely(op != NULL)) edo__wait_wake(&channel->receivers, op, wakes);
    return true;
}

/* Grants places to waiting senders. Wakes all receivers if the channel is over. Called after each
 * step that frees places or closes ends. */
void edo__channel_settle(edo__channel *channel, edo__wakes *wakes);

/* Takes values, and claims further values for the receiver of an mpsc channel. *garbage: blocks for
 * the caller to free. Returns: number of taken values; 0: the channel is over; -EAGAIN. */
int64_t edo__channel_take(edo__channel *channel, void *ret_values, size_t max, edo__wakes *wakes,
                          edo__block **garbage);

/* Releases `holders` references and the lock, then pushes the woken tasks. The release of the last
 * reference frees the channel. */
void edo__channel_leave(edo__channel *channel, uint32_t holders, edo__wakes *wakes);

/* ---- without the lock ---- */

/* Frees blocks that were removed from the chain. */
void edo__channel_free_blocks(edo__channel *channel, edo__block *garbage);

/* Adds a spare block to an unbounded channel. Returns: 0; -ENOMEM. */
int edo__channel_grow(edo__channel *channel);

/* Grants places to waiting senders, after the head was advanced. */
void edo__channel_serve(edo__channel *channel);

/* Takes a claimed value. Caller: the receiver of an mpsc channel.
 * Returns: false: no value is claimed. */
static inline bool edo__channel_take_one(edo__channel *channel, void *ret_value)
{
    uint64_t head = edo_load_relaxed(&channel->head);
    if (head == channel->claimed) return false;
    edo_plain_read(channel->head_slot);
    edo__copy_value(ret_value, channel->head_slot, channel->size);
    channel->head_slot += channel->size;
    edo_store_release(&channel->head, head + 1); // partner: edo__channel_has_places
    if (!channel->is_bounded) return true;
    edo_fence_seq_cst(); // partner: park in send.c
    if (edo__unlikely(edo_load_relaxed(&channel->senders_wait))) edo__channel_serve(channel);
    return true;
}

/* Aborts because the end was closed. */
_Noreturn void edo__channel_no_end(const char *call);

static inline edo__channel *edo__channel_of(const char *call, edo__channel *channel)
{
    if (edo__unlikely(!channel)) edo__channel_no_end(call);
    return channel;
}

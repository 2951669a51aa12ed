/* A broadcast has a ring of slots. A sender overwrites the oldest value, under the lock of the hub.
 * Value n lies in slot n % slots. The number of slots is at least the number of kept values.
 *
 * A receiver reads without the lock, like a reader of a sequence lock (Lameter, "Effective
 * synchronization on Linux/NUMA systems"). The receiver copies the words of the value, then reads
 * `writing`, the number of values that senders have begun to write. The copy is whole unless a
 * sender has begun the next value of the same slot.
 *
 * Orders. The sender stores `writing`, then the words (release), then `sent` (release). The
 * receiver loads in three steps:
 * - First `sent` (acquire). So the receiver sees the words of the value that it copies, or words of
 *   later values.
 * - Then the words (acquire).
 * - Then `writing`. If one of the words belongs to a later value, this load sees the number that
 *   was stored for the later value, or a greater number.
 *
 * A value is read under the lock if its size is not a multiple of a word, or exceeds MAX_WORDS. */
#include <edo/broadcast.h>

#include "runtime/runtime.h"
#include "sync/value.h"
#include "sync/hub.h"

enum {
    WORD = sizeof(uint64_t),
    MAX_WORDS = 8, // words; largest value that is read without the lock
};

/* Header of a broadcast; the slots follow. */
struct edo__broadcast {
    edo__hub hub;
    size_t size;     // bytes per value
    size_t capacity; // number of kept values
    size_t words;    // words per value; 0: values are read under the lock
    uint64_t mask;   // slots - 1
    edo_atomic(uint64_t) sent __attribute__((aligned(64))); // sent values; written under the lock
    edo_atomic(uint64_t) writing; // begun values (sent, or sent + 1); written under the lock
};

static char *slot_of(edo__broadcast *broadcast, uint64_t number)
{
    return (char *)(broadcast + 1) + (number & broadcast->mask) * broadcast->size;
}

static edo__broadcast *broadcast_of(const char *call, const edo__listening *receiver)
{
    return edo__hub_of(call, receiver->broadcast);
}

static size_t whole_size(const edo__broadcast *broadcast)
{
    return sizeof *broadcast + (broadcast->mask + 1) * broadcast->size;
}

static void free_broadcast(edo__hub *hub)
{
    edo__broadcast *broadcast = (edo__broadcast *)(void *)hub;
    edo__free_aligned(broadcast, whole_size(broadcast), _Alignof(edo__broadcast));
}

static uint64_t slots_for(size_t capacity)
{
    uint64_t slots = 1;
    while (slots < capacity)
        slots *= 2;
    return slots;
}

int edo__broadcast_create(edo__broadcast **ret_broadcast, edo__listening *ret_receiver, size_t size,
                          size_t capacity)
{
    size_t bytes;
    if (capacity == 0 || capacity > EDO_BROADCAST_MAX) return -EINVAL;
    uint64_t slots = slots_for(capacity);
    if (__builtin_mul_overflow(slots + 4, size, &bytes)) return -ENOMEM;
    edo__broadcast *broadcast = edo__alloc_aligned(sizeof *broadcast + slots * size,
                                                   _Alignof(edo__broadcast));
    if (!broadcast) return -ENOMEM;
    edo__hub_init(&broadcast->hub, free_broadcast);
    broadcast->size = size;
    broadcast->capacity = capacity;
    broadcast->words = size % WORD == 0 && size / WORD <= MAX_WORDS ? size / WORD : 0;
    broadcast->mask = slots - 1;
    broadcast->sent = broadcast->writing = 0;
    *ret_broadcast = broadcast;
    *ret_receiver = (edo__listening){ broadcast, 0, 0 };
    return 0;
}

/* ---- senders ---- */

static void write_words(edo__broadcast *broadcast, char *slot, const char *value)
{
    for (size_t i = 0; i < broadcast->words; i++) {
        uint64_t word;
        memcpy(&word, value + i * WORD, WORD);
        edo_store_release((uint64_t *)(void *)slot + i, word); // partner: read_words
    }
}

/* Writes a value into the next slot. Called under the lock. */
static void write_value(edo__broadcast *broadcast, const void *value)
{
    uint64_t number = edo_load_relaxed(&broadcast->sent);
    char *slot = slot_of(broadcast, number);
    edo_store_relaxed(&broadcast->writing, number + 1);
    if (broadcast->words)
        write_words(broadcast, slot, value);
    else
        edo__copy_value(slot, value, broadcast->size);
    edo_store_release(&broadcast->sent, number + 1); // partner: read_unlocked
}

uint32_t edo__broadcast_send(edo__broadcast *broadcast, const void *value)
{
    edo__wakes wakes = { NULL, NULL };
    edo__hub_of("edo_broadcast_send", broadcast);
    edo__brief_take(&broadcast->hub.lock);
    write_value(broadcast, value);
    edo__wait_wake_all(&broadcast->hub.waiting, &wakes);
    uint32_t receivers = broadcast->hub.receivers;
    edo__brief_give(&broadcast->hub.lock);
    if (edo__unlikely(wakes.first)) edo__wakes_commit(&wakes);
    return receivers;
}

void *edo__broadcast_sender_ref(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_sender_clone", broadcast);
    edo__hub_add(&broadcast->hub, &broadcast->hub.senders);
    return broadcast;
}

void *edo__broadcast_downgrade(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_downgrade", broadcast);
    edo__hub_add(&broadcast->hub, &broadcast->hub.weak);
    return broadcast;
}

int edo__broadcast_upgrade(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_upgrade", broadcast);
    return edo__hub_upgrade(&broadcast->hub);
}

void edo__broadcast_sender_close(edo__broadcast *broadcast)
{
    edo__hub_close_sender(broadcast ? &broadcast->hub : NULL, "edo_broadcast_sender_close");
}

void edo__broadcast_weak_close(edo__broadcast *broadcast)
{
    edo__hub_close_weak(broadcast ? &broadcast->hub : NULL);
}

const edo_future_ops edo__broadcast_closed_ops = { .name = "edo_broadcast_closed",
                                                   .poll = edo__hub_poll_closed };

/* ---- figures ---- */

uint32_t edo__broadcast_receivers(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_receivers", broadcast);
    return edo__hub_read(&broadcast->hub, &broadcast->hub.receivers);
}

uint32_t edo__broadcast_senders(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_senders", broadcast);
    return edo__hub_read(&broadcast->hub, &broadcast->hub.senders);
}

uint32_t edo__broadcast_weak_senders(edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_weak_senders", broadcast);
    return edo__hub_read(&broadcast->hub, &broadcast->hub.weak);
}

bool edo__broadcast_is_closed(const edo__listening *receiver)
{
    edo__broadcast *broadcast = broadcast_of("edo_broadcast_is_closed", receiver);
    return edo__hub_read(&broadcast->hub, &broadcast->hub.senders) == 0;
}

size_t edo__broadcast_capacity(const edo__broadcast *broadcast)
{
    edo__hub_of("edo_broadcast_capacity", (void *)(uintptr_t)broadcast);
    return broadcast->capacity;
}

uint64_t edo__broadcast_length(const edo__listening *receiver)
{
    edo__broadcast *broadcast = broadcast_of("edo_broadcast_length", receiver);
    return edo_load_relaxed(&broadcast->sent) - receiver->next;
}

/* ---- receivers ---- */

void edo__broadcast_subscribe(edo__broadcast *broadcast, edo__listening *ret_receiver)
{
    edo__hub_of("edo_broadcast_subscribe", broadcast);
    edo__brief_take(&broadcast->hub.lock);
    broadcast->hub.receivers++;
    broadcast->hub.holders++;
    *ret_receiver = (edo__listening){ broadcast, edo_load_relaxed(&broadcast->sent), 0 };
    edo__brief_give(&broadcast->hub.lock);
}

void edo__broadcast_receiver_close(edo__listening *receiver)
{
    edo__hub_close_receiver(receiver->broadcast ? &receiver->broadcast->hub : NULL);
    receiver->broadcast = NULL;
}

/* Takes the next value. Called under the lock. Returns: 1; EDO_LAGGED: values were missed; 0: no
 * value can follow; -EAGAIN. */
static int64_t take(edo__listening *receiver, void *ret_value)
{
    edo__broadcast *broadcast = receiver->broadcast;
    uint64_t sent = edo_load_relaxed(&broadcast->sent), unread = sent - receiver->next;
    if (unread == 0) return broadcast->hub.senders == 0 ? 0 : -EAGAIN;
    if (unread > broadcast->capacity) {
        receiver->missed = unread - broadcast->capacity;
        receiver->next += receiver->missed;
        return EDO_LAGGED;
    }
    edo__copy_value(ret_value, slot_of(broadcast, receiver->next++), broadcast->size);
    return 1;
}

static void read_words(const edo__broadcast *broadcast, const char *slot, char *ret_value)
{
    for (size_t i = 0; i < broadcast->words; i++) {
        uint64_t word = edo_load_acquire((const uint64_t *)(const void *)slot + i);
        memcpy(ret_value + i * WORD, &word, WORD);
    }
}

/* Reads the next value without the lock. Returns: true: the value was available, and the copy is
 * whole; false: the caller must take the lock, and *ret_value may have changed. */
static bool read_unlocked(edo__listening *receiver, char *ret_value)
{
    edo__broadcast *broadcast = receiver->broadcast;
    uint64_t unread = edo_load_acquire(&broadcast->sent) - receiver->next;
    if (unread == 0 || unread > broadcast->capacity || !broadcast->words) return false;
    read_words(broadcast, slot_of(broadcast, receiver->next), ret_value);
    if (edo_load_relaxed(&broadcast->writing) - receiver->next > broadcast->mask + 1) return false;
    receiver->next++;
    return true;
}

int64_t edo__broadcast_try_recv(edo__listening *receiver, void *ret_value)
{
    edo__broadcast *broadcast = broadcast_of("edo_broadcast_try_recv", receiver);
    if (edo__likely(read_unlocked(receiver, ret_value))) return 1;
    edo__brief_take(&broadcast->hub.lock);
    int64_t result = take(receiver, ret_value);
    edo__brief_give(&broadcast->hub.lock);
    return result;
}

int64_t edo__broadcast_recv_now(edo_cx *cx, edo__listening *receiver, void *ret_value)
{
    broadcast_of("edo_broadcast_recv", receiver);
    edo__check_attempt("edo_broadcast_recv", ret_value);
    if (edo__unlikely(cx->asked) || !edo__has_budget(cx)) return -EAGAIN;
    if (!read_unlocked(receiver, ret_value)) return -EAGAIN;
    edo__use_budget(cx);
    return 1;
}

static int64_t take_of(edo_op *op)
{
    return take(op->object, op->data);
}

static edo_poll recv_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__broadcast *broadcast = broadcast_of("edo_broadcast_recv", op->object);
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    edo__brief_take(&broadcast->hub.lock);
    int64_t result = edo__hub_step(&broadcast->hub, op, cx, take_of);
    edo__brief_give(&broadcast->hub.lock);
    if (result != -EAGAIN) return edo__op_finish(op, cx, result);
    edo__check_memory("edo_broadcast_recv", op->object, "receiver");
    edo__check_value(op, op->data);
    return EDO_PENDING;
}

const edo_future_ops edo__broadcast_recv_ops = { .name = "edo_broadcast_recv", .poll = recv_poll };

/* Connections with delay, rate and loss, for tests.
 *
 * A direction is a queue of packets, each with its time of arrival. The link sends one packet after
 * the other, at the link's rate. A packet arrives when the link has sent the packet and the delay
 * has passed. A reader sets the arrival of the first packet as a deadline of its task. One lock
 * guards both directions. */
#include <edo/mock.h>
#include <edo/time.h>

#include <string.h>

#include "base/duration.h"
#include "io/io.h"
#include "runtime/inspect/maker.h"

enum {
    DEFAULT_PACKET = 1460, // bytes; a TCP segment over Ethernet
    DEFAULT_CAPACITY = 64 * 1024,
    MILLION = 1000000,
    SECOND = 1000000000,           // ns
    DEFAULT_AGAIN = 200 * MILLION, // ns; Linux's least retransmission timeout
};

typedef struct packet {
    struct packet *next;
    int64_t due;
    size_t size, at; // size 0: the end of the input
    char bytes[];
} packet;

typedef struct direction {
    packet *first, *last;
    size_t count;     // number of bytes in the queue
    int64_t free_at;  // ns; time at which the link has sent all packets
    uint64_t sent;    // number of sent bytes
    bool ended, gone; // ended: no more writes; gone: the reader has closed
    edo__wait_list readers, writers;
} direction;

typedef struct end {
    edo_io io;
    edo_atomic(uint32_t) claims;
    struct edo__slow_link *link;
    direction *in, *out;
} end;

typedef struct edo__slow_link {
    edo__lock lock;
    unsigned refs; // number of unreleased ends; the lock guards all members from here on
    bool is_broken;
    uint64_t random;
    edo_test_link_config config;
    direction directions[2];
    end ends[2];
} edo__slow_link;

static end *end_of(const edo_io *io)
{
    return (end *)(uintptr_t)io;
}

/* ---- packets; under the lock ---- */

/* Random number below `limit`, by xorshift64 (Marsaglia, "Xorshift RNGs", 2003). */
static uint64_t random_below(edo__slow_link *link, uint64_t limit)
{
    link->random ^= link->random << 13;
    link->random ^= link->random >> 7;
    link->random ^= link->random << 17;
    return limit ? link->random % limit : 0;
}

/* Computes the time of arrival of a packet that is sent now. This time may be before that of an
 * earlier packet. The packet is read after the earlier one all the same, because the queue keeps
 * the order. */
static int64_t arrival(edo__slow_link *link, direction *out, size_t size, int64_t now)
{
    const edo_test_link_config *config = &link->config;
    if (out->free_at < now) out->free_at = now;
    uint64_t busy = config->rate ? (uint64_t)edo__scaled((int64_t)size, SECOND) / config->rate : 0;
    out->free_at = edo__later(out->free_at, (int64_t)busy);
    int64_t due = edo__later(out->free_at, config->delay);
    due = edo__later(due, (int64_t)random_below(link, (uint64_t)config->jitter + 1));
    if (random_below(link, MILLION) < config->loss) due = edo__later(due, config->again);
    return due;
}

static int send_packet(edo__slow_link *link, direction *out, const void *data, size_t size,
                       int64_t now)
{
    packet *made = edo__alloc(sizeof *made + size);
    if (!made) return -ENOMEM;
    *made = (packet){ .due = arrival(link, out, size, now), .size = size };
    if (size) memcpy(made->bytes, data, size);
    if (out->last)
        out->last->next = made;
    else
        out->first = made;
    out->last = made;
    out->count += size;
    out->sent += size;
    return 0;
}

static void pop(direction *in)
{
    packet *old = in->first;
    in->first = old->next;
    if (!in->first) in->last = NULL;
    edo__free(old, sizeof *old + old->size);
}

static void wake_all(edo__slow_link *link, edo__wakes *wakes)
{
    for (unsigned i = 0; i < 2; i++) {
        edo__wait_wake_all(&link->directions[i].readers, wakes);
        edo__wait_wake_all(&link->directions[i].writers, wakes);
    }
}

/* ---- one step; under the lock ---- */

/* Takes bytes of packets that have arrived. buffer: NULL: the bytes are dropped. */
static int64_t take(end *self, char *buffer, size_t size, edo_cx *cx, edo__wakes *wakes)
{
    direction *in = self->in;
    packet *first = in->first;
    if (self->link->is_broken) return -ECONNRESET;
    if (!first) return -EAGAIN;
    if (first->due > cx->now) {
        edo_cx_deadline(cx, first->due);
        return -EAGAIN;
    }
    if (first->size == 0) return 0;
    if (size > first->size - first->at) size = first->size - first->at;
    if (buffer) memcpy(buffer, first->bytes + first->at, size);
    first->at += size;
    in->count -= size;
    if (first->at == first->size) pop(in);
    edo__wait_wake_all(&in->writers, wakes);
    return (int64_t)size;
}

/* Whether the connection breaks when `size` more bytes are sent. */
static bool breaks(edo__slow_link *link, const direction *out, size_t size)
{
    uint64_t most = link->config.breaks;
    return most && size > most - out->sent;
}

static int64_t put(end *self, const char *data, size_t size, edo_cx *cx, edo__wakes *wakes)
{
    direction *out = self->out;
    edo__slow_link *link = self->link;
    size_t room = link->config.capacity - out->count;
    if (!link->is_broken && breaks(link, out, size)) {
        link->is_broken = true;
        wake_all(link, wakes);
    }
    if (link->is_broken) return -ECONNRESET;
    if (out->ended || out->gone) return -EPIPE;
    if (room == 0) return -EAGAIN;
    if (size > room) size = room;
    if (size > link->config.packet) size = link->config.packet;
    int rc = send_packet(link, out, data, size, cx->now);
    edo__wait_wake_all(&out->readers, wakes);
    return rc < 0 ? rc : (int64_t)size;
}

static int64_t put_vector(end *self, const edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    const edo_slice *slices = edo__transfer_of(op)->slices;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length; i++)
        if (slices[i].size) return put(self, slices[i].data, slices[i].size, cx, wakes);
    return 0;
}

static int64_t attempt(end *self, const edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    switch (edo__request_of(op)) {
    case EDO__READ: return take(self, edo__rest_of(op), edo__asked(op), cx, wakes);
    case EDO__WRITE: return put(self, edo__rest_of(op), edo__asked(op), cx, wakes);
    case EDO__WRITEV: return put_vector(self, op, cx, wakes);
    default: return take(self, NULL, SIZE_MAX, cx, wakes); // for edo_finish(): drops input
    }
}

static edo_poll link_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    end *self = end_of(io);
    bool reads = edo__side_of(op) == EDO__READ_SIDE;
    edo__wait_list *list = reads ? &self->in->readers : &self->out->writers;
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->link->lock);
    edo__wait_leave(list, op);
    op->base.result = edo__io_is_ending(io, cx) ? -ECANCELED : attempt(self, op, cx, &wakes);
    bool waits = op->base.result == -EAGAIN;
    if (waits) edo__wait_enqueue(list, op, cx->waker);
    edo__lock_give(&self->link->lock);
    edo__wakes_commit(&wakes);
    return waits ? EDO_PENDING : EDO_READY;
}

/* ---- ends ---- */

/* Sends the end of the direction as a packet without bytes. Called under the lock. */
static int send_end(end *self)
{
    if (self->out->ended) return 0;
    int rc = send_packet(self->link, self->out, NULL, 0, edo_now());
    if (rc == 0) self->out->ended = true;
    return rc;
}

static int shutdown_write(edo_io *io)
{
    end *self = end_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->link->lock);
    int rc = send_end(self);
    wake_all(self->link, &wakes);
    edo__lock_give(&self->link->lock);
    edo__wakes_commit(&wakes);
    return rc;
}

/* Ends the direction to the peer by send_end(), which sends a packet. If there is no memory for the
 * packet, breaks the connection, so that the peer does not wait for ever. */
static void hang_up(edo_io *io)
{
    end *self = end_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->link->lock);
    if (send_end(self) < 0) self->link->is_broken = true;
    self->in->gone = true;
    wake_all(self->link, &wakes);
    edo__lock_give(&self->link->lock);
    edo__wakes_commit(&wakes);
}

static void release(edo_io *io)
{
    edo__slow_link *link = end_of(io)->link;
    edo__lock_take(&link->lock);
    bool is_last = --link->refs == 0;
    edo__lock_give(&link->lock);
    if (!is_last) return;
    for (unsigned i = 0; i < 2; i++)
        while (link->directions[i].first)
            pop(&link->directions[i]);
    edo__free_closed(link, sizeof *link);
}

/* ---- making ---- */

static const edo__io_ops link_ops = { .name = "link",
                                      .claims = offsetof(end, claims),
                                      .step = link_step,
                                      .drop = link_step,
                                      .shutdown_write = shutdown_write,
                                      .hang_up = hang_up,
                                      .release = release };

static void set_defaults(edo_test_link_config *config)
{
    if (!config->packet) config->packet = DEFAULT_PACKET;
    if (!config->capacity) config->capacity = DEFAULT_CAPACITY;
    if (!config->again) config->again = DEFAULT_AGAIN;
    if (!config->seed) config->seed = 1; // xorshift never leaves the state zero
}

int edo_test_link(const edo_test_link_config *config, edo_io **ret_end, edo_io **ret_other)
{
    if (!ret_end || !ret_other) return -EINVAL;
    if (config && (config->delay < 0 || config->jitter < 0 || config->again < 0)) return -EINVAL;
    edo__slow_link *link = edo__alloc_zeroed(sizeof *link);
    if (!link) return -ENOMEM;
    if (config) link->config = *config;
    set_defaults(&link->config);
    link->random = link->config.seed;
    link->refs = 2;
    for (unsigned i = 0; i < 2; i++)
        link->ends[i] = (end){
            { &link_ops }, 0, link, &link->directions[i], &link->directions[1 - i]
        };
    *ret_end = &link->ends[0].io;
    *ret_other = &link->ends[1].io;
    return 0;
}

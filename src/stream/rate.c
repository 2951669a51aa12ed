/* A stream with limited rates.
 *
 * Each direction has a bucket that holds at most `burst` bytes and fills at the rate. The state of
 * a bucket is one number, the moment at which the bucket is full. A transfer of n bytes postpones
 * that moment by the time that n bytes take at the rate. While no bytes are transferred, the moment
 * comes closer, which fills the bucket. So the bucket needs no timer.
 *
 * A transfer waits until the bucket holds all bytes of the transfer, or at least half of the burst.
 * So bulk data does not move byte by byte. To wait, the operation sets a deadline for its task. The
 * operation is also in a list, so that a close ends the wait. */
#include <edo/streams.h>

#include "base/duration.h"
#include "stream/wrapper.h"

enum {
    SECOND = 1000000000,  // ns
    MOST_BURST = 1 << 30, // bytes; burst * SECOND + rate must fit into 64 bits
};

typedef struct token_bucket {
    uint64_t rate, burst;   // bytes per second, bytes; rate 0: no limit
    int64_t full_at;        // ns; guarded by the claim of the side
    edo__wait_list waiting; // guarded by the lock
} token_bucket;

typedef struct rated {
    edo__wrapper wrapper;
    edo__lock lock;
    token_bucket buckets[EDO__SIDES];
} rated;

/* Computes the time that bytes take at the rate, in ns. The time is rounded up. If it were rounded
 * down, level_of() could find too few bytes in a full bucket. */
static int64_t time_of(const token_bucket *self, uint64_t bytes)
{
    return (int64_t)((bytes * SECOND + self->rate - 1) / self->rate);
}

/* Number of bytes in the bucket now. */
static uint64_t level_of(const token_bucket *self, int64_t now)
{
    int64_t missing = self->full_at > now ? self->full_at - now : 0;
    int64_t have = time_of(self, self->burst) - missing;
    return have > 0 ? (uint64_t)have * self->rate / SECOND : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Number of bytes for which a transfer waits. */
static uint64_t wanted_by(const token_bucket *self, const edo_op *op)
{
    uint64_t half = self->burst > 1 ? self->burst / 2 : 1;
    return edo__request_of(op) <= EDO__WRITE ? smaller(edo__asked(op), half) : half;
}

/* Waits until the bucket holds `wanted` bytes. This step checks for CLOSED and enters the list
 * under the lock. The closer sets CLOSED before it takes the lock and wakes the waiters. So either
 * this step finds CLOSED, or the closer comes later and finds this operation in the list. */
static edo_poll wait_for_bytes(rated *self, token_bucket *bucket, edo_op *op, edo_cx *cx,
                               uint64_t wanted)
{
    edo__lock_take(&self->lock);
    bool is_ending = edo__io_is_ending(&self->wrapper.io, cx);
    if (!is_ending) edo__wait_enqueue(&bucket->waiting, op, cx->waker);
    edo__lock_give(&self->lock);
    op->base.result = -ECANCELED;
    if (is_ending) return EDO_READY;
    int64_t empty_at = bucket->full_at - time_of(bucket, bucket->burst);
    edo_cx_deadline(cx, edo__later(empty_at, time_of(bucket, wanted) + 1));
    return EDO_PENDING;
}

/* Removes an operation from its list after a wait. */
static void end_wait(rated *self, token_bucket *bucket, edo_op *op)
{
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) return;
    edo__lock_take(&self->lock);
    edo__wait_leave(&bucket->waiting, op);
    edo__lock_give(&self->lock);
}

static void pay(token_bucket *self, int64_t n, int64_t now)
{
    if (n <= 0) return;
    if (self->full_at < now) self->full_at = now;
    self->full_at = edo__later(self->full_at, time_of(self, (uint64_t)n));
}

static edo_poll rate_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    rated *self = (rated *)(void *)io;
    token_bucket *bucket = &self->buckets[edo__side_of(op)];
    if (!bucket->rate) return edo__wrapper_step(io, op, cx);
    end_wait(self, bucket, op);
    uint64_t level = level_of(bucket, cx->now), wanted = wanted_by(bucket, op);
    bool is_begun = edo__inner_is_set(&self->wrapper.ops[edo__side_of(op)]);
    if (!is_begun && level < wanted) return wait_for_bytes(self, bucket, op, cx, wanted);
    if (edo__wrapper_move(io, op, cx, level) == EDO_PENDING) return EDO_PENDING;
    pay(bucket, op->base.result, cx->now);
    return EDO_READY;
}

static void rate_hang_up(edo_io *io)
{
    rated *self = (rated *)(void *)io;
    edo__wakes wakes = { NULL, NULL };
    edo__wrapper_hang_up(io);
    edo__lock_take(&self->lock);
    for (unsigned side = 0; side < EDO__SIDES; side++)
        edo__wait_wake_all(&self->buckets[side].waiting, &wakes);
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
}

/* Makes a bucket. The default burst is the number of bytes per tenth of a second. The burst is at
 * least the number of bytes per nanosecond. If that number exceeds MOST_BURST, there is no
 * limit. */
static token_bucket bucket_of(edo_rate rate)
{
    enum { TENTH = 10 };
    uint64_t burst = rate.burst ? rate.burst : rate.bytes / TENTH, least = rate.bytes / SECOND + 1;
    if (least > MOST_BURST) return (token_bucket){ .rate = 0 };
    if (burst < least) burst = least;
    if (burst > MOST_BURST) burst = MOST_BURST;
    return (token_bucket){ .rate = rate.bytes, .burst = burst };
}

int edo_io_rate(edo_io *io, edo_rate reads, edo_rate writes, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "rate",
                                     .claims = offsetof(edo__wrapper, claims),
                                     .step = rate_step,
                                     .drop = edo__wrapper_step,
                                     .shutdown_write = edo__wrapper_shutdown_write,
                                     .hang_up = rate_hang_up,
                                     .release = edo__wrapper_release };
    if (!io || !ret_io || reads.burst > MOST_BURST || writes.burst > MOST_BURST) return -EINVAL;
    rated *self = edo__wrapper_create(&ops, sizeof *self, io, NULL);
    if (!self) return -ENOMEM;
    self->buckets[EDO__READ_SIDE] = bucket_of(reads);
    self->buckets[EDO__WRITE_SIDE] = bucket_of(writes);
    *ret_io = &self->wrapper.io;
    return 0;
}

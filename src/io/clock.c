/* Sleeps that use a timer descriptor of the system. Each sleep has a source of its own. */
#include <edo/clocks.h>

#include "io/io.h"
#include "sys/sys.h"

/* Overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY clock_op {
    edo_future base;
    edo__source *source; // NULL until the sleep has begun
    int64_t when;
    uint64_t events; // EDO_READABLE
    uint64_t progress;
    edo__op_wait wait;
} clock_op;

EDO__OVERLAY_FITS(clock_op);

enum { CLOCK_SHIFT = 16 }; // first bit of the clock in edo_op.detail

static clock_op *clock_op_of(const edo_op *op)
{
    return (clock_op *)(uintptr_t)op;
}

static edo_clock clock_of(const edo_op *op)
{
    return (edo_clock)(op->detail >> CLOCK_SHIFT);
}

static void release(edo__source *source)
{
    edo__free(source, sizeof *source);
}

static const edo__source_ops source_ops = { .release = release };

static int begin(edo_op *op)
{
    edo_fd fd = edo__sys_clock_open(clock_of(op));
    if (fd < 0) return fd;
    edo__source *source = edo__alloc(sizeof *source);
    if (!source) {
        edo__sys_close(fd);
        return -ENOMEM;
    }
    edo__source_init(source, fd, 0, &source_ops);
    clock_op_of(op)->source = source;
    return edo__source_claim(source, EDO__BOTH_SIDES);
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__source *source = clock_op_of(op)->source;
    if (source) {
        edo__source_close(source, op->base.ops->name);
        edo__source_leave(source, EDO__BOTH_SIDES);
    }
    return edo__op_finish(op, cx, result);
}

/* Makes one step of the wait for the timer descriptor. The descriptor is readable when the timer
 * has expired, or when the clock was set. If the clock was set, this function arms the timer again,
 * so that the descriptor is no longer readable. Returns: 0: the time has come; -EAGAIN: the
 * operation waits; another negative errno. */
static int64_t step(edo_op *op, edo_cx *cx)
{
    edo__source *source = clock_op_of(op)->source;
    bool is_new = !source;
    if (is_new) {
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        int rc = begin(op);
        if (rc < 0) return rc;
        source = clock_op_of(op)->source;
    }
    for (;; is_new = true) {
        if (is_new) edo__sys_clock_set(source->fd, clock_op_of(op)->when);
        if (edo__source_drive(source, op, cx) == EDO_PENDING) return -EAGAIN;
        if (op->base.result < 0) return op->base.result;
        if (edo_clock_now(clock_of(op)) >= clock_op_of(op)->when) return 0;
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        edo__use_budget(cx); // the clock was set, and may be set again at once
        if (!edo__has_budget(cx)) return -EAGAIN;
    }
}

static edo_poll clock_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    bool is_past = edo_clock_now(clock_of(op)) >= clock_op_of(op)->when;
    if (is_past && cx->fate == EDO_LIVE) return end(op, cx, 0);
    int64_t result = step(op, cx);
    return result == -EAGAIN ? EDO_PENDING : end(op, cx, result);
}

static const edo_future_ops clock_ops = { .name = "edo_sleep_until_clock", .poll = clock_poll };

int64_t edo_clock_now(edo_clock clock)
{
    return edo__sys_clock_now(clock);
}

edo_op edo_sleep_until_clock(edo_clock clock, int64_t when)
{
    if (clock != EDO_CLOCK_WALL && clock != EDO_CLOCK_BOOT) return edo__op_refuse(-EINVAL);
    uint32_t detail = EDO__POLL | (uint32_t)clock << CLOCK_SHIFT;
    edo_op op = edo__op(&clock_ops, NULL, NULL, EDO_READABLE, detail);
    clock_op_of(&op)->when = when;
    return op;
}

/* Sinks that send to a channel. */
#include <edo/sink.h>

#if EDO_HAS_SYNC

#include "sequence/pull.h"

static edo__sender_sink *sender_of(edo_sink *sink)
{
    return (edo__sender_sink *)(void *)sink;
}

/* Reserves a place. The place is kept until the next item. */
static int64_t sender_ready(edo_sink *sink, edo_cx *cx)
{
    edo__sender_sink *self = sender_of(sink);
    if (self->is_unbounded || self->permits.count) return 0;
    if (!self->inner.base.ops) {
        int rc = cx->fate == EDO_LIVE ? edo__try_reserve(self->channel, &self->permits, 1)
                                      : -EAGAIN;
        if (rc != -EAGAIN) return rc;
        self->inner = edo__reserve(self->channel, &self->permits, 1);
    }
    if (edo_poll_future(&self->inner.base, cx) == EDO_PENDING) return EDO_NEXT_WAITS;
    self->inner.base.ops = NULL;
    return self->inner.base.result;
}

static int64_t sender_put(edo_sink *sink, const void *item)
{
    edo__sender_sink *self = sender_of(sink);
    if (self->is_unbounded) return edo__try_send(self->channel, item);
    return edo__permits_send(&self->permits, item);
}

/* A value in the channel counts as passed on, so a flush does not wait for the value. If a reserve
 * operation is in flight, the flush cancels the operation, which then ends promptly. */
static int64_t sender_flush(edo_sink *sink, edo_cx *cx)
{
    edo__sender_sink *self = sender_of(sink);
    if (!self->inner.base.ops) return 0;
    edo_cancel(&self->inner.base);
    if (edo_poll_future(&self->inner.base, cx) == EDO_PENDING) return EDO_NEXT_WAITS;
    self->inner.base.ops = NULL;
    return 0;
}

static int64_t sender_close(edo_sink *sink, edo_cx *cx)
{
    edo__sender_sink *self = sender_of(sink);
    int64_t result = sender_flush(sink, cx);
    if (result == 0 && self->permits.count) edo__permits_release(&self->permits);
    return result;
}

void edo__sender_sink_init(edo__sender_sink *sink, edo__channel *channel, uint32_t size)
{
    static const edo_sink_ops ops = { .name = "a sender",
                                      .ready = sender_ready,
                                      .put = sender_put,
                                      .flush = sender_flush,
                                      .close = sender_close };
    bool is_unbounded = edo__channel_stats(channel).capacity == SIZE_MAX;
    *sink = (edo__sender_sink){ .sink = EDO_SINK_INIT(&ops, size),
                                .channel = channel,
                                .is_unbounded = is_unbounded };
}

#endif

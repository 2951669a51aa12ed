/* Hedged calls. */
#include <edo/retry.h>

#include "task/future.h"
#include "task/op.h"

static edo_future *attempt(const edo_hedge *hedge, uint32_t index)
{
    return (edo_future *)(void *)((char *)hedge->first + index * hedge->stride);
}

/* Polls the attempts that were begun. Returns: whether all of them have ended. */
static bool poll_begun(edo_hedge *hedge, edo_cx *cx)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i < hedge->begun; i++) {
        edo_future *future = attempt(hedge, i);
        bool was_done = future->state == EDO_DONE;
        bool is_done = edo_poll_future(future, cx) == EDO_READY;
        ended += is_done;
        if (!is_done || was_done) continue;
        if (future->result < 0) {
            hedge->failed++;
            if (future->result != -ECANCELED || hedge->failure == 0)
                hedge->failure = future->result;
        } else if (hedge->winner < 0) {
            hedge->winner = (int32_t)i;
        }
    }
    return ended == hedge->begun;
}

/* Begins the next attempt if it is due. The first attempt is due at once. A later attempt is due
 * after the delay, or when all earlier attempts have failed. Returns: whether an attempt was
 * begun. */
static bool begin_due(edo_hedge *hedge, const edo_cx *cx)
{
    bool have_failed = hedge->failed == (int32_t)hedge->begun;
    if (hedge->begun == hedge->count || (!have_failed && cx->now < hedge->next)) return false;
    hedge->begun++;
    if (__builtin_add_overflow(cx->now, hedge->delay, &hedge->next)) hedge->next = INT64_MAX;
    return true;
}

/* Cancels all attempts that have not ended. An attempt that has not begun is then polled as a
 * cancelled attempt, because it must release its arguments. */
static void cancel_rest(edo_hedge *hedge)
{
    hedge->begun = hedge->count;
    for (uint32_t i = 0; i < hedge->count; i++)
        if (attempt(hedge, i)->state != EDO_DONE) edo__raise_fate(attempt(hedge, i), EDO_CANCELLED);
}

static edo_poll hedge_poll(edo_future *future, edo_cx *cx)
{
    edo_hedge *hedge = (edo_hedge *)(void *)future;
    bool all_ended;
    do
        all_ended = poll_begun(hedge, cx);
    while (hedge->winner < 0 && cx->fate == EDO_LIVE && begin_due(hedge, cx));
    if (hedge->winner >= 0 || cx->fate != EDO_LIVE) {
        cancel_rest(hedge);
        all_ended = poll_begun(hedge, cx);
    } else if (hedge->begun < hedge->count) {
        edo_cx_deadline(cx, hedge->next);
    }
    if (!all_ended) return EDO_PENDING;
    bool has_won = hedge->winner >= 0;
    future->result = has_won ? attempt(hedge, (uint32_t)hedge->winner)->result : hedge->failure;
    return EDO_READY;
}

void edo_hedge_init(edo_hedge *hedge, int64_t delay, edo_future *first, size_t stride,
                    uint32_t count)
{
    static const edo_future_ops ops = { .name = "hedge",
                                        .poll = hedge_poll,
                                        .kind = EDO_KIND_OWNER };
    if (count == 0) edo__misuse("edo_hedge_init", "no attempt");
    *hedge = (edo_hedge){ .base = { .ops = &ops },
                          .first = first,
                          .stride = stride,
                          .delay = delay < 0 ? 0 : delay,
                          .count = count,
                          .winner = -1 };
}

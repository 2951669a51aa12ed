/* Intervals. */
#include <edo/timers.h>

#include "base/base.h"
#include "base/duration.h"
#include "task/executor.h"
#include "task/op.h"

static void set_next(edo_interval *interval, int64_t now)
{
    int64_t due = interval->next, period = interval->period, late = now - due;
    bool is_missed = late >= period;
    interval->next = edo__later(due, period);
    if (is_missed && interval->missed == EDO_MISSED_DELAY) interval->next = edo__later(now, period);
    if (is_missed && interval->missed == EDO_MISSED_SKIP)
        interval->next = edo__later(due, late - late % period + period);
}

static edo_poll interval_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_interval *interval = op->object;
    int64_t *ret_moment = op->data;
    if (cx->now < interval->next && cx->fate == EDO_LIVE) {
        edo_cx_deadline(cx, interval->next);
        return EDO_PENDING;
    }
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
    if (ret_moment) *ret_moment = interval->next;
    bool bursts = interval->missed == EDO_MISSED_BURST;
    set_next(interval, bursts ? cx->now : edo__runtime_now(cx->runtime));
    return edo__op_finish(op, cx, 1);
}

const edo_future_ops edo__interval_ops = { .name = "edo_interval_next", .poll = interval_poll };

void edo_interval_init_at(edo_interval *interval, int64_t first, int64_t period, edo_missed missed)
{
    if (period < 1) edo__misuse("edo_interval_init", "the period is less than 1 ns");
    *interval = (edo_interval){ .next = first, .period = period, .missed = missed };
}

void edo_interval_init(edo_interval *interval, int64_t period, edo_missed missed)
{
    edo_interval_init_at(interval, edo__deadline_after(period), period, missed);
}

void edo_interval_reset(edo_interval *interval)
{
    interval->next = edo__deadline_after(interval->period);
}

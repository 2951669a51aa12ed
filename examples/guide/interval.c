/* An operation with deadlines: ready once per period. */
#include <stdio.h>

#include <edo/edo.h>

/* region: interval */
typedef struct interval {
    edo_future base;
    int64_t next, period;
} interval;

static edo_poll interval_poll(edo_future *future, edo_cx *cx)
{
    interval *it = (interval *)(void *)future;
    int64_t now = edo_now();
    bool due = now >= it->next;
    if (!due && edo_cx_fate(cx) == EDO_LIVE) {
        edo_cx_deadline(cx, it->next); // on every poll that still waits
        return EDO_PENDING;
    }
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    it->base.result = due ? 1 + (now - it->next) / it->period : -ECANCELED;
    if (due) it->next += it->base.result * it->period;
    return EDO_READY;
}

static const edo_future_ops interval_ops = { .name = "interval", .poll = interval_poll };

static void interval_start(interval *it, int64_t period)
{
    it->next = edo_now() + period;
    it->period = period;
}

/* The next wait. Result: how many periods have passed since the last one, at least 1. */
static edo_future *interval_next(interval *it)
{
    it->base = (edo_future){ .ops = &interval_ops };
    return &it->base;
}
/* end: interval */

struct program {
    edo_frame();
    edo_args();
    interval interval;
    int64_t passed, count;
};

edo_async(program)
{
    edo_body {
        interval_start(&self->interval, edo_ms(10));
        for (self->count = 0; self->count < 5; self->count += self->passed) {
            edo_await_on(self->passed, interval_next(&self->interval));
            if (self->passed < 0) edo_return(self->passed);
            printf("%d\n", (int)self->passed);
        }
        edo_return(0);
    }
}

int main(void)
{
    edo_config config = { .test_clock = true };
    return edo_run_with(&config, program);
}

/* Intervals, and items that expire. */
#include <stdio.h>

#include <edo/edo.h>

/* region: ticks */
/* Reports every 100 ms. After a report that took too long, one tick is late, ticks that it has
 * missed altogether are left out, and the others stay on
 * the same grid. */
struct report {
    edo_frame();
    edo_args(int64_t start; unsigned count;);
    edo_interval interval;
    int64_t due;
    unsigned i;
};

edo_async(report)
{
    edo_body {
        int rc;
        edo_interval_init_at(&self->interval, self->start, edo_ms(100), EDO_MISSED_SKIP);
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_await(rc, edo_interval_next(&self->interval, &self->due));
            if (rc < 0) edo_return(rc);
            printf("report at %d ms\n", (int)((self->due - self->start) / edo_ms(1)));
            if (self->i == 1) edo_await(rc, edo_sleep(edo_ms(250))); // a slow one
        }
        edo_return(0);
    }
}
/* end: ticks */

/* region: expire */
typedef struct session {
    edo_delay delay; // its place in the queue
    const char *user;
} session;

/* Takes sessions out as they expire; ends when the queue is closed and empty. */
struct expire {
    edo_frame();
    edo_args(edo_delay_queue *queue;);
    edo_delay *item;
};

edo_async(expire)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_delay_queue_next(self->queue, &self->item));
            if (rc <= 0) edo_return(rc);
            session *ended = (session *)(void *)self->item;
            printf("%s has expired\n", ended->user);
        }
    }
}
/* end: expire */

struct program {
    edo_frame(struct report report; struct expire expire;);
    edo_args();
    edo_delay_queue queue;
    session a, b;
};

edo_async(program)
{
    edo_body {
        int rc;
        edo_call(rc, report, .start = edo_now(), .count = 4);
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        self->a = (session){ .user = "ann" };
        self->b = (session){ .user = "bob" };
        rc = edo_delay_queue_insert(&self->queue, &self->a.delay, edo_now() + edo_s(30));
        if (rc == 0)
            rc = edo_delay_queue_insert(&self->queue, &self->b.delay, edo_now() + edo_s(60));
        if (rc < 0) edo_return(rc);
        edo_delay_queue_reset(&self->queue, &self->a.delay, edo_now() + edo_s(90)); // ann is active
        edo_delay_queue_close(&self->queue);
        edo_call(rc, expire, .queue = &self->queue);
        edo_delay_queue_deinit(&self->queue);
        edo_return(rc);
    }
}

int main(void)
{
    edo_config config = { .test_clock = true };
    return edo_run_with(&config, program);
}

/* The queue of a stream of signals: handlers on two threads against the popper. */
#include <string.h>

#include "signal/events.h"

#include "model/model.h"

static struct {
    edo__events events;
    edo__event_cell cells[2];
    edo_atomic(uint32_t) rings;
} * s;

static void begin(uint32_t size, bool coalesces)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    edo__events_init(&s->events, s->cells, size, coalesces);
}

static void push(int value)
{
    edo_signal_event event = { .value = value };
    if (edo__events_push(&s->events, &event)) edo_add_acq_rel(&s->rings, 1);
}

THREAD(push_1)
{
    push(1);
}

THREAD(push_2)
{
    push(2);
}

/* Returns: the sum of the values; each lost event counts 1. */
static int pop_all(void)
{
    edo_signal_event event;
    int sum = 0;
    while (edo__events_pop(&s->events, &event))
        sum += event.value + (int)event.lost;
    return sum;
}

MODEL(queued, "two handlers push at once; each event is popped once, and completely")
{
    begin(2, false);
    int one = model_start(push_1, NULL), two = model_start(push_2, NULL);
    int sum = pop_all();
    model_join(one);
    model_join(two);
    sum += pop_all();
    model_assert(sum == 3 && s->rings == 2);
}

MODEL(reused, "a cell is reused only after its event was popped; else the event is counted as lost")
{
    begin(2, false);
    push(4);
    push(8);
    int one = model_start(push_1, NULL);
    int sum = pop_all();
    model_join(one);
    sum += pop_all();
    model_assert(sum + (int)s->events.lost == 13);
}

MODEL(coalesced, "a signal after a pop is not lost")
{
    edo_signal_event event;
    begin(1, true);
    int one = model_start(push_1, NULL), two = model_start(push_2, NULL);
    bool popped = edo__events_pop(&s->events, &event);
    model_join(one);
    model_join(two);
    bool popped_later = edo__events_pop(&s->events, &event);
    model_assert(popped || popped_later);
    push(4);
    model_assert(edo__events_pop(&s->events, &event) && event.value == 4);
    model_assert(s->events.lost == 0);
}

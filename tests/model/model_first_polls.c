/* First polls in a cancelled function, against threads that cancel it and that make its operations
 * ready.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"
#include "task/op.h"

static struct {
    edo_runtime *runtime;
    edo_task *task;
    edo_wakeable *waker;
    uint32_t ready; // flag read by the operation
    int others[2];
} * s;

/* An operation that is ready as soon as the flag is set. */
static edo_poll flag_poll(edo_future *future, edo_cx *cx)
{
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (edo_load_acquire(&s->ready)) {
        future->result = 7;
    } else if (edo_cx_fate(cx) != EDO_LIVE) {
        future->result = -ECANCELED;
    } else {
        return EDO_PENDING;
    }
    edo__use_budget(cx);
    return EDO_READY;
}

static const edo_future_ops flag_ops = { .name = "flag", .poll = flag_poll };

/* Waits until it is cancelled, then begins operations: one with budget, one within the overdraft,
 * one beyond it. The last one is pending once. */
struct cancelled {
    edo_frame();
    edo_args();
    edo_future first, second, third;
    bool began;
};

THREAD(make_ready)
{
    edo_store_release(&s->ready, 1);
    edo_wake(s->waker);
}

THREAD(cancel)
{
    edo_task_cancel(s->task);
}

static void start_others(edo_task *task)
{
    s->task = task;
    s->waker = edo_task_waker(task);
    s->others[0] = model_start(cancel, NULL);
    s->others[1] = model_start(make_ready, NULL);
}

static void begin(struct cancelled *self, edo_cx *cx)
{
    self->first = self->second = self->third = (edo_future){ .ops = &flag_ops };
    self->began = true;
    model_assert(edo_poll_future(&self->first, cx) == EDO_READY);
    cx->budget = 0;
    model_assert(edo_poll_future(&self->second, cx) == EDO_READY);
    cx->budget = -EDO__OVERDRAFT;
    model_assert(edo_poll_future(&self->third, cx) == EDO_PENDING);
}

static edo_poll cancelled_poll(edo_future *future, edo_cx *cx)
{
    struct cancelled *self = (struct cancelled *)(void *)future;
    if (!s->task) {
        self->began = false;
        start_others(cx->task);
    }
    if (edo_cx_fate(cx) == EDO_LIVE) return EDO_PENDING;
    if (!self->began) {
        begin(self, cx);
        return EDO_PENDING; // requeued; no other wake comes
    }
    model_assert(edo_poll_future(&self->third, cx) == EDO_READY);
    model_assert(self->first.result == -ECANCELED && self->second.result == -ECANCELED);
    future->result = self->third.result;
    return EDO_READY;
}

POLLED(cancelled);

MODEL(first_polls_when_cancelled,
      "what a cancelled function begins answers -ECANCELED, budget or not, ready before or since")
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    model_assert(edo_block_on(s->runtime, cancelled) == -ECANCELED);
    model_join(s->others[0]);
    model_join(s->others[1]);
    edo_waker_unref(s->waker);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

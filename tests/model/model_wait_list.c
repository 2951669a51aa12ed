/* The wait list: a wake against a cancellation, hand-overs, and an owner that ends with its last
 * waiter.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"

#include "task/wait_list.h"

/* An object with tokens, which operations take one by one. */
typedef struct box {
    edo__lock lock;
    edo__wait_list waiters;
    int tokens; // the lock
} box;

static struct {
    edo_runtime *runtime;
    box *box;
    edo_task *first, *second;
    int taken, cancelled;
} * s;

static void put(box *b)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&b->lock);
    edo_op *op = edo__wait_first(&b->waiters);
    if (op) {
        op->base.result = 1;
        edo__wait_wake(&b->waiters, op, &wakes);
    } else {
        edo_plain_write(&b->tokens);
        b->tokens++;
    }
    edo__lock_give(&b->lock);
    edo__wakes_commit(&wakes);
}

/* Under the lock. Returns: whether the operation is over, with its result. */
static bool settle(box *b, edo_op *op, edo_cx *cx)
{
    if (edo_load_relaxed(&op->word) != EDO__OP_IDLE) {
        if (cx->fate == EDO_LIVE && edo__wait_goes_on(op, cx->waker)) return false;
        if (cx->fate == EDO_LIVE) return true;
        if (edo__wait_leave(&b->waiters, op)) op->base.result = -ECANCELED;
        return true; // it was served, which wins over the cancellation
    }
    edo_plain_read(&b->tokens);
    op->base.result = cx->fate == EDO_LIVE ? 1 : -ECANCELED;
    if (cx->fate != EDO_LIVE) return true;
    if (b->tokens) {
        edo_plain_write(&b->tokens);
        b->tokens--;
        return true;
    }
    edo__wait_enqueue(&b->waiters, op, cx->waker);
    return false;
}

static edo_poll take_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    box *b = op->object;
    edo__lock_take(&b->lock);
    bool over = settle(b, op, cx);
    edo__lock_give(&b->lock);
    return over ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops take_ops = { .name = "take", .poll = take_poll };

static edo_op take(box *b)
{
    return edo__op(&take_ops, b, NULL, 0, 0);
}

struct taker {
    edo_frame();
    edo_args(box *box; bool frees;);
};

edo_async(taker)
{
    edo_body {
        int rc;
        edo_await(rc, take(self->box));
        if (rc == 1)
            s->taken++;
        else
            s->cancelled++;
        if (self->frees) model_free(self->box);
        edo_return(0);
    }
}

static void set_up(int takers, bool frees)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
    s->box = model_alloc(sizeof *s->box);
    memset(s->box, 0, sizeof *s->box);
    edo_spawn_options here = { .runtime = s->runtime };
    int rc = edo_spawn_with(&s->first, &here, taker, .box = s->box, .frees = frees);
    model_assert(rc == 0);
    if (takers > 1) {
        rc = edo_spawn_with(&s->second, &here, taker, .box = s->box, .frees = false);
        model_assert(rc == 0);
    }
}

static void run_out(void)
{
    edo_detach(s->first);
    edo_detach(s->second);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

THREAD(put_one)
{
    put(s->box);
}

THREAD(cancel_first)
{
    edo_task_cancel(s->first);
}

/* One thread puts and another one cancels, until the first taker has ended. */
static void put_against_cancel(void)
{
    int putter = model_start(put_one, NULL);
    int canceller = model_start(cancel_first, NULL);
    while (!edo_task_is_done(s->first))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(putter);
    model_join(canceller);
}

MODEL(wait_hand_over, "what is handed over reaches the one that waits; the owner may end at once")
{
    set_up(1, true);
    int other = model_start(put_one, NULL);
    run_out();
    model_join(other);
    model_assert(s->taken == 1);
}

MODEL(wait_cancel_against_wake,
      "a cancelled waiter has taken what it was handed, or nothing at all")
{
    set_up(1, false);
    edo_turn(s->runtime, 0); // waits now
    put_against_cancel();
    model_assert(s->taken + s->cancelled == 1);
    model_assert(s->taken + s->box->tokens == 1);
    model_assert(edo__wait_list_is_empty(&s->box->waiters));
    run_out();
    model_free(s->box);
}

MODEL(wait_order, "the one that waits longest is served, and the next one when it has gone")
{
    set_up(2, false);
    edo_turn(s->runtime, 0); // both wait
    put_against_cancel();
    model_assert(s->taken + s->box->tokens <= 1);
    if (s->taken == 0) edo_turn(s->runtime, 0); // the second waiter was served
    model_assert(s->taken == 1);
    if (!edo_task_is_done(s->second)) put(s->box);
    run_out();
    model_assert(s->taken + s->cancelled == 2);
    model_free(s->box);
}

THREAD(wake_both)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&s->box->lock);
    s->box->tokens = 0;
    for (edo_op *op = edo__wait_first(&s->box->waiters); op;
         op = edo__wait_next(&s->box->waiters, op))
        op->base.result = 1;
    bool late = edo__wait_list_is_empty(&s->box->waiters);
    edo__wait_wake_all(&s->box->waiters, &wakes);
    edo__lock_give(&s->box->lock);
    edo__wakes_commit(&wakes);
    if (late) put(s->box);
}

MODEL(wait_wake_all, "all that wait are woken in one step")
{
    set_up(2, false);
    edo_turn(s->runtime, 0);
    int other = model_start(wake_both, NULL);
    run_out();
    model_join(other);
    model_assert(s->taken == 2);
    model_free(s->box);
}

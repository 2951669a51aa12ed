/* Once.
 *
 *     0 ------ enter --> BUSY, the caller is the maker
 *     BUSY --- done ---> DONE
 *     BUSY --- fail ---> BUSY, if edo_once_enter() has a waiter, which becomes the maker
 *     BUSY --- fail ---> 0, if edo_once_enter() has no waiter
 *
 * All steps are made under the lock, except the test for DONE. The store of DONE releases the
 * maker's writes, and that test acquires them. */
#include <edo/events.h>

#include "base/base.h"
#include "sync/queue.h"

enum { IS_DONE = 0, MAKES = 1 }; // results

/* Tries to enter. Called under the lock. Returns: IS_DONE; MAKES; -EBUSY. */
static int enter(edo_once *once)
{
    uint32_t word = edo_load_relaxed(&once->word);
    if (word & EDO__ONCE_DONE) return IS_DONE;
    if (word & EDO__ONCE_BUSY) return -EBUSY;
    edo_store_relaxed(&once->word, EDO__ONCE_BUSY);
    return MAKES;
}

static int64_t begin_enter(void *object, edo_op *op, edo__wakes *wakes)
{
    int rc = enter(object);
    (void)op;
    (void)wakes;
    return rc == -EBUSY ? -EAGAIN : rc;
}

static int64_t begin_wait(void *object, edo_op *op, edo__wakes *wakes)
{
    (void)op;
    (void)wakes;
    return edo_once_is_done(object) ? IS_DONE : -EAGAIN;
}

static edo_op *first_to_enter(edo__wait_list *waiters)
{
    edo_op *op = edo__wait_first(waiters);
    while (op && op->base.ops != &edo__once_enter_ops)
        op = edo__wait_next(waiters, op);
    return op;
}

/* If the once has no maker and is not done, makes the next waiter of edo_once_enter() the maker. */
static void serve(void *object, edo__wakes *wakes)
{
    edo_once *once = object;
    edo__wait_list *waiters = edo__waiters_of(&once->waiters);
    edo_op *op = edo_load_relaxed(&once->word) ? NULL : first_to_enter(waiters);
    if (!op) return;
    edo_store_relaxed(&once->word, EDO__ONCE_BUSY);
    op->base.result = MAKES;
    edo__wait_wake(waiters, op, wakes);
}

static void give_back(void *object, edo_op *op)
{
    edo_once *once = object;
    if (op->base.result == MAKES) edo_store_relaxed(&once->word, 0);
}

static const edo__queue_ops enter_ops = { .begin = begin_enter,
                                          .give_back = give_back,
                                          .serve = serve };
static const edo__queue_ops wait_ops = { .begin = begin_wait };

static edo_poll poll_by(const edo__queue_ops *ops, edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_once *once = op->object;
    return edo__queue_poll(ops, &once->lock, edo__waiters_of(&once->waiters), op, cx);
}

static edo_poll enter_poll(edo_future *future, edo_cx *cx)
{
    return poll_by(&enter_ops, future, cx);
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    return poll_by(&wait_ops, future, cx);
}

const edo_future_ops edo__once_enter_ops = { .name = "edo_once_enter", .poll = enter_poll };
const edo_future_ops edo__once_wait_ops = { .name = "edo_once_wait", .poll = wait_poll };

int edo_once_try_enter(edo_once *once)
{
    if (edo_once_is_done(once)) return IS_DONE;
    edo__brief_take(&once->lock);
    int rc = enter(once);
    edo__brief_give(&once->lock);
    return rc;
}

/* Aborts if no maker is at work. Called under the lock. */
static void check_busy(const edo_once *once, const char *call)
{
    if (edo_load_relaxed(&once->word) != EDO__ONCE_BUSY)
        edo__misuse(call, "no initialisation is in progress");
}

void edo_once_done(edo_once *once)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&once->lock);
    check_busy(once, "edo_once_done");
    edo_store_release(&once->word, EDO__ONCE_DONE);
    edo__wait_wake_all(edo__waiters_of(&once->waiters), &wakes); // base.result is 0 already
    edo__brief_give(&once->lock);
    edo__wakes_commit(&wakes);
}

void edo_once_fail(edo_once *once)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&once->lock);
    check_busy(once, "edo_once_fail");
    edo_store_relaxed(&once->word, 0);
    serve(once, &wakes);
    edo__brief_give(&once->lock);
    edo__wakes_commit(&wakes);
}

void edo_once_deinit(edo_once *once)
{
    edo__queue_end(&once->lock, edo__waiters_of(&once->waiters),
                   edo_load_relaxed(&once->word) & EDO__ONCE_BUSY, "edo_once_deinit");
}

/* Operations that wait at their source: see driver.h. */
#include "base/base.h"
#include "driver/driver.h"

/* Under the lock. */
static void set_waiter_of_side(edo__side *side, edo_op *waiter)
{
    side->mark = (uint8_t)edo__lock_mark;
    side->waiter = waiter;
}

/* Under the lock. */
static void set_waiter(edo__source *source, const edo_op *op, edo_op *waiter)
{
    set_waiter_of_side(&source->sides[edo__side_of(op)], waiter);
    if (op->detail & EDO__DETAIL_BOTH_SIDES)
        set_waiter_of_side(&source->sides[EDO__WRITE_SIDE], waiter);
}

void edo__op_park(edo__source *source, edo_op *op, edo_driver *driver, edo_wakeable *waker)
{
    set_waiter(source, op, op);
    op->waker = waker;
    op->link.at.driver = driver;
    edo_store_relaxed(&op->word, EDO__OP_PARKED);
}

bool edo__op_is_parked(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (edo_load_acquire(&op->word) != EDO__OP_PARKED) return false;
    edo__lock_take(&source->lock);
    bool parked = edo_load_relaxed(&op->word) == EDO__OP_PARKED;
    if (parked && source->sides[edo__side_of(op)].waiter != op)
        edo__misuse(op->base.ops->name, "the operation was moved after its first poll");
    if (parked) op->waker = waker;
    edo__lock_give(&source->lock);
    return parked;
}

void edo__op_leave(edo__source *source, edo_op *op)
{
    if (edo_load_relaxed(&op->word) == EDO__OP_PARKED) set_waiter(source, op, NULL);
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
}

void edo__note_ready(edo__side *side, uint32_t final)
{
    uint32_t word = edo_load_relaxed(&side->ready), news;
    do {
        news = (word + EDO__READY_EVENT) | EDO__READY_NOW | final;
    } while (!edo_cas_relaxed(&side->ready, &word, news));
}

/* After the store the operation may be gone, but not before the lock is given: its poll reads the
 * word, and its task, if it was not running, cannot run before the commit. */
edo_wakeable *edo__op_wake(edo__source *source, edo_op *op)
{
    edo_wakeable *prepared = edo__wake_prepare(op->waker);
    set_waiter(source, op, NULL);
    edo_store_release(&op->word, EDO__OP_WOKEN);
    return prepared;
}

/* Sources, and the operations that are parked at them: see driver.h. */
#include "base/base.h"
#include "driver/driver.h"

/* ---- the end of a source, and members of few sources ---- */

bool edo__source_extend(edo__source *source)
{
    if (source->has_extra) return true;
    edo__source_extra *extra = edo__alloc(sizeof *extra);
    if (!extra) return false;
    *extra = (edo__source_extra){ .driver = source->driver };
    source->extra = extra;
    source->has_extra = true;
    return true;
}

void edo__source_release(edo__source *source)
{
    if (edo__unlikely(source->has_extra)) edo__free(source->extra, sizeof *source->extra);
    source->ops->release(source);
}

/* ---- parking ---- */

/* Whether an operation of another runtime waits on a side, or another runtime has a visit of that
 * side. Called under the source's lock. */
static bool is_foreign(edo__side *side, const edo_driver *driver)
{
    bool in_use = !edo__wait_list_is_empty(edo__side_waiters(side)) ||
                  edo_load_relaxed(&side->is_visited);
    return in_use && side->driver->runtime != driver->runtime;
}

int edo__op_may_park(edo__source *source, const edo_op *op, edo_driver **driver)
{
    edo__side *side = edo__op_place(source, op);
    if (edo_load_relaxed(&source->state) & EDO__SOURCE_CLOSED) return -ECANCELED;
    if (!(source->traits & EDO__SOURCE_SEVERAL)) return 0;
    for (unsigned i = 0; i < EDO__SIDES; i++)
        if (is_foreign(&source->sides[i], *driver)) return -EXDEV;
    if (!edo__wait_list_is_empty(&side->waiters)) *driver = side->driver;
    return 0;
}

void edo__op_park(edo__source *source, edo_op *op, edo_driver *driver, edo_wakeable *waker)
{
    edo__side *side = edo__op_place(source, op);
    edo__wait_list *waiters = edo__side_waiters(side);
    edo__wait_enqueue(waiters, op, waker);
    if (op->detail & EDO__DETAIL_WOKEN) edo__wait_put_first(waiters, op);
    op->detail &= ~(uint32_t)EDO__DETAIL_WOKEN;
    side->driver = driver;
}

/* ---- waking ---- */

/* Wakes an operation, and stores the driver for the operation's next poll in `link`. A woken
 * operation is in no list, so its `link` is free. The next poll reads the driver only after the
 * lock was released (still_waits). */
void edo__op_wake(edo__source *source, edo_op *op, edo__wakes *wakes)
{
    edo__side *side = edo__op_place(source, op);
    edo__wait_wake(&side->waiters, op, wakes);
    op->link.at.driver = side->driver;
}

void edo__source_repoll(edo__source *source)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&source->lock);
    for (unsigned side = 0; side < EDO__SIDES; side++)
        edo__wait_repoll_all(edo__side_waiters(&source->sides[side]), &wakes);
    edo__lock_give(&source->lock);
    edo__wakes_commit(&wakes);
}

void edo__note_ready(edo__side *side, uint32_t final)
{
    uint32_t word = edo_load_relaxed(&side->ready), news;
    do {
        news = (word + EDO__READY_EVENT) | EDO__READY_NOW | final;
    } while (!edo_cas_relaxed(&side->ready, &word, news));
}

/* ---- polling ---- */

/* Whether a started operation still waits. *ret_driver: the driver with which the operation waits
 * or has waited. In the usual case this function takes no lock. The thread that wakes an operation
 * writes the driver, then releases the lock. edo__wait_is_over() acquires that release, so the
 * driver can be read without the lock. */
static bool still_waits(edo__source *source, edo_op *op, edo_wakeable *waker,
                        edo_driver **ret_driver)
{
    if (edo__likely(edo__wait_is_over(&source->lock, op))) {
        *ret_driver = op->link.at.driver;
        return false;
    }
    edo__lock_take(&source->lock);
    bool waits = edo__wait_goes_on(op, waker);
    *ret_driver = waits ? edo__op_place(source, op)->driver : op->link.at.driver;
    edo__lock_give(&source->lock);
    return waits;
}

/* Within a runtime, all drivers are of one kind, and a woken operation is in none of them. So the
 * operation is resumed with the driver of the poll. If the operation has to wait again, an event
 * then wakes the worker that polls the operation now. */
edo_poll edo__op_go_on(edo__source *source, edo_op *op, edo_driver *here, edo_wakeable *waker,
                       bool ending)
{
    edo_driver *there;
    bool waits = still_waits(source, op, waker, &there);
    if (!waits) op->detail |= EDO__DETAIL_WOKEN;
    if (ending) return there->ops->cancel(there, source, op, waker);
    if (waits) return EDO_PENDING;
    if (there->runtime == here->runtime) there = here;
    return there->ops->resume(there, source, op, waker);
}

/* The operation may have been woken before, and be about to start again. In that case its driver
 * passes the wake on to the next waiter. */
edo_poll edo__op_cancel_start(edo__source *source, edo_op *op, edo_driver *here,
                              edo_wakeable *waker)
{
    op->base.result = -ECANCELED;
    if (!(op->detail & EDO__DETAIL_WOKEN)) return EDO_READY;
    return here->ops->cancel(here, source, op, waker);
}

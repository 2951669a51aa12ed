/* A descriptor and the operations in flight on it.
 *
 * state:  CLOSED is set once, by the owner. READING and WRITING are each set by the operation that
 * claims the side, and cleared when it leaves. Whoever brings the word to CLOSED alone - the closer
 * or the last to leave - ends the source; all are read-modify-writes of one word, so that is
 * exactly one. Acquire and release on all of them: what the operations did comes before the end.
 */
#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "sys/sys.h"

void edo__source_init(edo__source *source, int fd, uint32_t traits, void (*release)(edo__source *))
{
    *source = (edo__source){ .fd = fd, .traits = traits, .release = release };
    for (unsigned side = 0; side < EDO__SIDES; side++)
        source->sides[side].ready = EDO__READY_NOW; // unknown: a call will tell
}

/* The runtime that it was used with last may be ending: its driver lets go of sources under their
 * locks, and waits for pins. */
static edo_driver *pin_driver(edo__source *source)
{
    edo__lock_take(&source->lock);
    edo_driver *driver = source->driver;
    if (driver) edo_add_relaxed(&driver->pins, 1);
    edo__lock_give(&source->lock);
    return driver;
}

static void end(edo__source *source)
{
    edo__maker_destroy(source->maker);
    edo_driver *driver = pin_driver(source);
    if (driver) {
        driver->ops->forget(driver, source);
        edo_sub_release(&driver->pins, 1); // partner: the wait in the driver's close
        return;
    }
    edo__source_close_fd(source);
    source->release(source);
}

int edo__source_claim(edo__source *source, uint32_t sides)
{
    uint32_t state = edo_load_relaxed(&source->state);
    do {
        if (state & EDO__SOURCE_CLOSED) return -ECANCELED;
        if (state & sides) return -EBUSY;
    } while (!edo_cas_acquire(&source->state, &state, state | sides));
    return 0;
}

void edo__source_leave(edo__source *source, uint32_t sides)
{
    if (edo_sub_acq_rel(&source->state, sides) == (EDO__SOURCE_CLOSED | sides)) end(source);
}

static void hang_up(edo__source *source)
{
    edo_wakeable *wakes[EDO__SIDES] = { NULL, NULL };
    edo__lock_take(&source->lock);
    for (unsigned side = 0; side < EDO__SIDES; side++) {
        edo_op *op = edo__side_waiter(&source->sides[side]);
        if (!op) continue;
        edo_driver *driver = op->link.at.driver;
        wakes[side] = driver->ops->hang_up(driver, source, op);
    }
    edo__lock_give(&source->lock);
    for (unsigned side = 0; side < EDO__SIDES; side++)
        edo__wake_commit(wakes[side]);
}

static _Noreturn void misuse_closed(const edo__source *source, const char *call)
{
    bool listens = source->traits & EDO__SOURCE_LISTENER;
    edo__misuse(call, "the %s was closed before: a close is the last use of it",
                listens ? "listener" : "stream");
}

void edo__source_check(const edo__source *source, const char *call)
{
    if (edo_load_relaxed(&source->state) == EDO__SOURCE_CLOSED) misuse_closed(source, call);
}

/* The closer holds both sides' worth of the source while it hangs up, so that it cannot end
 * meanwhile: it is in flight itself, as a third claim. */
enum { CLOSING = 8 };

void edo__source_close(edo__source *source)
{
    uint32_t before = edo_or_relaxed(&source->state, EDO__SOURCE_CLOSED | CLOSING);
    if (before & EDO__SOURCE_CLOSED)
        misuse_closed(source,
                      source->traits & EDO__SOURCE_LISTENER ? "edo_listener_close" : "edo_close");
    if (before) hang_up(source);
    edo__source_leave(source, CLOSING);
}

/* It begins with the driver of the worker that polls it. */
static edo_poll begin(edo__source *source, edo_op *op, edo_cx *cx)
{
    edo_driver *driver = cx->worker->driver;
    return driver->ops->drive(driver, source, op, cx->waker);
}

edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx)
{
    bool ending = cx->fate != EDO_LIVE || edo__source_is_closed(source);
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) {
        if (ending) {
            op->base.result = -ECANCELED;
            return EDO_READY;
        }
        return begin(source, op, cx);
    }
    edo_driver *driver = op->link.at.driver;
    return ending ? driver->ops->cancel(driver, source, op, cx->waker)
                  : driver->ops->drive(driver, source, op, cx->waker);
}

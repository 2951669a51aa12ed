/* A descriptor and the operations in flight on it.
 *
 * state:  CLOSED is set once, by the owner. READING and WRITING are each set by the operation that
 * claims the side, and cleared when it leaves; of a source that takes several operations at once
 * these are counted, in units of USER. Whoever brings the word to CLOSED alone - the closer
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

enum { BOTH_SIDES = EDO__SOURCE_READING | EDO__SOURCE_WRITING };

/* Both sides of any source are claimed for an operation that tolerates no other. */
static bool is_taken(const edo__source *source, uint32_t state, uint32_t sides)
{
    if (source->traits & EDO__SOURCE_SEVERAL)
        return sides == BOTH_SIDES && state >= EDO__SOURCE_USER;
    return state & sides;
}

static uint32_t weight(const edo__source *source, uint32_t sides)
{
    return source->traits & EDO__SOURCE_SEVERAL ? (uint32_t)EDO__SOURCE_USER : sides;
}

int edo__source_claim(edo__source *source, uint32_t sides)
{
    uint32_t state = edo_load_relaxed(&source->state), claim = weight(source, sides);
    do {
        if (state & EDO__SOURCE_CLOSED) return -ECANCELED;
        if (is_taken(source, state, sides)) return -EBUSY;
    } while (!edo_cas_acquire(&source->state, &state, state + claim));
    return 0;
}

/* Takes a claim out of the state; the last one of a closed source ends it. */
static void leave(edo__source *source, uint32_t claim)
{
    if (edo_sub_acq_rel(&source->state, claim) == (EDO__SOURCE_CLOSED | claim)) end(source);
}

void edo__source_leave(edo__source *source, uint32_t sides)
{
    leave(source, weight(source, sides));
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

/* The closer is in flight itself, as one more claim, so that the source cannot end while it has the
 * waiters polled. Their polls find CLOSED and cancel them. */
enum { CLOSING = 8 };

void edo__source_close(edo__source *source)
{
    uint32_t before = edo_or_relaxed(&source->state, EDO__SOURCE_CLOSED | CLOSING);
    if (before & EDO__SOURCE_CLOSED)
        misuse_closed(source,
                      source->traits & EDO__SOURCE_LISTENER ? "edo_listener_close" : "edo_close");
    if (before) edo__source_repoll(source);
    leave(source, CLOSING);
}

edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx)
{
    bool ending = cx->fate != EDO_LIVE || edo__source_is_closed(source);
    return edo__op_step(source, op, cx->worker->driver, cx->waker, ending);
}

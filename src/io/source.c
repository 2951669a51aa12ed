/* Sources. A source is a descriptor with the operations in flight on that descriptor. claims.h
 * describes the state word. */
#include "io/io.h"
#include "runtime/inspect/maker.h"

void edo__source_init(edo__source *source, edo_fd fd, uint32_t traits, const edo__source_ops *ops)
{
    *source = (edo__source){ .ops = ops, .fd = fd, .traits = (uint16_t)traits };
    if (traits & EDO__SOURCE_SEVERAL) source->state = EDO__SOURCE_COUNTS;
    for (unsigned side = 0; side < EDO__SIDES; side++)
        source->sides[side].ready = EDO__READY_NOW; // a guess; the first call corrects it
}

void edo__source_note_maker(edo__source *source, const char *kind)
{
    edo__maker *maker = edo__maker_create(kind, source->fd);
    if (edo__likely(!maker)) return;
    if (edo__source_extend(source))
        source->extra->maker = maker;
    else
        edo__maker_destroy(maker);
}

/* Pins the driver of the source's last operation. Another thread may be closing this driver,
 * because the driver's runtime ends. The close first takes the driver away from each of its
 * sources, under the source's lock. Then it waits until the driver has no pins. So a driver that is
 * pinned here remains valid until the pin is dropped. Returns: the driver, or NULL. */
static edo_driver *pin_driver(edo__source *source)
{
    edo__lock_take(&source->lock);
    edo_driver *driver = edo__source_driver(source);
    if (driver) edo_add_relaxed(&driver->pins, 1);
    edo__lock_give(&source->lock);
    return driver;
}

void edo__source_end(edo__source *source)
{
    if (edo__unlikely(source->has_extra)) edo__maker_destroy(source->extra->maker);
    edo_driver *driver = pin_driver(source);
    if (driver) {
        driver->ops->forget(driver, source);
        edo_sub_release(&driver->pins, 1); // partner: the wait in the driver's close
        return;
    }
    edo__source_close_fd(source);
    edo__source_release(source);
}

int edo__source_claim(edo__source *source, uint32_t sides)
{
    return edo__claims_take(&source->state, sides);
}

void edo__source_leave(edo__source *source, uint32_t sides)
{
    if (edo__claims_leave(&source->state, sides)) edo__source_end(source);
}

static _Noreturn void misuse_closed(const edo__source *source, const char *call)
{
    const char *kind = source->traits & EDO__SOURCE_LISTENER   ? "listener"
                       : source->traits & EDO__SOURCE_DATAGRAM ? "socket"
                       : source->traits & EDO__SOURCE_SEVERAL  ? "handle"
                                                               : "stream";
    edo__misuse(call, "the %s was closed before: a close is the last use of it", kind);
}

void edo__source_check(const edo__source *source, const char *call)
{
    if (edo__claims_are_over(&source->state)) misuse_closed(source, call);
}

void edo__source_check_open(const edo__source *source, const char *call)
{
    if (edo__source_is_closed(source)) misuse_closed(source, call);
}

void edo__source_close(edo__source *source, const char *call)
{
    uint32_t before = edo__claims_close(&source->state);
    if (before & EDO__SOURCE_CLOSED) misuse_closed(source, call);
    if (edo__claims_any(before)) edo__source_repoll(source);
    if (edo__claims_end_close(&source->state)) edo__source_end(source);
}

/* A new operation uses the driver of the worker that polls the operation. */
edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx)
{
    bool ending = cx->fate != EDO_LIVE || edo__source_is_closed(source);
    return edo__op_step(source, op, cx->worker->driver, cx->waker, ending);
}

edo_poll edo__source_drive_on(edo__source *source, edo_op *op, edo_cx *cx)
{
    return edo__op_step(source, op, cx->worker->driver, cx->waker, false);
}

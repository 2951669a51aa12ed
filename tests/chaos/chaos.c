/* The chaos driver. Every source has a shadow in each chaos driver that it was used with: a source
 * of the inner epoll driver's on the same descriptor, with a seat for each side. An operation that
 * is driven takes the seat of its side and is parked there:
 *
 *     FREE ---- drive: parked, held back ------------------> HELD
 *     HELD ---- turn: due, and the inner driver is done ---> DONE (its task is woken)
 *     HELD ---- turn: due, but the call would block -------> INSIDE (parked in the inner driver)
 *     INSIDE -- the inner driver wakes the seat -----------> HELD
 *     HELD, INSIDE -- cancel ------------------------------> HELD (cancelling), then DONE
 *     DONE ---- drive or cancel: takes the result ---------> FREE
 *
 * One lock guards all seats of the process. It is taken before a source's own; hang_up, which is
 * called under that one, touches no seat.
 */
#include "chaos/chaos.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "io/io.h"
#include "runtime/runtime.h"
#include "driver/drivers.h"
#include "sys/sys.h"

typedef struct chaos {
    edo_driver base;
    edo_driver *inner;
    chaos_options options;
    uint64_t random;  // splitmix64
    uint32_t started; // operations so far
    bool is_watched;  // its descriptor was asked for
    edo__node held;   // seats
    edo_atomic(bool) has_woken;
    edo__node shadows;
} chaos;

typedef enum seat_state { FREE, HELD, INSIDE, DONE } seat_state;

typedef struct chaos_seat {
    edo_user_wakeable waker; // what the inner driver wakes
    struct chaos_shadow *shadow;
    edo__node held;
    edo_op inner; // what the inner driver is given
    edo_op *op;
    seat_state state;
    bool is_cancelling, is_to_fail;
    edo_atomic(bool) is_woken; // by the inner driver
    uint32_t turns_left;
    int64_t result;
} chaos_seat;

typedef struct chaos_shadow {
    edo__source source;
    edo__source *outer;
    struct chaos_shadow *next; // of the same source, in another driver
    bool is_visit;             // for one operation, on a source that another kind of driver has
    chaos *driver;
    edo__node mine; // among those of the driver
    chaos_seat seats[EDO__SIDES];
} chaos_shadow;

static pthread_mutex_t seats_lock = PTHREAD_MUTEX_INITIALIZER;

static chaos *chaos_of(edo_driver *driver)
{
    return (chaos *)(void *)driver;
}

static uint32_t random_below(chaos *driver, uint32_t limit)
{
    uint64_t z = driver->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % limit);
}

static bool is_percent(chaos *driver, uint32_t percent)
{
    return random_below(driver, 100) < percent;
}

/* ---- seats ---- */

static void hold(chaos_seat *seat)
{
    chaos *driver = seat->shadow->driver;
    seat->turns_left = random_below(driver, driver->options.late + 1);
    if (seat->state != HELD) edo__list_push(&driver->held, &seat->held);
    seat->state = HELD;
}

static void let_go(chaos_seat *seat, seat_state next)
{
    if (seat->state == HELD) edo__list_remove(&seat->held);
    seat->state = next;
}

/* The inner driver says that the descriptor may be ready. By the thread that turns it, under the
 * lock of the inner source, which others take under ours: so the rest comes behind the turn. */
static void on_inner_wake(edo_user_wakeable *waker)
{
    chaos_seat *woken = edo__container(waker, chaos_seat, waker);
    edo_store_relaxed(&woken->is_woken, true);
    edo_store_release(&woken->shadow->driver->has_woken, true);
}

/* The operation may have been cancelled by another thread, and the seat be another one's: then that
 * is tried in vain. */
static void hold_woken(chaos *driver)
{
    if (!edo_swap_acquire(&driver->has_woken, false)) return;
    pthread_mutex_lock(&seats_lock);
    edo__list_each(&driver->shadows, node) {
        chaos_shadow *shadow = edo__container(node, chaos_shadow, mine);
        for (unsigned side = 0; side < EDO__SIDES; side++) {
            chaos_seat *seat = &shadow->seats[side];
            if (edo_load_relaxed(&seat->is_woken) && seat->state == INSIDE) hold(seat);
            edo_store_relaxed(&seat->is_woken, false);
        }
    }
    pthread_mutex_unlock(&seats_lock);
}

static uint64_t limited(const chaos *driver, uint64_t length)
{
    uint32_t limit = driver->options.bytes;
    return limit && limit < length ? limit : length;
}

/* The first byte of several buffers is a plain write. */
static void limit_vector(const chaos *driver, edo_op *inner)
{
    const edo_slice *vector = inner->data;
    uint64_t i = 0;
    while (i < inner->length && !vector[i].size)
        i++;
    if (i == inner->length || !driver->options.bytes) return;
    inner->detail = EDO__WRITE | EDO__DETAIL_WRITE_SIDE;
    inner->data = vector[i].data;
    inner->length = limited(driver, vector[i].size);
}

static edo_op inner_op(const chaos *driver, const edo_op *op)
{
    enum { KEPT = 0xff | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_BOTH_SIDES };
    edo_op inner = { .base.ops = op->base.ops,
                     .data = op->data,
                     .length = op->length,
                     .detail = op->detail & KEPT };
    switch (edo__request_of(op)) {
    case EDO__READ:
    case EDO__WRITE:
        inner.data = (char *)op->data + op->progress;
        inner.length = limited(driver, op->length - op->progress);
        break;
    case EDO__WRITEV: limit_vector(driver, &inner); break;
    case EDO__ACCEPT:
    case EDO__POLL: break;
    }
    return inner;
}

/* ---- sources ---- */

static void release_shadow(edo__source *source)
{
    free(edo__container(source, chaos_shadow, source));
}

/* The list begins in the source, whose driver is that of the first one. */
static void set_shadows(edo__source *source, chaos_shadow *first)
{
    source->extra = first;
    source->driver = first ? &first->driver->base : NULL;
}

static chaos_shadow *make_shadow(chaos *driver, edo__source *source)
{
    chaos_shadow *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    edo__source_init(&made->source, source->fd, source->traits | EDO__SOURCE_BORROWED,
                     release_shadow);
    made->outer = source;
    made->driver = driver;
    for (unsigned side = 0; side < EDO__SIDES; side++) {
        edo_user_wakeable_init(&made->seats[side].waker, on_inner_wake);
        made->seats[side].shadow = made;
    }
    edo__list_push(&driver->shadows, &made->mine);
    return made;
}

static chaos_shadow *add_shadow(chaos *driver, edo__source *source)
{
    chaos_shadow *made = make_shadow(driver, source);
    if (!made) return NULL;
    made->next = source->extra;
    set_shadows(source, made);
    return made;
}

/* The stream may have been used with another runtime, whose driver is of another kind. */
static bool is_foreign(const edo__source *source)
{
    return source->driver && source->driver->ops != &chaos_driver;
}

static chaos_shadow *visit(chaos *driver, edo__source *source)
{
    chaos_shadow *made = make_shadow(driver, source);
    if (made) made->is_visit = true;
    return made;
}

static chaos_shadow *shadow_of(chaos *driver, edo__source *source)
{
    if (is_foreign(source)) return visit(driver, source);
    chaos_shadow *shadow = source->extra;
    while (shadow && shadow->driver != driver)
        shadow = shadow->next;
    return shadow ? shadow : add_shadow(driver, source);
}

static void unlink_shadow(chaos_shadow *shadow)
{
    chaos_shadow *first = shadow->outer->extra, **link = &first;
    while (*link != shadow)
        link = &(*link)->next;
    *link = shadow->next;
    set_shadows(shadow->outer, first);
}

/* The inner driver may still have an event for the shadow, so it frees it if it knows it. */
static void drop_shadow(chaos_shadow *shadow)
{
    edo_driver *inner = shadow->driver->inner;
    if (!shadow->is_visit) unlink_shadow(shadow);
    edo__list_remove(&shadow->mine);
    if (shadow->source.driver)
        inner->ops->forget(inner, &shadow->source);
    else
        free(shadow);
}

static void lock_both(edo__source *source)
{
    pthread_mutex_lock(&seats_lock);
    edo__lock_take(&source->lock);
}

static void unlock_both(edo__source *source)
{
    edo__lock_give(&source->lock);
    pthread_mutex_unlock(&seats_lock);
}

/* ---- operations; both locks are held ---- */

/* Holds it back. A foreign loop may be asleep, or the worker whose driver it is. */
static edo_poll park(chaos_seat *seat, edo_op *op, edo_wakeable *waker)
{
    chaos *driver = seat->shadow->driver;
    hold(seat);
    seat->op = op;
    op->link.at.extra = seat;
    edo__op_park(seat->shadow->outer, op, &driver->base, waker);
    if (driver->is_watched || edo_runtime_workers(driver->base.runtime))
        driver->inner->ops->unpark(driver->inner);
    return EDO_PENDING;
}

static edo_poll refuse(edo_op *op, int error)
{
    op->base.result = error;
    return EDO_READY;
}

static edo_poll start(chaos *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    if (edo__source_is_closed(source)) return refuse(op, -ECANCELED);
    chaos_shadow *shadow = shadow_of(driver, source);
    if (!shadow) return refuse(op, -ENOMEM);
    chaos_seat *seat = &shadow->seats[edo__side_of(op)];
    if (seat->state != FREE) edo__misuse(op->base.ops->name, "its side of the stream is taken");
    seat->inner = inner_op(driver, op);
    seat->is_cancelling = false;
    seat->is_to_fail = ++driver->started == driver->options.fault_at;
    return park(seat, op, waker);
}

static edo_poll take_result(chaos_seat *seat, edo_op *op)
{
    let_go(seat, FREE);
    op->word = EDO__OP_IDLE;
    op->base.result = seat->result;
    if (seat->shadow->is_visit) drop_shadow(seat->shadow);
    return EDO_READY;
}

static void check_home(const edo__source *source, const edo_op *op)
{
    if (source->sides[edo__side_of(op)].waiter != op)
        edo__misuse(op->base.ops->name, "the operation was moved after its first poll");
}

static edo_poll go_on(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    chaos_seat *seat = op->link.at.extra;
    if (seat->state == DONE) return take_result(seat, op);
    check_home(source, op);
    op->waker = waker;
    return EDO_PENDING;
}

static edo_poll chaos_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    lock_both(source);
    bool is_idle = op->word == EDO__OP_IDLE;
    edo_poll poll = is_idle ? start(chaos_of(base), source, op, waker) : go_on(source, op, waker);
    unlock_both(source);
    return poll;
}

static void begin_cancel(chaos_seat *seat)
{
    edo_driver *inner = seat->shadow->driver->inner;
    if (seat->state == INSIDE)
        inner->ops->cancel(inner, &seat->shadow->source, &seat->inner, &seat->waker.head);
    seat->is_cancelling = true;
}

/* After a hang-up it is parked again. */
static edo_poll go_on_cancelling(edo__source *source, edo_op *op, edo_wakeable *waker)
{
    chaos_seat *seat = op->link.at.extra;
    if (seat->state == DONE) return take_result(seat, op);
    if (seat->is_cancelling) return go_on(source, op, waker);
    begin_cancel(seat);
    return park(seat, op, waker);
}

static edo_poll chaos_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    (void)base;
    lock_both(source);
    edo_poll poll = go_on_cancelling(source, op, waker);
    unlock_both(source);
    return poll;
}

/* ---- completing ---- */

static edo_wakeable *chaos_hang_up(edo_driver *base, edo__source *source, edo_op *op)
{
    (void)base;
    return edo__op_wake(source, op);
}

/* A cancelled call may have been made before the cancellation came. */
static edo_poll end_cancelled(chaos_seat *seat)
{
    bool was_late = random_below(seat->shadow->driver, 2);
    seat->inner.base.result = was_late ? edo__try(&seat->shadow->source, &seat->inner) : -EAGAIN;
    if (seat->inner.base.result == -EAGAIN) seat->inner.base.result = -ECANCELED;
    return EDO_READY;
}

static edo_poll run_inner(chaos_seat *seat)
{
    edo_driver *inner = seat->shadow->driver->inner;
    if (seat->is_cancelling) return end_cancelled(seat);
    if (seat->is_to_fail) {
        seat->inner.base.result = -seat->shadow->driver->options.fault;
        return EDO_READY;
    }
    return inner->ops->drive(inner, &seat->shadow->source, &seat->inner, &seat->waker.head);
}

static edo_wakeable *wake_for_nothing(chaos_seat *seat)
{
    chaos *driver = seat->shadow->driver;
    bool is_parked = seat->op->word == EDO__OP_PARKED;
    if (!is_parked || !is_percent(driver, driver->options.spurious)) return NULL;
    return edo__wake_prepare(seat->op->waker);
}

/* One turn of a seat that is held back. An operation that was hung up has left its place, and waits
 * for its task to cancel it. */
static edo_wakeable *step(chaos_seat *seat)
{
    if (seat->op->word != EDO__OP_PARKED) return NULL;
    if (seat->turns_left > 0) {
        seat->turns_left--;
        return wake_for_nothing(seat);
    }
    if (run_inner(seat) == EDO_PENDING) {
        let_go(seat, INSIDE);
        return wake_for_nothing(seat);
    }
    seat->result = seat->inner.base.result;
    let_go(seat, DONE);
    return edo__op_wake(seat->shadow->outer, seat->op);
}

/* Returns: how many were looked at. */
static int step_all(chaos *driver)
{
    int count = 0;
    pthread_mutex_lock(&seats_lock);
    for (edo__node *node = driver->held.next, *next; node != &driver->held; node = next) {
        next = node->next;
        chaos_seat *held = edo__container(node, chaos_seat, held);
        edo__source *source = held->shadow->outer;
        edo__lock_take(&source->lock);
        edo_wakeable *prepared = step(held);
        edo__lock_give(&source->lock);
        edo__wake_commit(prepared);
        count++;
    }
    pthread_mutex_unlock(&seats_lock);
    return count;
}

static bool holds_any(chaos *driver)
{
    pthread_mutex_lock(&seats_lock);
    bool any = !edo__list_is_empty(&driver->held);
    pthread_mutex_unlock(&seats_lock);
    return any;
}

/* What it holds counts as found: neither the thread nor a test clock's time passes meanwhile. */
static int chaos_turn(edo_driver *base, int64_t timeout)
{
    chaos *driver = chaos_of(base);
    edo_driver *inner = driver->inner;
    int count = step_all(driver);
    count += inner->ops->turn(inner, count ? 0 : timeout);
    hold_woken(driver);
    bool holds = holds_any(driver);
    if (holds && driver->is_watched) inner->ops->unpark(inner);
    return count + holds;
}

static void chaos_unpark(edo_driver *base)
{
    edo_driver *inner = chaos_of(base)->inner;
    inner->ops->unpark(inner);
}

/* ---- life ---- */

static void chaos_forget(edo_driver *base, edo__source *source)
{
    (void)base;
    lock_both(source);
    while (source->extra)
        drop_shadow(source->extra);
    unlock_both(source);
    edo__source_close_fd(source);
    source->release(source);
}

static void read_options(chaos *driver, const char *argument)
{
    driver->options = chaos_defaults;
    int rc = chaos_options_parse(argument, &driver->options);
    if (rc == 0) rc = chaos_options_parse(getenv("EDO_CHAOS"), &driver->options);
    if (rc < 0) {
        fprintf(stderr, "chaos: bad options: EDO_DRIVER=chaos:%s EDO_CHAOS=%s\n", argument,
                getenv("EDO_CHAOS"));
        abort(); // a runtime would go on with epoll
    }
    chaos_options_announce(&driver->options);
    driver->random = driver->options.seed;
}

static int chaos_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    *ret_reason = "out of memory";
    chaos *driver = calloc(1, sizeof *driver);
    if (!driver) return -ENOMEM;
    read_options(driver, argument);
    driver->base = (edo_driver){ .ops = &chaos_driver, .runtime = runtime };
    edo__list_init(&driver->held);
    edo__list_init(&driver->shadows);
    int rc = edo__epoll_driver.open(runtime, NULL, &driver->inner, ret_reason);
    if (rc < 0)
        free(driver);
    else
        *ret_driver = &driver->base;
    return rc;
}

static void drop_all_shadows(chaos *driver)
{
    pthread_mutex_lock(&seats_lock);
    while (!edo__list_is_empty(&driver->shadows)) {
        chaos_shadow *shadow = edo__container(driver->shadows.next, chaos_shadow, mine);
        edo__source *source = shadow->outer;
        edo__lock_take(&source->lock);
        drop_shadow(shadow);
        edo__lock_give(&source->lock);
    }
    pthread_mutex_unlock(&seats_lock);
}

static void chaos_close(edo_driver *base)
{
    chaos *driver = chaos_of(base);
    bool is_inherited = edo__runtime_is_stale(base->runtime); // registrations are the parent's
    if (!is_inherited) drop_all_shadows(driver);
    while (edo_load_acquire(&base->pins))
        sched_yield();
    driver->inner->ops->close(driver->inner);
    if (!is_inherited) free(driver);
}

static int chaos_fd(edo_driver *base)
{
    edo_driver *inner = chaos_of(base)->inner;
    chaos_of(base)->is_watched = true;
    if (holds_any(chaos_of(base))) inner->ops->unpark(inner);
    return inner->ops->fd(inner);
}

static int chaos_watch(edo_driver *base, int fd)
{
    edo_driver *inner = chaos_of(base)->inner;
    return inner->ops->watch(inner, fd);
}

const edo_driver_ops chaos_driver = {
    .name = "chaos",
    .open = chaos_open,
    .close = chaos_close,
    .drive = chaos_drive,
    .cancel = chaos_cancel,
    .hang_up = chaos_hang_up,
    .forget = chaos_forget,
    .turn = chaos_turn,
    .unpark = chaos_unpark,
    .fd = chaos_fd,
    .watch = chaos_watch,
};

static void lock_seats(void)
{
    pthread_mutex_lock(&seats_lock);
}

static void unlock_seats(void)
{
    pthread_mutex_unlock(&seats_lock);
}

__attribute__((constructor)) static void announce(void)
{
    pthread_atfork(lock_seats, unlock_seats, unlock_seats);
    edo__driver_register(&chaos_driver);
}

/* The chaos driver. For each source that it has served, a chaos driver has a shadow. The shadow is
 * a source of the inner epoll driver, on the same descriptor. An operation that is driven receives
 * a seat in the shadow, and is parked:
 *
 *     drive: parked, held back ----------------------------> HELD
 *     HELD ---- turn: due, and the inner driver is done ---> the task is woken, the seat is freed
 *     HELD ---- turn: due, but the call would block -------> INSIDE (parked in the inner driver)
 *     INSIDE -- the inner driver wakes the seat -----------> HELD
 *     HELD, INSIDE -- cancel ------------------------------> HELD (cancelling)
 *
 * One lock guards all seats of the process. That lock is taken before the lock of a source.
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
    bool is_watched;  // fd() was called
    edo__node held;   // seats
    edo_atomic(bool) has_woken;
    edo__node shadows;
} chaos;

typedef enum seat_state { NEW, HELD, INSIDE } seat_state;

typedef struct chaos_seat {
    edo_user_wakeable waker; // woken by the inner driver
    struct chaos_shadow *shadow;
    edo__node mine; // in the shadow's list
    edo__node held;
    edo_op inner; // operation for the inner driver
    edo_op *op;
    seat_state state;
    bool is_cancelling, is_to_fail;
    edo_atomic(bool) is_woken; // by the inner driver
    uint32_t turns_left;
} chaos_seat;

typedef struct chaos_shadow {
    edo__source source;
    edo__source *outer;
    struct chaos_shadow *next; // shadow of the same source in another driver
    bool is_visit;             // serves one operation, on a source of another kind of driver
    chaos *driver;
    edo__node mine; // in the driver's list
    edo__node seats;
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

/* Called by the inner driver when the descriptor may be ready. This function runs on the turning
 * thread, under the lock of the inner source. Other threads take that lock under the chaos lock. So
 * this function only sets a flag, and hold_woken() does the rest after the turn. */
static void on_inner_wake(edo_user_wakeable *waker)
{
    chaos_seat *woken = edo__container(waker, chaos_seat, waker);
    edo_store_relaxed(&woken->is_woken, true);
    edo_store_release(&woken->shadow->driver->has_woken, true);
}

/* Holds the operations that the inner driver has woken. Another thread may have cancelled such an
 * operation, and the seat may now belong to another operation. That operation is then tried in
 * vain. */
static void hold_woken(chaos *driver)
{
    if (!edo_swap_acquire(&driver->has_woken, false)) return;
    pthread_mutex_lock(&seats_lock);
    edo__list_each(&driver->shadows, node) {
        chaos_shadow *shadow = edo__container(node, chaos_shadow, mine);
        edo__list_each(&shadow->seats, seat_node) {
            chaos_seat *seat = edo__container(seat_node, chaos_seat, mine);
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

/* Changes a vector of several buffers into a plain transfer of the first byte. */
static void limit_vector(const chaos *driver, edo_op *inner)
{
    const edo_slice *vector = inner->data;
    uint64_t i = 0;
    while (i < inner->length && !vector[i].size)
        i++;
    if (i == inner->length || !driver->options.bytes) return;
    bool reads = edo__request_of(inner) == EDO__READV;
    inner->detail = reads ? (uint32_t)EDO__READ : EDO__WRITE | EDO__DETAIL_WRITE_SIDE;
    inner->data = vector[i].data;
    inner->length = limited(driver, vector[i].size);
}

static edo_op inner_op(const chaos *driver, const edo_op *op)
{
    enum {
        KEPT = 0xff | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_BOTH_SIDES | EDO__DETAIL_PEEK |
               EDO__DETAIL_SINGLES
    };
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
    case EDO__READV:
    case EDO__WRITEV: limit_vector(driver, &inner); break;
    case EDO__READ_LENT: inner.length = limited(driver, op->length); break;
    case EDO__RECV:
    case EDO__SEND: // an address is in the place of progress
    case EDO__RECV_MESSAGES:
    case EDO__SEND_MESSAGES:
    case EDO__SEND_SEGMENTS: inner.progress = op->progress; break;
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

static const edo__source_ops shadow_ops = { .release = release_shadow };

/* The list of shadows begins in source->own; the source is registered with the driver of the first
 * shadow. */
static void set_shadows(edo__source *source, chaos_shadow *first)
{
    source->own = first;
    edo__source_set_driver(source, first ? &first->driver->base : NULL);
}

static chaos_shadow *first_shadow(const edo__source *source)
{
    return edo__source_driver(source) ? source->own : NULL;
}

static chaos_shadow *make_shadow(chaos *driver, edo__source *source)
{
    chaos_shadow *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    edo__source_init(&made->source, source->fd, source->traits | EDO__SOURCE_BORROWED, &shadow_ops);
    made->outer = source;
    made->driver = driver;
    edo__list_init(&made->seats);
    edo__list_push(&driver->shadows, &made->mine);
    return made;
}

static chaos_shadow *add_shadow(chaos *driver, edo__source *source)
{
    chaos_shadow *made = make_shadow(driver, source);
    if (!made) return NULL;
    made->next = first_shadow(source);
    set_shadows(source, made);
    return made;
}

/* Whether the source is registered with a driver of another kind, of another runtime. */
static bool is_foreign(const edo__source *source)
{
    const edo_driver *driver = edo__source_driver(source);
    return driver && driver->ops != &chaos_driver;
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
    chaos_shadow *shadow = first_shadow(source);
    while (shadow && shadow->driver != driver)
        shadow = shadow->next;
    return shadow ? shadow : add_shadow(driver, source);
}

static void unlink_shadow(chaos_shadow *shadow)
{
    chaos_shadow *first = first_shadow(shadow->outer), **link = &first;
    while (*link != shadow)
        link = &(*link)->next;
    *link = shadow->next;
    set_shadows(shadow->outer, first);
}

/* Frees a shadow. If the shadow is registered with the inner driver, that driver may still have an
 * event for the shadow, so the inner driver frees the shadow. */
static void drop_shadow(chaos_shadow *shadow)
{
    edo_driver *inner = shadow->driver->inner;
    if (!shadow->is_visit) unlink_shadow(shadow);
    edo__list_remove(&shadow->mine);
    if (edo__source_driver(&shadow->source))
        inner->ops->forget(inner, &shadow->source);
    else
        edo__source_release(&shadow->source);
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

static chaos_seat *add_seat(chaos_shadow *shadow, edo_op *op)
{
    chaos *driver = shadow->driver;
    chaos_seat *seat = calloc(1, sizeof *seat);
    if (!seat) return NULL;
    edo_user_wakeable_init(&seat->waker, on_inner_wake);
    seat->shadow = shadow;
    seat->op = op;
    seat->inner = inner_op(driver, op);
    seat->is_to_fail = ++driver->started == driver->options.fault_at;
    edo__list_push(&shadow->seats, &seat->mine);
    return seat;
}

/* Frees the seat of an operation that has its result. */
static void drop_seat(chaos_seat *seat)
{
    chaos_shadow *shadow = seat->shadow;
    if (seat->state == HELD) edo__list_remove(&seat->held);
    edo__list_remove(&seat->mine);
    free(seat);
    if (shadow->is_visit) drop_shadow(shadow);
}

/* The seat of a parked operation. */
static chaos_seat *seat_of(chaos *driver, const edo_op *op)
{
    edo__list_each(&driver->shadows, node) {
        chaos_shadow *shadow = edo__container(node, chaos_shadow, mine);
        edo__list_each(&shadow->seats, seat_node) {
            chaos_seat *seat = edo__container(seat_node, chaos_seat, mine);
            if (seat->op == op) return seat;
        }
    }
    abort();
}

/* Holds the seat. Unparks, because a foreign loop or the driver's worker may be
 * asleep. */
static void hold_now(chaos_seat *seat)
{
    chaos *driver = seat->shadow->driver;
    hold(seat);
    if (driver->is_watched || edo_runtime_workers(driver->base.runtime))
        driver->inner->ops->unpark(driver->inner);
}

static edo_poll refuse(edo_op *op, int error)
{
    op->base.result = error;
    return EDO_READY;
}

static edo_poll start(edo_driver *driver, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    int rc = edo__op_may_park(source, op, &driver);
    if (rc < 0) return refuse(op, rc);
    chaos_shadow *shadow = shadow_of(chaos_of(driver), source);
    chaos_seat *seat = shadow ? add_seat(shadow, op) : NULL;
    if (!seat) return refuse(op, -ENOMEM);
    edo__op_park(source, op, driver, waker);
    hold_now(seat);
    return EDO_PENDING;
}

static edo_poll chaos_drive(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    lock_both(source);
    edo_poll poll = start(base, source, op, waker);
    unlock_both(source);
    return poll;
}

/* Resumes an operation. A woken operation always has its result. */
static edo_poll chaos_resume(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    (void)base;
    (void)source;
    (void)op;
    (void)waker;
    return EDO_READY;
}

static void begin_cancel(chaos_seat *seat)
{
    edo_driver *inner = seat->shadow->driver->inner;
    if (edo_load_relaxed(&seat->inner.word) != EDO__OP_IDLE)
        inner->ops->cancel(inner, &seat->shadow->source, &seat->inner, &seat->waker.head);
    seat->is_cancelling = true;
    hold_now(seat);
}

static edo_poll chaos_cancel(edo_driver *base, edo__source *source, edo_op *op, edo_wakeable *waker)
{
    lock_both(source);
    bool waits = op->word == EDO__OP_PARKED && edo__wait_goes_on(op, waker);
    if (waits) {
        chaos_seat *seat = seat_of(chaos_of(base), op);
        if (!seat->is_cancelling) begin_cancel(seat);
    }
    op->word = waits ? EDO__OP_PARKED : EDO__OP_IDLE;
    unlock_both(source);
    return waits ? EDO_PENDING : EDO_READY;
}

/* ---- completing ---- */

/* Ends a cancelled seat, sometimes as if the call had been made before the cancellation. The inner
 * driver may have a result nevertheless. */
static edo_poll end_cancelled(chaos_seat *seat)
{
    if (seat->inner.base.result > 0) return EDO_READY;
    bool was_late = random_below(seat->shadow->driver, 2);
    seat->inner.base.result = was_late ? edo__try(&seat->shadow->source, &seat->inner) : -EAGAIN;
    if (seat->inner.base.result == -EAGAIN) seat->inner.base.result = -ECANCELED;
    return EDO_READY;
}

static edo_poll run_inner(chaos_seat *seat)
{
    edo_driver *inner = seat->shadow->driver->inner;
    if (seat->is_cancelling) return end_cancelled(seat);
    if (edo_load_relaxed(&seat->inner.word) != EDO__OP_IDLE)
        return edo__op_step(&seat->shadow->source, &seat->inner, inner, &seat->waker.head, false);
    if (seat->is_to_fail) {
        seat->inner.base.result = -seat->shadow->driver->options.fault;
        return EDO_READY;
    }
    return inner->ops->drive(inner, &seat->shadow->source, &seat->inner, &seat->waker.head);
}

static edo_wakeable *wake_for_nothing(chaos_seat *seat)
{
    chaos *driver = seat->shadow->driver;
    return is_percent(driver, driver->options.spurious) ? edo__wake_prepare(seat->op->waker) : NULL;
}

/* One turn of a HELD seat. */
static edo_wakeable *step(chaos_seat *seat, edo__wakes *wakes)
{
    if (seat->turns_left > 0) {
        seat->turns_left--;
        return wake_for_nothing(seat);
    }
    if (run_inner(seat) == EDO_PENDING) {
        edo__list_remove(&seat->held);
        seat->state = INSIDE;
        return wake_for_nothing(seat);
    }
    seat->op->base.result = seat->inner.base.result;
    edo__op_wake(seat->shadow->outer, seat->op, wakes);
    drop_seat(seat);
    return NULL;
}

/* Steps all seats. Returns: their number. */
static int step_all(chaos *driver)
{
    int count = 0;
    pthread_mutex_lock(&seats_lock);
    for (edo__node *node = driver->held.next, *next; node != &driver->held; node = next) {
        next = node->next;
        chaos_seat *held = edo__container(node, chaos_seat, held);
        edo__source *source = held->shadow->outer;
        edo__wakes wakes = { NULL, NULL };
        edo__lock_take(&source->lock);
        edo_wakeable *prepared = step(held, &wakes);
        edo__lock_give(&source->lock);
        edo__wake_commit(prepared);
        edo__wakes_commit(&wakes);
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

/* Turns the driver. Held operations count as events, so that while there are any, the thread does
 * not sleep and a test clock does not advance. */
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
    for (chaos_shadow *shadow; (shadow = first_shadow(source));)
        drop_shadow(shadow);
    unlock_both(source);
    edo__source_close_fd(source);
    edo__source_release(source);
}

static void read_options(chaos *driver, const char *argument)
{
    driver->options = chaos_defaults;
    int rc = chaos_options_parse(argument, &driver->options);
    if (rc == 0) rc = chaos_options_parse(getenv("EDO_CHAOS"), &driver->options);
    if (rc < 0) {
        fprintf(stderr, "chaos: bad options: EDO_DRIVER=chaos:%s EDO_CHAOS=%s\n", argument,
                getenv("EDO_CHAOS"));
        abort(); // otherwise the runtime would fall back to epoll
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
    if (edo__runtime_is_stale(base->runtime)) { // registrations and pins belong to the parent
        driver->inner->ops->close(driver->inner);
        return;
    }
    drop_all_shadows(driver);
    while (edo_load_acquire(&base->pins))
        sched_yield();
    driver->inner->ops->close(driver->inner);
    free(driver);
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
    .resume = chaos_resume,
    .cancel = chaos_cancel,
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

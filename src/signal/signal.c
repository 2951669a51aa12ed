/* Streams of signals. The signal handler adds an event to the queue of each stream (events.h), and
 * sets the stream's bell. The bell is an eventfd, and operations wait for it as for any descriptor.
 * So no thread is needed, and a waiting operation belongs to the runtime of its task. */
#include <edo/signal.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "signal/events.h"
#include "sys/signals.h"
#include "sys/sys.h"

struct edo_signal {
    edo__source bell;
    edo__signal_subscriber subscriber;
    edo__lock lock; // the poppers' lock
    uint32_t fork_generation;
    edo__events events;
    edo__event_cell cells[];
};

static size_t size_of(uint32_t cells)
{
    return sizeof(edo_signal) + cells * sizeof(edo__event_cell);
}

static edo__signal_answer on_signal(void *context, const edo_signal_event *event)
{
    edo_signal *signal = context;
    if (edo__events_push(&signal->events, event)) edo__sys_event_set(signal->bell.fd);
    return EDO__SIGNAL_NOTED;
}

/* ---- opening and closing ---- */

static void release(edo__source *source)
{
    edo_signal *signal = edo__container(source, edo_signal, bell);
    edo__free_closed(signal, size_of(signal->events.size));
}

static const edo__source_ops bell_ops = { .release = release };

static edo_signal *create(int number, edo__signal_kind kind, edo_fd bell)
{
    uint32_t cells = kind == EDO__SIGNAL_QUEUED ? EDO_SIGNAL_QUEUE : 1;
    edo_signal *signal = edo__alloc_zeroed(size_of(cells));
    if (!signal) return NULL;
    edo__source_init(&signal->bell, bell, EDO__SOURCE_SEVERAL, &bell_ops);
    edo__events_init(&signal->events, signal->cells, cells, kind == EDO__SIGNAL_COALESCED);
    edo__source_note_maker(&signal->bell, "signal stream");
    signal->fork_generation = edo__sys_fork_generation();
    signal->subscriber = (edo__signal_subscriber){ .signal = number,
                                                   .notify = on_signal,
                                                   .context = signal };
    return signal;
}

int edo_signal_open(int number, edo_signal **ret_signal)
{
    int kind = edo__signal_kind_of(number);
    if (kind < 0 || !ret_signal) return -EINVAL;
    edo_fd bell = edo__sys_event_open();
    if (bell < 0) return bell;
    edo_signal *signal = create(number, (edo__signal_kind)kind, bell);
    if (!signal) {
        edo__sys_close(bell);
        return -ENOMEM;
    }
    int rc = edo__signal_subscribe(&signal->subscriber);
    if (rc < 0) {
        edo__source_close(&signal->bell, "edo_signal_open");
        return rc;
    }
    edo__signal_unblock(number);
    *ret_signal = signal;
    return 0;
}

void edo_signal_close(edo_signal *signal)
{
    if (!signal) return;
    edo__source_check_open(&signal->bell, "edo_signal_close");
    edo__signal_unsubscribe(&signal->subscriber);
    edo__source_close(&signal->bell, "edo_signal_close");
}

/* ---- taking events ---- */

/* Takes an event. If more events remain, sets the bell again, for other waiting operations. */
static int take(edo_signal *signal, edo_signal_event *ret_event)
{
    edo_signal_event event;
    edo__lock_take(&signal->lock);
    bool has_one = edo__events_pop(&signal->events, &event);
    bool has_more = has_one && edo__events_has_one(&signal->events);
    edo__lock_give(&signal->lock);
    if (has_more) edo__sys_event_set(signal->bell.fd);
    if (has_one && ret_event) *ret_event = event;
    return has_one ? 1 : -EAGAIN;
}

static bool is_stale(const edo_signal *signal)
{
    return signal->fork_generation != edo__sys_fork_generation();
}

int edo_try_signal_next(edo_signal *signal, edo_signal_event *ret_event)
{
    if (!signal) return -EINVAL;
    edo__source_check(&signal->bell, "edo_try_signal_next");
    return is_stale(signal) ? -ESTALE : take(signal, ret_event);
}

/* Operation of edo_signal_next() and edo_ctrl_c(); an overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY next_op {
    edo_future base;
    edo_signal *signal;
    edo_signal_event *ret_event;
    uint64_t events; // EDO_READABLE
    uint64_t progress;
    edo__op_wait wait;
} next_op;

EDO__OVERLAY_FITS(next_op);

static next_op *next_of(const edo_op *op)
{
    return (next_op *)(uintptr_t)op;
}

static int enter(edo_signal *signal, edo_op *op, const edo_cx *cx)
{
    if (op->detail & EDO__DETAIL_CLAIMED) return 0;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (is_stale(signal)) return -ESTALE;
    int rc = edo__source_claim(&signal->bell, EDO__SOURCE_READING);
    if (rc == 0) op->detail |= EDO__DETAIL_CLAIMED;
    if (rc == -ECANCELED) edo__source_check(&signal->bell, op->base.ops->name);
    return rc;
}

static void leave(edo_signal *signal, edo_op *op)
{
    if (op->detail & EDO__DETAIL_CLAIMED) edo__source_leave(&signal->bell, EDO__SOURCE_READING);
    op->detail &= ~(uint32_t)EDO__DETAIL_CLAIMED;
}

/* Polls the operation. The bell is cleared before the attempt to take an event. So an event that
 * comes after the attempt sets the bell again, and the operation is polled again. Returns: the
 * result; -EAGAIN if the operation waits. */
static int64_t step(edo_signal *signal, edo_op *op, edo_cx *cx)
{
    int rc = enter(signal, op, cx);
    if (rc < 0) return rc;
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE && cx->fate == EDO_LIVE &&
        take(signal, next_of(op)->ret_event) == 1)
        return 1;
    while (edo__source_drive(&signal->bell, op, cx) == EDO_READY) {
        if (op->base.result < 0) return op->base.result;
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        edo__sys_event_clear(signal->bell.fd);
        if (take(signal, next_of(op)->ret_event) == 1) return 1;
        edo__use_budget(cx); // another task has taken the event
        if (!edo__has_budget(cx)) break;
    }
    return -EAGAIN;
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_signal *signal = next_of(op)->signal;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int64_t result = step(signal, op, cx);
    if (result == -EAGAIN) return EDO_PENDING;
    leave(signal, op);
    return edo__op_finish(op, cx, result);
}

static const edo_future_ops next_ops = { .name = "edo_signal_next", .poll = next_poll };

edo_op edo_signal_next(edo_signal *signal, edo_signal_event *ret_event)
{
    edo__check_memory("edo_signal_next", ret_event, "output");
    if (!signal) return edo__op_refuse(-EINVAL);
    return edo__op(&next_ops, signal, ret_event, EDO_READABLE, EDO__POLL);
}

/* ---- Ctrl-C: each operation opens and closes a stream of its own ---- */

static edo_poll ctrl_c_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    next_op *next = next_of(op);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int64_t result = 0;
    if (!next->signal)
        result = cx->fate == EDO_LIVE
                     ? edo_signal_open(edo__signal_number(EDO__SIGNAL_INTERRUPT), &next->signal)
                     : -ECANCELED;
    if (result == 0) result = step(next->signal, op, cx);
    if (result == -EAGAIN) return EDO_PENDING;
    if (next->signal) {
        leave(next->signal, op);
        edo_signal_close(next->signal);
    }
    return edo__op_finish(op, cx, result);
}

static const edo_future_ops ctrl_c_ops = { .name = "edo_ctrl_c", .poll = ctrl_c_poll };

edo_op edo_ctrl_c(void)
{
    return edo__op(&ctrl_c_ops, NULL, NULL, EDO_READABLE, EDO__POLL);
}

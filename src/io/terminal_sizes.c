/* The sizes of a terminal, as a sequence. A signal handler sets an eventfd. An operation waits for
 * the eventfd as for any descriptor, and then reads the size. A signal that comes between the
 * clearing of the eventfd and the reading of the size sets the eventfd again, so no change is
 * missed. */
#include <edo/terminal.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "sys/signals.h"
#include "sys/sys.h"
#include "sys/terminals.h"

struct edo_terminal_sizes {
    edo__source source; // the eventfd
    edo__signal_subscriber subscriber;
    edo_fd terminal;
    bool has_last;
    edo_terminal_size last; // last size that was reported; guarded by the claim
};

static edo__signal_answer on_change(void *context, const edo_signal_event *event)
{
    edo_terminal_sizes *sizes = context;
    (void)event;
    edo__sys_event_set(sizes->source.fd);
    return EDO__SIGNAL_PASSED;
}

static void release(edo__source *source)
{
    edo_terminal_sizes *sizes = edo__container(source, edo_terminal_sizes, source);
    edo__sys_close(sizes->terminal);
    edo__free_closed(sizes, sizeof *sizes);
}

static const edo__source_ops source_ops = { .release = release };

static int create(edo_fd terminal, edo_fd event, edo_terminal_sizes **ret_sizes)
{
    edo_terminal_sizes *sizes = edo__alloc_zeroed(sizeof *sizes);
    if (!sizes) return -ENOMEM;
    edo__source_init(&sizes->source, event, 0, &source_ops);
    sizes->terminal = terminal;
    sizes->subscriber.signal = EDO__SIGNAL_WINDOW;
    sizes->subscriber.notify = on_change;
    sizes->subscriber.context = sizes;
    int rc = edo__signal_subscribe(&sizes->subscriber);
    if (rc < 0)
        edo__free(sizes, sizeof *sizes);
    else
        *ret_sizes = sizes;
    return rc;
}

static int open_on(edo_fd fd, edo_terminal_sizes **ret_sizes)
{
    edo_fd terminal = edo__terminal_duplicate(fd);
    if (terminal < 0) return terminal;
    edo_fd event = edo__sys_event_open();
    int rc = event < 0 ? event : create(terminal, event, ret_sizes);
    if (rc < 0) {
        if (event >= 0) edo__sys_close(event);
        edo__sys_close(terminal);
    }
    return rc;
}

int edo_terminal_sizes_open(const edo_io *io, edo_terminal_sizes **ret_sizes)
{
    if (!io || !ret_sizes) return -EINVAL;
    if (!edo_is_terminal(io)) return -ENOTTY;
    return open_on(edo__io_source(io)->fd, ret_sizes);
}

void edo_terminal_sizes_close(edo_terminal_sizes *sizes)
{
    if (!sizes) return;
    edo__source_check_open(&sizes->source, "edo_terminal_sizes_close");
    edo__signal_unsubscribe(&sizes->subscriber);
    edo__source_close(&sizes->source, "edo_terminal_sizes_close");
}

/* ---- the next size ---- */

/* Overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY next_op {
    edo_future base;
    edo_terminal_sizes *sizes;
    edo_terminal_size *ret_size;
    uint64_t events;
    uint64_t progress;
    edo__op_wait wait;
} next_op;

EDO__OVERLAY_FITS(next_op);
_Static_assert(offsetof(next_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

static next_op *next_of(const edo_op *op)
{
    return (next_op *)(uintptr_t)op;
}

static bool is_same(edo_terminal_size a, edo_terminal_size b)
{
    return a.rows == b.rows && a.columns == b.columns && a.width == b.width && a.height == b.height;
}

/* Reads the size of the terminal. Returns: 1: the size has changed; 0: the size has not changed; a
 * negative errno. */
static int take(edo_terminal_sizes *sizes, edo_terminal_size *ret_size)
{
    edo_terminal_size size = { 0 };
    edo__sys_event_clear(sizes->source.fd);
    int rc = edo__terminal_size(sizes->terminal, &size);
    if (rc < 0) return rc;
    if (sizes->has_last && is_same(size, sizes->last)) return 0;
    sizes->has_last = true;
    sizes->last = *ret_size = size;
    return 1;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED)
        edo__source_leave(&next_of(op)->sizes->source, EDO__SOURCE_READING);
    return edo__op_finish(op, cx, result);
}

static int claim(edo_op *op, const edo_cx *cx)
{
    edo__source *source = &next_of(op)->sizes->source;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__source_claim(source, EDO__SOURCE_READING);
    if (rc == -ECANCELED) edo__source_check(source, op->base.ops->name);
    if (rc == 0) op->detail |= EDO__DETAIL_CLAIMED;
    return rc;
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    next_op *self = next_of(op);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int rc = op->detail & EDO__DETAIL_CLAIMED ? 0 : claim(op, cx);
    if (rc < 0) return end(op, cx, rc);
    while (edo__has_budget(cx)) {
        edo__source *source = &self->sizes->source;
        bool waits = edo_load_relaxed(&op->word) != EDO__OP_IDLE;
        bool ends = cx->fate != EDO_LIVE || edo__source_is_closed(source);
        rc = waits || ends ? 0 : take(self->sizes, self->ret_size);
        if (rc != 0) return end(op, cx, rc);
        if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return end(op, cx, op->base.result);
        edo__use_budget(cx);
    }
    return EDO_PENDING;
}

static const edo_future_ops next_ops = { .name = "edo_terminal_next_size", .poll = next_poll };

edo_op edo_terminal_next_size(edo_terminal_sizes *sizes, edo_terminal_size *ret_size)
{
    edo__check_memory("edo_terminal_next_size", ret_size, "output");
    if (!sizes || !ret_size) return edo__op_refuse(-EINVAL);
    return edo__op(&next_ops, sizes, ret_size, EDO_READABLE, EDO__POLL);
}

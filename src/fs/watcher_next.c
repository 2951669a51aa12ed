/* The queue of events, and edo_watcher_next(), which takes events from the queue. */
#include "fs/watcher.h"

#include <string.h>

#include "fs/fs.h"
#include "stream/inner.h"

typedef struct event {
    edo_file_event_kind kind;
    int watch;
    size_t path, old_path; // offsets in the text; 0: none
    bool is_dir;
} event;

/* ---- the queue of events; on a thread of the pool ---- */

static size_t keep_text(edo_watcher *self, const char *path)
{
    size_t at = self->text.size;
    return edo_buffer_append(&self->text, path, strlen(path) + 1) < 0 ? 0 : at;
}

int edo__watcher_report(edo_watcher *self, edo_file_event_kind kind, int watch, const char *path,
                        const char *old_path, bool is_dir)
{
    event it = { .kind = kind, .watch = watch, .is_dir = is_dir };
    if (!self->text.size && edo_buffer_append(&self->text, "", 1) < 0) return -ENOMEM;
    if (path) it.path = keep_text(self, path);
    if (old_path) it.old_path = keep_text(self, old_path);
    if ((path && !it.path) || (old_path && !it.old_path)) return -ENOMEM;
    return edo_buffer_append(&self->events, &it, sizeof it);
}

int edo__watcher_report_lost(edo_watcher *self)
{
    return edo__watcher_report(self, EDO_FILES_LOST, 0, NULL, NULL, false);
}

/* ---- taking events ---- */

static const char *text_of(const edo_watcher *self, size_t at)
{
    return at ? (const char *)self->text.data + at : NULL;
}

static bool take(edo_watcher *self, edo_file_event *ret_event)
{
    size_t at = self->taken * sizeof(event);
    if (at >= self->events.size) return false;
    const event *it = (const void *)(self->events.data + at);
    self->taken++;
    *ret_event = (edo_file_event){ .kind = it->kind,
                                   .watch = it->watch,
                                   .path = text_of(self, it->path),
                                   .old_path = text_of(self, it->old_path),
                                   .is_dir = it->is_dir };
    return true;
}

/* Whether the oldest pending rename has waited long enough for its second half. If it has to wait
 * longer, requests a poll for the end of that wait. */
static bool is_move_over(edo_watcher *self, edo_cx *cx)
{
    const edo__move *m = edo__watcher_oldest_move(self, 0);
    if (!m) return false;
    if (m->until <= cx->now) return true;
    edo_cx_deadline(cx, m->until);
    return false;
}

/* Polls the wait for raw changes, and cancels that wait when a rename has waited long enough for
 * its second half. Returns: EDO_PENDING; or EDO_READY with the result in *ret_rc: 1, or the error
 * with which the operation ends. */
static edo_poll poll_wait(edo_watcher *self, edo_cx *cx, int64_t *ret_rc)
{
    int64_t n;
    bool interrupts = cx->fate == EDO_LIVE && is_move_over(self, cx);
    if (interrupts) edo_cancel(&self->inner.base);
    if (edo__inner_poll(&self->inner, cx, &n) == EDO_PENDING) return EDO_PENDING;
    if (n > 0) self->is_readable = true;
    bool goes_on = n > 0 || (interrupts && n == -ECANCELED);
    *ret_rc = goes_on ? 1 : n;
    return EDO_READY;
}

/* Polls the visit to the pool. Returns: as poll_wait(). */
static edo_poll poll_visit(edo_op *op, edo_cx *cx, int64_t *ret_rc)
{
    if (edo__call_drive(op, cx, NULL, NULL, edo__watcher_visit) == EDO_PENDING) return EDO_PENDING;
    *ret_rc = op->base.result < 0 ? op->base.result : 1;
    return EDO_READY;
}

/* Takes an event, waits, or visits the pool. The wait and the visit never overlap. Returns:
 * EDO_PENDING; or EDO_READY with the result in *ret_rc: 1 if an event was taken, or a negative
 * errno. */
static edo_poll next_step(edo_watcher *self, edo_op *op, edo_cx *cx, int64_t *ret_rc)
{
    for (;;) {
        edo_poll poll;
        if (edo__call_is_begun(op)) {
            poll = poll_visit(op, cx, ret_rc);
        } else if (edo__inner_is_set(&self->inner)) {
            poll = poll_wait(self, cx, ret_rc);
        } else if (take(self, op->data)) {
            *ret_rc = 1;
            return EDO_READY;
        } else if (self->is_readable || self->has_lost || is_move_over(self, cx)) {
            self->now = cx->now;
            poll = poll_visit(op, cx, ret_rc);
        } else {
            self->inner = edo_wait_fd(self->views.fd, EDO_READABLE);
            continue;
        }
        if (poll == EDO_PENDING || *ret_rc < 0) return poll;
    }
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_watcher *self = op->object;
    int64_t rc;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&self->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (next_step(self, op, cx, &rc) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&self->user, op, cx, rc);
}

edo_op edo_watcher_next(edo_watcher *watcher, edo_file_event *ret_event)
{
    static const edo_future_ops ops = { .name = "edo_watcher_next", .poll = next_poll };
    edo__check_memory("edo_watcher_next", ret_event, "output");
    if (!watcher || !ret_event) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, watcher, ret_event, 0, 0);
}

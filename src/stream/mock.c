/* Streams that follow a script. One lock guards a mock. An operation that must wait is parked. Each
 * change of the script wakes the operations of both sides. */
#include <edo/mock.h>

#include <string.h>

#include "base/duration.h"
#include "io/io.h"
#include "runtime/inspect/maker.h"

typedef enum step_kind { READ_BYTES, READ_RESULT, WRITE_BYTES, WRITE_RESULT, WAIT } step_kind;

typedef struct step {
    struct step *next;
    step_kind kind;
    int64_t value; // READ_RESULT, WRITE_RESULT: the result; WAIT: the duration in ns, or, once
                   // has_begun is set, the time of the end
    bool has_begun;
    size_t size, at; // number of bytes; number of bytes that were used; the bytes follow
    char bytes[];
} step;

struct edo_mock {
    edo_io io;
    edo_atomic(uint32_t) claims;
    edo__lock lock;
    const char *name;
    unsigned refs; // number of references; the lock guards all members from here on
    bool is_open;  // false: the handle was released
    step *first, *last;
    edo__wait_list waiters[EDO__SIDES];
};

static edo_mock *mock_of(const edo_io *io)
{
    return (edo_mock *)(uintptr_t)io;
}

/* ---- the script; under the lock ---- */

static void free_step(step *old)
{
    edo__free(old, sizeof *old + old->size);
}

static void wake_all(edo_mock *self, edo__wakes *wakes)
{
    for (unsigned side = 0; side < EDO__SIDES; side++)
        edo__wait_wake_all(&self->waiters[side], wakes);
}

static void pop(edo_mock *self, edo__wakes *wakes)
{
    step *old = self->first;
    self->first = old->next;
    if (!self->first) self->last = NULL;
    free_step(old);
    wake_all(self, wakes);
}

static _Noreturn void misuse(const edo_mock *self, const char *what, size_t size)
{
    edo__misuse("edo_mock", "'%s': %s (%zu bytes)", self->name, what, size);
}

/* ---- one step; under the lock ---- */

/* Begins or continues a wait. Returns: whether the wait is over. If not, requests a poll for the
 * end of the wait. */
static bool wait_is_over(step *wait, edo_cx *cx)
{
    if (!wait->has_begun) wait->value = edo__later(cx->now, wait->value);
    wait->has_begun = true;
    if (cx->now >= wait->value) return true;
    edo_cx_deadline(cx, wait->value);
    return false;
}

/* Finds the present step of the script. Removes waits that are over. Returns: NULL: there is no
 * step, or the step is a wait that is not over. */
static step *current(edo_mock *self, edo_cx *cx, edo__wakes *wakes)
{
    while (self->first && self->first->kind == WAIT && wait_is_over(self->first, cx))
        pop(self, wakes);
    return self->first && self->first->kind != WAIT ? self->first : NULL;
}

static int64_t take_result(edo_mock *self, edo__wakes *wakes)
{
    int64_t result = self->first->value;
    pop(self, wakes);
    return result;
}

static int64_t use_bytes(edo_mock *self, step *now, size_t size, edo__wakes *wakes)
{
    now->at += size;
    if (now->at == now->size) pop(self, wakes);
    return (int64_t)size;
}

static int64_t read_once(edo_mock *self, char *buffer, size_t size, edo_cx *cx, edo__wakes *wakes)
{
    step *now = current(self, cx, wakes);
    if (!now) return self->first || self->is_open ? -EAGAIN : 0;
    if (now->kind == READ_RESULT) return take_result(self, wakes);
    if (now->kind != READ_BYTES) return -EAGAIN;
    size_t left = now->size - now->at;
    if (size > left) size = left;
    memcpy(buffer, now->bytes + now->at, size);
    return use_bytes(self, now, size, wakes);
}

static int64_t write_once(edo_mock *self, const char *data, size_t size, edo_cx *cx,
                          edo__wakes *wakes)
{
    step *now = current(self, cx, wakes);
    if (!now && !self->first && !self->is_open) misuse(self, "a write that is not expected", size);
    if (!now) return -EAGAIN;
    if (now->kind == WRITE_RESULT) return take_result(self, wakes);
    if (now->kind != WRITE_BYTES) return -EAGAIN;
    size_t left = now->size - now->at;
    if (size > left) size = left;
    if (memcmp(data, now->bytes + now->at, size) != 0)
        misuse(self, "a write of other bytes than those expected", size);
    return use_bytes(self, now, size, wakes);
}

static int64_t write_vector(edo_mock *self, const edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    const edo_slice *slices = edo__transfer_of(op)->slices;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length; i++)
        if (slices[i].size) return write_once(self, slices[i].data, slices[i].size, cx, wakes);
    return 0;
}

static int64_t attempt(edo_mock *self, const edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    switch (edo__request_of(op)) {
    case EDO__READ: return read_once(self, edo__rest_of(op), edo__asked(op), cx, wakes);
    case EDO__WRITE: return write_once(self, edo__rest_of(op), edo__asked(op), cx, wakes);
    case EDO__WRITEV: return write_vector(self, op, cx, wakes);
    default: return 0; // edo_finish() drops nothing; release() reports steps that remain
    }
}

static edo_poll mock_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo_mock *self = mock_of(io);
    edo__wait_list *list = &self->waiters[edo__side_of(op)];
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->lock);
    edo__wait_leave(list, op);
    op->base.result = edo__io_is_ending(io, cx) ? -ECANCELED : attempt(self, op, cx, &wakes);
    bool waits = op->base.result == -EAGAIN;
    if (waits) edo__wait_enqueue(list, op, cx->waker);
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
    return waits ? EDO_PENDING : EDO_READY;
}

/* ---- ends ---- */

static int shutdown_write(edo_io *io)
{
    (void)io;
    return 0;
}

/* Wakes all waiting operations, and drops one reference. */
static void leave(edo_mock *self, bool is_handle)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->lock);
    if (is_handle) self->is_open = false;
    wake_all(self, &wakes);
    bool is_last = --self->refs == 0;
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
    if (!is_last) return;
    while (self->first)
        pop(self, &wakes);
    edo__free_closed(self, sizeof *self);
}

static void hang_up(edo_io *io)
{
    edo_mock *self = mock_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->lock);
    wake_all(self, &wakes);
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
}

static void release(edo_io *io)
{
    edo_mock *self = mock_of(io);
    size_t left = edo_mock_left(self);
    if (left)
        edo__misuse("edo_mock", "'%s': closed with %zu steps of its script not done", self->name,
                    left);
    leave(self, false);
}

/* ---- making ---- */

int edo_mock_create(const char *name, edo_mock **ret_mock, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "mock",
                                     .claims = offsetof(edo_mock, claims),
                                     .step = mock_step,
                                     .drop = mock_step,
                                     .shutdown_write = shutdown_write,
                                     .hang_up = hang_up,
                                     .release = release };
    if (!ret_mock || !ret_io) return -EINVAL;
    edo_mock *self = edo__alloc_zeroed(sizeof *self);
    if (!self) return -ENOMEM;
    self->io.ops = &ops;
    self->name = name ? name : "mock";
    self->refs = 2;
    self->is_open = true;
    *ret_mock = self;
    *ret_io = &self->io;
    return 0;
}

static int add(edo_mock *self, step_kind kind, int64_t value, const void *data, size_t size)
{
    edo__wakes wakes = { NULL, NULL };
    step *made = size < SIZE_MAX - sizeof *made ? edo__alloc(sizeof *made + size) : NULL;
    if (!made) return -ENOMEM;
    *made = (step){ .kind = kind, .value = value, .size = size };
    if (size) memcpy(made->bytes, data, size);
    edo__lock_take(&self->lock);
    if (self->last)
        self->last->next = made;
    else
        self->first = made;
    self->last = made;
    wake_all(self, &wakes);
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
    return 0;
}

int edo_mock_read(edo_mock *mock, const void *data, size_t size)
{
    return size ? add(mock, READ_BYTES, 0, data, size) : 0;
}

int edo_mock_read_error(edo_mock *mock, int error)
{
    return error > 0 ? -EINVAL : add(mock, READ_RESULT, error, NULL, 0);
}

int edo_mock_write(edo_mock *mock, const void *data, size_t size)
{
    return size ? add(mock, WRITE_BYTES, 0, data, size) : 0;
}

int edo_mock_write_error(edo_mock *mock, int error)
{
    return error >= 0 ? -EINVAL : add(mock, WRITE_RESULT, error, NULL, 0);
}

int edo_mock_wait(edo_mock *mock, int64_t duration)
{
    return add(mock, WAIT, duration, NULL, 0);
}

size_t edo_mock_left(edo_mock *mock)
{
    size_t count = 0;
    edo__lock_take(&mock->lock);
    for (const step *at = mock->first; at; at = at->next)
        count++;
    edo__lock_give(&mock->lock);
    return count;
}

void edo_mock_destroy(edo_mock *mock)
{
    if (!mock) return;
    if (!mock->is_open) edo__misuse("edo_mock_destroy", "the mock was destroyed before");
    leave(mock, true);
}

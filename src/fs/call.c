/* Polls of operations, and of work in pieces (fs.h). */
#include "fs/fs.h"

#include "io/pause.h"
#include "task/op.h"

/* ---- operations of a kind ---- */

int edo__file_enter(edo_file *file, const char *call)
{
    if (!file) return 0;
    int rc = edo__claims_take(&file->uses, EDO__SOURCE_READING);
    if (rc < 0) edo__file_check(file, call);
    return rc;
}

static edo_file *second_of(const edo_op *op)
{
    bool has = edo__fs_kind_of(op)->has_two;
    return has ? (edo_file *)(uintptr_t)op->length : NULL; // NOLINT: `length` holds a pointer
}

static int enter(edo_op *op)
{
    const edo__fs_kind *kind = edo__fs_kind_of(op);
    int rc = edo__file_enter(op->object, kind->future.name);
    if (rc < 0) return rc;
    rc = kind->check ? kind->check(op) : 0;
    if (rc == 0) rc = edo__file_enter(second_of(op), kind->future.name);
    if (rc < 0)
        edo__file_leave(op->object);
    else
        op->detail |= EDO__FS_ENTERED;
    return rc;
}

static edo_poll finish(edo_op *op, edo_cx *cx, int64_t result)
{
    const edo__fs_kind *kind = edo__fs_kind_of(op);
    edo_file *file = op->object, *second = second_of(op);
    bool entered = op->detail & EDO__FS_ENTERED;
    if (kind->end && entered) result = kind->end(op, result);
    if (entered) {
        edo__file_leave(file);
        edo__file_leave(second);
    }
    op->progress = 0;
    return edo__op_finish(op, cx, result);
}

static int64_t run_call(edo_op *op)
{
    edo__file_call call = { .fd = EDO__HERE };
    edo__fs_kind_of(op)->describe(op, &call);
    return edo__file_make(&call);
}

/* ---- pauses ---- */

typedef struct pause {
    int64_t until; // end of the pause; ns of the runtime's clock
} pause;

static pause *pause_of(edo_op *op)
{
    _Static_assert(sizeof(pause) <= sizeof op->link, "lies in the link");
    return (pause *)(void *)&op->link;
}

void edo__fs_pause(edo_op *op, edo_cx *cx)
{
    uint32_t count = (op->detail & EDO__FS_PAUSES) / EDO__FS_ONE_PAUSE;
    edo__pause(cx, count ? 1u << (count - 1) : 0, &pause_of(op)->until);
    if (count < EDO__FS_PAUSES / EDO__FS_ONE_PAUSE) op->detail += EDO__FS_ONE_PAUSE;
    op->detail |= EDO__FS_PAUSED;
}

bool edo__fs_is_paused(edo_op *op, edo_cx *cx)
{
    if (!edo__call_has(op, EDO__FS_PAUSED)) return false;
    if (cx->fate == EDO_LIVE && edo__is_paused(cx, pause_of(op)->until)) return true;
    op->detail &= ~(uint32_t)EDO__FS_PAUSED;
    op->link.node.next = op->link.node.prev = NULL;
    return false;
}

/* ---- the poll ---- */

edo_poll edo__fs_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    const edo__fs_kind *kind = edo__fs_kind_of(op);
    edo__file_call call = { .fd = EDO__HERE };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__call_has(op, EDO__FS_ENTERED)) {
        int rc = cx->fate == EDO_LIVE ? enter(op) : -ECANCELED;
        if (rc < 0) return finish(op, cx, rc);
    }
    if (edo__fs_is_paused(op, cx)) return EDO_PENDING;
    bool describes = kind->describe && !edo__call_is_begun(op);
    if (describes) kind->describe(op, &call);
    edo_poll poll = edo__call_drive(op, cx, edo__file_stream_in(op->object),
                                    describes ? &call : NULL, kind->run ? kind->run : run_call);
    if (poll == EDO_PENDING) return EDO_PENDING;
    if (!kind->waits || op->base.result != EDO__NOT_YET) return finish(op, cx, op->base.result);
    if (cx->fate != EDO_LIVE) return finish(op, cx, -ECANCELED);
    edo__fs_pause(op, cx);
    return EDO_PENDING;
}

/* ---- jobs in pieces ---- */

static edo__fs_work *work_of(const edo_op *op)
{
    return op->object;
}

static void end_work(edo__fs_work *work, int64_t result, bool complete)
{
    work->ops->end(work, complete);
    work->result = result;
    work->ended = true;
}

static int64_t run_piece(edo_op *op)
{
    edo__fs_work *work = work_of(op);
    work->has_run = true;
    int64_t result = work->ops->piece(work);
    if (result != -EAGAIN) end_work(work, result, true);
    return 0;
}

static int64_t run_end(edo_op *op)
{
    end_work(work_of(op), -ECANCELED, false);
    return 0;
}

/* Submits a function to the pool. ending: true: the function that ends cancelled work; false: the
 * function that does the next piece of the work. Returns: true: the pool will run the function;
 * false: this call has ended the work. */
static bool submit(edo_op *op, edo_cx *cx, bool ending)
{
    int rc = edo__files_run(op, ending ? run_end : run_piece, cx);
    if (rc < 0) end_work(work_of(op), ending ? -ECANCELED : rc, false);
    return rc == 0;
}

static edo_poll finish_work(edo_op *op, edo_cx *cx)
{
    edo__fs_work *work = work_of(op);
    int64_t result = work->result;
    return edo__op_finish(op, cx, work->ops->take(work, op, result));
}

edo_poll edo__fs_work_begin(edo_op *op, edo_cx *cx, edo__fs_work *work)
{
    op->object = work;
    op->detail |= EDO__FS_ENTERED;
    return submit(op, cx, false) ? EDO_PENDING : finish_work(op, cx);
}

/* If the bit EDO__CALL_IN_POOL is set, the submitted function is run_end(), which the pool runs
 * even after a cancellation. When edo__files_poll() is ready, the submitted function either has run
 * or will never run. */
edo_poll edo__fs_work_poll(edo_op *op, edo_cx *cx)
{
    edo__fs_work *work = work_of(op);
    bool ends = edo__call_has(op, EDO__CALL_IN_POOL);
    if (edo__files_poll(op, cx, ends) == EDO_PENDING) return EDO_PENDING;
    if (!work->ended && op->base.result < 0 && op->base.result != -ECANCELED)
        end_work(work, op->base.result, false);
    if (!work->ended && cx->fate != EDO_LIVE && !work->has_run) end_work(work, -ECANCELED, false);
    if (work->ended) return finish_work(op, cx);
    ends = cx->fate != EDO_LIVE;
    if (ends) op->detail |= EDO__CALL_IN_POOL;
    return submit(op, cx, ends) ? EDO_PENDING : finish_work(op, cx);
}

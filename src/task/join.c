/* The operations edo_join() and edo_yield(). */
#include "sys/sys.h"
#include "task/handle.h"
#include "task/op.h"

typedef struct EDO__OVERLAY join_op {
    edo_future base;
    edo_task *task;
    uint64_t reserved[2];
    uint64_t has_given_back; // 1: the handle was given back; edo_op_progress() returns this member
    edo__op_wait wait;
} join_op;

EDO__OVERLAY_FITS(join_op);

static join_op *join_of(const edo_op *op)
{
    return (join_op *)(uintptr_t)op;
}

/* Waits until EDO__JOIN_WAKER is clear. The thread that has ended the task, or has given it up,
 * clears the bit within a few instructions. */
static __attribute__((cold, noinline)) void await_poller(const edo_task *task)
{
    uint32_t tries = 0;
    while (!edo__task_is_joinable(task))
        edo__sys_wait_briefly(&tries);
}

static edo_poll take_result(edo_op *op, edo_cx *cx)
{
    edo_task *task = join_of(op)->task;
    if (edo__unlikely(!edo__task_is_joinable(task))) await_poller(task);
    int64_t result = edo__task_result(task);
    op->word = EDO__OP_IDLE;
    join_of(op)->has_given_back = 1;
    edo__task_give_back(task);
    return edo__op_finish(op, cx, result);
}

/* Registers the waker for the end of the task. Returns: false if the task is over. */
static bool park(edo_op *op, edo_cx *cx)
{
    edo_task *task = join_of(op)->task;
    if (op->word == EDO__OP_PARKED) {
        if (op->waker == cx->waker) return !(edo_load_relaxed(&task->state) & EDO__OVER);
        if (!edo__state_unset_joiner(&task->state)) return false;
        op->word = EDO__OP_IDLE;
    }
    edo_plain_write(&task->join_waker); // not read by other threads while EDO__JOIN_WAKER is clear
    op->waker = task->join_waker = cx->waker;
    if (!edo__state_set_joiner(&task->state)) return false;
    op->word = EDO__OP_PARKED;
    return true;
}

/* Withdraws the waker. Returns: false if the task is over. */
static bool unpark(edo_op *op)
{
    edo_task *task = join_of(op)->task;
    if (op->word != EDO__OP_PARKED) return !(edo_load_relaxed(&task->state) & EDO__OVER);
    op->word = EDO__OP_IDLE;
    return edo__state_unset_joiner(&task->state);
}

static edo_poll join_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo_task *task = join_of(op)->task;
    if (!task) return edo__op_finish(op, cx, -EINVAL);
    edo__check_handle("edo_join", task);
    if (task == cx->task) return edo__op_finish(op, cx, -EDEADLK);
    if (cx->fate != EDO_LIVE)
        return unpark(op) ? edo__op_finish(op, cx, -ECANCELED) : take_result(op, cx);
    return park(op, cx) ? EDO_PENDING : take_result(op, cx);
}

const edo_future_ops edo__join_ops = { .name = "edo_join", .poll = join_poll };

/* ---- yield ---- */

typedef struct EDO__OVERLAY yield_op {
    edo_future base;
    uint64_t reserved[2];
    uint64_t polls; // value of edo_cx.polls at the first poll of the yield
    uint64_t progress;
    edo__op_wait wait;
} yield_op;

EDO__OVERLAY_FITS(yield_op);

static yield_op *yield_of(const edo_op *op)
{
    return (yield_op *)(uintptr_t)op;
}

/* The yield's first poll notes the worker's count of polls, and requeues the task. In the task's
 * next poll, the count has changed, and the yield is ready. If the next poll is on another worker
 * that happens to have the same count, the yield takes one more poll. */
static edo_poll yield_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (cx->fate != EDO_LIVE)
        return edo__has_budget(cx) ? edo__op_finish(op, cx, -ECANCELED) : EDO_PENDING;
    if (op->word == EDO__OP_PARKED && yield_of(op)->polls != cx->polls)
        return edo__op_finish(op, cx, 0);
    op->word = EDO__OP_PARKED;
    yield_of(op)->polls = cx->polls;
    cx->requeue = true;
    return EDO_PENDING;
}

const edo_future_ops edo__yield_ops = { .name = "edo_yield", .poll = yield_poll };

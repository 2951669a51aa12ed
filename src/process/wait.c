/* Waits for a child. Operations poll the child's descriptor. All operations see the end of the
 * child, because the descriptor remains readable. The first operation that sees the end takes the
 * status (edo__process_collect). */
#include "process/process.h"

#include "base/duration.h"
#include "io/pause.h"
#include "runtime/runtime.h"
#include "sys/sys.h"

/* Bits of edo_op.detail. */
enum {
    STOPS = 1 << 16, // the operation is edo_process_stop
    BEGUN = 1 << 17, // enter() has succeeded
    PAUSE = 1 << 24, // unit of the length of the last pause, ms, in the highest bits
};

/* Operation of edo_process_wait() and edo_process_stop(); an overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY wait_op {
    edo_future base;
    edo_process *process;
    edo_exit *ret_exit;
    uint64_t events;  // EDO_READABLE
    int64_t deadline; // in a stop, ns: first the grace, then the time of SIGKILL, then EDO_NEVER
    edo__op_wait wait;
} wait_op;

EDO__OVERLAY_FITS(wait_op);

static wait_op *wait_of(const edo_op *op)
{
    return (wait_op *)(uintptr_t)op;
}

/* Returns: the result of a wait, from the status of the child; -EAGAIN if the status was not taken
 * yet. */
static int answer(edo_process *process, edo_exit *ret_exit)
{
    edo__lock_take(&process->lock);
    int state = process->state;
    edo_exit exit = process->exit;
    edo__lock_give(&process->lock);
    if (state == 0) return -EAGAIN;
    if (state < 0) return state;
    if (ret_exit) *ret_exit = exit;
    return exit.signal ? EDO_EXIT_SIGNAL + exit.signal : exit.code;
}

static bool is_stale(const edo_process *process)
{
    return process->fork_generation != edo__sys_fork_generation();
}

/* Takes the status if the child has a descriptor. Otherwise the reaper takes the status. Returns:
 * as answer(). */
static int try_answer(edo_process *process, edo_exit *ret_exit)
{
    if (process->fd >= 0) edo__process_collect(process);
    return answer(process, ret_exit);
}

int edo_process_try_wait(edo_process *process, edo_exit *ret_exit)
{
    if (!process) return -EINVAL;
    edo__source_check(&process->source, "edo_process_try_wait");
    return is_stale(process) ? -ESTALE : try_answer(process, ret_exit);
}

/* Begins a wait. Closes the child's input. Otherwise a child that reads its input to the end would
 * wait for this process, and this process for the child. A stop first sends SIGTERM. So a child that
 * does not handle the signal always ends by it, not by the end of its input. */
static int enter(edo_process *process, edo_op *op, edo_cx *cx)
{
    if (op->detail & BEGUN) return 0;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (is_stale(process)) return -ESTALE;
    int rc = edo__source_claim(&process->source, EDO__SOURCE_READING);
    if (rc == -ECANCELED) edo__source_check(&process->source, op->base.ops->name);
    if (rc < 0) return rc;
    op->detail |= EDO__DETAIL_CLAIMED | BEGUN;
    if (op->detail & STOPS) {
        wait_of(op)->deadline = edo__later(cx->now, wait_of(op)->deadline);
        edo__process_signal(process, EDO__SIGNAL_NUMBER_TERMINATE);
    }
    edo_close(edo_process_take(process, 0));
    return 0;
}

static void stop(edo_process *process, edo_op *op, edo_cx *cx)
{
    wait_op *wait = wait_of(op);
    if (wait->deadline <= cx->now) {
        edo__process_signal(process, EDO__SIGNAL_NUMBER_KILL);
        wait->deadline = EDO_NEVER;
    }
    if (wait->deadline != EDO_NEVER) edo_cx_deadline(cx, wait->deadline);
}

/* Pauses if no event will report the status, so that only another try can find it. There are two
 * cases:
 * - The child has ended but has no status yet, because another process traces the child, and has
 *   not taken the status. The descriptor is already readable.
 * - There is no descriptor (await_event).
 * A poll that comes before the end of the pause also tries. */
static void pause(edo_op *op, edo_cx *cx)
{
    int64_t until;
    uint32_t last = op->detail / PAUSE, length = edo__pause(cx, last, &until);
    op->detail = op->detail % PAUSE + length * PAUSE;
}

/* Waits for an event of the child. If the child has no descriptor, and there was none left for the
 * bell either, no event comes: the answer is always ready, and the tries are made after pauses. */
static edo_poll await_event(edo_process *process, edo_op *op, edo_cx *cx)
{
    if (process->source.fd >= 0) return edo__source_drive(&process->source, op, cx);
    bool is_ending = cx->fate != EDO_LIVE || edo__source_is_closed(&process->source);
    op->base.result = is_ending ? -ECANCELED : EDO_READABLE;
    return EDO_READY;
}

/* Polls the operation. Returns: the result; -EAGAIN if the operation waits. */
static int64_t step(edo_process *process, edo_op *op, edo_cx *cx)
{
    int rc = enter(process, op, cx);
    if (rc < 0) return rc;
    if (await_event(process, op, cx) == EDO_READY) {
        if (op->base.result < 0) return op->base.result;
        rc = try_answer(process, wait_of(op)->ret_exit);
        if (rc != -EAGAIN) return rc;
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        pause(op, cx);
    }
    if (op->detail & STOPS) stop(process, op, cx);
    return -EAGAIN;
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_process *process = wait_of(op)->process;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int64_t result = step(process, op, cx);
    if (result == -EAGAIN) return EDO_PENDING;
    if (op->detail & EDO__DETAIL_CLAIMED) edo__source_leave(&process->source, EDO__SOURCE_READING);
    return edo__op_finish(op, cx, result);
}

static const edo_future_ops wait_ops = { .name = "edo_process_wait", .poll = wait_poll };
static const edo_future_ops stop_ops = { .name = "edo_process_stop", .poll = wait_poll };

edo_op edo_process_wait(edo_process *process, edo_exit *ret_exit)
{
    edo__check_memory("edo_process_wait", ret_exit, "output");
    if (!process) return edo__op_refuse(-EINVAL);
    return edo__op(&wait_ops, process, ret_exit, EDO_READABLE, EDO__POLL);
}

edo_op edo_process_stop(edo_process *process, int64_t grace, edo_exit *ret_exit)
{
    edo__check_memory("edo_process_stop", ret_exit, "output");
    if (!process || grace < 0) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&stop_ops, process, ret_exit, EDO_READABLE, EDO__POLL | STOPS);
    wait_of(&op)->deadline = grace;
    return op;
}

/* Collects the whole outputs of processes. The input is written while both outputs are read.
 * Otherwise this process and the child could wait for each other for ever, each on a full pipe.
 *
 * Four operations may be in flight: one on each pipe, and one that waits for the end of the next
 * process. An output may remain open after the child's end, because a process that the child has
 * started still has it. So the end of the last child sets a deadline, and the reads are cancelled
 * at the deadline. */
#include "process/process.h"

#include "base/base.h"
#include "base/duration.h"
#include "runtime/runtime.h"
#include "stream/inner.h"

#include <edo/blocking.h>

enum {
    MIN_ROOM = 4096, // least room for one read, in bytes
    DEFAULT_LIMIT = 16 << 20,
};

#define DEFAULT_GRACE edo_s(1)

/* ---- the pipes ---- */

static void end_way(edo_output *output, int which)
{
    edo_close(output->ways[which].io);
    output->ways[which].io = NULL;
    output->ways[which].is_done = true;
}

static size_t limit_of(const edo_output *output)
{
    return output->limit ? output->limit : DEFAULT_LIMIT;
}

/* Begins a read or a write on a pipe. Returns: 0; -ENOMEM. */
static int begin_way(edo_output *output, int which)
{
    edo_io *io = output->ways[which].io;
    edo_op *op = &output->ways[which].op;
    if (which == 0) {
        *op = edo_write(io, output->input, output->input_size);
        return 0;
    }
    edo_buffer *buffer = which == 1 ? &output->out : &output->err;
    int rc = edo_buffer_reserve(buffer, MIN_ROOM);
    if (rc == 0) *op = edo_read(io, edo_buffer_tail(buffer), edo_buffer_room(buffer));
    return rc;
}

/* Keeps the bytes of a read. Drops bytes beyond the limit, so that the child can continue to
 * write. */
static void keep(edo_output *output, int which, size_t size)
{
    edo_buffer *buffer = which == 1 ? &output->out : &output->err;
    size_t left = limit_of(output) - buffer->size;
    if (size > left) *(which == 1 ? &output->out_truncated : &output->err_truncated) = true;
    edo_buffer_commit(buffer, size < left ? size : left);
}

/* Records the result of a write. Any error ends the input, but the operation does not fail. A
 * child may close its input early (-EPIPE), and its exit status shows whether that was an error. */
static void note_written(edo_output *output, int64_t n)
{
    if (n > 0) {
        output->input = (const char *)output->input + n;
        output->input_size -= (size_t)n;
    }
    if (n < 0 || output->input_size == 0) end_way(output, 0);
}

static void note_read(edo_output *output, int which, int64_t n)
{
    if (n > 0)
        keep(output, which, (size_t)n);
    else
        end_way(output, which);
}

static void fail(edo_output *output, int64_t error)
{
    if (!output->has_failed) output->result = error;
    output->has_failed = true;
}

/* Reads or writes one pipe until the read or write has to wait. If the read or write was cancelled,
 * the pipe remains open for another call. But if it was cancelled at the deadline, the pipe is
 * closed. */
static void drive_way(edo_output *output, int which, edo_cx *cx)
{
    int64_t n;
    while (!output->ways[which].is_done) {
        edo_op *op = &output->ways[which].op;
        if (!edo__inner_is_set(op)) {
            if (output->was_cut) end_way(output, which); // still open: the last read got bytes
            if (cx->fate != EDO_LIVE || output->has_failed || output->was_cut) return;
            int rc = begin_way(output, which);
            if (rc < 0) fail(output, rc);
            if (rc < 0) return;
        }
        if (output->has_failed || output->was_cut) edo_cancel(&op->base);
        if (edo__inner_poll(op, cx, &n) == EDO_PENDING) return;
        if (n == -ECANCELED && !output->was_cut) return;
        if (n < 0 && n != -ECANCELED && which > 0) fail(output, n);
        which == 0 ? note_written(output, n) : note_read(output, which, n);
    }
}

static bool are_ways_idle(const edo_output *output, bool is_ending)
{
    for (int i = 0; i < 3; i++)
        if (edo__inner_is_set(&output->ways[i].op) || (!is_ending && !output->ways[i].is_done))
            return false;
    return true;
}

/* ---- the ends of the processes ---- */

static edo_op wait_for_next(edo_output *output)
{
    edo_exit *exit = output->exits ? &output->exits[output->ended] : NULL;
    return edo_process_wait(output->processes[output->ended], exit);
}

/* Waits for the ends of the processes. A wait answers -ECANCELED in two cases. If this operation
 * has cancelled the wait, that is no failure. If the process was closed meanwhile, it is one,
 * because a closed process cannot be waited for again. */
static void drive_waits(edo_output *output, edo_cx *cx)
{
    int64_t n;
    while (output->ended < output->count) {
        if (!edo__inner_is_set(&output->waiting)) {
            if (cx->fate != EDO_LIVE || output->has_failed) return;
            output->waiting = wait_for_next(output);
        }
        if (output->has_failed) edo_cancel(&output->waiting.base);
        if (edo__inner_poll(&output->waiting, cx, &n) == EDO_PENDING) return;
        if (n == -ECANCELED && (cx->fate != EDO_LIVE || output->has_failed)) return;
        if (n < 0 && n != -ECHILD) fail(output, n);
        if (!output->has_failed) output->result = n;
        output->ended++;
    }
}

/* Sets the deadline when the last process has ended. At the deadline, cuts the outputs that are
 * still open. */
static void check_deadline(edo_output *output, edo_cx *cx)
{
    if (output->ended < output->count || are_ways_idle(output, false)) return;
    int64_t grace = output->grace ? output->grace : DEFAULT_GRACE;
    if (!output->deadline) output->deadline = edo__later(cx->now, grace);
    if (cx->now < output->deadline) {
        edo_cx_deadline(cx, output->deadline);
        return;
    }
    output->was_cut = true;
    for (int i = 0; i < 3; i++)
        drive_way(output, i, cx);
}

/* ---- the operation ---- */

static void begin(edo_output *output, edo_process *const *processes, size_t count)
{
    output->processes = processes;
    output->count = count;
    output->has_begun = true;
    output->ways[0].io = edo_process_take(processes[0], 0);
    output->ways[1].io = edo_process_take(processes[count - 1], 1);
    output->ways[2].io = edo_process_take(processes[count - 1], 2);
    for (int i = 0; i < 3; i++)
        if (!output->ways[i].io) output->ways[i].is_done = true;
    if (output->input_size == 0) end_way(output, 0);
}

/* Ends the operation. Closes the process if the operation has spawned it, and the open pipes. The
 * process is first: a child that is killed must not take a cut input for the whole.
 * has_result: false after a cancellation. Then pipes of the caller's processes remain open, because
 * another call may continue. */
static int64_t end(edo_output *output, bool has_result)
{
    if (!has_result && !output->own) return -ECANCELED;
    edo_process_close(output->own);
    output->own = NULL;
    for (int i = 0; i < 3; i++)
        end_way(output, i);
    output->has_begun = false;
    return has_result ? output->result : -ECANCELED;
}

/* Polls the operation. *ret_result: the result of an operation that has ended. The result may be
 * any errno, even -EAGAIN, so -EAGAIN does not mean that the operation waits. */
static edo_poll step(edo_output *output, edo_cx *cx, int64_t *ret_result)
{
    bool had_failed;
    do { // a second round after a failure cancels the other operations
        had_failed = output->has_failed;
        for (int i = 0; i < 3; i++)
            drive_way(output, i, cx);
        drive_waits(output, cx);
    } while (output->has_failed != had_failed);
    check_deadline(output, cx);
    bool is_ending = cx->fate != EDO_LIVE || output->has_failed;
    bool waits = edo__inner_is_set(&output->waiting);
    if (!are_ways_idle(output, is_ending) || waits) return EDO_PENDING;
    if (output->ended < output->count && !is_ending) return EDO_PENDING;
    bool is_complete = output->ended == output->count && are_ways_idle(output, false);
    *ret_result = end(output, output->has_failed || is_complete);
    return EDO_READY;
}

typedef struct EDO__OVERLAY output_op {
    edo_future base;
    void *subject; // a command, or an array of processes
    edo_output *output;
    uint64_t count; // number of processes; 0: `subject` is a command
    uint64_t progress;
    edo__op_wait wait;
} output_op;

EDO__OVERLAY_FITS(output_op);

static output_op *output_of(const edo_op *op)
{
    return (output_op *)(uintptr_t)op;
}

/* Spawns the command, on a thread of the pool, because a spawn may take long. Replaces
 * EDO_STDIO_INHERIT by a pipe, or by the null device for an input without bytes. */
static int64_t spawn(void *arg)
{
    edo_output *output = arg;
    edo_command piped = *output->command;
    if (piped.out.kind == EDO_STDIO_INHERIT) piped.out.kind = EDO_STDIO_PIPE;
    if (piped.err.kind == EDO_STDIO_INHERIT) piped.err.kind = EDO_STDIO_PIPE;
    if (piped.in.kind == EDO_STDIO_INHERIT)
        piped.in.kind = output->input_size ? EDO_STDIO_PIPE : EDO_STDIO_NULL;
    int rc = edo__command_spawn(&piped, &output->own);
    output->command->failed = piped.failed;
    return rc;
}

/* Releases the claims of the first `count` processes. */
static void release(edo_process *const *processes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        edo__source_leave(&processes[i]->source, EDO__SOURCE_READING);
}

static int claim_one(edo_process *process, const char *call)
{
    if (!process) return -EINVAL;
    int rc = edo__source_claim(&process->source, EDO__SOURCE_READING);
    if (rc == -ECANCELED) edo__source_check(&process->source, call);
    return rc;
}

/* Claims the caller's processes, so that none of them is freed if it is closed before the operation
 * waits for it. Returns: 0; -ECANCELED: a process was closed; -EINVAL: a process is NULL. */
static int claim(edo_process *const *processes, size_t count, const char *call)
{
    for (size_t i = 0; i < count; i++) {
        int rc = claim_one(processes[i], call);
        if (rc < 0) release(processes, i);
        if (rc < 0) return rc;
    }
    return 0;
}

/* Begins or continues the collection of the caller's processes. A continuation that is refused ends
 * the collection, because its pipes would remain open. */
static int enter_processes(edo_op *op)
{
    edo_output *output = output_of(op)->output;
    edo_process *const *processes = output_of(op)->subject;
    int rc = claim(processes, output_of(op)->count, op->base.ops->name);
    if (rc < 0) {
        if (output->has_begun) end(output, true);
        output->user = NULL;
    } else if (output->has_begun) {
        output->processes = processes;
        output->count = output_of(op)->count;
    } else {
        begin(output, processes, output_of(op)->count);
    }
    return rc;
}

static int enter(edo_op *op, const edo_cx *cx)
{
    edo_output *output = output_of(op)->output;
    if (output->user == op) return 0;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (!edo__user_enters(&output->user, op)) return -EBUSY;
    if (output_of(op)->count) return enter_processes(op);
    output->command = output_of(op)->subject;
    output->waiting = edo_blocking(spawn, output);
    return 0;
}

/* Waits for the spawn of a command. *ret_result: 0, or the error of the spawn, which may be
 * -EAGAIN. */
static edo_poll begin_command(edo_output *output, edo_cx *cx, int64_t *ret_result)
{
    if (edo__inner_poll(&output->waiting, cx, ret_result) == EDO_PENDING) return EDO_PENDING;
    if (*ret_result == 0) begin(output, &output->own, 1);
    return EDO_READY;
}

static edo_poll output_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_output *output = output_of(op)->output;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int64_t result = enter(op, cx);
    if (result < 0) return edo__op_finish(op, cx, result);
    if (!output->has_begun && begin_command(output, cx, &result) == EDO_PENDING) return EDO_PENDING;
    if (result == 0 && step(output, cx, &result) == EDO_PENDING) return EDO_PENDING;
    release(output_of(op)->subject, output_of(op)->count);
    return edo__user_ends(&output->user, op, cx, result);
}

static const edo_future_ops command_ops = { .name = "edo_command_output", .poll = output_poll };
static const edo_future_ops process_ops = { .name = "edo_process_output", .poll = output_poll };

edo_op edo_command_output(edo_command *command, edo_output *output)
{
    edo__check_memory("edo_command_output", command, "command");
    edo__check_memory("edo_command_output", output, "output");
    if (!command || !output || (output->input_size && !output->input))
        return edo__op_refuse(-EINVAL);
    edo__command_keep_mask(command);
    return edo__op(&command_ops, command, output, 0, 0);
}

edo_op edo_process_output(edo_process *const *processes, size_t count, edo_output *output)
{
    edo__check_memory("edo_process_output", processes, "array of processes");
    edo__check_memory("edo_process_output", output, "output");
    if (!processes || !count || !output || (output->input_size && !output->input))
        return edo__op_refuse(-EINVAL);
    return edo__op(&process_ops, (void *)(uintptr_t)processes, output, count, 0);
}

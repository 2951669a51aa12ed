/* Copies from stream to stream.
 *
 * Two operations may be in flight: a read into the free end of the memory, and a write from the
 * front of the memory. So a slow target stops the reads only when the memory is full. A slow source
 * does not delay the write of bytes that were already read.
 *
 * Splicing moves bytes from the source to a pipe, and from the pipe to the target. Splicing begins
 * after a read that has filled the memory, so small messages never pay for a pipe. Splicing
 * continues as long as the source has bytes ready. When the source has none, an ordinary read waits
 * for more.
 *
 * Bytes in the pipe follow the bytes in memory. So the pipe is filled only while the memory is
 * empty, and no read begins while the pipe has bytes. */
#include "stream/copier.h"

#include <string.h>

#include "base/base.h"
#include "io/direct.h"
#include "io/io.h"
#include "sys/sys.h"
#include "sys/transfer.h"

/* Results of a step of the source or of the target. */
enum { IDLE, WAITS, MOVED };

/* ---- making and ending ---- */

void edo_copier_init(edo_copier *copier, edo_io *from, edo_io *to, void *memory, size_t size)
{
    *copier = (edo_copier){
        .from = from, .to = to, .memory = memory, .capacity = size, .pipe = { -1, -1 }
    };
    if (!memory || !size) edo__misuse("edo_copier_init", "a copy needs memory");
}

void edo_copier_init_reader(edo_copier *copier, edo_reader *reader, edo_io *to)
{
    edo_copier_init(copier, reader->io, to, reader->memory, reader->capacity);
    copier->start = reader->start;
    copier->end = reader->end;
    copier->taken = reader->end - reader->start;
    reader->start = reader->end = 0;
}

size_t edo_copier_held(const edo_copier *copier)
{
    return copier->end - copier->start + copier->piped;
}

size_t edo_copier_deinit(edo_copier *copier)
{
    size_t held = edo_copier_held(copier);
    edo__sys_close(copier->pipe[0]);
    edo__sys_close(copier->pipe[1]);
    copier->pipe[0] = copier->pipe[1] = -1;
    copier->start = copier->end = copier->piped = 0;
    return held;
}

int64_t edo_copier_drain(edo_copier *copier, void *buffer, size_t size)
{
    size_t count = copier->end - copier->start;
    if (count == 0 && copier->piped) {
        size_t most = size < copier->piped ? size : copier->piped;
        int64_t n = edo__sys_read_pipe(copier->pipe[0], buffer, most);
        if (n > 0) copier->piped -= (uint32_t)n;
        return n;
    }
    if (count > size) count = size;
    if (count) memcpy(buffer, copier->memory + copier->start, count);
    copier->start += count;
    return (int64_t)count;
}

/* ---- the source ---- */

static void fail(edo_copier *copier, int64_t error)
{
    if (!copier->failure) copier->failure = (int32_t)error;
}

/* Whether the next bytes are spliced. */
static bool splices(edo_copier *copier)
{
    if (copier->splice != EDO__SPLICE_ON || copier->start != copier->end) return false;
    return !edo__inner_is_set(&copier->writing);
}

/* Turns splicing on, if both streams support it. Called after a read that has filled the memory. */
static void begin_splicing(edo_copier *copier)
{
    if (copier->splice == EDO__SPLICE_UNKNOWN) {
        bool can = edo__io_can_splice(copier->from) && edo__io_can_splice(copier->to);
        copier->splice = can ? EDO__SPLICE_OFF : EDO__SPLICE_NEVER;
    }
    if (copier->splice != EDO__SPLICE_OFF) return;
    bool has_pipe = copier->pipe[0] >= 0 || edo__sys_pipe(EDO__MAX_TRANSFER, copier->pipe) == 0;
    copier->splice = has_pipe ? EDO__SPLICE_ON : EDO__SPLICE_NEVER;
}

/* Fills the empty pipe. Returns: whether bytes were moved. An error of the source is not recorded
 * here, because the following read fails with the same error. */
static bool fill_pipe(edo_copier *copier, edo_cx *cx)
{
    int64_t n = edo__io_splice_in(copier->from, copier->pipe[1], EDO__MAX_TRANSFER, cx);
    if (n <= 0) {
        copier->splice = edo__sys_is_unsupported(n) ? EDO__SPLICE_NEVER : EDO__SPLICE_OFF;
        return false;
    }
    copier->piped += (uint32_t)n;
    copier->taken += (uint64_t)n;
    return true;
}

static edo_op begin_read(edo_copier *copier)
{
    bool is_empty = copier->start == copier->end && !edo__inner_is_set(&copier->writing);
    if (is_empty) copier->start = copier->end = 0;
    return edo_read(copier->from, copier->memory + copier->end, copier->capacity - copier->end);
}

static void end_read(edo_copier *copier, int64_t n)
{
    if (n < 0) fail(copier, n);
    if (n == 0) copier->ended = true;
    if (n <= 0) return;
    bool fills = copier->end == 0 && (size_t)n == copier->capacity;
    copier->end += (size_t)n;
    copier->taken += (uint64_t)n;
    if (fills) begin_splicing(copier);
}

static bool may_read(const edo_copier *copier)
{
    bool is_over = copier->ended || copier->failure || copier->stops;
    bool is_empty = copier->start == copier->end && !edo__inner_is_set(&copier->writing);
    return !is_over && !copier->piped && (is_empty || copier->end < copier->capacity);
}

static int take_on(edo_copier *copier, edo_cx *cx)
{
    int64_t n;
    if (!edo__inner_is_set(&copier->reading)) {
        if (!may_read(copier)) return IDLE;
        if (cx->fate == EDO_LIVE && splices(copier) && fill_pipe(copier, cx)) return MOVED;
        copier->reading = begin_read(copier);
    }
    if (edo__inner_poll(&copier->reading, cx, &n) == EDO_PENDING) return WAITS;
    end_read(copier, n);
    return MOVED;
}

/* ---- the target ---- */

/* Moves bytes from the pipe to the empty memory, because the target does not accept splices. */
static int empty_pipe(edo_copier *copier)
{
    size_t size = copier->piped < copier->capacity ? copier->piped : copier->capacity;
    int64_t n = edo__sys_read_pipe(copier->pipe[0], copier->memory, size);
    if (n <= 0) {
        fail(copier, n < 0 ? n : -EIO);
        copier->target_failed = true;
        return MOVED;
    }
    copier->splice = EDO__SPLICE_NEVER;
    copier->start = 0;
    copier->end = (size_t)n;
    copier->piped -= (uint32_t)n;
    return MOVED;
}

static int drain_pipe(edo_copier *copier, edo_cx *cx)
{
    int64_t n = copier->splice == EDO__SPLICE_NEVER
                    ? -EINVAL
                    : edo__io_splice_out(copier->to, copier->pipe[0], copier->piped, cx);
    if (n == -EAGAIN) {
        copier->writing = edo__io_writable(copier->to);
        return WAITS;
    }
    if (edo__sys_is_unsupported(n)) return empty_pipe(copier);
    if (n <= 0) {
        fail(copier, n < 0 ? n : -EIO);
        copier->target_failed = true;
        return MOVED;
    }
    copier->piped -= (uint32_t)n;
    copier->given += (uint64_t)n;
    return MOVED;
}

/* Ends an operation on the target. If the memory has bytes, the operation was a write of these
 * bytes. If the memory is empty, the operation was a wait for room, and the bytes are still in the
 * pipe. */
static void end_write(edo_copier *copier, int64_t n)
{
    if (n < 0) fail(copier, n);
    if (n < 0) copier->target_failed = true;
    if (n < 0 || copier->start == copier->end) return;
    copier->start += (size_t)n;
    copier->given += (uint64_t)n;
}

/* Watches for a hang-up of the target while there is nothing to write and a read waits. */
static int begin_watch(edo_copier *copier)
{
    bool waits = edo__inner_is_set(&copier->reading) && !copier->failure;
    if (!copier->watches || !waits || !edo__io_source(copier->to)) return IDLE;
    copier->writing = edo__io_hung_up(copier->to);
    copier->watching = true;
    return WAITS;
}

/* Ends a watch. is_own: true: the copy itself has cancelled the watch, for a write or for the end
 * of the copy; false: the target has hung up or was closed, or the operation was cancelled. */
static void end_watch(edo_copier *copier, int64_t n, bool is_own)
{
    copier->watching = false;
    if (n == -ECANCELED && is_own) return;
    fail(copier, n < 0 ? n : -EPIPE);
    copier->target_failed = true;
}

/* Begins an operation on the target, or splices. Returns: WAITS: an operation is to be polled;
 * MOVED: a splice has moved bytes or failed; IDLE: there is nothing to do. */
static int begin_write(edo_copier *copier, edo_cx *cx)
{
    if (copier->target_failed || copier->stops) return IDLE;
    size_t count = copier->end - copier->start;
    if (count) {
        copier->writing = edo_write(copier->to, copier->memory + copier->start, count);
        return WAITS;
    }
    if (!copier->piped) return begin_watch(copier);
    if (cx->fate == EDO_LIVE) return drain_pipe(copier, cx);
    copier->writing = edo__io_writable(copier->to); // this poll is cancelled, and ends the wait
    return WAITS;
}

/* Whether there are bytes for a target that was closed during the watch. The copy must not write
 * them, because a closed stream may be freed when the watch ends. */
static bool is_too_late(const edo_copier *copier)
{
    if (!copier->watching || !edo_copier_held(copier)) return false;
    return edo_load_acquire(edo__io_claims(copier->to)) & EDO__SOURCE_CLOSED;
}

/* A watch is needless once there are bytes to write, or once no read waits any more. */
static int give_on(edo_copier *copier, edo_cx *cx)
{
    int64_t n;
    if (!edo__inner_is_set(&copier->writing)) {
        int begun = begin_write(copier, cx);
        if (begun != WAITS) return begun;
    }
    bool is_needless = edo_copier_held(copier) || !edo__inner_is_set(&copier->reading);
    bool is_own = (is_needless || copier->stops) && !is_too_late(copier);
    if (copier->watching && is_needless) edo_cancel(&copier->writing.base);
    if (edo__inner_poll(&copier->writing, cx, &n) == EDO_PENDING) return WAITS;
    if (copier->watching)
        end_watch(copier, n, is_own);
    else
        end_write(copier, n);
    return MOVED;
}

/* ---- the copy ---- */

void edo__copier_begin(edo_copier *copier)
{
    copier->failure = 0;
    copier->target_failed = copier->stops = false;
}

void edo__copier_stop(edo_copier *copier)
{
    copier->stops = true;
    if (edo__inner_is_set(&copier->reading)) edo_cancel(&copier->reading.base);
    if (edo__inner_is_set(&copier->writing)) edo_cancel(&copier->writing.base);
}

static int64_t result_of(const edo_copier *copier)
{
    if (copier->failure) return copier->failure;
    bool is_whole = copier->ended && edo_copier_held(copier) == 0;
    return is_whole ? (int64_t)copier->given : -ECANCELED;
}

/* Polls the copy. If the target has failed, cancels a waiting read, because the bytes of that read
 * could not be written. */
edo_poll edo__copier_poll(edo_copier *copier, edo_cx *cx, int64_t *ret_result)
{
    for (;;) {
        if (!edo__has_budget(cx)) return EDO_PENDING;
        int taken = take_on(copier, cx);
        if (!edo__has_budget(cx)) return EDO_PENDING;
        int given = give_on(copier, cx);
        bool ends = copier->target_failed && edo__inner_is_set(&copier->reading);
        if (ends && copier->reading.base.fate == EDO_LIVE) {
            edo_cancel(&copier->reading.base);
            continue;
        }
        if (taken == MOVED || given == MOVED) continue;
        if (taken == WAITS || given == WAITS) return EDO_PENDING;
        *ret_result = result_of(copier);
        return EDO_READY;
    }
}

static edo_poll copy_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_copier *copier = op->object;
    int64_t result;
    bool begins = copier->user != op;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&copier->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (begins) edo__copier_begin(copier);
    if (edo__copier_poll(copier, cx, &result) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&copier->user, op, cx, result);
}

edo_op edo_copy(edo_copier *copier)
{
    static const edo_future_ops ops = { .name = "edo_copy", .poll = copy_poll };
    if (!copier || !copier->from || !copier->to) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, copier, NULL, 0, 0);
}

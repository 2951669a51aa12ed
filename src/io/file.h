/* Streams that transfer bytes at a file's own position, and calls on files. */
#pragma once

#include "io/io.h"
#include "runtime/pool/blocking.h"
#include "sys/filesystem.h"

/* ---- calls ----
 *
 * An operation describes its call. The call is first tried on the polling thread. If the try would
 * wait, the driver or a thread of the pool "files" makes the call.
 *
 *     IDLE ---- the try has a result --------------------------> done
 *     IDLE ---- the driver takes the call ---------------------> IN_RING
 *     IDLE ---- otherwise -------------------------------------> IN_POOL
 *     IN_RING - the call has ended ----------------------------> done
 *     IN_RING - the driver could not make the call ------------> IN_POOL
 *     IN_POOL - `run` has ended, or will never begin ----------> done
 *
 * The members `object`, `data`, `length` and `progress` of an operation hold its arguments in all
 * stages. The end of the operation replaces `progress` by the value for edo_op_progress(). */

/* Bits of edo_op.detail, whose third byte belongs to the pool. */
enum {
    EDO__CALL_IN_POOL = 1 << 24,
    EDO__CALL_IN_RING = 1 << 25,
};

/* Whether an operation has one of the bits. The load is relaxed, because only polls change these
 * bits. A thread of the pool may change the pool's byte of the same word during the load. */
static inline bool edo__call_has(const edo_op *op, uint32_t bits)
{
    return edo_load_figure(&op->detail) & bits;
}

/* Whether the call of an operation is in flight. */
static inline bool edo__call_is_begun(const edo_op *op)
{
    return edo__call_has(op, EDO__CALL_IN_POOL | EDO__CALL_IN_RING);
}

typedef struct edo__file_stream edo__file_stream;

/* Makes the call of an operation. call: used only by the poll that begins the operation; NULL if
 * there is no single call, and `run` makes all calls in the pool. stream: stream of the file; NULL
 * if O_NONBLOCK has no effect on the call. Called inside a poll. Returns: EDO_READY with
 * base.result; EDO_PENDING. */
edo_poll edo__call_drive(edo_op *op, edo_cx *cx, edo__file_stream *stream,
                         const edo__file_call *call, edo__files_fn *run);

/* ---- streams ---- */

/* The part of a file stream that its steps use. */
struct edo__file_stream {
    edo_io io;
    edo_atomic(uint32_t) claims;
    edo_fd fd;
    edo_atomic(const edo_op *) mover;    // operation in flight at the position, or NULL
    uint32_t flags;                      // EDO_OPEN_*; constant
    edo_atomic(bool) may_be_nonblocking; // O_NONBLOCK is perhaps set, and edo may clear it
    int64_t from; // position before the mover's call in the ring, or -1; guarded by mover
};

static inline edo__file_stream *edo__file_stream_of(edo_io *io)
{
    return (edo__file_stream *)(void *)io;
}

/* Step function for kinds whose streams begin with an edo__file_stream. */
edo_poll edo__file_step(edo_io *io, edo_op *op, edo_cx *cx);

/* Stores the file's position in `from`, before a call of the ring. Returns: whether the file has a
 * position. Pipes and terminals have none. */
bool edo__file_stream_keep(edo__file_stream *stream);

/* Clears O_NONBLOCK, before a use on which the flag would have an effect. */
void edo__file_stream_block(edo__file_stream *stream);

/* Wraps a file, which still belongs to the caller. Returns: NULL if out of memory. */
edo_io *edo__file_io_create(edo_fd fd);

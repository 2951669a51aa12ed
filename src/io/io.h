/* Streams from the inside. */
#pragma once

#include <edo/io.h>

#include "driver/driver.h"
#include "io/claims.h"
#include "task/op.h"

/* A kind of stream implements one step; claims, budget, progress, whole transfers and the two ends
 * stand in io.c, once for all kinds. A wrapper keeps the operations on the wrapped stream in
 * itself.
 *
 * Every call gets the stream. step, drop and shutdown_write hold the sides that they work on, so
 * there is one caller per side, and the stream cannot end under it. */
typedef struct edo__io_ops {
    const char *name;

    /* Place of the word with the claims (claims.h) in the stream; 0 at its creation. */
    size_t claims;

    /* One step of a read, write or writev (op.detail; from op.progress on): a try, or a park.
     * EDO_READY with base.result: bytes moved; 0 at the end of the input; a negative errno. Or
     * EDO_PENDING, with a wake arranged. A step that is to end (edo__io_is_ending) tries nothing
     * new: it answers what was moved already, or -ECANCELED, as soon as it can. */
    edo_poll (*step)(edo_io *io, edo_op *op, edo_cx *cx);

    /* One step of edo_finish(): reads and drops. EDO_READY with base.result: > 0 when there may be
     * more; the rest as for step. */
    edo_poll (*drop)(edo_io *io, edo_op *op, edo_cx *cx);

    /* The peer's input ends. Returns: 0, or a negative errno. -ENOTSUP, or NULL: it has no such
     * notion, and is dropped from no more; drop may be NULL, too, then. */
    int (*shutdown_write)(edo_io *io);

    /* The stream was closed: parked steps are woken. Called once, before release. */
    void (*hang_up)(edo_io *io);

    /* Nothing is in flight on a closed stream: frees it. */
    void (*release)(edo_io *io);

    /* The descriptor behind it; NULL: this kind has none. */
    edo__source *(*source)(edo_io *io);
} edo__io_ops;

struct edo_io {
    const edo__io_ops *ops;
};

static inline edo_atomic(uint32_t) *edo__io_claims(const edo_io *io)
{
    return (edo_atomic(uint32_t) *)(uintptr_t)((const char *)io + io->ops->claims);
}

/* Whether a step is to end: it was cancelled, or its stream closed. */
static inline bool edo__io_is_ending(const edo_io *io, const edo_cx *cx)
{
    return cx->fate != EDO_LIVE || (edo_load_acquire(edo__io_claims(io)) & EDO__SOURCE_CLOSED);
}

/* Claims sides of a stream, and releases them; the last one to leave a closed stream frees it. call: for
 * a use after the end, which ends the process, as the user knows it.
 * Returns: 0; -EBUSY; -ECANCELED when it was closed. */
int edo__io_claim(edo_io *io, uint32_t sides, const char *call);
void edo__io_leave(edo_io *io, uint32_t sides);

/* Uses budget for bytes that were moved; n: a result. */
void edo__use_work(edo_cx *cx, int64_t n);

/* As edo_shutdown_write(), at once. call: for a mistake, as the user knows it. */
int edo__io_shutdown_write(edo_io *io, const char *call);

/* A close in two steps, for a wrapper that still uses the stream while it ends itself: nothing
 * starts on the stream any more, and operations in flight end; then it may go. call: as the user
 * knows it. */
void edo__io_begin_close(edo_io *io, const char *call);
void edo__io_end_close(edo_io *io);

/* A stream that is a descriptor. */
typedef struct edo__fd_io {
    edo_io io;
    edo__source source;
} edo__fd_io;

/* Wraps a descriptor without inspecting it. traits: EDO__SOURCE_*. NULL: out of memory. */
edo_io *edo__fd_io_create(edo_fd fd, uint32_t traits);

/* The source behind a stream, or NULL. */
edo__source *edo__io_source(const edo_io *io);

/* ---- sources ---- */

void edo__source_init(edo__source *source, edo_fd fd, uint32_t traits,
                      void (*release)(edo__source *));

/* Claims a side (EDO__SOURCE_READING, EDO__SOURCE_WRITING or both) for an operation.
 * Returns: 0; -EBUSY; -ECANCELED when the source was closed. */
int edo__source_claim(edo__source *source, uint32_t sides);

/* Ends the process if the source was closed and nothing is in flight on it: the call uses freed
 * memory. (While an operation is in flight, a claim answers -ECANCELED.) */
void edo__source_check(const edo__source *source, const char *call);

/* Releases a claim. The last one to leave a closed source ends it. */
void edo__source_leave(edo__source *source, uint32_t sides);

/* Closes a source: hangs up parked operations; the end comes when none is in flight. */
void edo__source_close(edo__source *source);

/* The parts of a close, for a stream whose claims are the source's: wakes the operations parked at a
 * closed source; ends a source that nobody uses any more. */
void edo__source_end(edo__source *source);

/* One step of an operation that has a claim: EDO_READY with base.result. The operation ends early
 * when the source was closed or the operation cancelled. */
edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx);

static inline bool edo__source_is_closed(const edo__source *source)
{
    return edo_load_acquire(&source->state) & EDO__SOURCE_CLOSED;
}

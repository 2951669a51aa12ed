/* Internals of streams. */
#pragma once

#include <edo/io.h>

#include "driver/driver.h"
#include "io/claims.h"
#include "task/op.h"

/* A kind of stream implements one step; io.c implements claims, budget, progress, whole transfers
 * and the two ends for all kinds. A wrapper stores its operations on the wrapped stream in itself.
 *
 * Every function gets the stream. The caller of step, drop and shutdown_write has claimed the sides
 * concerned: so there is one caller per side, and the stream cannot end during the call. */
typedef struct edo__io_ops {
    const char *name;

    /* Offset in the stream of the word with the claims (claims.h), which is 0 in a new stream. */
    size_t claims;

    /* One step of a read, write or writev (op.detail; from op.progress on): tries, or parks the
     * operation. EDO_READY with base.result: bytes moved; 0 at the end of the input; a negative
     * errno. EDO_PENDING: a wake was arranged. A step that has to end (edo__io_is_ending) tries
     * nothing new: as soon as it can, it answers the bytes already moved, or -ECANCELED. */
    edo_poll (*step)(edo_io *io, edo_op *op, edo_cx *cx);

    /* One step of edo_finish(): reads and drops. EDO_READY with base.result: above 0 when there may
     * be more input; else as for step. */
    edo_poll (*drop)(edo_io *io, edo_op *op, edo_cx *cx);

    /* Ends the peer's input. Returns: 0, or a negative errno. -ENOTSUP, or a NULL function: this
     * kind has no such end. drop is then not called, and may be NULL. */
    int (*shutdown_write)(edo_io *io);

    /* Wakes parked steps of a stream that was closed. Called once, before release. */
    void (*hang_up)(edo_io *io);

    /* Frees a closed stream that has no operation in flight. */
    void (*release)(edo_io *io);

    /* The source of a stream that is a descriptor; NULL: this kind has none. */
    edo__source *(*source)(edo_io *io);
} edo__io_ops;

struct edo_io {
    const edo__io_ops *ops;
};

static inline edo_atomic(uint32_t) *edo__io_claims(const edo_io *io)
{
    return (edo_atomic(uint32_t) *)(uintptr_t)((const char *)io + io->ops->claims);
}

/* Whether a step has to end: it was cancelled, or its stream was closed. */
static inline bool edo__io_is_ending(const edo_io *io, const edo_cx *cx)
{
    return cx->fate != EDO_LIVE || (edo_load_acquire(edo__io_claims(io)) & EDO__SOURCE_CLOSED);
}

/* Claim and release of sides of a stream. The last release on a closed stream frees it. call: name
 * of the user's call, for the abort at a use after the end.
 * Returns: 0; -EBUSY; -ECANCELED when the stream was closed. */
int edo__io_claim(edo_io *io, uint32_t sides, const char *call);
void edo__io_leave(edo_io *io, uint32_t sides);

/* Uses budget for bytes that were moved; n: a result. */
void edo__use_work(edo_cx *cx, int64_t n);

/* As edo_shutdown_write(), at once. call: name of the user's call, for misuse. */
int edo__io_shutdown_write(edo_io *io, const char *call);

/* A close in two steps, for a wrapper that still uses the wrapped stream while it ends itself.
 * After the first step nothing new starts on the stream, and operations in flight end; the second
 * step lets the stream be freed. call: as above. */
void edo__io_begin_close(edo_io *io, const char *call);
void edo__io_end_close(edo_io *io);

/* A stream on a descriptor. */
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

/* Ends the process if the source was closed and has no operation in flight: the call is using freed
 * memory. (While an operation is in flight, a claim answers -ECANCELED.) */
void edo__source_check(const edo__source *source, const char *call);

/* Releases a claim. The release of the last claim on a closed source ends the source. */
void edo__source_leave(edo__source *source, uint32_t sides);

/* Closes a source: wakes its parked operations; the source ends when no operation is in flight. */
void edo__source_close(edo__source *source);

/* Ends a closed source without claims: one part of a close, for a stream that uses the source's
 * claims as its own. */
void edo__source_end(edo__source *source);

/* One step of an operation that has a claim. Returns: EDO_READY with base.result, or EDO_PENDING.
 * The operation ends early when it was cancelled or its source closed. */
edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx);

static inline bool edo__source_is_closed(const edo__source *source)
{
    return edo_load_acquire(&source->state) & EDO__SOURCE_CLOSED;
}

/* Streams from the inside. */
#pragma once

#include <edo/io.h>

#include "driver/driver.h"
#include "task/op.h"

/* What a kind of stream does. Each call gets the stream that it belongs to; a wrapper keeps the
 * operations on what it wraps in itself. */
typedef struct edo__io_ops {
    const char *name;

    /* Polls a read, write or writev, as op.detail says. */
    edo_poll (*transfer)(edo_io *io, edo_op *op, edo_cx *cx);

    /* Polls edo_finish(); the stream is gone when it is ready. */
    edo_poll (*finish)(edo_io *io, edo_op *op, edo_cx *cx);

    /* 0, or a negative errno. */
    int (*shutdown_write)(edo_io *io);

    /* At once and for good. */
    void (*close)(edo_io *io);

    /* The descriptor behind it, or NULL. */
    edo__source *(*source)(edo_io *io);
} edo__io_ops;

struct edo_io {
    const edo__io_ops *ops;
};

/* A stream that is a descriptor. */
typedef struct edo__fd_io {
    edo_io io;
    edo__source source;
} edo__fd_io;

/* Wraps a descriptor without a look at it. traits: EDO__SOURCE_*. NULL: out of memory. */
edo_io *edo__fd_io_create(edo_fd fd, uint32_t traits);

/* The source behind a stream, or NULL. */
edo__source *edo__io_source(const edo_io *io);

/* ---- sources ---- */

void edo__source_init(edo__source *source, edo_fd fd, uint32_t traits,
                      void (*release)(edo__source *));

/* Claims a side (EDO__SOURCE_READING, EDO__SOURCE_WRITING or both) for an operation.
 * Returns: 0; -EBUSY; -ECANCELED when the source was closed. */
int edo__source_claim(edo__source *source, uint32_t sides);

/* Ends the process if the source was closed and nothing is in flight on it: it is gone, and this is a
 * use of its memory. (While something is in flight, a claim answers -ECANCELED.) */
void edo__source_check(const edo__source *source, const char *call);

/* Gives it back. If the source was closed meanwhile, the last one to leave ends it. */
void edo__source_leave(edo__source *source, uint32_t sides);

/* Closes: parked operations are hung up; ends it when none is in flight. */
void edo__source_close(edo__source *source);

/* One step of an operation that has a claim: EDO_READY with base.result. Ends it when the source
 * was closed or the operation cancelled. */
edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx);

static inline bool edo__source_is_closed(const edo__source *source)
{
    return edo_load_acquire(&source->state) & EDO__SOURCE_CLOSED;
}

/* Internals of streams. */
#pragma once

#include <edo/io.h>

#include "driver/driver.h"
#include "io/claims.h"
#include "task/op.h"

/* Functions of a kind of stream. Each kind implements one step of a transfer. io.c implements the
 * rest for all kinds: claims, budget, progress, whole transfers, edo_finish() and edo_close(). A
 * wrapper stores its operations on the wrapped stream in its own struct.
 *
 * Every function has the stream as an argument. The caller of `step`, `drop` and `shutdown_write`
 * has claimed the sides that the call uses. So each side has one caller at a time, and the stream
 * cannot end during the call. */
typedef struct edo__io_ops {
    edo__source_ops as_source; // functions of a stream that is a source

    const char *name;

    /* Offset of the word of claims (claims.h) in the stream. A new stream has 0 in that word. */
    size_t claims;

    /* Makes one step of a read, write or writev: moves bytes, or parks the operation. op.detail has
     * the kind of the operation. op.progress is the number of bytes that earlier steps have moved.
     * Returns: EDO_READY with base.result: bytes moved, 0 at the end of the input, or a negative
     * errno; EDO_PENDING: the step has arranged a wake. If the operation has to end
     * (edo__io_is_ending), the step tries nothing new. It ends the operation as soon as possible,
     * with the number of bytes already moved, or with -ECANCELED. */
    edo_poll (*step)(edo_io *io, edo_op *op, edo_cx *cx);

    /* Whether `step` also makes steps of a readv. If not, a readv becomes a read into its first
     * buffer. Not used for kinds with a source: their `step` always makes steps of a readv. */
    bool reads_vectors;

    /* Makes one step of edo_finish(): reads input and drops it. Returns: EDO_READY with base.result
     * > 0 when there may be more input; otherwise as `step`. */
    edo_poll (*drop)(edo_io *io, edo_op *op, edo_cx *cx);

    /* Ends the peer's input. Returns: 0 or a negative errno; -ENOTSUP when this kind of stream
     * cannot do so. NULL stands for a function that returns -ENOTSUP. After -ENOTSUP, `drop` is not
     * called, and may be NULL. */
    int (*shutdown_write)(edo_io *io);

    /* Wakes parked steps of a stream that was closed. Called once, before `release`. */
    void (*hang_up)(edo_io *io);

    /* Frees a closed stream that has no operation in flight. */
    void (*release)(edo_io *io);

    /* Returns: the source of a stream that is a descriptor. The function is NULL for kinds without
     * a source. */
    edo__source *(*source)(edo_io *io);
} edo__io_ops;

struct edo_io {
    const edo__io_ops *ops;
};

static inline edo_atomic(uint32_t) *edo__io_claims(const edo_io *io)
{
    return (edo_atomic(uint32_t) *)(uintptr_t)((const char *)io + io->ops->claims);
}

/* Whether a step has to end, because its operation was cancelled or its stream was closed. */
static inline bool edo__io_is_ending(const edo_io *io, const edo_cx *cx)
{
    return cx->fate != EDO_LIVE || (edo_load_acquire(edo__io_claims(io)) & EDO__SOURCE_CLOSED);
}

/* Claims and releases sides of a stream. The last release on a closed stream frees the stream.
 * call: name of the user's call, for the message about a use of an ended stream.
 * Returns: 0; -EBUSY when a side is claimed; -ECANCELED when the stream was closed. */
int edo__io_claim(edo_io *io, uint32_t sides, const char *call);
void edo__io_leave(edo_io *io, uint32_t sides);

enum { EDO__MAX_VECTOR = 1024 }; // slices per operation; IOV_MAX of Linux

static inline bool edo__is_vector(const edo_slice *slices, int count)
{
    return slices && count >= 1 && count <= EDO__MAX_VECTOR;
}

/* Uses budget for bytes that were moved. n: the result of a step; a negative n uses no budget. */
void edo__use_work(edo_cx *cx, int64_t n);

/* Does the same as edo_shutdown_write(), as a plain call. call: name of the user's call, for a
 * message about misuse. */
int edo__io_shutdown_write(edo_io *io, const char *call);

/* These two functions close a wrapper in two steps, if the wrapper still uses its inner stream
 * while it ends. After the first step, no operation can start on the wrapper, and operations in
 * flight end. After the second step, the wrapper may be freed. call: name of the user's call, for a
 * message about misuse. */
void edo__io_begin_close(edo_io *io, const char *call);
void edo__io_end_close(edo_io *io);

/* A stream on a descriptor. The stream is its source: both begin with the same pointer. */
typedef union edo__fd_io {
    edo_io io;
    edo__source source;
} edo__fd_io;

_Static_assert(offsetof(edo_io, ops) == offsetof(edo__source, ops) &&
                   offsetof(edo__io_ops, as_source) == 0,
               "an edo_io and a source have the same ops");

/* Wraps a descriptor without inspecting it. traits: EDO__SOURCE_*. Returns: NULL if out of
 * memory. */
edo_io *edo__fd_io_create(edo_fd fd, uint32_t traits);

/* Returns: the traits of a descriptor with this kind of file (edo__file_kind), or of a socket
 * type. */
uint32_t edo__fd_traits(edo_fd fd, int file_kind);
uint32_t edo__socket_type_traits(edo__socket_type type);

/* Turns an operation into an edo_writev_all() that has already written `progress` bytes, and
 * continues it. The operation holds the claim of the write side. Called inside a poll of the
 * operation. */
edo_poll edo__io_write_rest(edo_op *op, edo_cx *cx, edo_slice *slices, size_t count,
                            uint64_t progress);

/* Removes the first n bytes from slices. *count: number of slices; then the number of slices that
 * are left. Returns: the first slice that is left. */
edo_slice *edo__slices_advance(edo_slice *slices, uint64_t *count, uint64_t n);

/* Returns: the source of a stream that is a descriptor; NULL for other streams. */
edo__source *edo__io_source(const edo_io *io);

/* ---- sources ---- */

void edo__source_init(edo__source *source, edo_fd fd, uint32_t traits, const edo__source_ops *ops);

/* Notes the task that makes a stream or listener, for edo_config.report_leaks. kind: see
 * edo__maker_create(). Called before the source is used. */
void edo__source_note_maker(edo__source *source, const char *kind);

/* Claims one side or both (EDO__SOURCE_READING, EDO__SOURCE_WRITING) for an operation.
 * Returns: 0; -EBUSY when a side is claimed; -ECANCELED when the source was closed. */
int edo__source_claim(edo__source *source, uint32_t sides);

/* Ends the process if the source was closed and has no operation in flight, because the call then
 * uses freed memory. While an operation is in flight, edo__source_claim() returns -ECANCELED
 * instead. */
void edo__source_check(const edo__source *source, const char *call);

/* Ends the process if the source was closed, even if an operation is in flight. Called by a close
 * before its side effects. */
void edo__source_check_open(const edo__source *source, const char *call);

/* Releases a claim. The release of the last claim on a closed source ends the source. */
void edo__source_leave(edo__source *source, uint32_t sides);

/* Closes a source and wakes its parked operations. The source ends when no operation is in
 * flight. call: name of the user's call, for the message about a second close. */
void edo__source_close(edo__source *source, const char *call);

/* Ends a closed source that has no claims. Called at the end of a stream that uses the source's
 * claims as its own. */
void edo__source_end(edo__source *source);

/* Makes one step of an operation that has a claim. The operation ends early if it was cancelled or
 * if the source was closed. Returns: EDO_PENDING; or EDO_READY with the result in base.result. */
edo_poll edo__source_drive(edo__source *source, edo_op *op, edo_cx *cx);

/* As edo__source_drive(), for an operation that must wait even if it was cancelled. */
edo_poll edo__source_drive_on(edo__source *source, edo_op *op, edo_cx *cx);

static inline bool edo__source_is_closed(const edo__source *source)
{
    return edo_load_acquire(&source->state) & EDO__SOURCE_CLOSED;
}

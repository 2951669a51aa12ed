/* Internals of files, for the files of src/fs/. */
#pragma once

#include <edo/dir.h>
#include <edo/file.h>

#include "io/file.h"

/* An open file. Thread: any.
 *
 * The operations of the stream claim the stream's sides in `stream.claims`. All other operations
 * are counted in `uses`. The close of the stream sets CLOSED in both words. In `uses` it also sets
 * CLOSING, which is cleared when the last operation of the stream has left. So exactly one step
 * finds that no operation of either kind is left. That step ends the file (io/claims.h). */
struct edo_file {
    edo__file_stream stream;
    edo_atomic(uint32_t) uses;
    edo_atomic(int32_t) sync_error; // first error of a sync, a negative errno, or 0
    edo_file **ret_file;            // output of the open, while the open is in flight
};

_Static_assert(sizeof(edo_file) <= 56, "docs/internals/fs.md");

static inline edo_file *edo__file_of(edo_io *io)
{
    return (edo_file *)(void *)io;
}

static inline edo__file_stream *edo__file_stream_in(edo_file *file)
{
    return file ? &file->stream : NULL;
}

/* Makes a file without a descriptor. Returns: NULL: out of memory. */
edo_file *edo__file_create(uint32_t flags);

/* Frees a file of edo__file_create() that was not handed out, and closes its descriptor. */
void edo__file_discard(edo_file *file);

/* Closes a file. call: name of the user's call, for the message about a second close. */
void edo__file_close(edo_file *file, const char *call);

/* Returns: the descriptor of the directory from which a path starts. */
static inline edo_fd edo__file_place(const edo_file *dir)
{
    return dir ? dir->stream.fd : EDO__HERE;
}

/* Makes an edo_dir for the open file of a directory. The file belongs to the edo_dir from then on.
 * Returns: NULL: out of memory. */
edo_dir *edo__dir_create(edo_file *file);

/* ---- operations ----
 *
 * Each operation makes its system call by edo__call_drive() (io/file.h). */

typedef struct edo__fs_kind {
    edo_future_ops future; // first
    /* Describes the system call, from the operation's arguments. Called on any thread. NULL if
     * `run` makes all system calls. */
    void (*describe)(const edo_op *op, edo__file_call *ret_call);
    /* Makes the system calls, on a thread of the pool. NULL if the pool makes the call that
     * `describe` describes. */
    edo__files_fn *run;
    /* Turns the result of the system call into the result of the operation. Called inside a poll.
     * May be NULL. */
    int64_t (*end)(edo_op *op, int64_t result);
    /* Checks arguments in the first poll. Returns: 0; an error, with which the operation ends. May
     * be NULL. */
    int (*check)(edo_op *op);
    bool has_two; // `length` is a second file
    bool waits;   // pauses and tries again after EDO__NOT_YET: a named pipe has no reader
} edo__fs_kind;

static inline const edo__fs_kind *edo__fs_kind_of(const edo_op *op)
{
    return (const edo__fs_kind *)(const void *)op->base.ops;
}

/* The poll of an edo__fs_kind. `object` is a file, or NULL. */
edo_poll edo__fs_poll(edo_future *future, edo_cx *cx);

#define EDO__FS_KIND(text, ...)                                                                    \
    {                                                                                              \
        .future = { .name = (text), .poll = edo__fs_poll }, __VA_ARGS__                            \
    }

/* Bits of edo_op.detail, in addition to the bits of the call (io/file.h). ENTERED: the operation
 * has claimed its files. PAUSED: the operation is in a pause. */
enum {
    EDO__FS_ENTERED = 1 << 26,
    EDO__FS_PAUSED = 1 << 27,
    EDO__FS_PAUSES = 7 << 28, // number of pauses, at most 7
    EDO__FS_ONE_PAUSE = 1 << 28,
};

/* Ends the process if the file was closed and has no operation in flight. */
void edo__file_check(const edo_file *file, const char *call);

/* Pauses of an operation that waits for the other end of a named pipe (io/pause.h). edo__fs_pause()
 * begins the next pause. edo__fs_is_paused() returns whether the pause continues. A cancellation
 * ends the pause. Both functions are called inside a poll, which returns EDO_PENDING during a
 * pause. During a pause the operation's `link` holds the time at which the pause ends. The pool
 * uses `link` only while the operation is in the pool, which is never during a pause. */
void edo__fs_pause(edo_op *op, edo_cx *cx);
bool edo__fs_is_paused(edo_op *op, edo_cx *cx);

/* edo__file_enter() claims a file for an operation, and edo__file_leave() releases the claim. If
 * the file is NULL, they do nothing. call: name of the user's call, for a message about misuse.
 * Returns: 0; -ECANCELED: the file was closed. */
int edo__file_enter(edo_file *file, const char *call);
void edo__file_leave(edo_file *file);

/* ---- jobs in pieces ----
 *
 * Long work (trees, large copies) is done piece by piece. Between two pieces other jobs can use the
 * thread, and a cancellation takes effect. */

typedef struct edo__fs_work edo__fs_work;

typedef struct edo__fs_work_ops {
    /* Does one piece of the work. Called on a thread of the pool. Returns: -EAGAIN: there is more
     * to do; otherwise the result of the work. */
    int64_t (*piece)(edo__fs_work *work);
    /* Ends the work. complete: true: a piece has returned the result of the work; false: the work
     * was stopped earlier, and what must not remain is removed. Called inside a poll if no piece
     * has run, or if the pool cannot run the function. Otherwise called on a thread of the pool. */
    void (*end)(edo__fs_work *work, bool complete);
    /* Hands out the result, and frees the work. Called inside a poll. Returns: the operation's
     * result. */
    int64_t (*take)(edo__fs_work *work, edo_op *op, int64_t result);
} edo__fs_work_ops;

struct edo__fs_work {
    const edo__fs_work_ops *ops;
    int64_t result;
    bool has_run; // a piece was made
    bool ended;
};

/* Begins work. From then on the work belongs to the operation, whose `object` points to the work.
 * Called inside a poll. Returns: as edo__fs_work_poll(). */
edo_poll edo__fs_work_begin(edo_op *op, edo_cx *cx, edo__fs_work *work);

/* Continues work. Called inside a poll. Returns: EDO_READY with the result of `take` in
 * base.result; EDO_PENDING. */
edo_poll edo__fs_work_poll(edo_op *op, edo_cx *cx);

/* Whether an operation has begun its work. */
static inline bool edo__fs_work_is_begun(const edo_op *op)
{
    return op->detail & EDO__FS_ENTERED;
}

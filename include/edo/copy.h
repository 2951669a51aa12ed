/* Copies: from one stream to another, in both directions, and from files.
 *
 * A copy is a struct in the frame, beside memory for its buffer. The struct keeps the position of
 * the copy. So after a cancellation, the same call continues the copy. Meanwhile the struct holds
 * the bytes that have left the source and have not reached the target. edo_copier_drain() takes
 * these bytes out.
 *
 *     edo_copier copier;                               // in the frame
 *     char memory[EDO_COPY_SIZE];
 *     ...
 *     edo_copier_init(&self->copier, self->from, self->to, self->memory, sizeof self->memory);
 *     edo_await(n, edo_copy(&self->copier));
 *     edo_copier_deinit(&self->copier);
 *
 * A copy borrows its streams; their owner closes them after the copy. Between non-blocking sockets
 * and pipes, large amounts of data go through a kernel pipe, and not through the memory of the
 * copy.
 *
 * A copy belongs to one task at a time, and has at most one operation in flight. A second operation
 * answers -EBUSY.
 */
#pragma once

#include <edo/buffered.h>

EDO_BEGIN_DECLS

enum { EDO_COPY_SIZE = 16384 }; // bytes; enough memory for most uses; 1 is the minimum

/* ---- one direction ---- */

typedef struct edo_copier {
    uint64_t taken; // bytes that have left the source
    uint64_t given; // bytes that have reached the target
    bool watches; // set by the user, for descriptors: -EPIPE as soon as the target's peer hangs up

    /* All below is private. */
    edo_io *from, *to;
    uint8_t *memory;
    size_t capacity, start, end; // bytes held in memory: from start to end
    uint32_t piped;              // bytes held in the pipe, which follow the bytes in memory
    edo_fd pipe[2];              // -1: none
    int32_t failure;
    uint8_t splice;
    bool ended, target_failed, stops, watching;
    const edo_op *user;
    edo_op reading, writing;
} edo_copier;

EDO_API void edo_copier_init(edo_copier *copier, edo_io *from, edo_io *to, void *memory,
                             size_t size);

/* Prepares a copy of a reader's input. The input consists of the bytes ahead in the reader,
 * followed by the rest of the reader's stream. From this call on, the copy uses the reader's
 * memory, and the reader must not be used. */
EDO_API void edo_copier_init_reader(edo_copier *copier, edo_reader *reader, edo_io *to);

/* Ends a copy. Returns: number of held bytes, which are lost. */
EDO_API size_t edo_copier_deinit(edo_copier *copier);

/* Copies to the end of the input. The write side of the target stays open.
 * Result: number of bytes that have reached the target, summed over all calls; or the first error
 * of either stream. If the source fails, the bytes that were read before the error are still
 * written.
 * Cancel: waits. If the same call is made again, it continues. */
EDO_API EDO_MUST_USE edo_op edo_copy(edo_copier *copier);

/* Number of held bytes: taken and not given. Must not be called while an operation is in flight. */
EDO_API size_t edo_copier_held(const edo_copier *copier);

/* Takes held bytes out, in order. Must not be called while an operation is in flight. Returns:
 * number of bytes; a negative errno. */
EDO_API EDO_MUST_USE int64_t edo_copier_drain(edo_copier *copier, void *buffer, size_t size);

/* ---- both directions ---- */

typedef struct edo_relay {
    edo_copier ways[2]; // from the first stream to the second, and back
    int64_t status[2];  // result of each direction after the operation: bytes, or a negative errno
    int64_t idle;       // ns; longest time without a byte; 0: no limit
    int64_t idle_half;  // ns; as idle, but after one direction has ended; 0: the value of idle

    /* All below is private. */
    uint64_t moved;
    int64_t moved_at;
    bool done[2], timed_out;
    const edo_op *user;
} edo_relay;

/* Prepares a relay; each direction uses a half of the memory. Set the limits after this call. */
EDO_API void edo_relay_init(edo_relay *relay, edo_io *first, edo_io *second, void *memory,
                            size_t size);
EDO_API size_t edo_relay_deinit(edo_relay *relay); // as edo_copier_deinit()

/* Copies in both directions until both directions have ended. When the input of one stream ends,
 * the write side of the other stream is shut down, and the opposite direction continues. An error
 * ends both directions. relay->ways has the byte counts of each direction, and relay->status has
 * the results.
 * Result: 0; the first error; -ETIMEDOUT after a limit.
 * Cancel: waits. If the same call is made again, it continues. */
EDO_API EDO_MUST_USE edo_op edo_copy_both(edo_relay *relay);

/* ---- pipes ---- */

/* Copies bytes from a pipe to another pipe, inside the kernel. The bytes also remain in `from`.
 * Read them before the next edo_tee(), which otherwise copies the same bytes again. The operation
 * occupies the read side of `from` and the write side of `to`. It waits for one of the pipes at a
 * time. While it waits for one pipe, it does not see that the other pipe is closed.
 * Result: bytes, at least 1; 0 at the end of the input; -EINVAL for anything but two pipes, and for
 * size 0; -ENOTSUP for streams without a descriptor.
 * Cancel: waits; nothing was copied. */
EDO_API EDO_MUST_USE edo_op edo_tee(edo_io *from, edo_io *to, size_t size);

/* ---- files ---- */

/* A part of a file. The library moves the beginning of the range forward as bytes are copied. So
 * another call with the same range continues the copy. */
typedef struct edo_file_range {
    edo_fd file;
    uint64_t offset, size; // a size of UINT64_MAX: to the end of the file

    /* All below is private; zero before the first call. */
    void *memory;
    uint32_t start, end;
    bool is_direct;
    const edo_op *user;
    edo_op inner;
} edo_file_range;

/* Writes a part of a file to a stream. If the stream has a descriptor, the kernel moves the bytes
 * without copying them to the program. Reading the file may wait for the disk, and blocks the
 * worker meanwhile.
 * Result: bytes written, fewer than range->size if the file ends first; -ENOMEM.
 * Cancel: waits. After a cancellation or a failure, *range is the part that was not written. */
EDO_API EDO_MUST_USE edo_op edo_send_file(edo_io *to, edo_file_range *range);

/* A copy of a part of a file to another file. */
typedef struct edo_file_copy {
    edo_file_range from;
    edo_fd to;
    uint64_t offset; // position in the target, advanced by the copy; ignored if the target appends
} edo_file_copy;

/* Copies a part of a file to another file, on the runtime's pool "files". After a failure,
 * `from.offset` and `offset` are the positions behind the copied bytes.
 * Result: bytes copied, fewer than from.size if the file ends first; -ENOMEM, and the errors of
 * edo_blocking_on().
 * Cancel: waits until the current piece of a few megabytes is copied. *copy is then the part that
 * was not copied. */
EDO_API EDO_MUST_USE edo_op edo_copy_file(edo_file_copy *copy);

EDO_END_DECLS

/* Copying: from stream to stream, in both directions, from files.
 *
 * A copy is a struct in the frame, beside memory for its buffer, that knows how far it got. The
 * operation on it may be cancelled, and goes on when it is called again; until then what has left the
 * source and has not reached the target is held, and can be taken out.
 *
 *     edo_copier copier;                               // in the frame
 *     char memory[EDO_COPY_SIZE];
 *     ...
 *     edo_copier_init(&self->copier, self->from, self->to, self->memory, sizeof self->memory);
 *     edo_await(n, edo_copy(&self->copier));
 *     edo_copier_deinit(&self->copier);
 *
 * Streams are borrowed: they are closed by their holder, after the copy. Where both are descriptors
 * that never block, much data goes through a pipe of the kernel's instead of the memory.
 *
 * A copy belongs to one task at a time, with one operation in flight (-EBUSY for another one).
 */
#pragma once

#include <edo/buffered.h>

EDO_BEGIN_DECLS

enum { EDO_COPY_SIZE = 16384 }; // bytes of memory; enough for most uses; at least 1

/* ---- one direction ---- */

typedef struct edo_copier {
    uint64_t taken; // bytes that have left the source
    uint64_t given; // of them, those that have reached the target
    bool watches; // set by the user: the copy ends with -EPIPE when the peer of the target has hung
                  // up, also while the source is silent; of descriptors

    /* All below is private. */
    edo_io *from, *to;
    uint8_t *memory;
    size_t capacity, start, end; // held in memory: from start to end
    uint32_t piped;              // bytes held in the pipe, behind those in memory
    edo_fd pipe[2];              // -1: none
    int32_t failure;
    uint8_t splice;
    bool ended, target_failed, stops, watching;
    const edo_op *user;
    edo_op reading, writing;
} edo_copier;

EDO_API void edo_copier_init(edo_copier *copier, edo_io *from, edo_io *to, void *memory,
                             size_t size);

/* The same with what a reader has ahead, and then its stream. The reader's memory is the copy's from
 * then on, and the reader ends. */
EDO_API void edo_copier_init_reader(edo_copier *copier, edo_reader *reader, edo_io *to);

/* Ends a copy. Returns: bytes that it held, and that are lost. */
EDO_API size_t edo_copier_deinit(edo_copier *copier);

/* Copies to the end of the input. The write side of the target stays open.
 * Result: bytes that reached the target, by all calls; or the first error, of either stream. What was
 * read before an error of the source is still written.
 * Cancel: waits; the same call goes on. */
EDO_API EDO_MUST_USE edo_op edo_copy(edo_copier *copier);

/* Bytes held: taken and not given. Not while an operation is in flight. */
EDO_API size_t edo_copier_held(const edo_copier *copier);

/* Takes held bytes out, in their order. Returns: how many; a negative errno. Not while an operation is
 * in flight. */
EDO_API EDO_MUST_USE int64_t edo_copier_drain(edo_copier *copier, void *buffer, size_t size);

/* ---- both directions ---- */

typedef struct edo_relay {
    edo_copier ways[2]; // from the first stream to the second, and back
    int64_t status[2];  // of each: bytes, or a negative errno, once the operation has ended
    int64_t idle;       // most nanoseconds without a byte; 0: no limit
    int64_t idle_half;  // the same once one direction has ended; 0: as idle

    /* All below is private. */
    uint64_t moved;
    int64_t moved_at;
    bool done[2], timed_out;
    const edo_op *user;
} edo_relay;

/* Each direction gets half of the memory. The limits may be set after this call. */
EDO_API void edo_relay_init(edo_relay *relay, edo_io *first, edo_io *second, void *memory,
                            size_t size);
EDO_API size_t edo_relay_deinit(edo_relay *relay); // as edo_copier_deinit()

/* Copies in both directions until both have ended. The end of the input of one stream shuts down the
 * write side of the other; the opposite direction goes on. An error ends both directions; what each
 * has taken and given is in relay->ways, how it ended in relay->status.
 * Result: 0; the first error; -ETIMEDOUT when a limit has passed.
 * Cancel: waits; the same call goes on. */
EDO_API EDO_MUST_USE edo_op edo_copy_both(edo_relay *relay);

/* ---- files ---- */

/* A part of a file. It moves on as its bytes are copied: so the same call goes on. */
typedef struct edo_file_range {
    edo_fd file;
    uint64_t offset, size; // UINT64_MAX: to the end of the file

    /* All below is private: zeroed. */
    void *memory;
    uint32_t start, end;
    bool is_direct;
    const edo_op *user;
    edo_op inner;
} edo_file_range;

/* Writes a part of a file to a stream. If the stream is a descriptor, the bytes do not pass through
 * the program. Reading may wait for the disk, and then blocks the worker.
 * Result: bytes written; fewer than size when the file ends before. -ENOMEM.
 * Cancel: waits; range is then the rest. The same holds on failure. */
EDO_API EDO_MUST_USE edo_op edo_send_file(edo_io *to, edo_file_range *range);

/* Copies a part of a file to another one, on the runtime's pool "files". On failure, both offsets
 * include the bytes copied by then. */
typedef struct edo_file_copy {
    edo_file_range from;
    edo_fd to;
    uint64_t offset; // in the target; advances. Ignored by a target opened to append
} edo_file_copy;

/* Result: bytes copied; fewer than from.size when the file ends before. -ENOMEM, and as
 * edo_blocking_on().
 * Cancel: waits for some megabytes; copy has the rest. */
EDO_API EDO_MUST_USE edo_op edo_copy_file(edo_file_copy *copy);

EDO_END_DECLS

/* Buffered streams: readers and writers.
 *
 * An edo_reader reads a stream in large pieces and returns small pieces: lines, parts between
 * delimiters, numbers, peeked bytes. An edo_writer collects small pieces and writes large pieces.
 * Readers and writers are plain structs in a frame, beside memory for their buffer, and allocate
 * nothing. They borrow the stream. The owner of the stream closes it after the last use of the
 * reader and the writer.
 *
 *     edo_reader in;                                   // in the frame
 *     char memory[EDO_BUFFERED_SIZE];
 *     edo_slice line;
 *     ...
 *     edo_reader_init(&self->in, self->io, self->memory, sizeof self->memory);
 *     for (;;) {
 *         edo_await(n, edo_read_line(&self->in, &self->line));
 *         if (n <= 0) break;
 *         ... self->line.data, self->line.size: valid until the next call with this reader
 *     }
 *
 * A cancelled operation loses nothing. Bytes that were read remain in the reader, and unwritten
 * bytes remain in the writer. The next operation continues with these bytes. A reader or writer
 * belongs to one task at a time, and has at most one operation in flight. A second operation of
 * this task answers -EBUSY. The reader and the writer of one stream may belong to two tasks.
 *
 * Input is bounded. The reader's memory bounds a line, and the argument `limit` bounds an
 * edo_buffer. Larger input is answered with -EMSGSIZE.
 *
 * A transfer of at least the memory's size goes directly between the stream and the caller's
 * buffer, if there are no bytes in the memory.
 *
 * Errors of all operations here: those of the stream, -EBUSY, -ECANCELED, and -EINVAL if a reader,
 * a writer or a ret_* is NULL.
 */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

enum {
    EDO_BUFFERED_SIZE = 8192, // bytes; enough memory for most uses
    EDO_BUFFERED_LEAST = 16,  // bytes; smallest permitted memory
};

/* All members are private. */
typedef struct edo_reader {
    edo_io *io;
    uint8_t *memory;
    size_t capacity, start, end; // unread bytes: from start to end
    size_t scanned;              // unread bytes known to contain no delimiter
    const edo_op *user;          // operation in flight
    uint8_t delimiter;           // the delimiter that `scanned` refers to
    bool skips;                  // the rest of an oversized part must be skipped
    bool is_whole;               // the last part had its delimiter
    edo_op inner;                // operation on the stream; in flight while base.ops is set
} edo_reader;

typedef struct edo_writer {
    edo_io *io;
    uint8_t *memory;
    size_t capacity, start, end; // unwritten bytes: from start to end
    const edo_op *user;
    edo_op inner;
} edo_writer;

/* A reader and a writer for one stream. */
typedef struct edo_buffered {
    edo_reader in;
    edo_writer out;
} edo_buffered;

/* Prepares a reader or a writer. Neither the struct nor the memory may move afterwards.
 * memory: at least EDO_BUFFERED_LEAST bytes; a smaller size aborts. */
EDO_API void edo_reader_init(edo_reader *reader, edo_io *io, void *memory, size_t size);
EDO_API void edo_writer_init(edo_writer *writer, edo_io *io, void *memory, size_t size);

/* Prepares a reader and a writer for one stream. Each uses one half of the memory. */
EDO_API void edo_buffered_init(edo_buffered *both, edo_io *io, void *memory, size_t size);

/* ---- reading ---- */

/* Returns the bytes ahead. These are the bytes that were read from the stream into the reader, but
 * have not been taken from the reader yet. Process the bytes ahead before you read the stream
 * without the reader. */
EDO_API edo_slice edo_reader_ahead(const edo_reader *reader);

/* Drops the first `size` of the bytes ahead. Returns: 0; -EINVAL: `size` is more than the number of
 * bytes ahead. */
EDO_API EDO_MUST_USE int edo_reader_consume(edo_reader *reader, size_t size);

/* Waits until at least `size` bytes are ahead, or the input ends. Takes none of the bytes ahead.
 * size: 1 to the size of the memory, else -EINVAL.
 * Result: number of bytes ahead, with *ret_ahead. At the end of the input, the number may be less
 * than `size`, or 0. *ret_ahead refers to the bytes ahead, and is valid until the next call with
 * this reader.
 * Cancel: waits; nothing was taken. */
EDO_API EDO_MUST_USE edo_op edo_peek(edo_reader *reader, size_t size, edo_slice *ret_ahead);

/* As edo_read(). Cancel: waits; no byte is lost. */
EDO_API EDO_MUST_USE edo_op edo_reader_read(edo_reader *reader, void *buffer, size_t size);

/* As edo_read_exact().
 * Cancel: waits. If `size` is at most the size of the memory, nothing was taken. Otherwise `buffer`
 * has the bytes that were read before the cancellation, and edo_op_progress() returns their
 * number. */
EDO_API EDO_MUST_USE edo_op edo_reader_read_exact(edo_reader *reader, void *buffer, size_t size);

/* Reads a line, without its "\n" or "\r\n". *ret_line is valid until the next call with this
 * reader.
 * Result: 1; 0 at the end of the input; -EMSGSIZE for a line larger than the memory. After
 * -EMSGSIZE, the next call skips the rest of that line. The last line may lack its delimiter; see
 * edo_reader_was_whole().
 * Cancel: waits; nothing was taken. */
EDO_API EDO_MUST_USE edo_op edo_read_line(edo_reader *reader, edo_slice *ret_line);

/* As edo_read_line(), but reads a part that ends with the given delimiter. *ret_part does not
 * contain the delimiter. */
EDO_API EDO_MUST_USE edo_op edo_read_part(edo_reader *reader, uint8_t delimiter,
                                          edo_slice *ret_part);

/* These calls take a line or a part from the bytes ahead, without waiting. They cost less than an
 * operation. A loop around such a call does not starve other tasks, because the reader's memory is
 * bounded. When no whole line is left in the memory, the call returns -EAGAIN, and the loop must
 * await more bytes.
 * Returns: 1; -EAGAIN: more bytes must be read first; -EMSGSIZE, -EBUSY, -EINVAL as above.
 * Thread: that of the task. */
EDO_API EDO_MUST_USE int edo_try_read_line(edo_reader *reader, edo_slice *ret_line);
EDO_API EDO_MUST_USE int edo_try_read_part(edo_reader *reader, uint8_t delimiter,
                                           edo_slice *ret_part);

/* Whether the last line or part had its delimiter. If not, the input ended there. */
EDO_API bool edo_reader_was_whole(const edo_reader *reader);

/* Appends bytes to a buffer, up to and including a delimiter, or to the end of the input.
 * limit: greatest number of bytes in the buffer.
 * Result: bytes appended; 0 at the end of the input; -EMSGSIZE: the next bytes would exceed the
 * limit; -ENOMEM.
 * Cancel: waits. The buffer has the bytes that were read before the cancellation. If the same call
 * is made again, it continues. */
EDO_API EDO_MUST_USE edo_op edo_read_until(edo_reader *reader, uint8_t delimiter,
                                           edo_buffer *buffer, size_t limit);

/* As edo_read_until(), but reads to the end of the input. */
EDO_API EDO_MUST_USE edo_op edo_read_to_end(edo_reader *reader, edo_buffer *buffer, size_t limit);

/* As edo_read_to_end(). Result: also -EILSEQ if the bytes in the buffer are not UTF-8. The bytes
 * remain in the buffer even after that error. */
EDO_API EDO_MUST_USE edo_op edo_read_text(edo_reader *reader, edo_buffer *buffer, size_t limit);

/* Whether bytes are UTF-8 (RFC 3629). */
EDO_API bool edo_is_utf8(const void *data, size_t size);

/* ---- writing ---- */

/* Ends a writer. The stream stays open.
 * Returns: number of unwritten bytes, which are lost; 0 after edo_flush(). Debug builds log a
 * warning about lost bytes. */
EDO_API size_t edo_writer_deinit(edo_writer *writer);

/* Number of unwritten bytes in the memory. */
EDO_API size_t edo_writer_pending(const edo_writer *writer);

/* Takes all of the bytes. They are copied into the memory, or written directly to the stream.
 * Result: size.
 * Cancel: waits. After a cancellation or a failure, the first edo_op_progress() bytes were
 * taken. */
EDO_API EDO_MUST_USE edo_op edo_writer_write(edo_writer *writer, const void *data, size_t size);

/* Writes formatted text, as printf(3). The text is formatted before the call returns, in memory
 * that the call allocates.
 * Result: bytes; -ENOMEM, -EILSEQ. Cancel: as edo_writer_write(). */
EDO_API EDO_MUST_USE edo_op edo_printf(edo_writer *writer, const char *format, ...)
    EDO_PRINTF(2, 3);

/* Writes all bytes in the memory to the stream.
 * Result: 0.
 * Cancel: waits. After a cancellation or a failure, unwritten bytes stay in the memory. */
EDO_API EDO_MUST_USE edo_op edo_flush(edo_writer *writer);

/* Writes all bytes of a chain to a stream, with few system calls. Written bytes are removed from
 * the chain. The caller must not change the chain before the operation is ready.
 * Result: bytes written.
 * Cancel: waits. After a cancellation or a failure, unwritten bytes stay in the chain. */
EDO_API EDO_MUST_USE edo_op edo_write_chain(edo_io *io, edo_chain *chain);

/* ---- numbers ---- */

EDO_API EDO_MUST_USE edo_op edo__read_number(edo_reader *reader, void *ret_value, size_t size,
                                             bool little);
EDO_API EDO_MUST_USE edo_op edo__write_number(edo_writer *writer, const void *value, size_t size,
                                              bool little);

/* These two operations exist for each type of number in edo/bytes.h. For u32:
 *
 *     edo_op edo_read_u32(edo_reader *reader, uint32_t *ret_value);
 *
 * Result: 0; -EDO_EOF if the input ends first. Cancel: waits; nothing was taken.
 *
 *     edo_op edo_write_u32(edo_writer *writer, uint32_t value);
 *
 * Result: 0. Cancel: waits; no byte of the number will be written. */
#define EDO__DEFINE_NUMBER_OPS(name, type, little)                                                 \
    static inline EDO_MUST_USE edo_op edo_read_##name(edo_reader *reader, type *ret_value)         \
    {                                                                                              \
        return edo__read_number(reader, ret_value, sizeof(type), little);                          \
    }                                                                                              \
    static inline EDO_MUST_USE edo_op edo_write_##name(edo_writer *writer, type value)             \
    {                                                                                              \
        return edo__write_number(writer, &value, sizeof(type), little);                            \
    }

EDO__NUMBERS(EDO__DEFINE_NUMBER_OPS)

EDO_END_DECLS

/* Buffered streams: readers, writers.
 *
 * An edo_reader reads a stream in large pieces and gives it out in small ones: lines, parts between
 * delimiters, numbers, what lies ahead. An edo_writer collects small pieces and writes large ones.
 * Both are plain structs that lie in a frame, beside memory for their buffer, and allocate nothing.
 * They borrow the stream, which is closed by its holder after them.
 *
 *     edo_reader in;                                   // in the frame
 *     char memory[EDO_BUFFERED_SIZE];
 *     edo_slice line;
 *     ...
 *     edo_reader_init(&self->in, self->io, self->memory, sizeof self->memory);
 *     for (;;) {
 *         edo_await(n, edo_read_line(&self->in, &self->line));
 *         if (n <= 0) break;
 *         ... self->line.data, self->line.size: until the next call with this reader
 *     }
 *
 * Cancelled operations lose nothing: what was read stays in the reader, what is to be written stays
 * in the writer, and the next operation goes on with it. Each has one operation in flight (-EBUSY
 * for another one of the same task), and belongs to one task at a time. Reader and writer of one
 * stream may belong to two.
 *
 * Sizes are bounded: a line by the reader's memory, an edo_buffer by the limit that is given with
 * it. Beyond them the result is -EMSGSIZE.
 *
 * A transfer at least as large as the memory bypasses it while it is empty.
 *
 * Errors, for all operations here: those of the stream, -EBUSY, -ECANCELED, and -EINVAL for NULL in
 * place of a reader, a writer or a ret_*.
 */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

enum {
    EDO_BUFFERED_SIZE = 8192, // bytes of memory; enough for most uses
    EDO_BUFFERED_LEAST = 16,
};

/* All members are private. */
typedef struct edo_reader {
    edo_io *io;
    uint8_t *memory;
    size_t capacity, start, end; // unread: from start to end
    size_t scanned;              // unread bytes known to hold no delimiter
    const edo_op *user;          // in flight
    uint8_t delimiter;
    bool skips;    // the rest of a part that was too large is still to be dropped
    bool is_whole; // the last part had its delimiter
    edo_op inner;  // on the stream; in flight while base.ops is set
} edo_reader;

typedef struct edo_writer {
    edo_io *io;
    uint8_t *memory;
    size_t capacity, start, end; // unwritten: from start to end
    const edo_op *user;
    edo_op inner;
} edo_writer;

/* A reader and a writer of one stream. */
typedef struct edo_buffered {
    edo_reader in;
    edo_writer out;
} edo_buffered;

/* memory: at least EDO_BUFFERED_LEAST bytes, else the process ends. Memory, reader and writer must
 * not move. */
EDO_API void edo_reader_init(edo_reader *reader, edo_io *io, void *memory, size_t size);
EDO_API void edo_writer_init(edo_writer *writer, edo_io *io, void *memory, size_t size);

/* Initializes a reader and a writer; each gets half of the memory. */
EDO_API void edo_buffered_init(edo_buffered *both, edo_io *io, void *memory, size_t size);

/* ---- reading ---- */

/* Bytes read from the stream that the reader still holds, for a caller that goes on without the
 * reader. */
EDO_API edo_slice edo_reader_ahead(const edo_reader *reader);

/* Drops bytes that lie ahead. Returns: 0; -EINVAL: more than there are. */
EDO_API EDO_MUST_USE int edo_reader_consume(edo_reader *reader, size_t size);

/* Waits until at least size bytes lie ahead, or the input ends; takes none of them.
 * size: 1 to the size of the memory, else -EINVAL.
 * Result: bytes ahead, all of which are in *ret_ahead until the next call; fewer than size at the
 * end of the input, 0 for none.
 * Cancel: waits; nothing was taken. */
EDO_API EDO_MUST_USE edo_op edo_peek(edo_reader *reader, size_t size, edo_slice *ret_ahead);

/* As edo_read(). Cancel: waits; no byte is lost. */
EDO_API EDO_MUST_USE edo_op edo_reader_read(edo_reader *reader, void *buffer, size_t size);

/* As edo_read_exact().
 * Cancel: waits. If the memory can hold size bytes, none was taken. Otherwise the bytes read by
 * then are in the buffer; edo_op_progress() is their number. */
EDO_API EDO_MUST_USE edo_op edo_reader_read_exact(edo_reader *reader, void *buffer, size_t size);

/* Reads a line, without its "\n" or "\r\n". *ret_line is valid until the next call with this reader.
 * Result: 1; 0 at the end of the input; -EMSGSIZE for a line that does not fit the memory; the next
 * call skips its rest. The last line may lack its end, see edo_reader_was_whole().
 * Cancel: waits; nothing was taken. */
EDO_API EDO_MUST_USE edo_op edo_read_line(edo_reader *reader, edo_slice *ret_line);

/* The same up to a delimiter, which is left out. */
EDO_API EDO_MUST_USE edo_op edo_read_part(edo_reader *reader, uint8_t delimiter,
                                          edo_slice *ret_part);

/* The same for bytes that are already in the memory. These calls never wait, and cost less than an
 * operation. The memory holds few enough lines that a loop of such calls soon reaches an await.
 * Returns: 1; -EAGAIN when more is to be read; -EMSGSIZE, -EBUSY, -EINVAL as above. Thread: that of the
 * task. */
EDO_API EDO_MUST_USE int edo_try_read_line(edo_reader *reader, edo_slice *ret_line);
EDO_API EDO_MUST_USE int edo_try_read_part(edo_reader *reader, uint8_t delimiter,
                                           edo_slice *ret_part);

/* Whether the last line or part had its delimiter; if not, the input ended there. */
EDO_API bool edo_reader_was_whole(const edo_reader *reader);

/* Appends bytes to a buffer up to a delimiter, with it, or to the end of the input.
 * limit: greatest size of the buffer.
 * Result: bytes appended, 0 at the end; -EMSGSIZE: the next bytes would exceed the limit;
 * -ENOMEM.
 * Cancel: waits; the bytes read so far are in the buffer. The same call goes on. */
EDO_API EDO_MUST_USE edo_op edo_read_until(edo_reader *reader, uint8_t delimiter,
                                           edo_buffer *buffer, size_t limit);

/* The same up to the end of the input. */
EDO_API EDO_MUST_USE edo_op edo_read_to_end(edo_reader *reader, edo_buffer *buffer, size_t limit);

/* The same. Result: also -EILSEQ if the buffer is not UTF-8 afterwards; it holds the bytes even
 * so. */
EDO_API EDO_MUST_USE edo_op edo_read_text(edo_reader *reader, edo_buffer *buffer, size_t limit);

/* Whether bytes are UTF-8 (RFC 3629). */
EDO_API bool edo_is_utf8(const void *data, size_t size);

/* ---- writing ---- */

/* Ends a writer. The stream stays with its holder.
 * Returns: bytes that were not written, and are lost; edo_flush() before makes it 0. The log of debug
 * builds warns of them. */
EDO_API size_t edo_writer_deinit(edo_writer *writer);

/* Bytes that wait in the memory. */
EDO_API size_t edo_writer_pending(const edo_writer *writer);

/* Writes all of the bytes: into the memory, or directly to the stream.
 * Result: size.
 * Cancel: waits; the first edo_op_progress() bytes were taken. The same holds on failure. */
EDO_API EDO_MUST_USE edo_op edo_writer_write(edo_writer *writer, const void *data, size_t size);

/* Formatted text, as printf(3). The text is formatted by the call itself, in allocated memory.
 * Result: bytes; -ENOMEM, -EILSEQ. Cancel: as edo_writer_write(). */
EDO_API EDO_MUST_USE edo_op edo_printf(edo_writer *writer, const char *format, ...)
    EDO_PRINTF(2, 3);

/* Writes what waits in the memory.
 * Result: 0.
 * Cancel: waits; the rest stays in the memory. The same holds on failure. */
EDO_API EDO_MUST_USE edo_op edo_flush(edo_writer *writer);

/* Writes all of a chain to a stream, with few calls. What was written leaves the chain, which must
 * not change meanwhile.
 * Result: bytes written.
 * Cancel: waits; the rest stays in the chain. The same holds on failure. */
EDO_API EDO_MUST_USE edo_op edo_write_chain(edo_io *io, edo_chain *chain);

/* ---- numbers ---- */

EDO_API EDO_MUST_USE edo_op edo__read_number(edo_reader *reader, void *ret_value, size_t size,
                                             bool little);
EDO_API EDO_MUST_USE edo_op edo__write_number(edo_writer *writer, const void *value, size_t size,
                                              bool little);

/* For each number of edo/bytes.h:
 *
 *     edo_op edo_read_u32(edo_reader *reader, uint32_t *ret_value);
 *
 * Result: 0; -EDO_EOF when the input ends before the last byte. Cancel: waits; nothing was taken.
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

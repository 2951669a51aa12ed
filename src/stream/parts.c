/* Buffered readers: lines, parts, and reads into the user's buffer. */
#include "stream/reader.h"

#include <string.h>

/* Bits of an operation's detail: the delimiter, and flags. */
enum {
    DELIMITER = 0xff,
    IS_LINE = 1 << 8, // leaves out a "\r" before the delimiter
    TO_END = 1 << 9,  // reads to the end of the input, without a delimiter
    IS_TEXT = 1 << 10,
};

/* Finds the delimiter in the bytes ahead. Returns: the number of bytes before the delimiter; the
 * number of all bytes ahead if none of them is the delimiter. */
static size_t find(edo_reader *reader, uint8_t delimiter)
{
    size_t count = edo__reader_count(reader);
    if (reader->delimiter != delimiter) reader->scanned = 0;
    reader->delimiter = delimiter;
    const uint8_t *first = edo__reader_first(reader);
    const uint8_t *found = memchr(first + reader->scanned, delimiter, count - reader->scanned);
    if (!found) reader->scanned = count;
    return found ? (size_t)(found - first) : count;
}

/* ---- parts of the memory ---- */

/* Skips the rest of a part that was too large. Returns: whether the whole rest was skipped. */
static bool skip(edo_reader *reader, uint8_t delimiter)
{
    size_t count = edo__reader_count(reader), place = find(reader, delimiter);
    reader->skips = place == count;
    edo__reader_drop(reader, place < count ? place + 1 : count);
    return !reader->skips;
}

static int give_part(edo_reader *reader, uint32_t detail, size_t size, bool is_whole,
                     edo_slice *part)
{
    *part = (edo_slice){ reader->memory + reader->start, size };
    edo__reader_drop(reader, size + is_whole);
    reader->is_whole = is_whole;
    bool has_return = size && ((const char *)part->data)[size - 1] == '\r';
    if ((detail & IS_LINE) && is_whole && has_return) part->size--;
    return 1;
}

/* Takes a part from the bytes ahead. Returns: 1: *ret_part was set; -EMSGSIZE; -EAGAIN: more must
 * be read. */
static int take_part(edo_reader *reader, uint32_t detail, edo_slice *ret_part)
{
    uint8_t delimiter = detail & DELIMITER;
    if (reader->skips && !skip(reader, delimiter)) return -EAGAIN;
    size_t count = edo__reader_count(reader), place = find(reader, delimiter);
    if (place < count) return give_part(reader, detail, place, true, ret_part);
    if (count < reader->capacity) return -EAGAIN;
    reader->skips = true;
    edo__reader_drop(reader, count);
    return -EMSGSIZE;
}

/* Takes the last part, at the end of the input. */
static int take_last(edo_reader *reader, const edo_op *op)
{
    size_t count = edo__reader_count(reader);
    return count ? give_part(reader, op->detail, count, false, op->data) : 0;
}

static edo_poll part_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    int64_t result, n;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    while ((result = take_part(reader, op->detail, op->data)) == -EAGAIN) {
        if (edo__reader_fill(reader, cx, &n) == EDO_PENDING) return EDO_PENDING;
        if (n <= 0) {
            result = n < 0 ? n : take_last(reader, op);
            break;
        }
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    return edo__user_ends(&reader->user, op, cx, result);
}

static edo_op part(const edo_future_ops *ops, edo_reader *reader, uint32_t detail,
                   edo_slice *ret_part)
{
    edo__check_memory(ops->name, ret_part, "slice");
    if (!reader || !ret_part) return edo__op_refuse(-EINVAL);
    return edo__op(ops, reader, ret_part, 0, detail);
}

edo_op edo_read_line(edo_reader *reader, edo_slice *ret_line)
{
    static const edo_future_ops ops = { .name = "edo_read_line", .poll = part_poll };
    return part(&ops, reader, '\n' | IS_LINE, ret_line);
}

edo_op edo_read_part(edo_reader *reader, uint8_t delimiter, edo_slice *ret_part)
{
    static const edo_future_ops ops = { .name = "edo_read_part", .poll = part_poll };
    return part(&ops, reader, delimiter, ret_part);
}

static int try_part(edo_reader *reader, uint32_t detail, edo_slice *ret_part)
{
    if (!reader || !ret_part) return -EINVAL;
    return reader->user ? -EBUSY : take_part(reader, detail, ret_part);
}

int edo_try_read_line(edo_reader *reader, edo_slice *ret_line)
{
    return try_part(reader, '\n' | IS_LINE, ret_line);
}

int edo_try_read_part(edo_reader *reader, uint8_t delimiter, edo_slice *ret_part)
{
    return try_part(reader, delimiter, ret_part);
}

/* ---- into the user's buffer ---- */

/* Moves bytes ahead to the buffer, up to the delimiter if there is one. Returns: 1: the delimiter
 * was moved; 0: the delimiter was not moved; a negative errno. */
static int move_ahead(edo_reader *reader, edo_op *op)
{
    edo_buffer *buffer = op->data;
    size_t count = edo__reader_count(reader), size = count;
    if (!(op->detail & TO_END)) size = find(reader, op->detail & DELIMITER);
    bool is_last = size < count;
    size += is_last;
    size_t room = buffer->size < op->length ? op->length - buffer->size : 0;
    if (size > room) return -EMSGSIZE;
    int rc = edo_buffer_append(buffer, edo__reader_first(reader), size);
    if (rc < 0) return rc;
    edo__reader_drop(reader, size);
    op->progress += size;
    return is_last;
}

/* Reads from the stream directly into the user's buffer. Called only for reads to the end of the
 * input, while the buffer has not reached its limit. */
static edo_poll read_past(edo_reader *reader, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    edo_buffer *buffer = op->data;
    if (!edo__inner_is_set(&reader->inner)) {
        int rc = edo_buffer_reserve(buffer, 1);
        *ret_n = rc;
        if (rc < 0) return EDO_READY;
    }
    size_t room = edo_buffer_room(buffer), most = op->length - buffer->size;
    if (room > most) room = most;
    edo_poll poll = edo__reader_bypass(reader, edo_buffer_tail(buffer), room, cx, ret_n);
    if (poll == EDO_READY && *ret_n > 0) {
        buffer->size += (size_t)*ret_n;
        op->progress += (uint64_t)*ret_n;
    }
    return poll;
}

/* Whether to read directly into the user's buffer. Such reads begin when the buffer has as many
 * bytes as the reader's memory can hold. A buffer doubles its size when it grows. So from then on,
 * the buffer has enough room for large reads. */
static bool goes_past(const edo_reader *reader, const edo_op *op)
{
    const edo_buffer *buffer = op->data;
    return (op->detail & TO_END) && buffer->size >= reader->capacity && buffer->size < op->length;
}

static edo_poll read_more(edo_reader *reader, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    return goes_past(reader, op) ? read_past(reader, op, cx, ret_n)
                                 : edo__reader_fill(reader, cx, ret_n);
}

/* Performs one step of a read into the user's buffer. Bytes ahead are moved first, even after a
 * cancellation. */
static edo_poll until_step(edo_reader *reader, edo_op *op, edo_cx *cx, int64_t *ret_result)
{
    for (;;) {
        int64_t n = edo__inner_is_set(&reader->inner) ? 0 : move_ahead(reader, op);
        *ret_result = n < 0 ? n : (int64_t)op->progress;
        if (n != 0) return EDO_READY;
        if (read_more(reader, op, cx, &n) == EDO_PENDING) return EDO_PENDING;
        *ret_result = n < 0 ? n : (int64_t)op->progress;
        if (n <= 0) return EDO_READY;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

static edo_poll until_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    const edo_buffer *buffer = op->data;
    int64_t result;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (until_step(reader, op, cx, &result) == EDO_PENDING) return EDO_PENDING;
    bool is_text = op->detail & IS_TEXT;
    if (result >= 0 && is_text && !edo_is_utf8(buffer->data, buffer->size)) result = -EILSEQ;
    return edo__user_ends(&reader->user, op, cx, result);
}

static edo_op until(const edo_future_ops *ops, edo_reader *reader, uint32_t detail,
                    edo_buffer *buffer, size_t limit)
{
    edo__check_memory(ops->name, buffer, "buffer");
    if (!reader || !buffer) return edo__op_refuse(-EINVAL);
    return edo__op(ops, reader, buffer, limit, detail);
}

edo_op edo_read_until(edo_reader *reader, uint8_t delimiter, edo_buffer *buffer, size_t limit)
{
    static const edo_future_ops ops = { .name = "edo_read_until", .poll = until_poll };
    return until(&ops, reader, delimiter, buffer, limit);
}

edo_op edo_read_to_end(edo_reader *reader, edo_buffer *buffer, size_t limit)
{
    static const edo_future_ops ops = { .name = "edo_read_to_end", .poll = until_poll };
    return until(&ops, reader, TO_END, buffer, limit);
}

edo_op edo_read_text(edo_reader *reader, edo_buffer *buffer, size_t limit)
{
    static const edo_future_ops ops = { .name = "edo_read_text", .poll = until_poll };
    return until(&ops, reader, TO_END | IS_TEXT, buffer, limit);
}

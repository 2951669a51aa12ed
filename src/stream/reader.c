/* Buffered readers: bytes, exact counts, numbers, peeks. */
#include "stream/reader.h"

#include <string.h>

#include "base/base.h"

void edo_reader_init(edo_reader *reader, edo_io *io, void *memory, size_t size)
{
    if (!memory || size < EDO_BUFFERED_LEAST)
        edo__misuse("edo_reader_init", "a reader needs memory of at least %d bytes",
                    EDO_BUFFERED_LEAST);
    *reader = (edo_reader){ .io = io, .memory = memory, .capacity = size, .is_whole = true };
}

edo_slice edo_reader_ahead(const edo_reader *reader)
{
    return (edo_slice){ reader->memory + reader->start, edo__reader_count(reader) };
}

int edo_reader_consume(edo_reader *reader, size_t size)
{
    if (size > edo__reader_count(reader)) return -EINVAL;
    edo__reader_drop(reader, size);
    return 0;
}

bool edo_reader_was_whole(const edo_reader *reader)
{
    return reader->is_whole;
}

/* ---- reading more ---- */

static edo_op begin_fill(edo_reader *reader)
{
    size_t count = edo__reader_count(reader);
    if (reader->start) memmove(reader->memory, edo__reader_first(reader), count);
    reader->start = 0;
    reader->end = count;
    return edo_read(reader->io, reader->memory + count, reader->capacity - count);
}

edo_poll edo__reader_fill(edo_reader *reader, edo_cx *cx, int64_t *ret_n)
{
    if (!edo__inner_is_set(&reader->inner)) reader->inner = begin_fill(reader);
    if (edo__inner_poll(&reader->inner, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    if (*ret_n > 0) reader->end += (size_t)*ret_n;
    return EDO_READY;
}

edo_poll edo__reader_bypass(edo_reader *reader, void *buffer, size_t size, edo_cx *cx,
                            int64_t *ret_n)
{
    if (!edo__inner_is_set(&reader->inner)) reader->inner = edo_read(reader->io, buffer, size);
    return edo__inner_poll(&reader->inner, cx, ret_n);
}

/* Waits until `size` bytes lie ahead. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n:
 * the number of bytes ahead (fewer than `size` only at the end of the input), or a negative
 * errno. */
static edo_poll await_ahead(edo_reader *reader, size_t size, edo_cx *cx, int64_t *ret_n)
{
    while (edo__reader_count(reader) < size) {
        if (edo__reader_fill(reader, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
        if (*ret_n < 0) return EDO_READY;
        if (*ret_n == 0) break;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    *ret_n = (int64_t)edo__reader_count(reader);
    return EDO_READY;
}

/* ---- operations ---- */

static edo_poll peek_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    int64_t n;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (await_ahead(reader, op->length, cx, &n) == EDO_PENDING) return EDO_PENDING;
    if (n >= 0) *(edo_slice *)op->data = edo_reader_ahead(reader);
    return edo__user_ends(&reader->user, op, cx, n);
}

edo_op edo_peek(edo_reader *reader, size_t size, edo_slice *ret_ahead)
{
    static const edo_future_ops ops = { .name = "edo_peek", .poll = peek_poll };
    edo__check_memory("edo_peek", ret_ahead, "slice");
    if (!reader || !ret_ahead || size < 1 || size > reader->capacity)
        return edo__op_refuse(-EINVAL);
    return edo__op(&ops, reader, ret_ahead, size, 0);
}

/* Takes as many of the bytes ahead as fit into the rest of the operation's buffer. */
static size_t take_ahead(edo_reader *reader, edo_op *op)
{
    size_t count = edo__reader_count(reader), rest = op->length - op->progress;
    if (count > rest) count = rest;
    if (count) memcpy((char *)op->data + op->progress, edo__reader_first(reader), count);
    edo__reader_drop(reader, count);
    op->progress += count;
    return count;
}

/* Performs one read, into the operation's buffer or into the reader's memory. Returns: EDO_PENDING;
 * or EDO_READY with the result in *ret_n: the number of bytes, or a negative errno. */
static edo_poll read_some(edo_reader *reader, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    char *rest = (char *)op->data + op->progress;
    uint64_t size = op->length - op->progress;
    edo_poll poll = size >= reader->capacity ? edo__reader_bypass(reader, rest, size, cx, ret_n)
                                             : edo__reader_fill(reader, cx, ret_n);
    if (poll == EDO_READY && *ret_n > 0) {
        if (size >= reader->capacity)
            op->progress += (uint64_t)*ret_n;
        else
            take_ahead(reader, op);
    }
    return poll;
}

static edo_poll read_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    int64_t n = 0;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    bool begins = !edo__inner_is_set(&reader->inner);
    bool is_done = op->length == 0 || (begins && take_ahead(reader, op));
    if (!is_done && read_some(reader, op, cx, &n) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&reader->user, op, cx, n < 0 ? n : (int64_t)op->progress);
}

edo_op edo_reader_read(edo_reader *reader, void *buffer, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_reader_read", .poll = read_poll };
    edo__check_memory("edo_reader_read", buffer, "buffer");
    return reader ? edo__op(&ops, reader, buffer, size, 0) : edo__op_refuse(-EINVAL);
}

/* Reads an exact number of bytes. If that number fits into the reader's memory, either all bytes
 * are taken or none. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: a positive
 * number if all bytes were read, 0 at the end, or a negative errno. */
static edo_poll read_exactly(edo_reader *reader, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    while (op->length - op->progress > reader->capacity) {
        if (!edo__inner_is_set(&reader->inner) && take_ahead(reader, op)) continue;
        if (read_some(reader, op, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
        if (*ret_n <= 0) return EDO_READY;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    size_t rest = op->length - op->progress;
    if (await_ahead(reader, rest, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    if (*ret_n >= 0 && (size_t)*ret_n < rest) *ret_n = 0;
    if (*ret_n > 0) take_ahead(reader, op);
    return EDO_READY;
}

static edo_poll exact_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    int64_t n = 1;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (op->length && read_exactly(reader, op, cx, &n) == EDO_PENDING) return EDO_PENDING;
    int64_t result = n < 0 ? n : n == 0 ? -EDO_EOF : (int64_t)op->length;
    return edo__user_ends(&reader->user, op, cx, result);
}

edo_op edo_reader_read_exact(edo_reader *reader, void *buffer, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_reader_read_exact", .poll = exact_poll };
    edo__check_memory("edo_reader_read_exact", buffer, "buffer");
    return reader ? edo__op(&ops, reader, buffer, size, 0) : edo__op_refuse(-EINVAL);
}

/* ---- numbers ---- */

static edo_poll number_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_reader *reader = op->object;
    int64_t n;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&reader->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (await_ahead(reader, op->length, cx, &n) == EDO_PENDING) return EDO_PENDING;
    if (n >= 0 && (uint64_t)n < op->length) n = -EDO_EOF;
    if (n < 0) return edo__user_ends(&reader->user, op, cx, n);
    edo__order_number(op->data, edo__reader_first(reader), op->length, op->detail);
    edo__reader_drop(reader, op->length);
    return edo__user_ends(&reader->user, op, cx, 0);
}

edo_op edo__read_number(edo_reader *reader, void *ret_value, size_t size, bool little)
{
    static const edo_future_ops ops = { .name = "edo_read of a number", .poll = number_poll };
    edo__check_memory("edo_read of a number", ret_value, "variable");
    if (!reader || !ret_value) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, reader, ret_value, size, little);
}

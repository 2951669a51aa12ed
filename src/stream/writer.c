/* Buffered writers. */
#include <edo/buffered.h>

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "stream/inner.h"

void edo_writer_init(edo_writer *writer, edo_io *io, void *memory, size_t size)
{
    if (!memory || size < EDO_BUFFERED_LEAST)
        edo__misuse("edo_writer_init", "a writer needs memory of at least %d bytes",
                    EDO_BUFFERED_LEAST);
    *writer = (edo_writer){ .io = io, .memory = memory, .capacity = size };
}

void edo_buffered_init(edo_buffered *both, edo_io *io, void *memory, size_t size)
{
    edo_reader_init(&both->in, io, memory, size / 2);
    edo_writer_init(&both->out, io, (char *)memory + size / 2, size - size / 2);
}

size_t edo_writer_pending(const edo_writer *writer)
{
    return writer->end - writer->start;
}

size_t edo_writer_deinit(edo_writer *writer)
{
    size_t lost = edo_writer_pending(writer);
    if (EDO_DEBUG && lost)
        edo__log(EDO_LOG_WARN, "edo_writer_deinit: %zu bytes were not flushed, and are lost", lost);
    writer->start = writer->end = 0;
    return lost;
}

/* ---- writing out ---- */

/* Performs one write of the bytes in the memory. The bytes that were written are removed from the
 * memory at once, so that they are not written a second time if a later write fails. Returns:
 * EDO_PENDING; or EDO_READY with the result in *ret_n: the number of bytes, or a negative errno. */
static edo_poll drain(edo_writer *writer, edo_cx *cx, int64_t *ret_n)
{
    if (!edo__inner_is_set(&writer->inner))
        writer->inner = edo_write(writer->io, writer->memory + writer->start,
                                  edo_writer_pending(writer));
    if (edo__inner_poll(&writer->inner, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    if (*ret_n > 0) writer->start += (size_t)*ret_n;
    if (writer->start == writer->end) writer->start = writer->end = 0;
    return EDO_READY;
}

/* Writes all bytes of the memory. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: 0,
 * or a negative errno. */
static edo_poll drain_all(edo_writer *writer, edo_cx *cx, int64_t *ret_n)
{
    *ret_n = 0;
    while (edo_writer_pending(writer)) {
        if (drain(writer, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
        if (*ret_n < 0) return EDO_READY;
        *ret_n = 0;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    return EDO_READY;
}

static edo_poll flush_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_writer *writer = op->object;
    int64_t n;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&writer->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (drain_all(writer, cx, &n) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&writer->user, op, cx, n);
}

edo_op edo_flush(edo_writer *writer)
{
    static const edo_future_ops ops = { .name = "edo_flush", .poll = flush_poll };
    return writer ? edo__op(&ops, writer, NULL, 0, 0) : edo__op_refuse(-EINVAL);
}

/* ---- taking ---- */

/* Copies as many bytes of the operation as fit into the memory. */
static void take(edo_writer *writer, edo_op *op)
{
    size_t room = writer->capacity - writer->end, rest = op->length - op->progress;
    size_t size = rest < room ? rest : room;
    memcpy(writer->memory + writer->end, (const char *)op->data + op->progress, size);
    writer->end += size;
    op->progress += size;
}

/* Writes bytes of the operation directly to the stream. Called while the memory is empty. */
static edo_poll bypass(edo_writer *writer, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    if (!edo__inner_is_set(&writer->inner))
        writer->inner = edo_write(writer->io, (const char *)op->data + op->progress,
                                  op->length - op->progress);
    if (edo__inner_poll(&writer->inner, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    if (*ret_n > 0) op->progress += (uint64_t)*ret_n;
    return EDO_READY;
}

/* Accepts all bytes of an operation. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n:
 * not negative if all bytes were accepted, otherwise a negative errno. */
static edo_poll put(edo_writer *writer, edo_op *op, edo_cx *cx, int64_t *ret_n)
{
    *ret_n = 0;
    while (op->progress < op->length) {
        bool is_empty = writer->end == 0;
        if (is_empty && op->length - op->progress >= writer->capacity) {
            if (bypass(writer, op, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
        } else if (writer->end < writer->capacity && !edo__inner_is_set(&writer->inner)) {
            take(writer, op);
            continue;
        } else if (drain_all(writer, cx, ret_n) == EDO_PENDING) {
            return EDO_PENDING;
        }
        if (*ret_n < 0) return EDO_READY;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    return EDO_READY;
}

static edo_poll write_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_writer *writer = op->object;
    int64_t n;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&writer->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (put(writer, op, cx, &n) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&writer->user, op, cx, n < 0 ? n : (int64_t)op->length);
}

edo_op edo_writer_write(edo_writer *writer, const void *data, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_writer_write", .poll = write_poll };
    edo__check_memory("edo_writer_write", data, "buffer");
    if (!writer) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, writer, (void *)(uintptr_t)data, size, 0);
}

/* ---- formatted text ---- */

static void free_text(edo_op *op)
{
    edo__free(op->data, op->length + 1); // 1: the NUL
}

/* Polls edo_printf(), and frees the text at the end of the operation. The operation is polled even
 * if it was cancelled before its first poll, so the text is always freed. */
static edo_poll printf_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    if (future->state == EDO_NEW && cx->fate != EDO_LIVE) {
        free_text(op);
        return edo__op_finish(op, cx, -ECANCELED);
    }
    if (write_poll(future, cx) == EDO_PENDING) return EDO_PENDING;
    free_text(op);
    return EDO_READY;
}

edo_op edo_printf(edo_writer *writer, const char *format, ...)
{
    static const edo_future_ops ops = { .name = "edo_printf",
                                        .poll = printf_poll,
                                        .kind = EDO_KIND_OWNER };
    va_list args, again;
    if (!writer) return edo__op_refuse(-EINVAL);
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : edo__alloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    if (!text) return edo__op_refuse(length < 0 ? -EILSEQ : -ENOMEM);
    return edo__op(&ops, writer, text, (uint64_t)length, 0);
}

/* ---- numbers ---- */

typedef struct EDO__OVERLAY number_op {
    edo_future base;
    edo_writer *writer;
    uint8_t raw[EDO__NUMBER_MAX]; // bytes of the number, in the stream's byte order
    uint64_t progress;
    edo__op_wait wait; // detail: number of bytes
} number_op;

EDO__OVERLAY_FITS(number_op);

/* Accepts all bytes of a number at once, when the memory has room for them. */
static edo_poll number_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    const number_op *number = (const number_op *)(void *)op;
    edo_writer *writer = number->writer;
    size_t size = op->detail;
    int64_t n = 0;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&writer->user, op)) return edo__op_finish(op, cx, -EBUSY);
    bool waits = edo__inner_is_set(&writer->inner) || writer->capacity - writer->end < size;
    if (waits && drain_all(writer, cx, &n) == EDO_PENDING) return EDO_PENDING;
    if (n < 0) return edo__user_ends(&writer->user, op, cx, n);
    memcpy(writer->memory + writer->end, number->raw, size);
    writer->end += size;
    return edo__user_ends(&writer->user, op, cx, 0);
}

edo_op edo__write_number(edo_writer *writer, const void *value, size_t size, bool little)
{
    static const edo_future_ops ops = { .name = "edo_write of a number", .poll = number_poll };
    if (!writer) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&ops, writer, NULL, 0, (uint32_t)size);
    edo__order_number(((number_op *)(void *)&op)->raw, value, size, little);
    return op;
}

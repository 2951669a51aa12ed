#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

static void reserve(edo_buffer *buffer, size_t size)
{
    if (edo_buffer_room(buffer) >= size) return;
    if (edo_buffer_reserve(buffer, size) == 0) return;
    fprintf(stderr, "mini-redis: out of memory: %zu bytes\n", size);
    abort();
}

void put(edo_buffer *buffer, const void *data, size_t size)
{
    reserve(buffer, size);
    if (size) memcpy(edo_buffer_tail(buffer), data, size);
    buffer->size += size;
}

void put_format(edo_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (edo_buffer_vprintf(buffer, format, args) < 0) abort();
    va_end(args);
}

static char *write_head(char *p, char type, int64_t number)
{
    char digits[NUMBER_SIZE];
    *p++ = type;
    if (number >= 0 && number < 10) {
        *p++ = (char)('0' + number);
    } else {
        struct span span = int_to_span(number, digits);
        memcpy(p, span.data, span.size);
        p += span.size;
    }
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

enum { HEAD_SIZE = 32 };

void put_head(edo_buffer *buffer, char type, int64_t number)
{
    reserve(buffer, HEAD_SIZE);
    char *start = (char *)edo_buffer_tail(buffer);
    buffer->size += (size_t)(write_head(start, type, number) - start);
}

void put_bulk(edo_buffer *buffer, struct span span)
{
    reserve(buffer, HEAD_SIZE + span.size + 2);
    char *start = (char *)edo_buffer_tail(buffer);
    char *p = write_head(start, '$', (int64_t)span.size);
    if (span.size) memcpy(p, span.data, span.size);
    p += span.size;
    *p++ = '\r';
    *p++ = '\n';
    buffer->size += (size_t)(p - start);
}

void reply_null(struct reply *reply)
{
    if (reply->is_resp3)
        reply_raw(reply, "_\r\n");
    else
        reply_raw(reply, "$-1\r\n");
}

void reply_null_array(struct reply *reply)
{
    if (reply->is_resp3)
        reply_raw(reply, "_\r\n");
    else
        reply_raw(reply, "*-1\r\n");
}

void reply_status(struct reply *reply, const char *status)
{
    put_format(&reply->bytes, "+%s\r\n", status);
}

void reply_error(struct reply *reply, const char *message, ...)
{
    char line[512];
    va_list args;
    va_start(args, message);
    vsnprintf(line, sizeof line, message, args);
    va_end(args);
    for (char *p = line; *p; p++)
        if (*p == '\r' || *p == '\n') *p = ' ';
    put_format(&reply->bytes, "-%s\r\n", line);
    reply->has_failed = true;
}

static void put_aggregate(struct reply *reply, char type, size_t count, size_t count_in_resp2)
{
    if (reply->is_resp3)
        put_head(&reply->bytes, type, (int64_t)count);
    else
        put_head(&reply->bytes, '*', (int64_t)count_in_resp2);
}

void reply_map(struct reply *reply, size_t count)
{
    put_aggregate(reply, '%', count, 2 * count);
}

void reply_set(struct reply *reply, size_t count)
{
    put_aggregate(reply, '~', count, count);
}

void reply_push(struct reply *reply, size_t count)
{
    put_aggregate(reply, '>', count, count);
}

void reply_double(struct reply *reply, double value)
{
    char buffer[NUMBER_SIZE];
    struct span span = double_to_span(value, buffer);
    if (!reply->is_resp3)
        reply_bulk(reply, span);
    else
        put_format(&reply->bytes, ",%.*s\r\n", (int)span.size, span.data);
}

void reply_verbatim(struct reply *reply, struct span span)
{
    if (!reply->is_resp3) {
        reply_bulk(reply, span);
        return;
    }
    put_head(&reply->bytes, '=', (int64_t)span.size + 4);
    reply_raw(reply, "txt:");
    put(&reply->bytes, span.data, span.size);
    reply_raw(reply, "\r\n");
}

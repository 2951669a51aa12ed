/* Writer of replies, in RESP2 or RESP3. A reply is appended to a buffer. */
#pragma once

#include <edo/edo.h>

#include "text.h"

struct reply {
    edo_buffer bytes;
    bool is_resp3;
    bool has_failed; // an error was written since the flag was cleared
};

void put(edo_buffer *buffer, const void *data, size_t size);
EDO_PRINTF(2, 3) void put_format(edo_buffer *buffer, const char *format, ...);
void put_head(edo_buffer *buffer, char type, int64_t number); // "*3\r\n"
void put_bulk(edo_buffer *buffer, struct span span);

#define reply_raw(reply, literal) put(&(reply)->bytes, literal, sizeof(literal) - 1)
#define reply_ok(reply)           reply_raw(reply, "+OK\r\n")

static inline void reply_int(struct reply *reply, int64_t value)
{
    put_head(&reply->bytes, ':', value);
}
static inline void reply_array(struct reply *reply, size_t count)
{
    put_head(&reply->bytes, '*', (int64_t)count);
}
static inline void reply_bulk(struct reply *reply, struct span span)
{
    put_bulk(&reply->bytes, span);
}
static inline void reply_text(struct reply *reply, const char *string)
{
    put_bulk(&reply->bytes, span_of(string));
}
void reply_null(struct reply *reply);
void reply_null_array(struct reply *reply);
void reply_status(struct reply *reply, const char *status);

/* message: with its code, such as "ERR syntax error". Line breaks become spaces. */
EDO_PRINTF(2, 3) void reply_error(struct reply *reply, const char *message, ...);

/* RESP2 has arrays in place of maps (of 2 * count elements), sets and pushes. */
void reply_map(struct reply *reply, size_t count);
void reply_set(struct reply *reply, size_t count);
void reply_push(struct reply *reply, size_t count);

void reply_double(struct reply *reply, double value);
void reply_verbatim(struct reply *reply, struct span span); // a text for people

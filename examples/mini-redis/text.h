/* Strings of the database: spans, which borrow bytes, and texts, which own them.
 *
 * A text has 16 bytes. Up to 15 bytes of content lie in the text itself, so a small value costs no
 * allocation. A text may be moved by memcpy(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct span {
    const char *data;
    size_t size;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_of(const char *string)
{
    return (struct span){ string, strlen(string) };
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool span_is(struct span span, const char *word); // without regard to case

enum {
    TEXT_SMALL = 15,
    TEXT_ON_HEAP = 255,
    NUMBER_SIZE = 512, // bytes for any number as text
};

/* An all-zero text is empty. */
typedef union text {
    struct {
        char *data;
        uint32_t size;
    } heap;
    struct {
        char bytes[TEXT_SMALL];
        uint8_t tag; // size of small content, or TEXT_ON_HEAP
    } small;
} text;

static inline struct span text_span(const text *t)
{
    if (t->small.tag == TEXT_ON_HEAP) return (struct span){ t->heap.data, t->heap.size };
    return (struct span){ t->small.bytes, t->small.tag };
}

text text_of(struct span span);
void text_set(text *t, struct span span); // the span may lie in the text
void text_deinit(text *t);

/* Resizes the content; new bytes are 0. Returns: the content, to be written. */
char *text_resize(text *t, size_t size);

/* ---- memory: a server without memory ends, as Redis does ---- */

void *must_alloc(size_t size);
void *must_realloc(void *memory, size_t size);

/* ---- numbers, with Redis's strictness ---- */

bool span_to_int(struct span span, int64_t *ret_value);
bool span_to_double(struct span span, double *ret_value);           // no NaN
bool span_to_long_double(struct span span, long double *ret_value); // no NaN
struct span int_to_span(int64_t value, char buffer[NUMBER_SIZE]);
struct span double_to_span(double value, char buffer[NUMBER_SIZE]);
struct span long_double_to_span(long double value, char buffer[NUMBER_SIZE]);

/* Whether a span matches a pattern of *, ?, [a-z], [^a] and backslashes. */
bool span_matches(struct span pattern, struct span span);

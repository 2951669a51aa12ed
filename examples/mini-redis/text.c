#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

bool span_is(struct span span, const char *word)
{
    return strlen(word) == span.size && strncasecmp(span.data, word, span.size) == 0;
}

void *must_realloc(void *memory, size_t size)
{
    void *result = realloc(memory, size ? size : 1);
    if (!result) {
        fprintf(stderr, "mini-redis: out of memory: %zu bytes\n", size);
        abort();
    }
    return result;
}

void *must_alloc(size_t size)
{
    return must_realloc(NULL, size);
}

text text_of(struct span span)
{
    text t = { { NULL, 0 } };
    if (span.size <= TEXT_SMALL) {
        if (span.size) memcpy(t.small.bytes, span.data, span.size);
        t.small.tag = (uint8_t)span.size;
    } else {
        t.heap.data = must_alloc(span.size);
        t.heap.size = (uint32_t)span.size;
        t.small.tag = TEXT_ON_HEAP;
        memcpy(t.heap.data, span.data, span.size);
    }
    return t;
}

void text_deinit(text *t)
{
    if (t->small.tag == TEXT_ON_HEAP) free(t->heap.data);
    memset(t, 0, sizeof *t);
}

void text_set(text *t, struct span span)
{
    text before = *t;
    *t = text_of(span);
    text_deinit(&before);
}

static char *resize_on_heap(text *t, size_t size)
{
    size_t before = text_span(t).size;
    if (t->small.tag == TEXT_ON_HEAP) {
        t->heap.data = must_realloc(t->heap.data, size);
    } else {
        char *data = must_alloc(size);
        memcpy(data, t->small.bytes, before);
        t->heap.data = data;
        t->small.tag = TEXT_ON_HEAP;
    }
    t->heap.size = (uint32_t)size;
    if (size > before) memset(t->heap.data + before, 0, size - before);
    return t->heap.data;
}

char *text_resize(text *t, size_t size)
{
    if (size > TEXT_SMALL || t->small.tag == TEXT_ON_HEAP) return resize_on_heap(t, size);
    if (size > t->small.tag) memset(t->small.bytes + t->small.tag, 0, size - t->small.tag);
    t->small.tag = (uint8_t)size;
    return t->small.bytes;
}

/* ---- numbers ---- */

/* No sign but '-', no leading zeros, no spaces. */
bool span_to_int(struct span span, int64_t *ret_value)
{
    const char *p = span.data, *end = p + span.size;
    bool negative = span.size > 1 && *p == '-';
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (negative) p++;
    if (p == end || (*p == '0' && (end - p > 1 || negative))) return false;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(unsigned char)*p - '0';
        if (digit > 9 || value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *ret_value = (int64_t)(negative ? 0 - value : value);
    return true;
}

/* Copies a number to a buffer that ends with a NUL. Returns: whether it may be a number. */
static bool copy_number(struct span span, char buffer[NUMBER_SIZE])
{
    if (span.size == 0 || span.size >= NUMBER_SIZE) return false;
    memcpy(buffer, span.data, span.size);
    buffer[span.size] = '\0';
    return !isspace((unsigned char)buffer[0]);
}

bool span_to_double(struct span span, double *ret_value)
{
    char buffer[NUMBER_SIZE], *end;
    if (!copy_number(span, buffer)) return false;
    errno = 0;
    double value = strtod(buffer, &end);
    if (end != buffer + span.size || isnan(value)) return false;
    if (errno == ERANGE && (isinf(value) || value == 0)) return false;
    *ret_value = value;
    return true;
}

bool span_to_long_double(struct span span, long double *ret_value)
{
    char buffer[NUMBER_SIZE], *end;
    if (!copy_number(span, buffer)) return false;
    errno = 0;
    long double value = strtold(buffer, &end);
    if (end != buffer + span.size || isnan(value)) return false;
    if (errno == ERANGE && (isinf(value) || fpclassify(value) == FP_ZERO)) return false;
    *ret_value = value;
    return true;
}

struct span int_to_span(int64_t value, char buffer[NUMBER_SIZE])
{
    char *p = buffer + NUMBER_SIZE;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) *--p = '-';
    return (struct span){ p, (size_t)(buffer + NUMBER_SIZE - p) };
}

struct span double_to_span(double value, char buffer[NUMBER_SIZE])
{
    if (isinf(value)) return value > 0 ? SPAN("inf") : SPAN("-inf");
    if (value == 0) return signbit(value) ? SPAN("-0") : SPAN("0");
    if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
        return int_to_span((int64_t)value, buffer);
    int size = snprintf(buffer, NUMBER_SIZE, "%.17g", value);
    return (struct span){ buffer, (size_t)size };
}

/* Fixed notation without trailing zeros. */
struct span long_double_to_span(long double value, char buffer[NUMBER_SIZE])
{
    int size = snprintf(buffer, NUMBER_SIZE, "%.17Lf", value);
    if (size >= NUMBER_SIZE) size = snprintf(buffer, NUMBER_SIZE, "%.17Lg", value);
    struct span span = { buffer, (size_t)size };
    if (!memchr(buffer, '.', span.size)) return span;
    while (span.data[span.size - 1] == '0')
        span.size--;
    if (span.data[span.size - 1] == '.') span.size--;
    return span_equal(span, SPAN("-0")) ? SPAN("0") : span;
}

/* ---- patterns ---- */

/* Matches a class such as [a-z] or [^ab] behind its '['. Returns: the place of its ']', or the
 * pattern's last byte. */
static const char *match_class(const char *p, const char *end, char byte, bool *ret_match)
{
    bool negated = p < end && *p == '^', match = false;
    if (negated) p++;
    for (;; p++) {
        if (p + 1 < end && *p == '\\') {
            match |= *++p == byte;
        } else if (p < end && *p == ']') {
            break;
        } else if (p >= end) {
            p--;
            break;
        } else if (p + 2 < end && p[1] == '-') {
            char low = p[0] < p[2] ? p[0] : p[2], high = p[0] < p[2] ? p[2] : p[0];
            match |= byte >= low && byte <= high;
            p += 2;
        } else {
            match |= *p == byte;
        }
    }
    *ret_match = match != negated;
    return p;
}

/* Matches one element of the pattern, which is no '*', with a byte. Returns: the place behind the
 * element; NULL: no match. */
static const char *match_one(const char *p, const char *end, char byte)
{
    bool match = true;
    if (*p == '[')
        p = match_class(p + 1, end, byte, &match);
    else if (*p == '\\' && p + 1 < end)
        match = *++p == byte;
    else if (*p != '?')
        match = *p == byte;
    return match ? p + 1 : NULL;
}

/* A mismatch continues behind the last '*', one byte later: time is bounded by the product of the
 * sizes, however many '*' the pattern has. */
bool span_matches(struct span pattern, struct span span)
{
    const char *p = pattern.data, *end = p + pattern.size;
    const char *s = span.data, *s_end = s + span.size;
    const char *star = NULL, *resume = NULL;
    while (s < s_end) {
        const char *next = NULL;
        if (p < end && *p == '*') {
            star = ++p;
            resume = s;
            continue;
        }
        if (p < end) next = match_one(p, end, *s);
        if (next) {
            p = next;
            s++;
        } else if (star) {
            p = star;
            s = ++resume;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}

#include "parser.h"

#include <ctype.h>
#include <stdio.h>

enum { MORE = 0, DONE = 1, BAD = -1 };

void parser_init(struct parser *parser)
{
    memset(parser, 0, sizeof *parser);
    parser->bulk = -1;
}

void parser_deinit(struct parser *parser)
{
    free(parser->list);
    free(parser->spans);
    parser_init(parser);
}

void parser_next(struct parser *parser)
{
    if (parser->capacity > SHRINK_ARGUMENTS) parser_deinit(parser);
    parser->count = 0;
    parser->at = 0;
    parser->missing = 0;
    parser->bulk = -1;
}

size_t parser_needs(const struct parser *parser)
{
    return parser->bulk >= 0 ? parser->at + (size_t)parser->bulk + 2 : parser->at + 1;
}

static int fail(struct parser *parser, const char *message)
{
    snprintf(parser->error, sizeof parser->error, "Protocol error: %s", message);
    return BAD;
}

static void add_argument(struct parser *parser, size_t at, size_t size)
{
    if (parser->count == parser->capacity) {
        parser->capacity = parser->capacity ? 2 * parser->capacity : 16;
        parser->list = must_realloc(parser->list, parser->capacity * sizeof *parser->list);
        parser->spans = must_realloc(parser->spans, parser->capacity * sizeof *parser->spans);
    }
    parser->list[parser->count++] = (struct argument){ at, size };
}

/* ---- inline commands ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes the escape behind a backslash. Returns: number of bytes read. */
static size_t decode_escape(const char *p, const char *end, char *ret_byte)
{
    static const char names[] = "nrtba", bytes[] = "\n\r\t\b\a";
    if (end - p > 2 && *p == 'x' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
        *ret_byte = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
        return 3;
    }
    const char *name = *p ? strchr(names, *p) : NULL;
    *ret_byte = name ? bytes[name - names] : *p;
    return 1;
}

/* Decodes a quoted part from *p, which is behind the opening quote, to *out. Returns: whether the
 * quote is closed, and a space or the end follows. */
static bool decode_quoted(char quote, char **p, const char *end, char **out)
{
    while (*p < end && **p != quote) {
        bool escapes = **p == '\\' && end - *p > 1;
        if (escapes && quote == '"') {
            ++*p;
            *p += decode_escape(*p, end, (*out)++);
        } else {
            if (escapes && (*p)[1] == '\'') ++*p;
            *(*out)++ = *(*p)++;
        }
    }
    if (*p == end) return false;
    ++*p;
    return *p == end || isspace((unsigned char)**p);
}

/* Splits a line into arguments, and decodes them in place. */
static int parse_words(struct parser *parser, char *data, char *p, const char *end)
{
    for (;;) {
        while (p < end && isspace((unsigned char)*p))
            p++;
        if (p == end) return DONE;
        char *start = p, *out = p;
        while (p < end && !isspace((unsigned char)*p)) {
            char c = *p++;
            if (c != '"' && c != '\'')
                *out++ = c;
            else if (!decode_quoted(c, &p, end, &out))
                return fail(parser, "unbalanced quotes in request");
        }
        add_argument(parser, (size_t)(start - data), (size_t)(out - start));
    }
}

static int parse_inline(struct parser *parser, char *data, size_t size)
{
    char *end = memchr(data, '\n', size);
    if (!end) return size > MAX_INLINE ? fail(parser, "too big inline request") : MORE;
    parser->at = (size_t)(end - data) + 1;
    if (end > data && end[-1] == '\r') end--;
    return parse_words(parser, data, data, end);
}

/* ---- arrays of bulk strings ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a length of one or two digits, as most are. Returns: whether it was one. */
static bool parse_short_length(struct parser *parser, const char *line, size_t size,
                               int64_t *ret_length)
{
    if (size < 5 || !is_digit(line[1])) return false;
    if (line[2] == '\r') {
        *ret_length = line[1] - '0';
        parser->at += 4;
        return true;
    }
    if (line[1] == '0' || !is_digit(line[2]) || line[3] != '\r') return false;
    *ret_length = 10 * (line[1] - '0') + line[2] - '0';
    parser->at += 5;
    return true;
}

/* Reads the number of a line "*12\r\n" or "$12\r\n". */
static int parse_length(struct parser *parser, const char *data, size_t size, const char *too_big,
                        int64_t *ret_length)
{
    if (parse_short_length(parser, data + parser->at, size - parser->at, ret_length)) return DONE;
    const char *start = data + parser->at;
    const char *end = memchr(start, '\r', size - parser->at);
    if (!end) return size - parser->at > MAX_INLINE ? fail(parser, too_big) : MORE;
    if (end + 1 >= data + size) return MORE;
    if (!span_to_int((struct span){ start + 1, (size_t)(end - start - 1) }, ret_length))
        *ret_length = INT64_MAX;
    parser->at = (size_t)(end - data) + 2;
    return DONE;
}

static int parse_bulk(struct parser *parser, const char *data, size_t size)
{
    if (parser->bulk < 0) {
        if (parser->at == size) return MORE;
        if (data[parser->at] != '$') {
            char message[40];
            snprintf(message, sizeof message, "expected '$', got '%c'", data[parser->at]);
            return fail(parser, message);
        }
        int64_t length = 0;
        int rc = parse_length(parser, data, size, "too big bulk count string", &length);
        if (rc != DONE) return rc;
        if (length < 0 || length > MAX_BULK) return fail(parser, "invalid bulk length");
        parser->bulk = length;
    }
    if (size - parser->at < (size_t)parser->bulk + 2) return MORE;
    add_argument(parser, parser->at, (size_t)parser->bulk);
    parser->at += (size_t)parser->bulk + 2;
    parser->bulk = -1;
    parser->missing--;
    return DONE;
}

static int parse_array(struct parser *parser, const char *data, size_t size)
{
    if (parser->missing == 0) {
        int rc = parse_length(parser, data, size, "too big mbulk count string", &parser->missing);
        if (rc != DONE) return rc;
        if (parser->missing > INT32_MAX) return fail(parser, "invalid multibulk length");
        if (parser->missing <= 0) return DONE;
    }
    while (parser->missing > 0) {
        int rc = parse_bulk(parser, data, size);
        if (rc != DONE) return rc;
        if (parser->at > MAX_QUERY) return fail(parser, "too big query");
    }
    return DONE;
}

int parser_parse(struct parser *parser, char *data, size_t size)
{
    if (size == 0) return MORE;
    int rc = parser->missing || data[0] == '*' ? parse_array(parser, data, size)
                                               : parse_inline(parser, data, size);
    if (rc != DONE) return rc;
    for (size_t i = 0; i < parser->count; i++)
        parser->spans[i] = (struct span){ data + parser->list[i].at, parser->list[i].size };
    return DONE;
}

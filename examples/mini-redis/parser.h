/* Parser of requests: arrays of bulk strings (RESP2 and RESP3), and inline commands.
 *
 * The parser works on the bytes of a connection that are not handled yet. It continues where it
 * stopped, so half a command costs nothing until more bytes arrive. It allocates nothing but the
 * list of arguments, whose growth follows the bytes received, not the numbers claimed. */
#pragma once

#include "text.h"

enum {
    MAX_INLINE = 64 * 1024,         // bytes of an inline command, or of a length
    MAX_BULK = 512 * 1024 * 1024,   // bytes of an argument
    MAX_QUERY = 1024 * 1024 * 1024, // bytes of a whole command
    SHRINK_ARGUMENTS = 1024,        // a longer list is freed after its command
};

struct argument {
    size_t at, size; // place in the data
};

struct parser {
    struct argument *list;
    size_t count, capacity;
    int64_t missing;    // arguments of the array that are not complete; 0: between two commands
    int64_t bulk;       // size of the argument that is being read; -1: its length is missing
    size_t at;          // first byte that is not parsed
    char error[80];     // in Redis's words
    struct span *spans; // arguments of a complete command
};

void parser_init(struct parser *parser);
void parser_deinit(struct parser *parser);

/* Parses one command from the beginning of the data. Quoted arguments are decoded in place.
 * Returns: 1: parser->spans has parser->count arguments (0 for an empty line), and
 * parser->at bytes are used; 0: more bytes are needed; -1: parser->error, and nothing further can
 * be parsed. After 1, call parser_next() and pass the data behind the command. */
int parser_parse(struct parser *parser, char *data, size_t size);
void parser_next(struct parser *parser);

/* Bytes that the data must have before parsing can go on, as far as known. */
size_t parser_needs(const struct parser *parser);

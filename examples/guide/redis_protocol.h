/* Redis's protocol, for the steps of the guide: commands of few and short words. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "redis_talk.h"

/* region: command */
enum { MAX_WORDS = 8, MAX_WORD = 64 };

struct command {
    int64_t count;
    char words[MAX_WORDS][MAX_WORD]; // each with its NUL
};

static bool is(const struct command *command, const char *name, int64_t least)
{
    return command->count >= least && strcasecmp(command->words[0], name) == 0;
}
/* end: command */

/* region: read */
/* The number of a line such as "*3" or "$5"; -EPROTO. */
static int64_t number_of(edo_slice line, char type, int64_t most)
{
    const char *text = line.data;
    int64_t number = 0;
    if (line.size < 2 || text[0] != type) return -EPROTO;
    for (size_t i = 1; i < line.size; i++) {
        if (text[i] < '0' || text[i] > '9') return -EPROTO;
        number = number * 10 + (text[i] - '0');
        if (number > most) return -EPROTO;
    }
    return number;
}

/* Reads a command: "*2\r\n$3\r\nGET\r\n$1\r\na\r\n". Answers 1, or 0 at the end of the input. */
struct read_command {
    edo_frame();
    edo_args(edo_reader *in; struct command *command;);
    edo_slice line;
    int64_t word, size;
    char end[2];
};

edo_async(read_command)
{
    edo_body {
        int64_t n;
        edo_try(n, edo_read_line(self->in, &self->line));
        if (n == 0) edo_return(0);
        edo_check(self->command->count = number_of(self->line, '*', MAX_WORDS));
        for (self->word = 0; self->word < self->command->count; self->word++) {
            edo_try(edo_read_line(self->in, &self->line));
            edo_check(self->size = number_of(self->line, '$', MAX_WORD - 1));
            char *word = self->command->words[self->word];
            word[self->size] = '\0';
            edo_try(edo_reader_read_exact(self->in, word, (size_t)self->size));
            edo_try(edo_reader_read_exact(self->in, self->end, sizeof self->end));
            edo_check(memcmp(self->end, "\r\n", sizeof self->end) ? -EPROTO : 0);
        }
        edo_return(1);
    }
}
/* end: read */

/* The log, and the end for misuse. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/base.h"

enum { LINE_SIZE = 512 }; // a line of the log; longer ones are cut

static const char *const level_names[] = { "error", "warn", "info", "debug" };

enum { NOT_READ = -1 };

static edo_atomic(int) shown_level = NOT_READ;

static edo_log_level wanted_level(void)
{
    const char *wanted = getenv("EDO_LOG");
    for (unsigned i = 0; wanted && i < sizeof level_names / sizeof *level_names; i++)
        if (!strcmp(wanted, level_names[i])) return (edo_log_level)i;
    return EDO_LOG_WARN;
}

/* A later getenv() could meet a setenv() of the program's. */
void edo__log_read_environment(void)
{
    edo_store_relaxed(&shown_level, (int)wanted_level());
}

static void log_to_stderr(void *context, edo_log_level level, const char *line)
{
    (void)context;
    if (edo_load_relaxed(&shown_level) == NOT_READ) edo__log_read_environment();
    if ((int)level <= edo_load_relaxed(&shown_level))
        fprintf(stderr, "edo: %s: %s\n", level_names[level], line);
}

static edo_log_fn *log_fn = log_to_stderr;
static void *log_context;

void edo_set_log(edo_log_fn *fn, void *context)
{
    log_fn = fn ? fn : log_to_stderr;
    log_context = context;
}

void edo__log(edo_log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_fn(log_context, level, line);
}

const char *(*edo__describe_current)(char *buffer, size_t size);
void (*edo__at_misuse)(void);

void edo__misuse(const char *call, const char *format, ...)
{
    char rule[LINE_SIZE], task[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(rule, sizeof rule, format, args);
    va_end(args);
    const char *(*describe)(char *, size_t) = edo_load_relaxed(&edo__describe_current);
    const char *where = describe ? describe(task, sizeof task) : "";
    fprintf(stderr, "edo: %s: %s%s\n", call, rule, where);
    void (*last_act)(void) = edo_load_relaxed(&edo__at_misuse);
    if (last_act) last_act();
    abort();
}

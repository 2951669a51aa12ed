/* The log, and edo__misuse(), which ends the process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/base.h"
#include "sys/sys.h"

enum {
    LINE_SIZE = 512,              // bytes of a log line; longer lines are cut
    PRINTED_SIZE = 3 * LINE_SIZE, // bytes of a line on stderr, large enough for edo__misuse
    PATIENCE = 1000000000,        // ns to wait for room on stderr, in the _patiently functions
};

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

/* Called at the creation of a runtime, because a later getenv() could race with a setenv() of the
 * program. */
void edo__log_read_environment(void)
{
    edo_store_relaxed(&shown_level, (int)wanted_level());
}

/* ---- lines on stderr ---- */

/* Number of lines dropped since the last written line. */
static edo_atomic(uint32_t) dropped;

/* Writes a line. Waits at most `patience` ns for a slow reader, then drops the line. After a line
 * was dropped, the next lines do not wait: they are dropped at once if the reader is not ready.
 * This ends with the first line that can be written again. The number of dropped lines is written
 * before that line. */
static void print(int64_t patience, const char *text)
{
    char all[PRINTED_SIZE + LINE_SIZE];
    uint32_t missing = edo_swap_relaxed(&dropped, 0);
    int size = snprintf(all, sizeof all, "%s", text);
    if (missing)
        size = snprintf(all, sizeof all, "edo: warn: %u lines were dropped: stderr was full\n%s",
                        missing, text);
    if (size >= (int)sizeof all) size = (int)sizeof all - 1;
    if (!edo__sys_write_stderr(all, (size_t)size, missing ? 0 : patience))
        edo_add_relaxed(&dropped, missing + 1);
}

void edo__print_patiently(const char *format, ...)
{
    char line[PRINTED_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    print(PATIENCE, line);
}

static void print_level(int64_t patience, edo_log_level level, const char *line)
{
    char text[PRINTED_SIZE];
    if (edo_load_relaxed(&shown_level) == NOT_READ) edo__log_read_environment();
    if ((int)level > edo_load_relaxed(&shown_level)) return;
    snprintf(text, sizeof text, "edo: %s: %s\n", level_names[level], line);
    print(patience, text);
}

/* ---- the log ---- */

static void log_to_stderr(void *context, edo_log_level level, const char *line)
{
    (void)context;
    print_level(0, level, line);
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

void edo__log_patiently(edo_log_level level, const char *line)
{
    if (log_fn == log_to_stderr)
        print_level(PATIENCE, level, line);
    else
        log_fn(log_context, level, line);
}

/* ---- misuse ---- */

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
    edo__print_patiently("edo: %s: %s%s\n", call, rule, where);
    void (*last_act)(void) = edo_load_relaxed(&edo__at_misuse);
    if (last_act) last_act();
    abort();
}

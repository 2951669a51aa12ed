/* edo-test: once. The log: its hook, its levels, and the line that a misuse leaves. */
#include "support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <edo/base.h>

#include "base/base.h"

/* ---- the hook ---- */

static struct {
    void *context;
    edo_log_level level;
    char line[1024];
    unsigned calls;
} seen;

static void note(void *context, edo_log_level level, const char *line)
{
    seen.context = context;
    seen.level = level;
    strncpy(seen.line, line, sizeof seen.line - 1);
    seen.calls++;
}

test(hook)
{
    edo_set_log(note, &seen);
    edo__log(EDO_LOG_DEBUG, "%s %d", "answer", 42); // the hook gets every level
    edo_set_log(NULL, NULL);
    assert_int_equal(seen.calls, 1);
    assert_ptr_equal(seen.context, &seen);
    assert_int_equal(seen.level, EDO_LOG_DEBUG);
    assert_string_equal(seen.line, "answer 42");
}

test(long_lines_are_cut)
{
    char text[4096];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    edo_set_log(note, NULL);
    edo__log(EDO_LOG_ERROR, "%s", text);
    edo_set_log(NULL, NULL);
    assert_in_range(strlen(seen.line), 100, sizeof seen.line - 1);
    assert_memory_equal(seen.line, text, strlen(seen.line));
}

/* ---- stderr ---- */

static void log_each_level(void *wanted)
{
    if (wanted)
        setenv("EDO_LOG", wanted, 1);
    else
        unsetenv("EDO_LOG");
    edo_set_log(note, NULL);
    edo_set_log(NULL, NULL); // NULL restores the default
    edo__log(EDO_LOG_ERROR, "one");
    edo__log(EDO_LOG_WARN, "two");
    edo__log(EDO_LOG_INFO, "three");
    edo__log(EDO_LOG_DEBUG, "four");
}

static void expect_shown(const char *wanted, const char *expected)
{
    char text[1024], value[16] = "";
    if (wanted) strncpy(value, wanted, sizeof value - 1);
    int status = run_in_child(log_each_level, wanted ? value : NULL, text, sizeof text);
    assert_int_equal(status, 0);
    assert_string_equal(text, expected);
}

#define LINE_1 "edo: error: one\n"
#define LINE_2 "edo: warn: two\n"
#define LINE_3 "edo: info: three\n"
#define LINE_4 "edo: debug: four\n"

test(levels_on_stderr)
{
    expect_shown(NULL, LINE_1 LINE_2);
    expect_shown("nonsense", LINE_1 LINE_2);
    expect_shown("error", LINE_1);
    expect_shown("warn", LINE_1 LINE_2);
    expect_shown("info", LINE_1 LINE_2 LINE_3);
    expect_shown("debug", LINE_1 LINE_2 LINE_3 LINE_4);
}

/* ---- a stderr without a reader ---- */

enum { CHILD_PATIENCE = 30 }; // seconds until a hanging child is killed

/* Returns: the end to read from. */
static int make_stderr_full(void)
{
    int fds[2];
    char page[4096] = { 0 };
    alarm(CHILD_PATIENCE);
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    fcntl(fds[1], F_SETFL, O_NONBLOCK); // flag of the open file, for a moment
    while (write(fds[1], page, sizeof page) > 0)
        continue;
    fcntl(fds[1], F_SETFL, 0);
    close(fds[1]);
    return fds[0];
}

static void empty(int fd)
{
    char text[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (read(fd, text, sizeof text) > 0)
        continue;
}

static void log_to_full(void *arg)
{
    char text[256] = "";
    (void)arg;
    int fd = make_stderr_full();
    edo__log(EDO_LOG_ERROR, "lost");
    edo__log(EDO_LOG_ERROR, "lost, too");
    empty(fd);
    edo__log(EDO_LOG_ERROR, "one");
    edo__log(EDO_LOG_ERROR, "two");
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text, "edo: warn: 2 lines were dropped: stderr was full\n"
                              "edo: error: one\nedo: error: two\n");
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0); // the open file is shared
}

static void abort_with_full(void *arg)
{
    (void)arg;
    make_stderr_full();
    edo__misuse("edo_example", "a line that nobody will see");
}

static void log_to_closed(void *arg)
{
    (void)arg;
    close(make_stderr_full());
    edo__log(EDO_LOG_ERROR, "to nobody"); // no SIGPIPE
}

test(stderr_that_nobody_reads)
{
    expect_success_in_child(log_to_full, NULL);
    expect_success_in_child(log_to_closed, NULL);
    int status = run_in_child(abort_with_full, NULL, NULL, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void change_the_environment(void *arg)
{
    (void)arg;
    unsetenv("EDO_LOG");
    edo__log(EDO_LOG_INFO, "one");
    setenv("EDO_LOG", "info", 1); // not read again: the program may change the environment
    edo__log(EDO_LOG_INFO, "two");
    edo__log_read_environment(); // as edo_runtime_create() does
    edo__log(EDO_LOG_INFO, "three");
}

test(environment_is_read_once)
{
    char text[1024];
    int status = run_in_child(change_the_environment, NULL, text, sizeof text);
    assert_int_equal(status, 0);
    assert_string_equal(text, LINE_3);
}

/* ---- misuse ---- */

static void misuse(void *arg)
{
    (void)arg;
    edo__misuse("edo_example", "rule %d", 7);
}

test(misuse)
{
    expect_abort(misuse, NULL, "^edo: edo_example: rule 7$");
}

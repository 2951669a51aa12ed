/* edo-test: once. The log: its hook, its levels, and the line that a misuse leaves. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

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

static void test_hook(void **state)
{
    (void)state;
    edo_set_log(note, &seen);
    edo__log(EDO_LOG_DEBUG, "%s %d", "answer", 42); // the hook gets every level
    edo_set_log(NULL, NULL);
    assert_int_equal(seen.calls, 1);
    assert_ptr_equal(seen.context, &seen);
    assert_int_equal(seen.level, EDO_LOG_DEBUG);
    assert_string_equal(seen.line, "answer 42");
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
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
    edo_set_log(NULL, NULL); // NULL sets the default back
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

static void test_levels_on_stderr(void **state)
{
    (void)state;
    expect_shown(NULL, LINE_1 LINE_2);
    expect_shown("nonsense", LINE_1 LINE_2);
    expect_shown("error", LINE_1);
    expect_shown("warn", LINE_1 LINE_2);
    expect_shown("info", LINE_1 LINE_2 LINE_3);
    expect_shown("debug", LINE_1 LINE_2 LINE_3 LINE_4);
}

static void change_the_environment(void *arg)
{
    (void)arg;
    unsetenv("EDO_LOG");
    edo__log(EDO_LOG_INFO, "one");
    setenv("EDO_LOG", "info", 1); // not read again: the program may be changing it
    edo__log(EDO_LOG_INFO, "two");
    edo__log_read_environment(); // as edo_runtime_create() does
    edo__log(EDO_LOG_INFO, "three");
}

static void test_environment_is_read_once(void **state)
{
    (void)state;
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

static void test_misuse(void **state)
{
    (void)state;
    expect_abort(misuse, NULL, "^edo: edo_example: rule 7$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hook),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_levels_on_stderr),
        cmocka_unit_test(test_environment_is_read_once),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

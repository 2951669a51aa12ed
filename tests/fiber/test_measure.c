/* Watermarks of stacks: how deep the fibers of a function have gone, in figures and in dumps. */
#include "support/fibers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 32, LARGE = 20 << 10, LARGER = 40 << 10, PAGE = 4096, TEXT_SIZE = 64 << 10 };

/* Touches the lowest byte of `size` bytes. */
static __attribute__((noinline)) void use(size_t size)
{
    char memory[size];
    memory[0] = 1;
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static int64_t is_deep(void *arg)
{
    use(*(size_t *)arg);
    return edo_wait(edo_yield());
}

static int64_t is_shallow(void *arg)
{
    (void)arg;
    return edo_wait(edo_yield());
}

static int64_t is_not_measured(void *arg)
{
    (void)arg;
    return 0;
}

#define run(options, fn, arg)                                                                      \
    do {                                                                                           \
        edo_task *task;                                                                            \
        assert_int_equal(edo_fiber_spawn(&task, (options), fn, (arg)), 0);                         \
        assert_int_equal(edo_wait(edo_join(task)), 0);                                             \
    } while (0)

/* Stats of a function by its name; all zero if it was not measured. */
static edo_fiber_stats stats_of(const char *name)
{
    edo_fiber_stats all[MANY];
    size_t count = edo_fiber_stats_read(all, MANY);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0) return all[i];
    return (edo_fiber_stats){ .name = NULL };
}

/* Locals of sanitized code lie elsewhere, or take more room. */
static bool is_sanitized(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    return true;
#else
    return false;
#endif
}

static void append(void *context, const char *line)
{
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, TEXT_SIZE - used, "%s\n", line);
}

/* The figures belong to the process: each test counts from those before it. */
fiber_test(fibers_that_are_not_measured_have_no_figures)
{
    size_t before = edo_fiber_stats_read(NULL, 0);
    run(NULL, is_not_measured, NULL);
    assert_int_equal(edo_fiber_stats_read(NULL, 0), before);
    assert_null(stats_of("is_not_measured").name);
}

fiber_test(a_function_has_the_greatest_depth_of_its_fibers)
{
    size_t large = LARGE, larger = LARGER;
    edo_fiber_measure(true);
    run(NULL, is_deep, &larger);
    for (int i = 0; i < MANY; i++)
        run(NULL, is_shallow, NULL); // on the stack that was deep
    run(NULL, is_deep, &large);
    edo_fiber_measure(false);
    run(NULL, is_not_measured, NULL);

    edo_fiber_stats deep = stats_of("is_deep"), shallow = stats_of("is_shallow");
    assert_null(stats_of("is_not_measured").name);
    assert_int_equal(deep.ended, 2);
    assert_int_equal(shallow.ended, MANY);
    assert_int_equal(deep.stack_size, 64 << 10);
    assert_int_equal(deep.guard, 16 << 10);
    assert_non_null(strstr(deep.file, "test_measure.c"));
    if (is_sanitized()) return;
    assert_in_range(deep.peak, LARGER, LARGER + PAGE);
    assert_in_range(shallow.peak, 1, PAGE);
}

static int64_t has_own_memory(void *arg)
{
    return is_shallow(arg);
}

fiber_test(a_larger_stack_and_the_users_own)
{
    static char memory[32 << 10] __attribute__((aligned(64)));
    size_t large = LARGE;
    edo_fiber_measure(true);
    run(NULL, is_deep, &large);
    uint64_t before = stats_of("is_deep").ended;
    run((&(edo_fiber_options){ .stack_size = 8 << 20 }), is_deep, &large);
    run((&(edo_fiber_options){ .stack = memory, .stack_size = sizeof memory }), has_own_memory,
        NULL);
    edo_fiber_measure(false);
    assert_int_equal(stats_of("is_deep").ended, before + 1);
    assert_int_equal(stats_of("is_deep").stack_size, 64 << 10); // the least
    assert_null(stats_of("has_own_memory").name);
}

async_test(a_dump_has_a_line_for_each_function, edo_task *task; char *text; size_t large;)
{
    edo_body {
        int64_t rc;
        self->large = LARGE;
        edo_fiber_measure(true);
        assert_int_equal(edo_fiber_spawn(&self->task, NULL, is_deep, &self->large), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(edo_fiber_spawn(&self->task, NULL, is_shallow, NULL), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_fiber_measure(false);
        edo_fiber_stats shallow = stats_of("is_shallow");
        char expected[256];
        self->text = calloc(1, TEXT_SIZE);
        assert_int_equal(edo_dump(edo_current_runtime(), append, self->text), 0);
        snprintf(expected, sizeof expected, ": at most %d of 49152 bytes in use, %d fibers\n",
                 (int)shallow.peak, (int)shallow.ended);
        assert_non_null(strstr(self->text, "stacks of 'is_deep' ("));
        assert_non_null(strstr(self->text, expected));
        free(self->text);
        edo_return(0);
    }
}

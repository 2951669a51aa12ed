/* Tests are defined without a list, and run in the order of the file:
 *
 *     test(a_bad_descriptor_is_refused)
 *     {
 *         edo_io *io;
 *         assert_int_equal(edo_io_from_fd(-1, &io), -EBADF);
 *     }
 *
 *     async_test(a_limit_passes, int64_t began;)        // the members of its frame
 *     {
 *         edo_body {
 *             ...
 *             edo_return(0);
 *         }
 *     }
 *
 * async_test() is edo_async_test() of edo/test.h: it runs on a fresh runtime with the test clock.
 * Callees come before the members: async_test(name, edo_callees(struct fetch fetch;) int i;).
 *
 * A condition before a test applies to that test alone. A test may have several conditions:
 *
 *     current_thread_only("it turns the runtime")       // skipped on workers, with the reason
 *     fixture(set_up, tear_down)                        // cmocka's functions; each may be NULL
 *     test(timers_fire_in_order)
 *
 * A file whose tests share a fixture gives it a name:
 *
 *     #define heap_test(name) fixture(set_up, tear_down) test(name)
 *
 * cmocka runs the tests: its assertions and skip() work, and a fixture's state is `state`. A
 * program needs no main(). A program with further set-up defines main() and calls run_all_tests().
 */
#pragma once

#include "support/support.h"

/* Defines a test. The test's block follows. */
#define test(fn)                                                                                   \
    static void fn##_test(void **state);                                                           \
    test_entry_(__COUNTER__, .name = #fn, .run = fn##_test) /* and the function itself: */         \
        static void fn##_test(__attribute__((unused)) void **state)

/* Defines a test that is an async function, with its frame. A block with an edo_body follows. */
#define async_test(fn, ...)                                                                        \
    static void fn##_test(void **state);                                                           \
    test_entry_(__COUNTER__, .name = #fn, .run = fn##_test) edo_async_test(fn, __VA_ARGS__)

/* Defines such a test with a frame that is declared before the test, because functions use the
 * frame. */
#define framed_test(fn)                                                                            \
    static void fn##_test(void **state);                                                           \
    test_entry_(__COUNTER__, .name = #fn, .run = fn##_test) edo_test(fn)

/* ---- conditions of the next test ---- */

/* Functions of cmocka that run before and after the test. A result other than 0 fails the test. */
#define fixture(set_up_fn, tear_down_fn)                                                           \
    test_entry_(__COUNTER__, .set_up = (set_up_fn), .tear_down = (tear_down_fn))

/* Skips the test when EDO_TEST_WORKERS requests any workers; one_worker_only: more than one. */
#define current_thread_only(why) test_entry_(__COUNTER__, .max_workers = 0, .reason = (why))
#define one_worker_only(why)     test_entry_(__COUNTER__, .max_workers = 1, .reason = (why))

/* ---- running them ---- */

/* Runs all tests of the program.
 * Returns: the exit status of the program. */
int run_all_tests(void);

/* Runs all tests under another name, for tests that run several times. */
int run_all_tests_as(const char *name);

/* An entry with a function is a test. An entry without a function is a condition of the next
 * test. */
struct test_entry {
    const char *name;
    void (*run)(void **state);
    int (*set_up)(void **state);
    int (*tear_down)(void **state);
    const char *reason;   // reason of max_workers; NULL: any number of workers
    unsigned max_workers; // greatest number of workers; 0: current-thread runtimes only
    int place;            // in the file
    struct test_entry *next;
};

void test_register(struct test_entry *entry);

#define test_entry_(number, ...) test_entry_at_(number, __VA_ARGS__)
#define test_entry_at_(number, ...)                                                                \
    static struct test_entry test_entry_##number = { .place = (number), __VA_ARGS__ };             \
    __attribute__((constructor)) static void test_register_##number(void)                          \
    {                                                                                              \
        test_register(&test_entry_##number);                                                       \
    }

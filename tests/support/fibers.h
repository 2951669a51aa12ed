/* Tests that are fibers. fiber_test(name) { ... } runs the block in a fiber on a fresh runtime with
 * the test clock, as async_test() of cases.h runs async functions. Assertions work in the block in
 * the same way as in the block of an async_test(). */
#pragma once

#include "support/cases.h"

#include <edo/edo.h>
#include <edo/test.h>

#define fiber_test(fn)                                                                             \
    static void fn##_test(void **state);                                                           \
    test_entry_(__COUNTER__, .name = #fn, .run = fn##_test) fiber_test_(fn)

/* edo_fiber_test() with assertions. The block returns nothing. */
#define fiber_test_(fn)                                                                            \
    static void fn##_body(void);                                                                   \
    edo_fiber_test(fn)                                                                             \
    {                                                                                              \
        fn##_body();                                                                               \
        return 0;                                                                                  \
    }                                                                                              \
    static void fn##_body(void)

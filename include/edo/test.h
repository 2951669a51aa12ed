/* Tests of async code.
 *
 * edo_test(name) defines the async function of struct name, as edo_async() does, and a plain
 * function name_test(void **state) that runs it on a fresh runtime with the test clock (time.h);
 * the signature is that of cmocka's tests, and fits others. A result below 0, or a task that could
 * not be ended, prints one line and aborts. With EDO_TEST_WORKERS=N in the environment the runtime
 * has so many workers, and no spare ones (one worker runs one task at a time); else it is a
 * current-thread one.
 *
 *     struct nap {
 *         edo_frame();
 *         edo_args();
 *     };
 *     edo_test(nap)
 *     {
 *         edo_body {
 *             int rc;
 *             edo_await(rc, edo_sleep(edo_s(3600)));        // takes no time
 *             edo_return(rc);
 *         }
 *     }
 *     ... cmocka_unit_test(nap_test) ...
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS
EDO_API void edo__run_test(const edo_site *site, const void *args);
EDO_END_DECLS

#define edo_test(name)                                                                             \
    static const edo_future_ops name##_async;                                                      \
    static void name##_test(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        edo__run_test(edo__site_of(name, ), edo__args_of(name, ));                                 \
    }                                                                                              \
    edo_async(name)

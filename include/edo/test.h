/* Tests of async code.
 *
 * edo_test(name) defines the async function of struct name, as edo_async() does. It also defines a
 * plain function name_test(void **state), which runs the async function on a fresh runtime with the
 * test clock (time.h). The signature of name_test is that of cmocka's tests, and suits other test
 * libraries. If the result is below 0, or if a task could not be ended, name_test prints one line
 * and aborts. With EDO_TEST_WORKERS=N in the environment the runtime has N workers and no spare
 * workers. Otherwise it is a current-thread runtime.
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

/* As edo_test(), but also defines the test's frame. The frame has the given members, if any:
 *
 *     edo_async_test(nap, int64_t began; int rounds;)
 *     {
 *         edo_body {
 *             ...
 *
 * If the test calls async functions, they are named first, as in edo_frame():
 *
 *     edo_async_test(fetches_twice, edo_callees(struct fetch fetch;) int64_t sum;) */
#define edo_async_test(name, ...)                                                                  \
    edo__test_frame(name, edo__has_callees(__VA_ARGS__, ), __VA_ARGS__) edo_test(name)

/* 1 if the members begin with edo_callees(), else 0. */
#define edo__has_callees(first, ...)     edo__second(edo__probe_##first, 0, )
#define edo__probe_edo_callees(...)      ~, 1,
#define edo__second(...)                 edo__second_(__VA_ARGS__)
#define edo__second_(first, second, ...) second

#define edo__test_frame(name, has_callees, ...)  edo__test_frame_(name, has_callees, __VA_ARGS__)
#define edo__test_frame_(name, has_callees, ...) edo__test_frame_##has_callees(name, __VA_ARGS__)
#define edo__test_frame_0(name, ...)             edo__define_test_frame(name, (), __VA_ARGS__)
#define edo__test_frame_1(name, ...)             edo__define_test_frame(name, edo__split_##__VA_ARGS__)
#define edo__split_edo_callees(...)              (__VA_ARGS__),
#define edo__define_test_frame(...)              edo__define_test_frame_(__VA_ARGS__)
#define edo__define_test_frame_(name, callees, ...)                                                \
    struct name {                                                                                  \
        edo_frame(edo__list callees);                                                              \
        edo_args();                                                                                \
        __VA_ARGS__                                                                                \
    };
#define edo__list(...) __VA_ARGS__

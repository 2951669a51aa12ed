/* Waiting as an expression, from ordinary functions.
 *
 *     int64_t n = edo_wait(edo_read(io, buf, sizeof buf));
 *
 * In a fiber (edo/fiber.h) a wait parks the fiber, and other tasks run meanwhile. On a plain
 * thread, outside of tasks, a wait blocks the thread. In an async function a wait aborts: use
 * edo_await() there.
 *
 * The futures, and the memory to which they point, may be on the caller's stack, because a call
 * returns only when all its futures have ended. The exception is edo_wait_any().
 *
 * A plain thread waits by the clock of edo_now() on this thread. If that is a paused test clock,
 * the thread's time nevertheless passes during the wait.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* These functions wait for one future. deadline: a time of edo_now()'s clock; EDO_NEVER: no limit.
 * Returns: the future's result; the error of edo_runtime_create() if no runtime can be made for the
 * thread. Thread: any, but not inside an async function (aborts there). */
EDO_API int64_t edo__wait(edo_future *future, const char *file, uint32_t line);
EDO_API int64_t edo__wait_until(edo_future *future, int64_t deadline, const char *file,
                                uint32_t line);

enum {
    EDO__WAIT_ALL,
    EDO__WAIT_TRY_ALL,
    EDO__WAIT_SELECT,
    EDO__WAIT_SELECT_BIASED,
    EDO__WAIT_ANY,
    EDO__WAITS
};

/* Waits for several futures. way: one of EDO__WAIT_*. */
EDO_API int64_t edo__wait_together(uint32_t way, edo_future *const *children, size_t count,
                                   const char *file, uint32_t line);

/* As edo__wait_together(), for the elements of an array. stride: bytes of an element. */
EDO_API int64_t edo__wait_array(uint32_t way, edo_future *first, size_t count, size_t stride,
                                const char *file, uint32_t line);

EDO_END_DECLS

/* Waits for an operation. Returns: its result. */
#define edo_wait(...)                                                                              \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait(&edo_op_.base, __FILE__, __LINE__);                                              \
    }))

/* Waits for a future that is given by its address: an operation in a variable, or a user's own
 * future. */
#define edo_wait_on(future) edo__wait((future), __FILE__, __LINE__)

/* Waits for an operation with a time limit in nanoseconds, such as edo_ms(5). A ready operation
 * wins over a limit that has passed.
 * Returns: the operation's result; -ETIMEDOUT if the limit has passed. In both cases the operation
 * has ended. */
#define edo_wait_for(duration, ...)                                                                \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait_until(&edo_op_.base, edo__deadline_after(duration), __FILE__, __LINE__);         \
    }))

/* Calls an async function and waits for its end: rc = edo_wait_call(fetch, .url = url). The frame
 * of the function is on the stack. edo_wait_call_for() has a time limit. */
#define edo_wait_call(...) edo__wait_call(EDO_NEVER, __VA_ARGS__, )
#define edo_wait_call_for(duration, ...)                                                           \
    edo__wait_call(edo__deadline_after(duration), __VA_ARGS__, )
#define edo__wait_call(deadline, fn, ...)                                                          \
    (__extension__({                                                                               \
        struct fn edo_frame_;                                                                      \
        edo__init(&edo_frame_, fn, __VA_ARGS__);                                                   \
        edo__wait_until(&edo_frame_.base, (deadline), __FILE__, __LINE__);                         \
    }))

/* Runs all futures to their ends: edo_wait_all(&a.base, &b.base). Each future then has its own
 * result.
 * Returns: 0. */
#define edo_wait_all(...) edo__wait_several(EDO__WAIT_ALL, __VA_ARGS__)

/* Runs all futures to their ends. The first failure cancels the other futures. Returns: 0, or that
 * failure. */
#define edo_wait_try_all(...) edo__wait_several(EDO__WAIT_TRY_ALL, __VA_ARGS__)

/* Waits until one future is ready: the winner. The other futures are cancelled, and have ended when
 * the macro returns. edo_wait_select() chooses the future that it polls first at random.
 * edo_wait_select_biased() polls from left to right.
 * Returns: the winner's position, from 0. If there is no winner: -ECANCELED if the fiber was
 * cancelled, -ETIMEDOUT if the limit of an edo_wait_within() had passed. */
#define edo_wait_select(...)        edo__wait_several(EDO__WAIT_SELECT, __VA_ARGS__)
#define edo_wait_select_biased(...) edo__wait_several(EDO__WAIT_SELECT_BIASED, __VA_ARGS__)

/* Waits until one future is ready: the winner.
 * In a fiber the other futures are kept: every wait of this fiber polls them, too. They must end
 * before the block of their variables is left: declare them with EDO_ENDS (edo/fiber.h), or wait
 * for them. If a fiber returns before its kept futures have ended, the process aborts.
 * On a plain thread the other futures are cancelled, and have ended when the macro returns.
 * Returns: as edo_wait_select(). */
#define edo_wait_any(...) edo__wait_several(EDO__WAIT_ANY, __VA_ARGS__)

/* As the macros above, for the first `count` elements of an array. The elements are frames or
 * operations: edo_wait_all_of(fetches, count). With a count of 0 the wait ends at once.
 * Returns: as above; -EINVAL if the count is 0 and the macro would choose a winner. */
#define edo_wait_all_of(array, count)     edo__wait_elements(EDO__WAIT_ALL, array, count)
#define edo_wait_try_all_of(array, count) edo__wait_elements(EDO__WAIT_TRY_ALL, array, count)
#define edo_wait_select_of(array, count)  edo__wait_elements(EDO__WAIT_SELECT, array, count)
#define edo_wait_select_biased_of(array, count)                                                    \
    edo__wait_elements(EDO__WAIT_SELECT_BIASED, array, count)
#define edo_wait_any_of(array, count) edo__wait_elements(EDO__WAIT_ANY, array, count)

#define edo__wait_elements(way, array, count)                                                      \
    edo__wait_array((way), &(array)->base, (count), sizeof *(array), __FILE__, __LINE__)

#define edo__wait_several(way, ...)                                                                \
    (__extension__({                                                                               \
        edo_future *const edo_children_[] = { __VA_ARGS__ };                                       \
        edo__wait_together((way), edo_children_, sizeof edo_children_ / sizeof *edo_children_,     \
                           __FILE__, __LINE__);                                                    \
    }))

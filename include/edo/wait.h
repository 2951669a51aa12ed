/* Waiting as an expression, from ordinary functions.
 *
 *     int64_t n = edo_wait(edo_read(io, buf, sizeof buf));
 *
 * In a fiber (edo/fiber.h) it parks the fiber; other tasks run meanwhile. On a plain thread,
 * outside of tasks, it blocks the thread. In an async function it aborts: await there.
 *
 * Operations, frames of async functions and what they point to may lie on the stack: each call but
 * edo_wait_any() returns when all that it was given has ended.
 *
 * A plain thread that waits has a runtime of its own, whose clock is that of edo_now() on this
 * thread; a test clock that stands goes on for it in real time.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* Waits for one future, until a moment of edo_now()'s clock (EDO_NEVER: without a limit).
 * Returns: its result; on a thread for which there is no runtime, why, as edo_runtime_create() says
 * it. Thread: any, but not inside an async function (aborts there). */
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

/* Waits for several, in one of these ways. */
EDO_API int64_t edo__wait_together(uint32_t way, edo_future *const *children, size_t count,
                                   const char *file, uint32_t line);

EDO_END_DECLS

/* Waits for an operation. Returns: its result. */
#define edo_wait(...)                                                                              \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait(&edo_op_.base, __FILE__, __LINE__);                                              \
    }))

/* The same for a future that lies elsewhere: an operation in a variable, a user's own. */
#define edo_wait_on(future) edo__wait((future), __FILE__, __LINE__)

/* With a time limit (nanoseconds; edo_ms(5)): -ETIMEDOUT, and then the operation has ended. One
 * that is ready wins over a limit that has passed. */
#define edo_wait_for(duration, ...)                                                                \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait_until(&edo_op_.base, edo__deadline_after(duration), __FILE__, __LINE__);         \
    }))

/* Calls an async function and waits for it; its frame lies on the stack:
 * rc = edo_wait_call(fetch, .url = url). The second has a time limit. */
#define edo_wait_call(...) edo__wait_call(EDO_NEVER, __VA_ARGS__, )
#define edo_wait_call_for(duration, ...)                                                           \
    edo__wait_call(edo__deadline_after(duration), __VA_ARGS__, )
#define edo__wait_call(deadline, fn, ...)                                                          \
    (__extension__({                                                                               \
        struct fn edo_frame_;                                                                      \
        edo__init(&edo_frame_, fn, __VA_ARGS__);                                                   \
        edo__wait_until(&edo_frame_.base, (deadline), __FILE__, __LINE__);                         \
    }))

/* Runs all to their ends: edo_wait_all(&a.base, &b.base). The results stand in them. Returns: 0. */
#define edo_wait_all(...) edo__wait_several(EDO__WAIT_ALL, __VA_ARGS__)

/* The same, but the first failure cancels the rest. Returns: 0, or that failure. */
#define edo_wait_try_all(...) edo__wait_several(EDO__WAIT_TRY_ALL, __VA_ARGS__)

/* The first to be ready wins; the rest are cancelled and have ended when this returns. The first to
 * be polled is chosen at random; the second form goes from left to right.
 * Returns: the winner's position from 0; -ECANCELED when the fiber was cancelled and so were
 * all. */
#define edo_wait_select(...)        edo__wait_several(EDO__WAIT_SELECT, __VA_ARGS__)
#define edo_wait_select_biased(...) edo__wait_several(EDO__WAIT_SELECT_BIASED, __VA_ARGS__)

/* The first to be ready; the rest go on at every wait of this fiber. So they must not lie in a
 * block that is left before they have ended: declare them with EDO_ENDS (edo/fiber.h), or wait for
 * them. A fiber that returns before they have ended aborts. (On a plain thread, which polls only
 * while it waits, they are cancelled and have ended.)
 * Returns: as edo_wait_select(). */
#define edo_wait_any(...) edo__wait_several(EDO__WAIT_ANY, __VA_ARGS__)

#define edo__wait_several(way, ...)                                                                \
    (__extension__({                                                                               \
        edo_future *const edo_children_[] = { __VA_ARGS__ };                                       \
        edo__wait_together((way), edo_children_, sizeof edo_children_ / sizeof *edo_children_,     \
                           __FILE__, __LINE__);                                                    \
    }))

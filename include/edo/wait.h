/* Waiting as an expression, from ordinary functions.
 *
 *     int64_t n = edo_wait(edo_read(io, buf, sizeof buf));
 *
 * In a fiber (edo/fiber.h) edo_wait() parks the fiber; other tasks run meanwhile. On a plain
 * thread, outside of tasks, it blocks the thread. In an async function it aborts: use edo_await()
 * there.
 *
 * Operations, frames of async functions and the memory that they point to may lie on the stack:
 * each call except edo_wait_any() returns after all its futures have ended.
 *
 * A plain thread that waits has a runtime of its own, on the clock of edo_now() on this thread. If
 * that is a paused test clock, the wait begins at the paused moment and continues in real time.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* Waits for one future, at most until `deadline` on the clock of edo_now() (EDO_NEVER: no limit).
 * Returns: the future's result; if no runtime can be made for the thread, the error of
 * edo_runtime_create(). Thread: any, except inside an async function (aborts there). */
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

/* Waits for several futures, in one of the ways above. */
EDO_API int64_t edo__wait_together(uint32_t way, edo_future *const *children, size_t count,
                                   const char *file, uint32_t line);

EDO_END_DECLS

/* Waits for an operation. Returns: its result. */
#define edo_wait(...)                                                                              \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait(&edo_op_.base, __FILE__, __LINE__);                                              \
    }))

/* The same for a future in memory of the caller: an operation in a variable, or a user's future. */
#define edo_wait_on(future) edo__wait((future), __FILE__, __LINE__)

/* Waits with a time limit (nanoseconds; edo_ms(5)). Returns: the result, or -ETIMEDOUT; the
 * operation has ended in either case. A ready operation wins over a limit that has passed. */
#define edo_wait_for(duration, ...)                                                                \
    (__extension__({                                                                               \
        edo_op edo_op_ = (__VA_ARGS__);                                                            \
        edo__wait_until(&edo_op_.base, edo__deadline_after(duration), __FILE__, __LINE__);         \
    }))

/* Calls an async function, with its frame on the stack, and waits for its end:
 * rc = edo_wait_call(fetch, .url = url). edo_wait_call_for() has a time limit. */
#define edo_wait_call(...) edo__wait_call(EDO_NEVER, __VA_ARGS__, )
#define edo_wait_call_for(duration, ...)                                                           \
    edo__wait_call(edo__deadline_after(duration), __VA_ARGS__, )
#define edo__wait_call(deadline, fn, ...)                                                          \
    (__extension__({                                                                               \
        struct fn edo_frame_;                                                                      \
        edo__init(&edo_frame_, fn, __VA_ARGS__);                                                   \
        edo__wait_until(&edo_frame_.base, (deadline), __FILE__, __LINE__);                         \
    }))

/* Runs all futures to their ends: edo_wait_all(&a.base, &b.base). Each future has its result.
 * Returns: 0. */
#define edo_wait_all(...) edo__wait_several(EDO__WAIT_ALL, __VA_ARGS__)

/* The same, except that the first failure cancels the others. Returns: 0, or that failure. */
#define edo_wait_try_all(...) edo__wait_several(EDO__WAIT_TRY_ALL, __VA_ARGS__)

/* Waits for the first ready future; the others are cancelled, and have ended when this returns.
 * Polling begins at a random future; the biased form polls from left to right.
 * Returns: the winner's position from 0; -ECANCELED if the fiber was cancelled, and all futures
 * with it. */
#define edo_wait_select(...)        edo__wait_several(EDO__WAIT_SELECT, __VA_ARGS__)
#define edo_wait_select_biased(...) edo__wait_several(EDO__WAIT_SELECT_BIASED, __VA_ARGS__)

/* Waits for the first ready future; the others are kept, and polled at every wait of this fiber. Do
 * not leave the block of a kept future before its end: declare it with EDO_ENDS (edo/fiber.h), or
 * wait for it. A fiber that returns while it keeps a future aborts. On a plain thread, which polls
 * only while it waits, the others are cancelled and have ended.
 * Returns: as edo_wait_select(). */
#define edo_wait_any(...) edo__wait_several(EDO__WAIT_ANY, __VA_ARGS__)

#define edo__wait_several(way, ...)                                                                \
    (__extension__({                                                                               \
        edo_future *const edo_children_[] = { __VA_ARGS__ };                                       \
        edo__wait_together((way), edo_children_, sizeof edo_children_ / sizeof *edo_children_,     \
                           __FILE__, __LINE__);                                                    \
    }))

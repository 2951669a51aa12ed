/* A time limit over several awaits of an async function.
 *
 *     edo_within(&self->limit, edo_s(5)) {             // edo_limit limit; in the frame
 *         edo_try_or(close, edo_write_all(self->conn, self->line, self->length));
 *         edo_try_or(close, n, edo_read(self->conn, self->line, sizeof self->line));
 *     }
 *
 * The block runs once. When its time is over it is as if the function had been cancelled, until the
 * block ends: the operation that waits ends, and every further await of the block answers at once;
 * they say -ETIMEDOUT instead of -ECANCELED. So do edo_select() and the others that wait for
 * several. A function that is called from the block sees -ECANCELED, cleans up and returns. As with
 * edo_await_for(), a ready result wins, and a cancelled operation has ended when it answers.
 *
 * Blocks may be nested; each ends by its own time, so the earlier one ends the inner awaits. A
 * function that is cancelled itself answers -ECANCELED, in blocks too. A block that begins behind
 * edo_shield() bounds the clean-up; the limits of earlier blocks are held off by the shield.
 *
 * Ways out: the end of the block, break and continue, which both mean its end (the block is a loop
 * of one round, and ends before the loop around it); edo_return. A goto, also that of edo_try_or(),
 * to a label outside takes the limit along until the function returns: it leads to clean-up, which
 * is so limited as well, or shields. To go on with the function, use break: edo-lint reports a goto
 * that leads to further awaits.
 *
 * Futures that edo_any() has kept are not limited while the block waits for others.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* The limit of a block; in the frame, for one block at a time. All private. */
typedef struct edo_limit {
    edo_future base; // its place in the frame; line: of the block
    int64_t deadline;
    uint8_t state;
    bool is_cleanup;
    uint8_t reserved[6];
} edo_limit;

EDO_API void edo__limit_open(edo_limit *limit, edo_future *function, edo_cx *cx, int64_t deadline,
                             uint32_t line);
EDO_API void edo__limit_close(edo_limit *limit, edo_future *function, edo_cx *cx);

EDO_END_DECLS

/* Runs the block that follows under a limit: a duration in nanoseconds, or the moment when it is
 * over, of edo_now()'s clock. A limit that is open already, from another line, aborts. */
#define edo_within(limit, duration)   edo_within_until(limit, edo__deadline_after(duration))
#define edo_within_until(limit, when) edo__within(EDO__CAT(edo_end_, __COUNTER__), (limit), (when))

/* No loop here has a condition, so compilers see that the block always runs: variables that it sets
 * may be used behind it. `break` leaves the inner loop, and the outer one's step ends the block. */
#define edo__within(end, limit, when)                                                              \
    if (0)                                                                                         \
end:;                                                                                              \
        else for (edo__limit_open(limit, &self->base, cx, when, __LINE__);;                        \
                  edo__within_end(end, limit)) for (;; edo__within_end(end, limit))

#define edo__within_end(end, limit)                                                                \
    __extension__({                                                                                \
        edo__limit_close(limit, &self->base, cx);                                                  \
        goto end;                                                                                  \
    })

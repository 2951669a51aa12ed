/* A time limit over several awaits of an async function.
 *
 *     edo_within(&self->limit, edo_s(5)) {             // edo_limit limit; in the frame
 *         edo_try_or(close, edo_write_all(self->conn, self->line, self->length));
 *         edo_try_or(close, n, edo_read(self->conn, self->line, sizeof self->line));
 *     }
 *
 * The block runs once. When the limit has passed, the rest of the block behaves as in a cancelled
 * function, with -ETIMEDOUT instead of -ECANCELED. The waiting operation ends, and every further
 * await of the block answers at once. edo_select() and the other macros that wait for several
 * futures answer -ETIMEDOUT as well. An async function that the block calls sees -ECANCELED, cleans
 * up and returns. As with edo_await_for(), a ready result wins over the limit, and a cancelled
 * operation has ended when it answers.
 *
 * Blocks may be nested. Each block has its own limit, and the limit that passes first ends the
 * awaits of the inner block. If the function itself is cancelled, awaits answer -ECANCELED, even in
 * a block. edo_shield() protects the clean-up from the limits of blocks that began before it. A
 * block that begins after edo_shield() limits the clean-up.
 *
 * The limit ends at the end of the block, at edo_return, and at break or continue in the block. The
 * block is a loop of one iteration, so break and continue end the block, and not an enclosing loop.
 * To continue the function after the block, use break. A goto out of the block, also by
 * edo_try_or(), does not end the limit, which then lasts until the function returns. So the
 * clean-up after the label is limited too, unless it begins with edo_shield(). edo-lint reports a
 * goto that leads to further awaits.
 *
 * Futures kept by edo_any() are not limited while the block waits for other futures.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* The limit of a block. The limit is a member of the frame, and serves one block at a time. All
 * members are private. */
typedef struct edo_limit {
    edo_future base; // linked into the frame; `line` is that of the block
    int64_t deadline;
    uint8_t state;
    bool is_cleanup;
    uint8_t reserved[6];
} edo_limit;

EDO_API void edo__limit_open(edo_limit *limit, edo_future *function, edo_cx *cx, int64_t deadline,
                             uint32_t line);
EDO_API void edo__limit_close(edo_limit *limit, edo_future *function, edo_cx *cx);

EDO_END_DECLS

/* Runs the following block under a limit. limit: pointer to the limit. The expression is evaluated
 * at the beginning and at the end of the block, and must have the same value both times (aborts
 * otherwise). duration: nanoseconds. when: a time of edo_now()'s clock. Aborts if another line has
 * already opened the limit. */
#define edo_within(limit, duration)   edo_within_until(limit, edo__deadline_after(duration))
#define edo_within_until(limit, when) edo__within(EDO__CAT(edo_end_, __COUNTER__), (limit), (when))

/* Neither loop has a condition. So compilers see that the block always runs, and do not warn if a
 * variable that the block sets is used after the block. `break` leaves the inner loop, and the step
 * of the outer loop then ends the block. */
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

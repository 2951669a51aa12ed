/* Calls that may fail: retries, budgets of retries, hedged calls, circuit breakers.
 *
 *     edo_retry_init(&self->retry, &(edo_retry_options){ .attempts = 5, .limit = edo_s(10) });
 *     do {
 *         edo_call_for(self->rc, edo_s(2), fetch, .url = self->url);
 *         edo_await(again, edo_retry_again(&self->retry, self->rc));
 *     } while (again == 1);
 *     ... self->rc: the last result
 *
 * All structs lie where the user puts them, in a frame or in static memory, and allocate nothing.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* ---- retries ---- */

/* A zeroed budget permits no retry, so call edo_retry_budget_init() first. */
typedef struct edo_retry_budget edo_retry_budget;

/* Whether a result is worth another attempt. A plain function, which does not wait. */
typedef bool edo_is_worth_fn(void *context, int64_t result);

/* Options of an edo_retry. Zeroed options: any number of attempts, pauses from 100 ms to 10 s,
 * retries after transient errors only. */
typedef struct edo_retry_options {
    uint32_t attempts; // including the first one; 0: any number
    uint32_t reserved;
    int64_t least, most; // ns; bounds of a pause; 0: 100 ms and 10 s
    int64_t limit; // ns; time from the initialisation to the end of the last pause; 0: no limit
    edo_is_worth_fn *is_worth; // NULL: edo_is_transient()
    void *context;             // context of is_worth
    edo_retry_budget *budget;  // shared by callers; NULL: none
} edo_retry_options;

/* All members are private. */
typedef struct edo_retry {
    edo_retry_options options;
    int64_t deadline; // ns of edo_now(); INT64_MAX: none
    int64_t pause;    // ns; last pause as it was drawn; `asked` may have made it longer
    int64_t asked;    // ns; least length of the next pause
    int64_t until;    // ns of edo_now(); end of the pause in progress; 0: none
    uint32_t failures;
    bool was_counted; // whether the budget has counted the call
} edo_retry;

/* Prepares the attempts of one call. options: NULL for zeroed options.
 * Thread: inside a task, or any thread with a current runtime, whose clock is used. */
EDO_API void edo_retry_init(edo_retry *retry, const edo_retry_options *options);

/* Decides, after an attempt with the result `result`, whether to make another attempt, and pauses
 * before that attempt. The pauses grow at random, so that callers that failed together do not try
 * again together. Each pause lasts between `least` and three times the previous pause, and at most
 * `most` (decorrelated jitter).
 * Result: 1: the pause is over, so try again. 0: `result` is final, and there was no pause. This is
 * so in three cases:
 * - `result` is not a failure (>= 0).
 * - `result` is not worth another attempt.
 * - No attempt, time or budget is left.
 * Cancel: prompt. */
EDO_API EDO_MUST_USE edo_op edo_retry_again(edo_retry *retry, int64_t result);

/* Makes the next pause last at least `duration`, because a server has asked for it. */
EDO_API void edo_retry_after(edo_retry *retry, int64_t duration);

/* Number of attempts that have failed. */
static inline uint32_t edo_retry_failures(const edo_retry *retry)
{
    return retry->failures;
}

/* Time left for further attempts, in ns, for use as the limit of an edo_call_for(). EDO_NEVER if
 * the options set no limit. */
EDO_API int64_t edo_retry_left(const edo_retry *retry);

/* Whether an error may pass by itself: a connection refused, reset or broken, a time-out, an
 * unreachable host or net, a shortage, input that ended too early. */
EDO_API bool edo_is_transient(int64_t result);

/* ---- budgets ---- */

/* A budget bounds the retries of all its callers, so that retries do not multiply the load of a
 * service that fails. Each call adds `percent` / 100 of a retry to the budget, when its edo_retry
 * gets the first result. Each retry takes one retry from the budget. The budget begins with `most`
 * retries, and never has more.
 * All members are private. */
struct edo_retry_budget {
    int64_t left; // hundredths of a retry; atomic
    int64_t most;
    int64_t percent;
};

/* Prepares a budget. Thread: any, before the first use. */
EDO_API void edo_retry_budget_init(edo_retry_budget *budget, uint32_t percent, uint32_t most);

/* Number of retries left. Thread: any; a snapshot. */
EDO_API uint32_t edo_retry_budget_left(const edo_retry_budget *budget);

/* ---- hedged calls ---- */

/* A hedged call makes several attempts at one call. The next attempt begins `delay` after the
 * previous one, or as soon as all earlier attempts have failed. The first result >= 0 wins. The
 * other attempts are cancelled, and have ended when the hedge answers.
 *
 *     edo_init(&self->ask[0], ask, .server = a);
 *     edo_init(&self->ask[1], ask, .server = b);
 *     edo_hedge_init(&self->hedge, edo_ms(20), &self->ask[0].base, sizeof self->ask[0], 2);
 *     edo_await_on(rc, &self->hedge.base);
 *
 * An attempt owns its arguments, and must be polled to release them. So all attempts are polled,
 * even those that begin after another attempt has won, or after the hedge was cancelled. Such a
 * late attempt is cancelled from its first poll on.
 * Result: that of the winner, or the last failure. Cancel: waits; the attempts are cancelled. */
typedef struct edo_hedge {
    edo_future base; // for edo_await_on(), edo_select(), ...; the other members are private
    edo_future *first;
    size_t stride; // bytes
    int64_t delay;
    int64_t next; // start of the next attempt; ns of edo_now()
    uint32_t count, begun;
    int32_t winner;
    int32_t failed;
    int64_t failure;
} edo_hedge;

/* The attempts are `count` frames in an array. first: the base of the first frame. stride: the size
 * of a frame. A count of 0 aborts. */
EDO_API void edo_hedge_init(edo_hedge *hedge, int64_t delay, edo_future *first, size_t stride,
                            uint32_t count);

/* Index of the winner; -1: all attempts have failed. */
static inline int32_t edo_hedge_winner(const edo_hedge *hedge)
{
    return hedge->winner;
}

/* ---- circuit breakers ---- */

/* A breaker refuses calls to a service that keeps failing. After `failures` failures in a row the
 * breaker opens, and refuses calls for `pause`. Then the breaker admits one call as a probe. If the
 * probe succeeds, the breaker closes. If the probe fails, the breaker remains open for another
 * pause.
 *
 *     rc = edo_breaker_enter(&breaker);
 *     if (rc == 0) {
 *         edo_call(self->rc, fetch, ...);
 *         edo_breaker_leave(&breaker, self->rc);
 *     }
 *
 * Call edo_breaker_init() first, because a zeroed breaker never opens. All members are private. */
typedef struct edo_breaker {
    uint32_t lock;
    uint32_t most;    // failures in a row
    uint32_t count;   // number of failures in a row
    bool is_probed;   // a probe is under way
    int64_t pause;    // ns
    int64_t open_end; // ns of edo_now(); INT64_MIN: closed
} edo_breaker;

/* Prepares a breaker. failures: at least 1; 0 counts as 1. Thread: any, before the first use. */
EDO_API void edo_breaker_init(edo_breaker *breaker, uint32_t failures, int64_t pause);

/* Asks whether a call may be made.
 * Returns: 0: make the call, then call edo_breaker_leave(); -EHOSTDOWN: the breaker is open.
 * Thread: any with a current runtime. */
EDO_API EDO_MUST_USE int edo_breaker_enter(edo_breaker *breaker);

/* Reports the result of an admitted call. A transient error (edo_is_transient()) is a failure;
 * -ECANCELED is neither a failure nor a success. Thread: as above. */
EDO_API void edo_breaker_leave(edo_breaker *breaker, int64_t result);

/* Whether calls are refused now. Thread: as above; a snapshot. */
EDO_API bool edo_breaker_is_open(edo_breaker *breaker);

EDO_END_DECLS

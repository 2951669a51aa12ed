/* Circuit breakers.
 *
 *     CLOSED ---- `most` failures in a row ---------------> OPEN until open_end
 *     OPEN ------ first call after open_end: the probe ---> HALF OPEN
 *     HALF OPEN - the probe fails ------------------------> OPEN
 *     HALF OPEN - the probe succeeds ---------------------> CLOSED
 *     HALF OPEN - the probe was cancelled ----------------> OPEN, and the next call is a probe
 *
 * The result of a call counts even if the breaker has opened during the call. The lock guards all
 * members. */
#include <edo/retry.h>

#include "base/lock.h"

enum { CLOSED, OPEN, HALF_OPEN };

static int state_of(const edo_breaker *breaker)
{
    if (breaker->open_end == INT64_MIN) return CLOSED;
    return breaker->is_probed ? HALF_OPEN : OPEN;
}

void edo_breaker_init(edo_breaker *breaker, uint32_t failures, int64_t pause)
{
    *breaker = (edo_breaker){ .most = failures ? failures : 1,
                              .pause = pause > 0 ? pause : 0,
                              .open_end = INT64_MIN };
}

int edo_breaker_enter(edo_breaker *breaker)
{
    int64_t now = edo_now();
    edo__lock_take(&breaker->lock);
    int state = state_of(breaker);
    bool is_probe = state == OPEN && now >= breaker->open_end;
    if (is_probe) breaker->is_probed = true;
    edo__lock_give(&breaker->lock);
    return state == CLOSED || is_probe ? 0 : -EHOSTDOWN;
}

static void fail(edo_breaker *breaker, int64_t now)
{
    if (breaker->count < breaker->most) breaker->count++;
    if (breaker->count < breaker->most && state_of(breaker) != HALF_OPEN) return;
    if (__builtin_add_overflow(now, breaker->pause, &breaker->open_end))
        breaker->open_end = INT64_MAX;
}

void edo_breaker_leave(edo_breaker *breaker, int64_t result)
{
    int64_t now = edo_now();
    edo__lock_take(&breaker->lock);
    if (result == -ECANCELED) {
        breaker->is_probed = false;
    } else if (result < 0 && edo_is_transient(result)) {
        fail(breaker, now);
        breaker->is_probed = false;
    } else {
        breaker->count = 0;
        breaker->is_probed = false;
        breaker->open_end = INT64_MIN;
    }
    edo__lock_give(&breaker->lock);
}

bool edo_breaker_is_open(edo_breaker *breaker)
{
    int64_t now = edo_now();
    edo__lock_take(&breaker->lock);
    int state = state_of(breaker);
    bool is_open = state == HALF_OPEN || (state == OPEN && now < breaker->open_end);
    edo__lock_give(&breaker->lock);
    return is_open;
}

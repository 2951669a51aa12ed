/* Retries and their budgets. */
#include <edo/retry.h>

#include "base/atomic.h"
#include "task/op.h"

enum { HUNDREDTHS = 100, GROWTH = 3 };

#define LEAST_PAUSE edo_ms(100)
#define MOST_PAUSE  edo_s(10)

static int64_t after(int64_t moment, int64_t duration)
{
    int64_t sum;
    return __builtin_add_overflow(moment, duration, &sum) ? INT64_MAX : sum;
}

/* ---- what is worth a retry ---- */

bool edo_is_transient(int64_t result)
{
    switch (-result) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EDO_EOF: return true;
    default: return false;
    }
}

static bool is_worth(const edo_retry *retry, int64_t result)
{
    if (result >= 0 || result == -ECANCELED) return false;
    edo_is_worth_fn *fn = retry->options.is_worth;
    return fn ? fn(retry->options.context, result) : edo_is_transient(result);
}

/* ---- budgets ----
 *
 * The operations on the counter are relaxed, because the counter guards no other memory. */

void edo_retry_budget_init(edo_retry_budget *budget, uint32_t percent, uint32_t most)
{
    int64_t hundredths = (int64_t)most * HUNDREDTHS;
    *budget = (edo_retry_budget){ .left = hundredths, .most = hundredths, .percent = percent };
}

uint32_t edo_retry_budget_left(const edo_retry_budget *budget)
{
    return (uint32_t)(edo_load_relaxed(&budget->left) / HUNDREDTHS);
}

static void deposit(edo_retry_budget *budget)
{
    int64_t left = edo_load_relaxed(&budget->left), sum;
    do
        sum = left + budget->percent < budget->most ? left + budget->percent : budget->most;
    while (!edo_cas_relaxed(&budget->left, &left, sum));
}

static bool withdraw(edo_retry_budget *budget)
{
    int64_t left = edo_load_relaxed(&budget->left);
    do
        if (left < HUNDREDTHS) return false;
    while (!edo_cas_relaxed(&budget->left, &left, left - HUNDREDTHS));
    return true;
}

/* ---- retries ---- */

void edo_retry_init(edo_retry *retry, const edo_retry_options *options)
{
    *retry = (edo_retry){ .deadline = INT64_MAX };
    edo_retry_options *own = &retry->options;
    if (options) *own = *options;
    if (own->least <= 0) own->least = LEAST_PAUSE;
    if (own->most <= 0) own->most = own->least > MOST_PAUSE ? own->least : MOST_PAUSE;
    if (own->most < own->least) own->most = own->least;
    if (own->limit > 0) retry->deadline = after(edo_now(), own->limit);
}

void edo_retry_after(edo_retry *retry, int64_t duration)
{
    if (duration > retry->asked) retry->asked = duration;
}

int64_t edo_retry_left(const edo_retry *retry)
{
    if (retry->deadline == INT64_MAX) return EDO_NEVER;
    int64_t left = retry->deadline - edo_now();
    return left > 0 ? left : 0;
}

/* Length of the next pause. */
static int64_t draw_pause(edo_retry *retry, edo_cx *cx)
{
    int64_t least = retry->options.least, high;
    int64_t last = retry->pause ? retry->pause : least;
    if (__builtin_mul_overflow(last, GROWTH, &high)) high = INT64_MAX;
    if (high > retry->options.most) high = retry->options.most;
    uint64_t span = (uint64_t)(high - least) + 1;
    uint64_t drawn = (uint64_t)edo__random_below(cx, UINT32_MAX) << 31;
    retry->pause = least + (int64_t)((drawn ^ edo__random_below(cx, UINT32_MAX)) % span);
    return retry->pause > retry->asked ? retry->pause : retry->asked;
}

/* Decides after an attempt. Returns: whether another attempt follows, after the pause. */
static bool decide(edo_retry *retry, int64_t result, edo_cx *cx)
{
    edo_retry_budget *budget = retry->options.budget;
    if (budget && !retry->was_counted) deposit(budget);
    retry->was_counted = true;
    if (result < 0) retry->failures++;
    if (!is_worth(retry, result)) return false;
    if (retry->options.attempts && retry->failures >= retry->options.attempts) return false;
    retry->until = after(cx->now, draw_pause(retry, cx));
    retry->asked = 0;
    if (retry->until > retry->deadline) return false;
    return !budget || withdraw(budget);
}

static edo_poll again_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_retry *retry = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!op->detail && cx->fate == EDO_LIVE) {
        op->detail = 1; // has decided
        if (!decide(retry, (int64_t)op->length, cx)) return edo__op_finish(op, cx, 0);
    }
    if (cx->now >= retry->until && op->detail) return edo__op_finish(op, cx, 1);
    if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
    edo_cx_deadline(cx, retry->until);
    return EDO_PENDING;
}

edo_op edo_retry_again(edo_retry *retry, int64_t result)
{
    static const edo_future_ops ops = { .name = "edo_retry_again", .poll = again_poll };
    edo__check_memory("edo_retry_again", retry, "retry");
    return edo__op(&ops, retry, NULL, (uint64_t)result, 0);
}

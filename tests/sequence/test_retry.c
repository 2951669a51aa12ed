/* Retries, budgets, hedged calls, circuit breakers. */
#include <string.h>

#include "support/streams.h"

/* ---- retries ---- */

/* Fails some times, then succeeds. */
struct flaky {
    edo_frame();
    edo_args(int *failures; int error;);
};

edo_async(flaky)
{
    edo_body {
        edo_await_void(edo_sleep(edo_us(1)));
        if (*self->failures == 0) edo_return(42);
        --*self->failures;
        edo_return(self->error);
    }
}

/* Calls until the retry gives up. Result: the last one. */
struct persist {
    edo_frame(struct flaky flaky;);
    edo_args(edo_retry *retry; int failures; int error;);
    int rc;
};

edo_async(persist)
{
    edo_body {
        int again;
        do {
            edo_call(self->rc, flaky, .failures = &self->failures, .error = self->error);
            edo_await(again, edo_retry_again(self->retry, self->rc));
        } while (again == 1);
        edo_return(again < 0 ? again : self->rc);
    }
}

async_test(a_transient_failure_is_retried, edo_callees(struct persist persist;) edo_retry retry;
           int64_t began;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_retry_init(&self->retry, NULL);
        edo_call(rc, persist, .retry = &self->retry, .failures = 3, .error = -ECONNREFUSED);
        assert_int_equal(rc, 42);
        assert_int_equal(edo_retry_failures(&self->retry), 3);
        int64_t waited = edo_now() - self->began;
        assert_true(waited >= edo_ms(300) && waited <= edo_ms(100 * (3 + 9 + 27)) + edo_ms(1));
        edo_return(0);
    }
}

async_test(attempts_time_and_kinds_of_errors_are_limits, edo_callees(struct persist persist;)
           edo_retry retry; edo_retry_options options; int64_t began;)
{
    edo_body {
        int rc;
        edo_retry_init(&self->retry, &(edo_retry_options){ .attempts = 4 });
        edo_call(rc, persist, .retry = &self->retry, .failures = 100, .error = -EPIPE);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(edo_retry_failures(&self->retry), 4);
        edo_retry_init(&self->retry, NULL);
        edo_call(rc, persist, .retry = &self->retry, .failures = 100, .error = -EACCES);
        assert_int_equal(rc, -EACCES);
        assert_int_equal(edo_retry_failures(&self->retry), 1);
        self->began = edo_now();
        edo_retry_init(&self->retry, &(edo_retry_options){ .limit = edo_s(3) });
        edo_call(rc, persist, .retry = &self->retry, .failures = 1000, .error = -EPIPE);
        assert_int_equal(rc, -EPIPE);
        assert_true(edo_now() - self->began <= edo_s(3));
        assert_true(edo_retry_left(&self->retry) > 0);
        edo_return(0);
    }
}

async_test(a_pause_is_cancelled_and_a_server_may_ask_for_longer, edo_retry retry; int64_t began;)
{
    edo_body {
        int rc;
        edo_retry_init(&self->retry, NULL);
        edo_await_for(rc, edo_ms(1), edo_retry_again(&self->retry, -EPIPE));
        assert_int_equal(rc, -ETIMEDOUT);
        self->began = edo_now();
        edo_retry_after(&self->retry, edo_s(60));
        edo_await(rc, edo_retry_again(&self->retry, -EPIPE));
        assert_int_equal(rc, 1);
        assert_true(edo_now() - self->began >= edo_s(60));
        edo_return(0);
    }
}

/* The spread of the pauses: two callers that fail together rarely return together. */
async_test(pauses_are_drawn_between_their_bounds, edo_retry retry; int64_t began, last; int i;
           int same;)
{
    edo_body {
        int rc;
        self->same = 0;
        self->last = 0;
        for (self->i = 0; self->i < 200; self->i++) {
            edo_retry_init(&self->retry,
                           &(edo_retry_options){ .least = edo_ms(10), .most = edo_ms(25) });
            self->began = edo_now();
            edo_await(rc, edo_retry_again(&self->retry, -EPIPE));
            assert_int_equal(rc, 1);
            int64_t pause = edo_now() - self->began;
            assert_true(pause >= edo_ms(10) && pause <= edo_ms(25) + edo_us(1));
            self->same += pause == self->last;
            self->last = pause;
        }
        assert_true(self->same < 10);
        edo_return(0);
    }
}

async_test(a_budget_bounds_the_retries_of_all, edo_callees(struct persist persist;)
           edo_retry retry; edo_retry_budget budget; int calls; int attempts;)
{
    edo_body {
        int rc;
        self->attempts = 0;
        edo_retry_budget_init(&self->budget, 10, 5);
        for (self->calls = 0; self->calls < 100; self->calls++) {
            edo_retry_init(&self->retry, &(edo_retry_options){ .budget = &self->budget });
            edo_call(rc, persist, .retry = &self->retry, .failures = 1000, .error = -EPIPE);
            assert_int_equal(rc, -EPIPE);
            self->attempts += (int)edo_retry_failures(&self->retry);
        }
        /* each call once, 5 retries at first, and one for each ten calls */
        assert_true(self->attempts >= 114 && self->attempts <= 115);
        assert_int_equal(edo_retry_budget_left(&self->budget), 0);
        edo_return(0);
    }
}

/* ---- hedges ---- */

struct answer_late {
    edo_frame();
    edo_args(int64_t delay; int64_t result; int *ended;);
};

edo_async(answer_late)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_sleep(self->delay));
        ++*self->ended;
        edo_return(rc < 0 ? rc : self->result);
    }
}

async_test(the_first_good_answer_wins_a_hedge, struct answer_late asks[3]; edo_hedge hedge;
           int ended; int64_t began;)
{
    edo_body {
        int64_t rc;
        self->ended = 0;
        self->began = edo_now();
        edo_init(&self->asks[0], answer_late, .delay = edo_ms(100), .result = 1,
                 .ended = &self->ended);
        edo_init(&self->asks[1], answer_late, .delay = edo_ms(5), .result = 2,
                 .ended = &self->ended);
        edo_init(&self->asks[2], answer_late, .delay = edo_ms(5), .result = 3,
                 .ended = &self->ended);
        edo_hedge_init(&self->hedge, edo_ms(20), &self->asks[0].base, sizeof self->asks[0], 3);
        edo_await_on(rc, &self->hedge.base);
        assert_int_equal(rc, 2);
        assert_int_equal(edo_hedge_winner(&self->hedge), 1);
        assert_int_equal(self->ended, 3); // each function ran to its end
        assert_true(edo_now() - self->began < edo_ms(30));
        edo_return(0);
    }
}

async_test(a_failure_begins_the_next_attempt_at_once, struct answer_late asks[2]; edo_hedge hedge;
           int ended; int64_t began;)
{
    edo_body {
        int64_t rc;
        self->ended = 0;
        self->began = edo_now();
        edo_init(&self->asks[0], answer_late, .delay = 0, .result = -EIO, .ended = &self->ended);
        edo_init(&self->asks[1], answer_late, .delay = 0, .result = -EPIPE, .ended = &self->ended);
        edo_hedge_init(&self->hedge, edo_s(20), &self->asks[0].base, sizeof self->asks[0], 2);
        edo_await_on(rc, &self->hedge.base);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(edo_hedge_winner(&self->hedge), -1);
        assert_true(edo_now() - self->began < edo_s(1));
        edo_return(0);
    }
}

struct hedged {
    edo_frame();
    edo_args(int *ended;);
    struct answer_late asks[2];
    edo_hedge hedge;
};

edo_async(hedged)
{
    edo_body {
        int64_t rc;
        for (int i = 0; i < 2; i++)
            edo_init(&self->asks[i], answer_late, .delay = edo_s(100), .ended = self->ended);
        edo_hedge_init(&self->hedge, edo_s(1), &self->asks[0].base, sizeof self->asks[0], 2);
        edo_await_on(rc, &self->hedge.base);
        edo_return(rc);
    }
}

async_test(a_cancelled_hedge_ends_its_attempts, edo_callees(struct hedged hedged;) int ended;)
{
    edo_body {
        int64_t rc;
        self->ended = 0;
        edo_call_for(rc, edo_ms(1), hedged, .ended = &self->ended);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->ended, 2);
        edo_return(0);
    }
}

/* ---- breakers ---- */

async_test(a_breaker_opens_probes_and_closes, edo_breaker breaker;)
{
    edo_body {
        edo_breaker_init(&self->breaker, 3, edo_s(1));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(edo_breaker_enter(&self->breaker), 0);
            edo_breaker_leave(&self->breaker, -ECONNREFUSED);
        }
        assert_int_equal(edo_breaker_enter(&self->breaker), 0);
        edo_breaker_leave(&self->breaker, 0); // not in a row
        for (int i = 0; i < 3; i++) {
            assert_int_equal(edo_breaker_enter(&self->breaker), 0);
            edo_breaker_leave(&self->breaker, i == 1 ? -ECONNREFUSED : -ETIMEDOUT);
        }
        assert_true(edo_breaker_is_open(&self->breaker));
        assert_int_equal(edo_breaker_enter(&self->breaker), -EHOSTDOWN);
        edo_await_void(edo_sleep(edo_s(1)));
        assert_int_equal(edo_breaker_enter(&self->breaker), 0); // the probe
        assert_int_equal(edo_breaker_enter(&self->breaker), -EHOSTDOWN);
        edo_breaker_leave(&self->breaker, -ECONNREFUSED);
        assert_int_equal(edo_breaker_enter(&self->breaker), -EHOSTDOWN);
        edo_await_void(edo_sleep(edo_s(1)));
        assert_int_equal(edo_breaker_enter(&self->breaker), 0);
        edo_breaker_leave(&self->breaker, -ECANCELED); // neither: the next call is a probe
        assert_int_equal(edo_breaker_enter(&self->breaker), 0);
        edo_breaker_leave(&self->breaker, -EACCES); // the service answers
        assert_false(edo_breaker_is_open(&self->breaker));
        assert_int_equal(edo_breaker_enter(&self->breaker), 0);
        edo_return(0);
    }
}

/* Calls that may fail: retries, hedges, breakers. */
#include <stdio.h>

#include <edo/edo.h>

/* Stands for a request to a server that is down for a while, or slow. */
struct ask {
    edo_frame();
    edo_args(int *failures; int64_t delay; int answer;);
};

edo_async(ask)
{
    edo_body {
        edo_try(edo_sleep(self->delay));
        if (*self->failures > 0) {
            --*self->failures;
            edo_return(-ECONNREFUSED);
        }
        edo_return(self->answer);
    }
}

/* region: retry */
static edo_retry_budget budget; // of all callers
static edo_breaker breaker;     // of this server

struct persist {
    edo_frame(struct ask ask;);
    edo_args(int *failures;);
    edo_retry retry;
    int64_t rc;
};

edo_async(persist)
{
    edo_body {
        int again;
        edo_retry_init(&self->retry, &(edo_retry_options){ .attempts = 5,
                                                           .least = edo_ms(1),
                                                           .limit = edo_s(10),
                                                           .budget = &budget });
        do {
            self->rc = edo_breaker_enter(&breaker);
            if (self->rc == 0) {
                edo_call_for(self->rc, edo_s(1), ask, .failures = self->failures, .answer = 42);
                edo_breaker_leave(&breaker, self->rc);
            }
            edo_await(again, edo_retry_again(&self->retry, self->rc));
        } while (again == 1);
        edo_return(self->rc);
    }
}
/* end: retry */

/* region: hedge */
struct ask_twice {
    edo_frame();
    edo_args(int *failures;);
    struct ask asks[2];
    edo_hedge hedge;
};

edo_async(ask_twice)
{
    edo_body {
        int64_t rc;
        edo_init(&self->asks[0], ask, self->failures, .delay = edo_s(60), .answer = 1);
        edo_init(&self->asks[1], ask, self->failures, .delay = edo_ms(1), .answer = 2);
        edo_hedge_init(&self->hedge, edo_ms(20), &self->asks[0].base, sizeof self->asks[0], 2);
        edo_await_on(rc, &self->hedge.base);
        edo_return(rc);
    }
}
/* end: hedge */

struct show {
    edo_frame(struct persist persist; struct ask_twice ask_twice;);
    edo_args();
    int failures;
};

edo_async(show)
{
    edo_body {
        int64_t rc;
        /* region: init */
        edo_retry_budget_init(&budget, 10, 20);   // 10 retries per 100 calls, 20 at the beginning
        edo_breaker_init(&breaker, 10, edo_s(5)); // opens for 5 s after 10 failures in a row
        /* end: init */
        self->failures = 3;
        edo_call(rc, persist, .failures = &self->failures);
        printf("after three failures: %d\n", (int)rc);
        self->failures = 100;
        edo_call(rc, persist, .failures = &self->failures);
        printf("down: %s\n", edo_strerror(rc));
        printf("retries left for all: %u\n", edo_retry_budget_left(&budget));
        self->failures = 0;
        edo_call(rc, ask_twice, .failures = &self->failures);
        printf("the second server answers: %d\n", (int)rc);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(show);
}

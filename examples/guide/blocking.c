/* Work that blocks or computes, on threads made for it. */
#include <stdio.h>

#include <edo/edo.h>

/* region: job */
/* An ordinary function: it may block, and compute for as long as it likes. */
static int64_t count_primes(void *arg)
{
    int64_t limit = *(const int64_t *)arg, primes = 0;
    for (int64_t n = 2; n < limit; n++) {
        int64_t divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        if (divisor * divisor > n) primes++;
    }
    return primes;
}

struct report {
    edo_frame();
    edo_args(int64_t limit;);
};

edo_async(report)
{
    edo_body {
        int64_t primes;
        edo_await(primes, edo_blocking(count_primes, &self->limit));
        if (primes < 0) edo_return(primes); // cancelled before it began, or no thread to be had
        printf("%lld primes below %lld\n", (long long)primes, (long long)self->limit);
        edo_return(0);
    }
}
/* end: job */

/* region: many */
enum { JOBS = 20, LIMIT = 1000 };

struct many {
    edo_frame();
    edo_args(edo_pool *pool;);
    int64_t limits[JOBS];
    edo_task *tasks[JOBS];
    int64_t sum;
    int i, spawned;
};

edo_async(many)
{
    edo_body {
        int64_t rc;
        self->sum = 0;
        for (self->spawned = 0; self->spawned < JOBS; self->spawned++) {
            edo_await(rc, edo_pool_room(self->pool)); // waits while the queue is full
            self->limits[self->spawned] = LIMIT;
            if (rc == 0)
                rc = edo_spawn_blocking_with(&self->tasks[self->spawned], NULL, self->pool,
                                             count_primes, &self->limits[self->spawned]);
            if (rc < 0) break;
        }
        edo_shield(); // the jobs read our frame: wait for them, whatever happens
        for (self->i = 0; self->i < self->spawned; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            if (rc > 0) self->sum += rc;
        }
        printf("%lld primes in all\n", (long long)self->sum);
        edo_return(0);
    }
}
/* end: many */

struct root {
    edo_frame(struct report report; struct many many;);
    edo_args();
    edo_pool *pool;
};

edo_async(root)
{
    edo_body {
        int rc;
        edo_call(rc, report, .limit = 100000);
        if (rc < 0) edo_return(rc);
        /* region: pool */
        edo_pool_config config = { .name = "primes", .max_threads = 2, .max_queue = 4 };
        rc = edo_runtime_add_pool(edo_current_runtime(), &config);
        if (rc == 0) rc = edo_runtime_pool(edo_current_runtime(), "primes", &self->pool);
        /* end: pool */
        if (rc < 0) edo_return(rc);
        edo_call(rc, many, .pool = self->pool);
        edo_return(rc);
    }
}

edo_main(root)

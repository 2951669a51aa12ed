/* A set of blocking jobs, whose results are taken as they come. */
#include <stdio.h>

#include <edo/edo.h>

/* region: set */
/* Stands for a computation, or a call that blocks. */
static int64_t count_primes(void *context)
{
    int limit = *(int *)context, count = 0;
    for (int n = 2; n < limit; n++) {
        bool is_prime = true;
        for (int d = 2; d * d <= n && is_prime; d++)
            is_prime = n % d != 0;
        count += is_prime;
    }
    return count;
}

struct count {
    edo_frame();
    edo_item_args(int, int64_t);
};

edo_async(count)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_blocking(count_primes, self->item)); // on a thread made for it
        *self->ret_item = n;
        edo_return(n < 0 ? n : 0);
    }
}

struct count_all {
    edo_frame();
    edo_args(const int *limits; size_t number;);
    edo_array_of(int) in;
    edo_buffered_of(int, int64_t, 4) counts;
    int64_t primes;
};

edo_async(count_all)
{
    edo_body {
        int rc;
        edo_array_init(&self->in, self->limits, self->number);
        edo_buffer_ordered_init(&self->counts, &self->in, count, NULL);
        edo_for_each(rc, &self->counts, &self->primes)
            printf("%d\n", (int)self->primes);
        edo_return(rc);
    }
}
/* end: set */

struct show {
    edo_frame(struct count_all count_all;);
    edo_args();
};

edo_async(show)
{
    static const int limits[] = { 10, 100, 1000, 10000, 20000 };
    edo_body {
        int rc;
        edo_call(rc, count_all, .limits = limits, .number = 5);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(show);
}

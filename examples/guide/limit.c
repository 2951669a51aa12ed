/* Time limits, on an operation and on a function. */
#include <stdio.h>

#include <edo/edo.h>

/* region: limit */
struct slow {
    edo_frame();
    edo_args();
};

edo_async(slow)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(3600)));
        printf("slow: %s\n", edo_strerror(rc));
        edo_return(rc);
    }
}

struct hasty {
    edo_frame(struct slow slow;);
    edo_args();
};

edo_async(hasty)
{
    edo_body {
        int rc;
        edo_await_for(rc, edo_ms(10), edo_sleep(edo_s(3600)));
        printf("the operation: %s\n", edo_strerror(rc));
        edo_call_for(rc, edo_ms(10), slow);
        printf("the function: %s\n", edo_strerror(rc));
        edo_await_for(rc, edo_s(3600), edo_yield());
        printf("in time: %s\n", edo_strerror(rc));
        edo_return(rc);
    }
}
/* end: limit */

int main(void)
{
    return edo_run(hasty);
}

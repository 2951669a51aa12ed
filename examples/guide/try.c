/* Failures handed on: returned, or taken to the clean-up. */
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

/* region: brew */
struct brew {
    edo_frame();
    edo_args(int cups;);
};

edo_async(brew)
{
    edo_body {
        edo_try(edo_sleep(edo_ms(10))); // a failure, as -ECANCELED, is returned from here
        edo_return(self->cups > 4 ? -ENOSPC : self->cups);
    }
}
/* end: brew */

/* region: wait_on */
struct wait_on {
    edo_frame(struct brew brew;);
    edo_args(int cups;);
    char *tray;
};

edo_async(wait_on)
{
    edo_body {
        edo_check(self->cups < 1 ? -EINVAL : 0); // nothing to clean up so far: returned
        self->tray = malloc(64);
        edo_check(self->tray ? 0 : -ENOMEM);

        edo_try_call_or(clear, brew, .cups = self->cups); // from here on: to the label
        edo_try_or(clear, edo_sleep(edo_ms(5)));
        printf("served\n");
clear:
        edo_shield();
        edo_await_void(edo_sleep(edo_ms(1))); // what this answers does not matter
        free(self->tray);
        edo_return(edo_failure()); // that of the label, or 0
    }
}
/* end: wait_on */

struct cafe {
    edo_frame(struct wait_on wait_on;);
    edo_args();
    int cups;
};

edo_async(cafe)
{
    edo_body {
        int rc;
        for (self->cups = 9; self->cups >= 0; self->cups -= 4) {
            edo_call(rc, wait_on, .cups = self->cups);
            printf("%d cups: %s\n", self->cups, edo_strerror(rc));
        }
        edo_call(rc, wait_on, .cups = 0);
        printf("0 cups: %s\n", edo_strerror(rc));
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(cafe);
}

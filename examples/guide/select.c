/* The first of several; the others end. */
#include <stdio.h>

#include <edo/edo.h>

struct ask {
    edo_frame();
    edo_args(const char *whom; int64_t takes;);
};

edo_async(ask)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->takes));
        edo_return(rc < 0 ? rc : 42);
    }
}

/* region: race */
struct race {
    edo_frame();
    edo_args();
    struct ask near, far;
};

edo_async(race)
{
    edo_body {
        int which;
        edo_init(&self->near, ask, .whom = "near", .takes = edo_ms(10));
        edo_init(&self->far, ask, .whom = "far", .takes = edo_s(3600));
        edo_select(which, &self->near.base, &self->far.base);
        if (which < 0) edo_return(which); // we were cancelled, and so were both

        printf("the winner is number %d\n", which);
        printf("near: %d\n", (int)self->near.base.result);
        printf("far: %s\n", edo_strerror(self->far.base.result));
        edo_return(0);
    }
}
/* end: race */

int main(void)
{
    return edo_run(race);
}

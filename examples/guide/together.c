/* Two functions and an operation, all at once. */
#include <stdio.h>

#include <edo/edo.h>

struct step {
    edo_frame();
    edo_args(const char *name; int64_t duration;);
};

edo_async(step)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        if (rc < 0) edo_return(rc);
        edo_return(self->duration / edo_ms(1));
    }
}

/* region: together */
struct together {
    edo_frame();
    edo_args();
    struct step first, second; // callees that run side by side are members of their own
    edo_op pause;              // so are operations
};

edo_async(together)
{
    edo_body {
        edo_init(&self->first, step, .name = "first", .duration = edo_ms(20));
        edo_init(&self->second, step, .name = "second", .duration = edo_ms(10));
        self->pause = edo_sleep(edo_ms(5));
        edo_all(&self->first.base, &self->second.base, &self->pause.base);

        printf("%s: %d\n", self->first.name, (int)self->first.base.result);
        printf("%s: %d\n", self->second.name, (int)self->second.base.result);
        edo_return(self->pause.base.result);
    }
}
/* end: together */

int main(void)
{
    return edo_run(together);
}

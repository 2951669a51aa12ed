/* A branch that goes on while others come and go. */
#include <stdio.h>

#include <edo/edo.h>

struct download {
    edo_frame();
    edo_args();
};

edo_async(download)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(35)));
        edo_return(rc < 0 ? rc : 1000);
    }
}

/* region: progress */
struct progress {
    edo_frame();
    edo_args();
    struct download download;
    edo_op tick;
};

edo_async(progress)
{
    edo_body {
        int which;
        edo_init(&self->download, download);
        for (;;) {
            self->tick = edo_sleep(edo_ms(10));
            edo_any(which, &self->download.base, &self->tick.base);
            if (which != 1) break; // 0: it has ended; < 0: we were cancelled
            printf("still loading ...\n");
        }
        if (which < 0) edo_return(which);
        printf("loaded %d bytes\n", (int)self->download.base.result);
        edo_return(0); // ends the tick, which is kept
    }
}
/* end: progress */

int main(void)
{
    edo_config config = { .test_clock = true }; // so that the order is always the same
    return edo_run_with(&config, progress);
}

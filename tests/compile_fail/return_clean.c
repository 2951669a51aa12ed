// expect: ok
/* Near misses: a return on every path, and an endless loop, which needs none. */
#include "return.h"

edo_async(f)
{
    edo_body {
        int rc;
        if (self->n > 0) {
            edo_await(rc, edo_yield());
            edo_return(rc);
        }
        edo_return(0);
    }
}

struct endless {
    edo_frame();
    edo_args();
};

edo_async(endless)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_yield());
            if (rc < 0) edo_return(rc);
        }
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1) + edo_go(endless);
}

// expect-gcc: error: control reaches end of non-void function
// expect-clang: error: non-void function does not return a value in all control paths
// flags-gcc: -Wno-error
// flags-clang: -Wno-error
/* A return that is missing on one path only. */
#include "return.h"

edo_async(f)
{
    edo_body {
        int rc;
        if (self->n > 0) {
            edo_await(rc, edo_yield());
            edo_return(rc);
        }
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

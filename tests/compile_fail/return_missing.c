// expect-gcc: error: control reaches end of non-void function
// expect-clang: error: non-void function does not return a value
// flags-gcc: -Wno-error
// flags-clang: -Wno-error
/* Falling off the end is an error even without -Werror, by a pragma of the header. */
#include "return.h"

edo_async(f)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc < 0) edo_return(rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

// expect-gcc: error: incompatible types when returning.*edo__end_with_edo_return
// expect-clang: error: returning .* from a function with incompatible result type 'edo__end_with_edo_return'
/* The same for a constant. */
#include "return.h"

edo_async(f)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc < 0) return 0;
        edo_return(rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

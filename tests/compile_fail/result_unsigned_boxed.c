// expect-gcc: error: .*the result is negative on error: ."n." is to be of a signed type
// expect-clang: error: .*the result is negative on error: ."n." is to be of a signed type
/* The same for the result of edo_call_boxed(). */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_op a, b;
};

edo_async(f)
{
    edo_body {
        unsigned n;
        edo_call_boxed(n, f);
        edo_return(n > 0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

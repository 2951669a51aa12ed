// expect-gcc: error: .*the result is negative on error: ."n." is to be of a signed type
// expect-clang: error: .*the result is negative on error: ."n." is to be of a signed type
/* In an unsigned variable an error would be a large number. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_op a, b;
};

edo_async(f)
{
    edo_body {
        size_t n;
        edo_await(n, edo_yield());
        edo_return(n > 0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

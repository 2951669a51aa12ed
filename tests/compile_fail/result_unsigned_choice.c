// expect-gcc: error: .*the result is negative on error: ."n." is to be of a signed type
// expect-clang: error: .*the result is negative on error: ."n." is to be of a signed type
/* The same for the choice of edo_select(), which may be -ECANCELED. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_op a, b;
};

edo_async(f)
{
    edo_body {
        unsigned char n;
        self->a = self->b = edo_yield();
        edo_select(n, &self->a.base, &self->b.base);
        edo_return(n > 0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

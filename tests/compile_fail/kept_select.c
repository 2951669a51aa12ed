// expect-gcc: 'before' may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: variable 'before' may be uninitialized
/* A local that is kept across a select. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_op a, b;
};

edo_async(f)
{
    edo_body {
        int which;
        int64_t before = edo_now();
        self->a = edo_sleep(edo_ms(1));
        self->b = edo_sleep(edo_ms(2));
        edo_select(which, &self->a.base, &self->b.base);
        edo_return(edo_now() - before + which);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

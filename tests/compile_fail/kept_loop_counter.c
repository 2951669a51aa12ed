// expect-gcc: 'i' may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: variable 'i' may be uninitialized
/* The counter of a loop that awaits. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
};

edo_async(f)
{
    edo_body {
        int rc;
        for (int i = 0; i < self->n; i++)
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

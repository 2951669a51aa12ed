// expect-gcc: 'kept' may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: variable 'kept' may be uninitialized
/* A local that is set before an await and used after it. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
};

edo_async(f)
{
    edo_body {
        int rc, kept;
        kept = self->n + 1;
        edo_await(rc, edo_yield());
        edo_return(rc + kept);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

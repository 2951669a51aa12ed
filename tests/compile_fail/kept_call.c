// expect-gcc: 'first' may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: variable 'first' may be uninitialized
/* A local result that is used after a further await; calls and limits are awaits as well. */
#include <edo/edo.h>

struct g {
    edo_frame();
    edo_args(int n;);
};

edo_async(g)
{
    edo_body {
        edo_return(self->n);
    }
}

struct f {
    edo_frame(struct g g;);
    edo_args();
};

edo_async(f)
{
    edo_body {
        int first, second;
        edo_call(first, g, .n = 1);
        edo_call_for(second, edo_ms(1), g, .n = 2);
        edo_return(first + second);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

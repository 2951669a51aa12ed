// expect-gcc: 'count' may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: variable 'count' may be uninitialized
/* A local that is carried around a loop of awaits. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
};

edo_async(f)
{
    edo_body {
        int rc, count = 0;
        for (;;) {
            if (count == self->n) break;
            count++;
            edo_await(rc, edo_yield());
            if (rc < 0) edo_return(rc);
        }
        edo_return(0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

// expect-gcc: error: static assertion failed: "struct f does not fit.*use edo_call_boxed
// expect-clang: error: .*struct f does not fit.*use edo_call_boxed
/* A function that calls itself needs a frame within its own frame. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int depth;);
};

edo_async(f)
{
    edo_body {
        int rc;
        if (self->depth == 0) edo_return(0);
        edo_call(rc, f, .depth = self->depth - 1);
        edo_return(rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

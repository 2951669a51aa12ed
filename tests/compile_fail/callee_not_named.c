// expect-gcc: struct g does not fit the slot: name it in edo_frame.*use edo_call_boxed
// expect-clang: struct g does not fit the slot: name it in edo_frame.*use edo_call_boxed
/* A callee that needs more room than the slot has. */
#include <edo/edo.h>

struct g {
    edo_frame();
    edo_args();
    char buf[1000];
};

edo_async(g)
{
    edo_body {
        edo_return(self->buf[0]);
    }
}

struct f {
    edo_frame();
    edo_args();
};

edo_async(f)
{
    edo_body {
        int rc;
        edo_call(rc, g);
        edo_return(rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

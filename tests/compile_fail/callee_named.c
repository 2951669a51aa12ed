// expect: ok
/* Near misses: the callee is named, or boxed, or spawned. */
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
    edo_frame(struct g g;);
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

struct boxes {
    edo_frame();
    edo_args();
};

edo_async(boxes)
{
    edo_body {
        int rc;
        edo_call_boxed(rc, g);
        edo_return(rc < 0 ? rc : edo_go(g));
    }
}

int use(void);
int use(void)
{
    return edo_go(f) + edo_go(boxes);
}

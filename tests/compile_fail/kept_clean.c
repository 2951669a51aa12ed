// expect: ok
/* Near misses: values that live across an await are in the frame, and locals are set again after
 * each. */
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
    edo_args(int n;);
    int kept, count, i;
    int64_t before;
    edo_op a, b;
};

edo_async(f)
{
    edo_body {
        int rc, scratch;
        self->kept = self->n + 1;
        for (self->i = 0; self->i < self->n; self->i++) {
            edo_await(rc, edo_yield());
            if (rc < 0) edo_return(rc);
            scratch = rc + self->i;
            self->count += scratch;
        }
        scratch = self->kept;
        self->count += scratch;
        edo_call(rc, g, .n = self->count);
        self->count += rc;
        edo_call_for(rc, edo_ms(1), g, .n = 1);
        self->before = edo_now();
        self->a = edo_sleep(edo_ms(1));
        self->b = edo_sleep(edo_ms(2));
        edo_select(rc, &self->a.base, &self->b.base);
        for (int i = 0; i < self->n; i++)
            self->count += i;
        int64_t after = edo_now();
        edo_return(after - self->before + rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .n = 1);
}

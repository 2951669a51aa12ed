// expect-lint: clean
/* Results that are used, and calls without a result. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
    edo_op op;
    edo_scope scope;
};

edo_async_extern(f)
{
    edo_body {
        int rc;
        self->op = edo_sleep(1);
        edo_await_on(rc, &self->op.base);
        if (edo_go(f, .n = 1) < 0) edo_return(rc);
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, f);
        edo_scope_cancel(&self->scope);
        (void)edo_scope_count(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

// expect-gcc: (?s)('edo__spawn'.*){3}'edo__spawn_on'.*('edo__scope_spawn'.*){2}'edo__spawn_blocking'
// expect-clang: (?s)(ignoring return value of function.*){7}
/* A spawn whose result is not checked: after a failure the arguments are still the caller's. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
    edo_scope scope;
    edo_task *task;
};

edo_async(f)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_go(f, .n = 1);
        edo_spawn(&self->task, f);
        edo_spawn_with(&self->task, NULL, f);
        edo_spawn_on(&self->task, 0, f);
        edo_scope_spawn(&self->scope, f);
        edo_scope_spawn_with(&self->scope, NULL, f);
        edo_spawn_blocking(NULL, NULL, NULL);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

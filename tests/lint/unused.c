// expect-lint: unused\.c:21:9: error: the operation of edo_sleep is built and.*\[edo-unused\]
// expect-lint: unused\.c:22:9: error: the result of a spawn is not checked.*\[edo-unused\]
// expect-lint: unused\.c:24:13: error: the result of a spawn is not checked
// expect-lint: unused\.c:27:9: error: the result of a spawn is not checked
// expect-lint: unused\.c:28:9: error: the result of a spawn is not checked
// expect-lint: unused\.c:29:9: error: the result of a spawn is not checked
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
    edo_scope scope;
    edo_task *task;
    uint64_t id;
};

edo_async_extern(f)
{
    edo_body {
        int rc;
        edo_sleep(1);
        edo_go(f, .n = 1);
        if (self->n) {
            edo_spawn(&self->task, f);
        }
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, f);
        edo_scope_spawn_key(&self->scope, 1, f);
        edo_scope_spawn_member(&self->id, &self->scope, f);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

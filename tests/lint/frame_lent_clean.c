// expect-lint: clean
/* Tasks that are joined, members of a scope, pointers that lead out of the frame. */
#include <edo/edo.h>

struct elsewhere {
    int n;
};

struct f {
    edo_frame();
    edo_args(struct elsewhere *other; char *text;);
    int n;
    edo_scope scope;
    edo_task *task;
};

struct g {
    edo_frame();
    edo_args(int *n; char *text; int copy;);
};

edo_declare_async(g);
edo_async_extern(f)
{
    edo_body {
        int rc = edo_spawn(&self->task, g, .n = &self->n);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(self->task));
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, g, .n = &self->n);
        if (rc == 0) rc = edo_go(g, .text = self->text, .n = &self->other->n, .copy = self->n);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

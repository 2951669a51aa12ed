/* A map of tasks: a new search of a user replaces the one before. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

struct search {
    edo_frame();
    edo_args(const char *text;);
};

edo_async(search)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(20 * (int64_t)strlen(self->text))));
        if (rc < 0) edo_return(rc); // replaced
        printf("'%s' found ", self->text);
        edo_return((int64_t)strlen(self->text));
    }
}

/* region: searches */
struct searches {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
};

edo_async(searches)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        rc = edo_scope_spawn_key(&self->scope, 1, search, .text = "as");
        if (rc == 0) rc = edo_scope_spawn_key(&self->scope, 2, search, .text = "edo");
        if (rc == 0) rc = edo_scope_spawn_key(&self->scope, 1, search, .text = "async");
        if (rc < 0) edo_scope_cancel(&self->scope); // not all were spawned

        for (;;) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc <= 0) break;
            printf("%d for user %d\n", (int)self->member.result, (int)(uintptr_t)self->member.user);
        }
        if (rc < 0) edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}
/* end: searches */

int main(void)
{
    return edo_run(searches);
}

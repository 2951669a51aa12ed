/* A scope: tasks that their owner does not leave behind. */
#include <stdio.h>

#include <edo/edo.h>

struct fetch {
    edo_frame();
    edo_args(const char *what; int64_t duration; int failure;);
};

edo_async(fetch)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        printf("%s: %s\n", self->what, edo_strerror(rc < 0 ? rc : self->failure));
        edo_return(rc < 0 ? rc : self->failure);
    }
}

/* region: owner */
struct owner {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(owner)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        rc = edo_scope_spawn(&self->scope, fetch, .what = "quick", .duration = edo_ms(1));
        if (rc == 0)
            rc = edo_scope_spawn(&self->scope, fetch, .what = "faulty", .duration = edo_ms(20),
                                 .failure = -EIO);
        if (rc == 0)
            rc = edo_scope_spawn(&self->scope, fetch, .what = "slow", .duration = edo_s(3600));
        if (rc < 0) edo_scope_cancel(&self->scope); // not all were spawned

        edo_await(rc, edo_scope_join(&self->scope));
        printf("all have ended: %s\n", edo_strerror(rc));
        edo_return(0);
    }
}
/* end: owner */

int main(void)
{
    return edo_run(owner);
}

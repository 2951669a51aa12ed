/* Results as they come. */
#include <stdio.h>

#include <edo/edo.h>

struct square {
    edo_frame();
    edo_args(int number;);
};

edo_async(square)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_return(rc < 0 ? rc : self->number * self->number);
    }
}

/* region: owner */
struct owner {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    int number, sum;
};

edo_async(owner)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (self->number = 1; self->number <= 3; self->number++) {
            rc = edo_scope_spawn(&self->scope, square, .number = self->number);
            if (rc < 0) break;
        }

        for (self->sum = 0;; self->sum += (int)self->member.result) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc <= 0) break; // 0: no member is left; < 0: cancelled
            if (self->member.result < 0) continue;
            printf("%s: %d\n", self->member.name, (int)self->member.result);
        }
        if (rc < 0) edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        printf("in all: %d\n", self->sum);
        edo_return(rc);
    }
}
/* end: owner */

int main(void)
{
    return edo_run(owner);
}

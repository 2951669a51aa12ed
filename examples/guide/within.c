/* A time limit over several awaits. */
#include <stdio.h>

#include <edo/edo.h>

/* region: login */
struct login {
    edo_frame();
    edo_args(int64_t answer_takes;);
    edo_limit limit;
    const char *asked;
};

edo_async(login)
{
    edo_body {
        edo_within(&self->limit, edo_ms(300)) { // for both, not for each
            self->asked = "name";
            edo_try_or(out, edo_sleep(self->answer_takes));
            self->asked = "password";
            edo_try_or(out, edo_sleep(self->answer_takes));
            self->asked = NULL;
        }
out:
        if (self->asked) printf("no %s: ", self->asked);
        edo_return(edo_failure());
    }
}
/* end: login */

struct visitors {
    edo_frame(struct login login;);
    edo_args();
};

edo_async(visitors)
{
    edo_body {
        int rc;
        edo_call(rc, login, .answer_takes = edo_ms(1));
        printf("%s\n", edo_strerror(rc));
        edo_call(rc, login, .answer_takes = edo_ms(200));
        printf("%s\n", edo_strerror(rc));
        edo_call(rc, login, .answer_takes = edo_s(3600));
        printf("%s\n", edo_strerror(rc));
        edo_return(0);
    }
}

int main(void)
{
    edo_config config = { .test_clock = true }; // else a slow machine would change the answers
    return edo_run_with(&config, visitors);
}

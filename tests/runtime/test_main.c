/* A program whose main() is an async function. The program is this test. */
#include <edo/edo.h>

struct self_test {
    edo_frame();
    edo_args(int answer; const char *text;);
};

edo_async(self_test)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(10)));
        if (rc < 0) edo_return(rc);
        edo_return(self->answer == 42 && self->text[0] == 'x' ? 0 : -EINVAL);
    }
}

edo_main(self_test, .answer = 42, .text = "x")

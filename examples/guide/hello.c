#include <stdio.h>

#include <edo/edo.h>

struct hello {
    edo_frame();
    edo_args(const char *name;);
};

edo_async(hello)
{
    edo_body {
        int rc;
        printf("hello ...\n");
        edo_await(rc, edo_sleep(edo_ms(50)));
        if (rc < 0) edo_return(rc);
        printf("... %s\n", self->name);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(hello, .name = "world");
}

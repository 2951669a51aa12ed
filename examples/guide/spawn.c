/* Two tasks and their results. */
#include <stdio.h>

#include <edo/edo.h>

struct square {
    edo_frame();
    edo_args(int number;);
};

edo_async(square)
{
    edo_body {
        edo_try(edo_sleep(edo_ms(10)));
        edo_return(self->number * self->number);
    }
}

/* region: parent */
struct parent {
    edo_frame();
    edo_args();
    edo_task *three, *four;
    int64_t nine;
};

edo_async(parent)
{
    edo_body {
        int64_t rc;
        edo_check(edo_spawn(&self->three, square, .number = 3));
        rc = edo_spawn(&self->four, square, .number = 4);
        if (rc < 0) edo_detach(self->three);
        if (rc < 0) edo_return(rc);
        printf("both are spawned\n");

        edo_shield(); // cancelled or not: both handles are given back
        edo_await(self->nine, edo_join(self->three));
        edo_await(rc, edo_join(self->four));
        printf("%d and %d\n", (int)self->nine, (int)rc);
        edo_return(rc < self->nine ? rc : self->nine);
    }
}
/* end: parent */

int main(void)
{
    return edo_run(parent);
}

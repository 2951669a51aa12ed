/* One async function calls another. */
#include <stdio.h>

#include <edo/edo.h>

struct count_down {
    edo_frame();
    edo_args(int from;);
    int i;
};

edo_async(count_down)
{
    edo_body {
        int rc;
        for (self->i = self->from; self->i > 0; self->i--) {
            printf("%d ...\n", self->i);
            edo_await(rc, edo_sleep(edo_ms(10)));
            if (rc < 0) edo_return(rc);
        }
        edo_return(self->from);
    }
}

struct launch {
    edo_frame(struct count_down count_down;); // it calls count_down
    edo_args(int from;);
};

edo_async(launch)
{
    edo_body {
        int steps;
        edo_call(steps, count_down, .from = self->from);
        if (steps < 0) edo_return(steps);
        printf("lift-off after %d steps\n", steps);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(launch, .from = 3);
}

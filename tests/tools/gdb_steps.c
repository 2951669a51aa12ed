/* Program through which test_gdb.sh steps: two tasks of one function, which wait in turn. */
#include <edo/edo.h>

struct steps {
    edo_frame();
    edo_args(int number;);
    int sum;
};

edo_async(steps)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1))); // first await
        self->sum = self->number + rc;       // behind the first
        edo_await(rc, edo_yield());          // second await
        self->sum += rc;                     // behind the second
        edo_return(self->sum);
    }
}

struct program {
    edo_frame(struct steps steps;);
    edo_args();
    edo_task *task;
};

edo_async(program)
{
    edo_body {
        int rc = edo_spawn(&self->task, steps, .number = 1);
        if (rc < 0) edo_return(rc);
        edo_call(rc, steps, .number = 2);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

edo_main(program)

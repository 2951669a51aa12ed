/* A task that is cancelled, and cleans up. */
#include <stdio.h>

#include <edo/edo.h>

/* region: worker */
struct worker {
    edo_frame();
    edo_args();
    int result;
};

edo_async(worker)
{
    edo_body {
        int rc;
        printf("worker: at work\n");
        edo_await(self->result, edo_sleep(edo_s(3600)));
        printf("worker: %s\n", edo_strerror(self->result));

        edo_shield(); // from here on, awaits work although we were cancelled
        edo_await(rc, edo_sleep(edo_ms(10)));
        printf("worker: cleaned up, %s\n", edo_strerror(rc));
        edo_return(self->result);
    }
}
/* end: worker */

/* region: parent */
struct parent {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(parent)
{
    edo_body {
        int rc;
        edo_check(edo_spawn(&self->task, worker));
        edo_await(rc, edo_sleep(edo_ms(10)));

        edo_task_cancel(self->task);
        edo_shield();
        edo_await(rc, edo_join(self->task)); // ready once the clean-up is done
        printf("parent: the worker ended: %s\n", edo_strerror(rc));
        edo_return(0);
    }
}
/* end: parent */

int main(void)
{
    return edo_run(parent);
}

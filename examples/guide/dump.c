/* What all tasks do, as text. */
#include <stdio.h>

#include <edo/edo.h>

/* region: tasks */
struct order {
    edo_frame();
    edo_args();
};

edo_async(order)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

struct serve {
    edo_frame(struct order order;);
    edo_args();
};

edo_async(serve)
{
    edo_body {
        int rc;
        edo_call(rc, order);
        edo_return(rc);
    }
}
/* end: tasks */

/* region: dump */
static void print_line(void *context, const char *line)
{
    fprintf(context, "%s\n", line);
}

struct watch {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(watch)
{
    edo_body {
        int rc = edo_spawn(&self->task, serve);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_yield());
        edo_dump(edo_current_runtime(), print_line, stderr);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        printf("serve: %s\n", edo_strerror(rc));
        edo_return(0);
    }
}

int main(void)
{
    return edo_run_with(&(edo_config){ .dump_on_quit = true }, watch);
}
/* end: dump */

/* A request's deadline, inherited by everything that works for it. */
#include <stdio.h>

#include <edo/edo.h>

struct lookup {
    edo_frame();
    edo_args();
};

edo_async(lookup)
{
    edo_body {
        int rc;
        const edo_context_values *values = edo_context_values_of(edo_current_context());
        printf("looking up for request %s\n", (const char *)values->user);
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

/* region: request */
struct request {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(request)
{
    edo_body {
        int rc;
        edo_check(edo_spawn(&self->task, lookup)); // has our context
        edo_shield();
        edo_await(rc, edo_join(self->task));
        printf("the look-up ended: %s\n", edo_strerror(rc));
        edo_return(rc);
    }
}

struct server {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(server)
{
    edo_body {
        int rc;
        edo_context *context;
        edo_context_values values = { .deadline = edo_now() + edo_ms(20), .user = "R7" };
        edo_check(edo_context_create(&values, &context));
        edo_spawn_options options = { .name = "request R7", .context = context };
        rc = edo_spawn_with(&self->task, &options, request);
        edo_context_unref(context); // the task has counted it
        if (rc < 0) edo_return(rc);

        edo_shield();
        edo_await(rc, edo_join(self->task));
        printf("the request ended: %s\n", edo_strerror(rc));
        edo_return(0);
    }
}
/* end: request */

int main(void)
{
    return edo_run(server);
}

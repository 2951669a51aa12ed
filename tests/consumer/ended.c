/* A frame is used after its task has ended. Built with AddressSanitizer, against an edo without it. */
#include <edo/edo.h>

static int *kept;

struct child {
    edo_frame();
    edo_args(int value;);
};

edo_async(child)
{
    edo_body {
        int rc;
        kept = &self->value;
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

struct parent {
    edo_frame();
    edo_args(int unused;);
    edo_task *task;
};

edo_async(parent)
{
    edo_body {
        int rc = edo_spawn(&self->task, child, .value = 7);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(self->task));
        edo_return(rc + *kept);
    }
}

edo_main(parent, .unused = 0)

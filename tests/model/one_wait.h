/* A task of a model that waits for one operation. */
#pragma once

#include <edo/edo.h>

#include "model/model.h"

struct one_wait {
    edo_frame();
    edo_args(edo_op op;);
};

edo_async(one_wait)
{
    edo_body {
        int rc;
        edo_await(rc, self->op);
        edo_return(rc);
    }
}

static edo_task *spawn_one_wait(edo_runtime *runtime, edo_op op)
{
    edo_task *task;
    int rc = edo_spawn_with(&task, &(edo_spawn_options){ .runtime = runtime }, one_wait, op);
    model_assert(rc == 0);
    return task;
}

/* A task that shows when others run beside a loop over frames. */
#pragma once

#include <edo/edo.h>

struct run_once {
    edo_frame();
    edo_args(bool *has_run;);
};

edo_async(run_once)
{
    edo_body {
        *self->has_run = true;
        edo_return(0);
    }
}

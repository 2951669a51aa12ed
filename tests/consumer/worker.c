#include "worker.h"

struct add {
    edo_frame();
    edo_args(int64_t *sum; int64_t number;);
};

edo_async(add)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc < 0) edo_return(rc);
#if EDO_HAS_TIME
        edo_await(rc, edo_sleep(edo_us(1)));
        if (rc < 0) edo_return(rc);
#endif
        *self->sum += self->number;
        edo_return(0);
    }
}

edo_async_extern(sum_to)
{
    edo_body {
        int rc;
        self->sum = 0;
        for (self->next = 1; self->next <= self->n; self->next++) {
            rc = edo_spawn(&self->task, add, .sum = &self->sum, .number = self->next);
            if (rc < 0) edo_return(rc);
            edo_await(rc, edo_join(self->task));
            if (rc < 0) edo_return(rc);
        }
        edo_return(self->sum);
    }
}

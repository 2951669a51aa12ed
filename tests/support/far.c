#include "support/far.h"

edo_async_extern(far_sum)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc < 0) edo_return(rc);
        edo_return(self->first + self->second);
    }
}

/* The installed library, used from C. */
#include <stdio.h>

#include "worker.h"

struct program {
    edo_frame(struct sum_to sum_to;);
    edo_args(int64_t n; int64_t expected;);
};

edo_async(program)
{
    edo_body {
        int64_t sum;
        edo_call(sum, sum_to, .n = self->n);
        edo_return(sum == self->expected ? 0 : -EPROTO);
    }
}

int main(void)
{
    if (edo_version() != EDO_VERSION) {
        fprintf(stderr, "the library is another version than its headers\n");
        return 1;
    }
    return edo_run(program, .n = 4, .expected = 10);
}

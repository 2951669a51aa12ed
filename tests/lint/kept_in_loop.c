// expect-lint: kept_in_loop\.c:\d+:\d+: error: local 'i' is kept across an await
// expect-lint: kept_in_loop\.c:\d+:\d+: error: local 'sum' is kept across an await
#include <edo/edo.h>

struct naps {
    edo_frame();
    edo_args(int count;);
};

edo_async_extern(naps)
{
    edo_body {
        int rc, sum = 0;
        for (int i = 0; i < self->count; i++) {
            edo_await(rc, edo_sleep(edo_ms(1)));
            if (rc < 0) break;
            sum += rc;
        }
        edo_return(sum);
    }
}

// expect: ok
// Variables set in the block may be used after it: compilers see that the block always runs.
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_limit limit, inner;
};

edo_async(f)
{
    edo_body {
        int rc;
        size_t n;
        edo_within(&self->limit, edo_s(1)) {
            edo_within(&self->inner, edo_ms(1)) {
                edo_await(rc, edo_yield());
                if (rc < 0) break;
            }
            if (rc < 0) continue;
            edo_try_or(out, edo_sleep(edo_ms(1)));
            edo_try_or(out, n, edo_sleep(edo_ms(1)));
            rc = (int)n;
        }
        edo_check_or(out, rc);
        edo_await_void(edo_yield());
out:
        edo_return(edo_failure());
    }
}

edo_main(f)

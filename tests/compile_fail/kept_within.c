// expect-gcc: may be used uninitialized
// levels-gcc: -O2
// expect-clang: warning: .*uninitialized
// A limit's block is no shelter for locals.
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
    edo_limit limit;
};

edo_async(f)
{
    edo_body {
        int kept;
        edo_within(&self->limit, edo_s(1)) {
            kept = (int)edo_now();
            edo_try(edo_yield());
        }
        edo_return(kept);
    }
}

edo_main(f)

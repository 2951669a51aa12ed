// expect-gcc: a failure is negative
// expect-clang: a failure is negative
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(unsigned n;);
};

edo_async(f)
{
    edo_body {
        edo_check(self->n);
        edo_return(0);
    }
}

edo_main(f)

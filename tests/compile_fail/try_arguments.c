// expect-gcc: edo_try: too many arguments
// expect-clang: edo_try: too many arguments
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args();
};

edo_async(f)
{
    edo_body {
        int rc;
        edo_try(rc, edo_yield(), 3);
        edo_return(rc);
    }
}

edo_main(f)

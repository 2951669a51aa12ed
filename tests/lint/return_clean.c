// expect-lint: clean
/* edo_return inside a macro of the program. */
#include <edo/edo.h>

#define FAIL_IF(rc)                                                                                \
    do {                                                                                           \
        if ((rc) < 0) edo_return(rc);                                                              \
    } while (0)

struct quick {
    edo_frame();
    edo_args();
};

edo_async_extern(quick)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        FAIL_IF(rc);
        edo_return(rc);
    }
}

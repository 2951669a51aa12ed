// expect-lint: return\.c:18:21: error: return written by hand.*\[edo-return\]
// expect-lint: return\.c:19:9: error: return written by hand
#include <edo/edo.h>

#define FAIL_IF(rc)                                                                                \
    if ((rc) < 0) return EDO_READY

struct quick {
    edo_frame();
    edo_args();
};

edo_async_extern(quick)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc > 0) return EDO_READY;
        FAIL_IF(rc);
        edo_return(rc);
    }
}

// expect-lint: allow\.c:\d+:\d+: error: allow\(\) needs a reason after it \[edo-allow\]
// expect-lint: allow\.c:\d+:\d+: error: there is no rule 'edo-kept' \[edo-allow\]
// expect-lint: allow\.c:\d+:\d+: error: return written by hand
// expect-lint: allow\.c:\d+:\d+: error: local 'kept' is kept across an await
#include <edo/edo.h>

struct quick {
    edo_frame();
    edo_args();
};

edo_async_extern(quick)
{
    edo_body {
        int rc, kept = 1;
        edo_await(rc, edo_yield());
        if (rc > 0) return EDO_READY; // edo-lint: allow(edo-return)
        edo_return(kept);             // edo-lint: allow(edo-kept) no such rule
    }
}

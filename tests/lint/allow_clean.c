// expect-lint: clean
/* Silenced on the same line and by the line above. */
#include <edo/edo.h>

struct quick {
    edo_frame();
    edo_args(int *out;);
};

edo_async_extern(quick)
{
    edo_body {
        int rc = 0, kept = 1;
        edo_await(rc, edo_yield());
        if (rc) return (edo__end_with_edo_return){ 1 }; // edo-lint: allow(edo-return) it is set
        // edo-lint: allow(edo-return, edo-kept-local) two rules in one remark
        *self->out = kept;
        edo_return(rc);
    }
}

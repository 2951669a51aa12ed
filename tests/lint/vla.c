// expect-lint: vla\.c:\d+:\d+: error: local 'row' has a variable length.*\[edo-vla\]
// expect-lint: vla\.c:\d+:\d+: error: alloca in an async function.*\[edo-alloca\]
// expect-lint: vla\.c:\d+:\d+: error: alloca in an async function
#include <alloca.h>
#include <edo/edo.h>

struct rows {
    edo_frame();
    edo_args(int n;);
};

edo_async_extern(rows)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (rc == 0) {
            char row[self->n];
            row[0] = 1;
            rc = row[0];
        }
        char *other = alloca((size_t)self->n), *third = __builtin_alloca(4);
        other[0] = third[0] = 1;
        edo_return(rc + other[0] + third[0]);
    }
}

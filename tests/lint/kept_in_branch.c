// expect-lint: kept_in_branch\.c:\d+:\d+: error: local 'half' is kept across an await
// expect-lint: kept_in_branch\.c:\d+:\d+: error: local 'mode' is kept across an await
// expect-lint: kept_in_branch\.c:\d+:\d+: error: local 'cursor' is kept across an await
/* Lost on one path only: through a branch, a switch's case, a goto. */
#include <edo/edo.h>

struct paths {
    edo_frame();
    edo_args(int kind; const char *text;);
};

edo_async_extern(paths)
{
    edo_body {
        int rc = 0, half = self->kind / 2, mode = 1;
        if (self->kind > 3) edo_await(rc, edo_yield());
        rc += half;
        switch (self->kind) {
        case 1: edo_await(rc, edo_yield()); break;
        case 2: mode = 2; break;
        default: break;
        }
        self->kind = mode;
        const char *cursor = self->text;
again:
        if (*cursor++ == 'x') {
            edo_await(rc, edo_yield());
            goto again;
        }
        edo_return(rc);
    }
}

// expect-lint: before_body\.c:13:9: error: local 'total' is declared before.*\[edo-before-body\]
// expect-lint: before_body\.c:14:19: error: local 'conn' .*\[edo-before-body\]
#include <edo/edo.h>

struct copy {
    edo_frame();
    edo_args(edo_io *from, *to;);
    char buf[512];
};

edo_async_extern(copy)
{
    int total = 0;
    edo_io *const conn = self->from;
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(conn, self->buf, sizeof self->buf));
            if (n <= 0) break;
            total += (int)n;
            edo_await(n, edo_write_all(self->to, self->buf, (size_t)n));
        }
        edo_return(total);
    }
}

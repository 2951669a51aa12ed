// expect-lint: within_goto\.c:19:\d+: error: goto leaves the block of edo_within.*'close'.*\[edo-within-goto\]
// expect-lint: within_goto\.c:24:\d+: note: this await
// expect-lint: within_goto\.c:41:\d+: error: goto leaves.*'out'.*\[edo-within-goto\]
#include <edo/edo.h>

struct quote {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_limit limit;
    char line[64];
};

edo_async_extern(quote)
{
    edo_body {
        int64_t n;
        edo_within(&self->limit, edo_ms(100)) {
            edo_await(n, edo_read(self->conn, self->line, sizeof self->line));
            if (n <= 0) goto close;
            edo_await(n, edo_write_all(self->conn, self->line, (size_t)n));
        }
        edo_return(0);
close: // the limit of the block is still on
        edo_await(n, edo_write_all(self->conn, "bye", 3));
        edo_return(n);
    }
}

struct nested {
    edo_frame();
    edo_args();
    edo_limit outer, inner;
};

edo_async_extern(nested)
{
    edo_body {
        int rc;
        edo_within(&self->outer, edo_s(1)) {
            edo_within(&self->inner, edo_ms(1)) {
                goto out; // of the inner one only
            }
out:
            edo_await(rc, edo_yield());
        }
        edo_return(rc);
    }
}

// expect-lint: clean
#include <edo/edo.h>

struct ways_out {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_limit limit, cleanup;
    int round;
    char line[64];
};

/* break, an edo_return, edo_try_or, within the block, back to its beginning, to clean-up that is shielded. */
edo_async_extern(ways_out)
{
    edo_body {
        int64_t n;
        self->round = 0;
again:
        edo_within(&self->limit, edo_ms(100)) {
            edo_try_or(failed, n, edo_read(self->conn, self->line, sizeof self->line));
            if (n == 0) break;
            if (n == 1) edo_return(1);
            if (n == 2) goto skip;
            if (n == 3 && self->round++ == 0) goto again;
            if (n == 4) goto close;
            if (n == 5) goto answer;
            edo_await(n, edo_write_all(self->conn, self->line, (size_t)n));
skip:
            edo_await(n, edo_yield());
        }
        edo_await(n, edo_yield());
        goto close;
answer:
        edo_return(5);
failed: // its awaits are limited as well, which edo_try_or says
        edo_await(n, edo_yield());
        edo_return(edo_failure());
close:
        edo_shield();
        edo_within(&self->cleanup, edo_ms(5)) {
            edo_await(n, edo_write_all(self->conn, "bye", 3));
        }
        edo_return(n);
    }
}

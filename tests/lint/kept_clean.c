// expect-lint: clean
/* Locals set after an await: in loops, branches, a switch, by members, by elements. */
#include <edo/edo.h>
#include <stdio.h>
#include <time.h>

struct pump {
    edo_frame();
    edo_args(edo_io *conn; int kind;);
    char buf[128];
    int i;
};

struct pair {
    int first, second;
};

edo_async_extern(pump)
{
    edo_body {
        int64_t n;
        struct pair pair;
        struct timespec now;
        char digits[8];
        for (;;) {
            edo_await(n, edo_read(self->conn, self->buf, sizeof self->buf));
            if (n <= 0) break;
            size_t length = (size_t)n;
            edo_await(n, edo_write_all(self->conn, self->buf, length));
            if (n < 0) break;
            for (size_t i = 0; i < sizeof digits; i++)
                digits[i] = (char)('0' + i);
            pair.first = digits[0];
            pair.second = digits[1];
            clock_gettime(CLOCK_MONOTONIC, &now);
            printf("%d %ld\n", pair.first + pair.second, (long)now.tv_sec);
        }
        for (self->i = 0; self->i < 3; self->i++) {
            int rc = 0;
            switch (self->kind) {
            case 1: edo_await_for(rc, edo_ms(5), edo_yield()); break;
            case 2:
                edo_await(rc, edo_yield());
                if (rc == 0) continue;
                break;
            default: rc = self->kind;
            }
            n = rc ? rc : -EPIPE;
        }
        do {
            edo_await(n, edo_yield());
        } while (n > 0 && self->i-- > 0);
        edo_return(n);
    }
}

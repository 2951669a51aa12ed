// expect-lint: copies\.c:\d+:\d+:.* address of local 'text' is kept across an await
// expect-lint: copies\.c:\d+:\d+:.* address of local 'part' is kept across an await
// expect-lint: copies\.c:\d+:\d+:.* address of local 'first' is kept across an await
// expect-lint: copies\.c:\d+:\d+:.* address of local 'second' is kept across an await
/* Addresses passed on by string functions, returned structs, members, pointers. */
#include <edo/edo.h>
#include <string.h>

struct span {
    const char *start;
    size_t length;
};
struct span span_of(const char *text);
edo_op span_write(edo_io *conn, struct span span);

struct copies {
    edo_frame();
    edo_args(edo_io *conn;);
};

edo_async_extern(copies)
{
    edo_body {
        char text[] = "a=b", part[] = "c", first[] = "d", second[] = "e";
        struct span span, other, *at = &other;
        int64_t n;
        edo_await(n, edo_write_all(self->conn, strchr(text, 'b'), 1));
        edo_await(n, span_write(self->conn, span_of(part)));
        span.start = first;
        span.length = 1;
        edo_await(n, span_write(self->conn, span));
        at->length = 1;
        at->start = second;
        edo_await(n, span_write(self->conn, other));
        edo_return(n);
    }
}

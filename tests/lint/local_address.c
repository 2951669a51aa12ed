// expect-lint: local_address\.c:\d+:\d+:.* address of local 'small' is kept .*\[edo-local-address\]
// expect-lint: local_address\.c:\d+:\d+:.* address of local 'header' is kept across an await
// expect-lint: local_address\.c:\d+:\d+:.* address of local 'op' is kept across an await
// expect-lint: local_address\.c:\d+:\d+:.* address of local 'limit' is kept across an await
// expect-lint: local_address\.c:\d+:\d+:.* address of local 'chunk' is kept across an await
/* Local addresses given to an operation: of an array, a member, another operation; in the frame, by
 * a pointer. */
#include <edo/edo.h>

struct ask {
    edo_frame();
    edo_args(edo_io *conn;);
    int *limit;
};

edo_async_extern(ask)
{
    edo_body {
        char small[16], chunk[16];
        struct {
            int kind;
            char bytes[4];
        } header;
        int limit = 3;
        int64_t n;
        edo_await(n, edo_read(self->conn, small, sizeof small));
        edo_await(n, edo_read_exact(self->conn, &header.bytes[1], 3));
        edo_op op = edo_yield();
        edo_await_on(n, &op.base);
        self->limit = &limit;
        edo_await(n, edo_yield());
        char *at = n > 0 ? chunk + 4 : self->limit ? chunk : NULL;
        edo_await(n, edo_write_all(self->conn, at, 8));
        edo_return(*self->limit);
    }
}

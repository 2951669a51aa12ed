// expect-lint: temporary\.c:.* of a compound literal is kept .*\[edo-temporary-address\]
// expect-lint: temporary\.c:.* of local .pair. is kept .*\[edo-temporary-address\]
#include <edo/edo.h>

struct say {
    edo_frame();
    edo_args(edo_io *conn;);
};

edo_async_extern(say)
{
    edo_body {
        int rc;
        edo_await(rc, edo_write_all(self->conn, (char[]){ 1, 2 }, 2));
        edo_await(rc, edo_write_all(self->conn, __extension__({
                                        char pair[2] = { 'a', 'b' };
                                        &pair[0];
                                    }),
                                    2));
        edo_return(rc);
    }
}

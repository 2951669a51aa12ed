// expect-lint: kept_local\.c:16:55: error: local 'length' is kept .*\[edo-kept-local\]
// expect-lint: kept_local\.c:15:9: note: its value is lost here
#include <edo/edo.h>

struct send {
    edo_frame();
    edo_args(edo_io *conn; const char *text; size_t size;);
};

edo_async_extern(send)
{
    edo_body {
        int64_t n;
        size_t length = self->size / 2;
        edo_await(n, edo_write_all(self->conn, self->text, length));
        edo_return(n < 0 ? n : (int64_t)(self->size - length));
    }
}

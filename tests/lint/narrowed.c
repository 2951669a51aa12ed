// expect-lint: narrowed\.c:19:19: error: the byte count of edo_read goes into 'int'.*\[edo-narrowed\]
// expect-lint: narrowed\.c:20:19: error: the byte count of edo_write_all goes into 'unsigned int'
// expect-lint: narrowed\.c:21:23: error: the byte count of edo_writev goes into 'short'
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(edo_io *io; char *bytes; size_t size; const struct iovec *vector;);
    short small;
};

edo_async_extern(f)
{
    edo_body {
        int n;
        unsigned m;
        m = 0;
        edo_await(n, edo_yield());
        edo_await(n, edo_read(self->io, self->bytes, self->size));
        edo_await(m, edo_write_all(self->io, self->bytes, self->size));
        edo_await_for(self->small, edo_ms(1), edo_writev(self->io, self->vector, 2));
        edo_return(n + (int)m);
    }
}

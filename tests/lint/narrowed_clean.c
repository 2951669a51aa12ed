// expect-lint: clean
/* Wide results, and counts that an int holds. */
#include <edo/edo.h>

enum { HEAD = 12 };

struct f {
    edo_frame();
    edo_args(edo_io *io; edo_file *file; char *bytes; size_t size;);
    char buffer[64];
};

edo_async_extern(f)
{
    edo_body {
        int rc;
        int64_t n;
        int64_t m;
        edo_await(n, edo_read(self->io, self->bytes, self->size));
        if (n < 0) edo_return(n);
        edo_await(m, edo_write(self->io, self->bytes, self->size));
        if (m < 0) edo_return(m);
        edo_await(rc, edo_read(self->io, self->buffer, sizeof self->buffer));
        edo_await(rc, edo_read_exact(self->io, self->buffer, HEAD + 4));
        edo_try(n, edo_file_seek(self->file, 0, EDO_SEEK_END));
        edo_try(rc, edo_read(self->io, self->buffer, sizeof self->buffer));
        // edo-lint: allow(edo-narrowed) the caller has at most 64 KiB
        edo_await(rc, edo_write_all(self->io, self->bytes, self->size));
        edo_return(rc);
    }
}

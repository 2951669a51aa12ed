// expect-lint: narrowed_more\.c:24:19: error: the byte count of edo_file_seek goes into 'int'
// expect-lint: narrowed_more\.c:25:19: error: the byte count of edo_file_read_whole goes into 'int'
// expect-lint: narrowed_more\.c:26:19: error: the byte count of edo_path_copy goes into 'int'
// expect-lint: narrowed_more\.c:27:19: error: the byte count of edo_copy goes into 'int'
// expect-lint: narrowed_more\.c:28:17: error: the byte count of edo_read goes into 'int'.*\[edo-narrowed\]
// expect-lint: narrowed_more\.c:29:25: error: the byte count of edo_file_seek goes into 'int'
// expect-lint: narrowed_more\.c:30:17: error: the byte count of edo_read_to_end goes into 'int'
/* Results that an int may not hold, beside those of reads and writes; and the forms of edo_try. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(edo_io *io; edo_file *file; char *bytes; size_t size; edo_copier *copier;);
    edo_bytes whole;
    edo_reader reader;
    edo_buffer buffer;
};

edo_async_extern(f)
{
    edo_body {
        int n;
        // the lines from here on are named above
        edo_await(n, edo_file_seek(self->file, 0, EDO_SEEK_END));
        edo_await(n, edo_file_read_whole("a", &self->whole));
        edo_await(n, edo_path_copy("a", "b", 0));
        edo_await(n, edo_copy(self->copier));
        edo_try(n, edo_read(self->io, self->bytes, self->size));
        edo_try_or(end, n, edo_file_seek(self->file, 0, EDO_SEEK_END));
        edo_try(n, edo_read_to_end(&self->reader, &self->buffer, self->size));
end:
        edo_return(edo_failure());
    }
}

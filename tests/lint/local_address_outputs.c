// expect-lint: clean
/* Structs that calls fill again after each await; addresses used only by plain calls and locals. */
#include <edo/edo.h>
#include <string.h>
#include <sys/stat.h>

struct span {
    const char *start;
    size_t length;
};
size_t span_hash(struct span span);
struct span span_parse(const char *text);
void span_next(struct span *span);
void span_init(struct span *span);

struct look {
    edo_frame();
    edo_args(edo_io *conn; const char *path; int fd;);
    struct span found;
};

edo_async_extern(look)
{
    edo_body {
        struct stat st;
        struct span span, other, next, *at = &other;
        char text[8];
        int rc;
        rc = stat(self->path, &st);
        memset(&st, 1, sizeof st);
        at->start = text;
        other.length = span_hash(other);
        strcpy(text, "7");
        self->found = span_parse(text); // returns numbers, as far as the tool can tell
        edo_await(rc, edo_yield());
        span_next(&next);
        rc += (int)next.length;
        edo_await(rc, edo_yield());
        span_next(&next);
        rc += (int)next.length;
        edo_await(rc, edo_yield());
        span_init(&next);
        rc += (int)next.length;
        rc += fstat(self->fd, &st);
        rc += (int)st.st_size;
        edo_await(rc, edo_yield());
        memset(&st, 0, sizeof st);
        span.start = self->path;
        span.length = strlen(self->path);
        edo_return((int64_t)span_hash(span) + st.st_size + rc);
    }
}

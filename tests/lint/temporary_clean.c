// expect-lint: clean
/* Strings are static; a compound literal that is copied, or used only by a plain call, is
 * harmless. */
#include <edo/edo.h>
#include <time.h>

struct point {
    int x, y;
};

struct say {
    edo_frame();
    edo_args(edo_io *conn;);
    struct point point;
};

edo_async_extern(say)
{
    edo_body {
        int rc;
        self->point = (struct point){ 1, 2 };
        nanosleep(&(struct timespec){ 0, 1 }, NULL);
        edo_await(rc, edo_write_all(self->conn, "hello", 5));
        static const char bye[] = "bye";
        edo_await(rc, edo_write_all(self->conn, bye, sizeof bye - 1));
        edo_return(rc + self->point.x);
    }
}

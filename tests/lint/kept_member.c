// expect-lint: kept_member\.c:\d+:\d+: error: local 'point' is kept across an await
// expect-lint: kept_member\.c:\d+:\d+: error: local 'line' is kept across an await
#include <edo/edo.h>
#include <stdio.h>

struct draw {
    edo_frame();
    edo_args(edo_io *conn; int x;);
};

edo_async_extern(draw)
{
    edo_body {
        struct {
            int x, y;
        } point;
        char line[16];
        int rc;
        point.x = self->x;
        point.y = 1;
        snprintf(line, sizeof line, "%d", point.y);
        edo_await(rc, edo_yield());
        point.y = rc;
        puts(line);
        edo_return(point.x + point.y);
    }
}

// expect-lint: kept_array\.c:\d+:\d+: error: local 'digits' is kept across an await
// expect-lint: kept_array\.c:\d+:\d+: error: local 'line' is kept across an await
// expect-lint: kept_array\.c:\d+:\d+: error: local 'name' is kept across an await
// expect-lint: kept_array\.c:\d+:\d+: error: local 'point' is kept across an await
/* Reads of an element, as a variable argument, through a pointer to const, through an address. */
#include <edo/edo.h>
#include <stdio.h>

struct show {
    edo_frame();
    edo_args(int x;);
};

edo_async_extern(show)
{
    edo_body {
        struct {
            int x;
        } point = { self->x };
        char digits[4] = "123", line[16], name[] = "name";
        int rc;
        snprintf(line, sizeof line, "%d", self->x);
        edo_await(rc, edo_yield());
        printf("%s\n", line);
        const char *at = name;
        edo_return(rc + digits[0] + *at + (&point)->x);
    }
}

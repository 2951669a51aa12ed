// expect-lint: clean
#include <edo/edo.h>

enum { ROWS = 3 };

struct rows {
    edo_frame();
    edo_args(int n;);
};

edo_async_extern(rows)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        char row[ROWS * sizeof(int)] = { 0 }, table[2][ROWS] = { 0 };
        edo_return(rc + row[0] + table[0][1]);
    }
}

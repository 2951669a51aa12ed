// expect-lint: clean
/* Ordinary functions may use cleanup attributes and alloca(). */
#include <alloca.h>
#include <edo/edo.h>
#include <stdlib.h>
#include <string.h>

static void release(void *at)
{
    free(*(void **)at);
}

static int count_body(int n)
{
    __attribute__((cleanup(release))) char *memory = malloc(4);
    char row[n], *other = alloca((size_t)n);
    memset(row, 0, (size_t)n);
    memset(other, 0, (size_t)n);
    return memory ? row[0] + other[0] : n;
}

struct hold {
    edo_frame();
    edo_args();
};

edo_async_extern(hold)
{
    edo_body {
        edo_return(count_body(3));
    }
}

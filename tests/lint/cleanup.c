// expect-lint: cleanup\.c:18:49: error: local 'memory' has a cleanup attribute.*\[edo-cleanup\]
#include <edo/edo.h>
#include <stdlib.h>

static void release(void *at)
{
    free(*(void **)at);
}

struct hold {
    edo_frame();
    edo_args();
};

edo_async_extern(hold)
{
    edo_body {
        __attribute__((cleanup(release))) void *memory = malloc(1);
        int rc;
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

// expect-lint: clean
/* Static locals keep their values; a local used only before the body is harmless. */
#include <edo/edo.h>

struct count {
    edo_frame();
    edo_args();
};

edo_async_extern(count)
{
    static int calls;
    int entered = 1;
    calls += entered;
    edo_body {
        static int finished;
        int rc;
        edo_await(rc, edo_yield());
        finished++;
        edo_return(rc < 0 ? rc : calls - finished);
    }
}

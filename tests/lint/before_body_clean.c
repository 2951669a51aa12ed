// expect-lint: clean
/* Static locals keep their values; a local that only the code before the body uses harms nobody. */
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

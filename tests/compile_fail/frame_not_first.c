// expect-gcc: error: static assertion failed: "edo_frame.. is not the first member of struct f"
// expect-clang: error: .*edo_frame.. is not the first member of struct f
/* A frame whose head is not its first member. */
#include <edo/edo.h>

struct f {
    int before;
    edo_frame();
    edo_args();
};

edo_async(f)
{
    edo_body {
        edo_return(self->before);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

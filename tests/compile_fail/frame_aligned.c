// expect-gcc: no more alignment than that
// expect-clang: no more alignment than that
/* A frame member with a larger alignment than malloc provides. */
#include <edo/edo.h>

struct vector {
    edo_frame();
    edo_args();
    float lanes[8] __attribute__((aligned(32)));
};

edo_async(vector)
{
    edo_body {
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(vector);
}

// expect-gcc: incompatible pointer type
// expect-clang: incompatible pointer types
/* Arguments are checked for their types. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(const char *address;);
};

edo_async(f)
{
    edo_body {
        edo_return(self->address != NULL);
    }
}

int use(int *number);
int use(int *number)
{
    return edo_go(f, .address = number);
}

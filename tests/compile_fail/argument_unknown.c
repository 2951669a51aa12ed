// expect-gcc: has no member named 'addres'
// expect-clang: field designator 'addres' does not refer to any field
/* Arguments are passed by name, and the compiler checks the names. */
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

int use(void);
int use(void)
{
    return edo_go(f, .addres = "127.0.0.1:8080");
}

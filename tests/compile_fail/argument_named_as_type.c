// expect: ok
/* An argument may have the name of its type; see tests/lint/args_name.c for where that ends. */
#include <edo/edo.h>

typedef struct room room;

struct f {
    edo_frame();
    edo_args(room *room; int n;);
};

edo_async(f)
{
    edo_body {
        edo_return(self->room && self->n);
    }
}

int use(void);
int use(void)
{
    return edo_go(f, .room = NULL);
}

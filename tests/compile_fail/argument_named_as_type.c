// expect: ok
/* An argument may have the name of its type; tests/lint/args_name.c shows the limit of that. */
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

// expect-lint: args_name\.c:9:5: error: 'room' is a member and a type here; write 'struct room'.*\[edo-args-name\]
#include <edo/edo.h>

typedef struct room room;

struct f {
    edo_frame();
    edo_args(room *room;);
    room *next;
};

edo_async_extern(f)
{
    edo_body {
        edo_return(self->room == self->next);
    }
}

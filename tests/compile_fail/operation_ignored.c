// expect-gcc: (?s)ignoring return value of 'edo_sleep'.*'edo_read'.*'edo_join'.*'edo_accept'
// expect-clang: (?s)(ignoring return value of function.*){4}
/* An operation that is built and not awaited does nothing. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(edo_io *io; edo_task *task; edo_listener *listener;);
    char byte;
};

edo_async(f)
{
    edo_body {
        edo_sleep(edo_ms(5));
        edo_read(self->io, &self->byte, 1);
        edo_join(self->task);
        edo_accept(self->listener, &self->io);
        edo_return(0);
    }
}

int use(void);
int use(void)
{
    return edo_go(f);
}

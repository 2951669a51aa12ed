// expect-lint: frame_lent\.c:31:33: error: a pointer into this function's frame goes to a detached task
// expect-lint: frame_lent\.c:32:42: error: a pointer into this.*\[edo-frame-lent\]
// expect-lint: frame_lent\.c:33:45: error: a pointer into this
// expect-lint: frame_lent\.c:34:62: error: a pointer into this
// expect-lint: frame_lent\.c:35:27: error: a pointer into this
// expect-lint: frame_lent\.c:36:50: error: a pointer into this.* goes to a thread
#include <edo/edo.h>
#include <pthread.h>

struct f {
    edo_frame();
    edo_args();
    char buffer[16];
    struct {
        int n[2];
    } inner;
    pthread_t thread;
};

struct g {
    edo_frame();
    edo_args(struct f *f; char *text; int *n;);
};

edo_declare_async(g);
void *run(void *arg);
int64_t job(void *arg);
edo_async_extern(f)
{
    edo_body {
        int rc = edo_go(g, .f = self);
        if (rc == 0) rc = edo_go(g, .n = &self->inner.n[1]);
        if (rc == 0) rc = edo_go(g, .text = self->buffer);
        if (rc == 0) rc = edo_spawn_with(NULL, NULL, g, .n = &self->inner.n[0]);
        if (rc == 0) rc = edo_spawn_blocking(NULL, job, self);
        pthread_create(&self->thread, NULL, run, self);
        edo_return(rc);
    }
}

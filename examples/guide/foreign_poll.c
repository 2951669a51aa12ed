/* A loop of poll(2) that also turns a runtime. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <edo/edo.h>

struct chime {
    edo_frame();
    edo_args(int times; int fd;);
    int i;
};

edo_async(chime)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->times; self->i++) {
            edo_await(rc, edo_sleep(edo_ms(10)));
            if (rc < 0) break;
            printf("a task chimes\n");
        }
        if (write(self->fd, "x", 1) < 0) edo_return(-errno); // something for the loop itself
        edo_return(0);
    }
}

/* region: loop */
static int run_loop(edo_runtime *runtime, int own_fd)
{
    int fd = edo_runtime_fd(runtime);
    if (fd < 0) return fd;
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = own_fd, .events = POLLIN } };
    while (!fds[1].revents) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return -errno;
        if (fds[0].revents) {
            int rc = edo_turn(runtime, 0); // never waits: poll has done that
            if (rc < 0) return rc;
        }
    }
    printf("the loop's own descriptor is readable\n");
    return 0;
}
/* end: loop */

/* region: main */
int main(void)
{
    int fds[2];
    edo_runtime *runtime;
    if (pipe(fds) < 0 || edo_runtime_create(NULL, &runtime) < 0) return 1;
    edo_spawn_options options = { .runtime = runtime };
    int rc = edo_spawn_with(NULL, &options, chime, .times = 2, .fd = fds[1]);
    if (rc == 0) rc = run_loop(runtime, fds[0]);
    int ended = edo_runtime_destroy(runtime);
    if (rc == 0) rc = ended;
    if (rc < 0) fprintf(stderr, "%s\n", edo_strerror(rc));
    return rc < 0;
}
/* end: main */

/* Waiting for a descriptor that a library keeps for itself. */
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <edo/edo.h>

/* region: wait */
struct expirations {
    edo_frame();
    edo_args(int fd;); // a descriptor that stays ours
};

edo_async(expirations)
{
    edo_body {
        uint64_t count;
        edo_try(edo_wait_fd(self->fd, EDO_READABLE));
        if (read(self->fd, &count, sizeof count) < 0) edo_return(-errno);
        printf("it was readable: %s\n", count > 0 ? "yes" : "no");
        edo_return(0);
    }
}
/* end: wait */

int main(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec soon = { .it_value.tv_nsec = 5000000 };
    if (fd < 0 || timerfd_settime(fd, 0, &soon, NULL) < 0) return 1;
    int status = edo_run(expirations, .fd = fd);
    close(fd);
    return status;
}

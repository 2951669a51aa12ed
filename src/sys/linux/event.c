/* Eventfds, which wake waiting threads. This file also ends the process after a wait that has
 * failed. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/sys.h"

void edo__sys_wait_failed(const char *call, int error)
{
    edo__misuse(call,
                "%s: the runtime can no longer wait; its descriptors must stay open, and the "
                "call must be permitted",
                edo_strerror(error));
}

edo_fd edo__sys_event_open(void)
{
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return event < 0 ? -errno : event;
}

/* Sets an eventfd. The abort line is constant, because a signal handler cannot format text. If the
 * write fails with EAGAIN, the counter is full, so the event is already set. */
void edo__sys_event_set(int event)
{
    static const char line[] = "edo: eventfd: a runtime can no longer be woken; its descriptors "
                               "must stay open\n";
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(event, &one, sizeof one);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || errno == EAGAIN) return;
    n = write(STDERR_FILENO, line, sizeof line - 1);
    (void)n;
    abort();
}

void edo__sys_event_clear(int event)
{
    uint64_t count;
    ssize_t n;
    do {
        n = read(event, &count, sizeof count);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) edo__sys_wait_failed("eventfd", -errno);
}

/* The dispatcher of signals: a handler on one thread against a subscriber that unsubscribes, and is
 * freed, on another.
 *
 * model-sources: sys/linux/signals.c */
#include <signal.h>
#include <string.h>

#include "model/fake_sys.h"
#include "sys/signals.h"

static struct {
    struct sigaction now; // action of every signal
    void (*handler)(int, siginfo_t *, void *);
    edo__signal_subscriber *first, *second;
} * s;

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    (void)number;
    if (old) *old = s->now;
    if (action) s->now = *action;
    return 0;
}

static edo__signal_answer notify(void *context, const edo_signal_event *event)
{
    (void)event;
    edo_plain_read((char *)context);
    return EDO__SIGNAL_TAKEN;
}

static edo__signal_subscriber *subscribe(void)
{
    edo__signal_subscriber *one = model_alloc(sizeof *one);
    *one = (edo__signal_subscriber){ .signal = EDO__SIGNAL_QUIT, .notify = notify, .context = one };
    edo_plain_write((char *)one);
    model_assert(edo__signal_subscribe(one) == 0);
    return one;
}

static void leave(edo__signal_subscriber *one)
{
    edo__signal_unsubscribe(one);
    edo_plain_write((char *)one);
    model_free(one);
}

static void begin(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    edo__signals_leave_parent(); // an abandoned execution leaves the handler installed
    s->first = subscribe();
    s->handler = s->now.sa_sigaction;
}

THREAD(handle)
{
    siginfo_t info = { .si_signo = SIGQUIT };
    s->handler(SIGQUIT, &info, NULL);
}

THREAD(leave_second)
{
    leave(s->second);
}

MODEL(leaves, "a subscriber that has left is not used by a handler")
{
    begin();
    int handler = model_start(handle, NULL);
    leave(s->first);
    model_join(handler);
    model_assert(s->now.sa_handler == SIG_DFL);
}

MODEL(both_leave, "two that leave at the same time are not used by a handler that stands on one")
{
    begin();
    s->second = subscribe();
    int handler = model_start(handle, NULL), other = model_start(leave_second, NULL);
    leave(s->first);
    model_join(other);
    model_join(handler);
    model_assert(s->now.sa_handler == SIG_DFL);
}

MODEL(comes, "a handler that finds a subscriber finds it whole")
{
    begin();
    int handler = model_start(handle, NULL);
    s->second = subscribe();
    model_join(handler);
    leave(s->second);
    leave(s->first);
}

/* The dispatcher of signals: a handler on one thread against subscribers that come, leave and are
 * freed on another; the earlier handler, the default action, and the child of a fork.
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
    edo__signal_answer answer; // of all subscribers
    unsigned raised;
    char of_program; // plain: memory of the program's own handler
} * s;

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    (void)number;
    if (old) *old = s->now;
    if (action) s->now = *action;
    return 0;
}

/* The signal remains pending until the handler returns. */
int raise(int number)
{
    (void)number;
    s->raised++;
    return 0;
}

static edo__signal_answer notify(void *context, const edo_signal_event *event)
{
    (void)event;
    edo_plain_read((char *)context);
    return s->answer;
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

static void begin_with(void (*earlier)(int))
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    edo__signals_leave_parent(); // an abandoned execution leaves the handler installed
    s->answer = EDO__SIGNAL_TAKEN;
    s->now = (struct sigaction){ .sa_handler = earlier };
    s->first = subscribe();
    s->handler = s->now.sa_sigaction;
}

static void begin(void)
{
    begin_with(SIG_DFL);
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

MODEL(leaves_others, "a handler that finds one whose neighbour has just left finds it whole")
{
    begin();
    int handler = model_start(handle, NULL);
    s->second = subscribe();
    leave(subscribe());
    model_join(handler);
    leave(s->second);
    leave(s->first);
}

/* ---- the earlier handler, and the default action ---- */

static void plain_of_program(int number)
{
    (void)number;
    edo_plain_read(&s->of_program);
}

static void info_of_program(int number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    plain_of_program(number);
}

/* The program sets its handler while one of the dispatcher, of an earlier subscription, still runs
 * on another thread. */
static void earlier_changes(const struct sigaction *of_program)
{
    begin();
    leave(s->first);
    int handler = model_start(handle, NULL);
    edo_plain_write(&s->of_program);
    s->now = *of_program;
    s->second = subscribe();
    model_join(handler);
    leave(s->second);
    model_assert(s->now.sa_sigaction == of_program->sa_sigaction);
}

MODEL(earlier_plain, "an earlier handler that is called sees what the program did before it set it")
{
    earlier_changes(&(struct sigaction){ .sa_handler = plain_of_program });
}

MODEL(earlier_with_info, "the same for one that takes the sender")
{
    earlier_changes(&(struct sigaction){ .sa_sigaction = info_of_program, .sa_flags = SA_SIGINFO });
}

static void be_left(void (*earlier)(int), unsigned raised)
{
    begin_with(earlier);
    s->answer = EDO__SIGNAL_LEFT;
    handle(NULL);
    model_assert(s->raised == raised);
    leave(s->first);
    model_assert(s->now.sa_handler == earlier);
}

MODEL(left_to_default, "what is left to the system has the default action")
{
    be_left(SIG_DFL, 1);
}

MODEL(left_to_ignorer, "unless the program ignored the signal before")
{
    be_left(SIG_IGN, 0);
}

/* ---- the child of a fork ---- */

MODEL(child_has_none, "in a child one that the parent has subscribed may leave, and is not used")
{
    begin();
    s->second = subscribe();
    edo__signals_leave_parent();
    model_assert(s->now.sa_handler == SIG_DFL);
    edo__signal_subscriber *own = subscribe();
    leave(s->first);
    leave(s->second);
    handle(NULL);
    leave(own);
    model_assert(s->now.sa_handler == SIG_DFL);
}

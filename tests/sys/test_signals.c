/* edo-test: once */
/* The dispatcher of signals: calls of subscribers and of the earlier handler, the child of a fork,
 * and subscribers that leave while handlers run. */
#include "runtime/fixture.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/signals.h"
#include "sys/sys.h"

static edo_atomic(uint32_t) earlier_calls;

static void earlier(int number)
{
    (void)number;
    edo_add_relaxed(&earlier_calls, 1);
}

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now.sa_handler;
}

typedef struct listener {
    edo__signal_subscriber subscriber;
    edo_atomic(uint32_t) calls;
    edo_atomic(bool) has_left;
    edo__signal_answer answer;
} listener;

static edo__signal_answer hear(void *context, const edo_signal_event *event)
{
    insist(event->number == SIGQUIT);
    listener *l = context;
    insist(!edo_load_relaxed(&l->has_left));
    edo_add_relaxed(&l->calls, 1);
    return l->answer;
}

static int subscribe(listener *l, uint32_t flags, edo__signal_answer answer)
{
    *l = (listener){ .answer = answer };
    l->subscriber = (edo__signal_subscriber){
        .signal = EDO__SIGNAL_QUIT, .flags = flags, .notify = hear, .context = l
    };
    return edo__signal_subscribe(&l->subscriber);
}

test(all_are_called_and_the_earlier_one_is_put_back)
{
    listener first, second;
    earlier_calls = 0;
    set_handler(SIGQUIT, earlier);
    assert_int_equal(subscribe(&first, 0, EDO__SIGNAL_PASSED), 0);
    assert_int_equal(subscribe(&second, 0, EDO__SIGNAL_TAKEN), 0);
    raise(SIGQUIT);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
    assert_int_equal(earlier_calls, 0); // taken
    edo__signal_unsubscribe(&second.subscriber);
    assert_true(edo__signal_is_caught(EDO__SIGNAL_QUIT));
    raise(SIGQUIT);
    assert_int_equal(first.calls, 2);
    assert_int_equal(second.calls, 1);
    assert_int_equal(earlier_calls, 1); // passed on
    edo__signal_unsubscribe(&first.subscriber);
    assert_true(handler_of(SIGQUIT) == earlier);
    edo__signal_unsubscribe(&first.subscriber); // no effect
    set_handler(SIGQUIT, SIG_DFL);
}

static edo_atomic(uint32_t) info_calls;

static void earlier_with_info(int number, siginfo_t *info, void *context)
{
    insist(info->si_signo == number && context);
    edo_add_relaxed(&info_calls, 1);
}

test(earlier_handler_has_its_arguments)
{
    listener l;
    struct sigaction action = { .sa_sigaction = earlier_with_info, .sa_flags = SA_SIGINFO };
    assert_int_equal(sigaction(SIGQUIT, &action, NULL), 0);
    assert_int_equal(subscribe(&l, 0, EDO__SIGNAL_PASSED), 0);
    raise(SIGQUIT);
    assert_int_equal(info_calls, 1);
    edo__signal_unsubscribe(&l.subscriber);
    set_handler(SIGQUIT, SIG_DFL);
}

/* A handler that the program has set meanwhile stays. */
test(later_handler_stays)
{
    listener l;
    assert_int_equal(subscribe(&l, 0, EDO__SIGNAL_TAKEN), 0);
    set_handler(SIGQUIT, earlier);
    edo__signal_unsubscribe(&l.subscriber);
    assert_true(handler_of(SIGQUIT) == earlier);
    set_handler(SIGQUIT, SIG_DFL);
}

test(alone)
{
    listener first, second;
    assert_int_equal(subscribe(&first, EDO__SIGNAL_ALONE, EDO__SIGNAL_TAKEN), 0);
    assert_int_equal(subscribe(&second, EDO__SIGNAL_ALONE, EDO__SIGNAL_TAKEN), -EBUSY);
    edo__signal_unsubscribe(&first.subscriber);
    assert_int_equal(subscribe(&second, EDO__SIGNAL_ALONE, EDO__SIGNAL_TAKEN), 0);
    edo__signal_unsubscribe(&second.subscriber);
    assert_true(handler_of(SIGQUIT) == SIG_DFL);
}

test(ignored_stays_ignored)
{
    listener modest, other;
    set_handler(SIGQUIT, SIG_IGN);
    assert_int_equal(subscribe(&modest, EDO__SIGNAL_UNLESS_IGNORED, EDO__SIGNAL_TAKEN), 0);
    assert_true(handler_of(SIGQUIT) == SIG_IGN);
    assert_int_equal(subscribe(&other, 0, EDO__SIGNAL_TAKEN), 0);
    raise(SIGQUIT);
    assert_int_equal(modest.calls, 0);
    assert_int_equal(other.calls, 1);
    edo__signal_unsubscribe(&other.subscriber);
    edo__signal_unsubscribe(&modest.subscriber);
    assert_true(handler_of(SIGQUIT) == SIG_IGN);
    set_handler(SIGQUIT, SIG_DFL);
}

/* Returns: the status of a child that raises the signal. */
static int status_of_child(void)
{
    int status = 0;
    pid_t child = quiet_fork();
    if (child == 0) {
        raise(SIGQUIT);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

test(child_has_the_earlier_handler)
{
    listener l;
    assert_int_equal(subscribe(&l, 0, EDO__SIGNAL_TAKEN), 0);
    int status = status_of_child();
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
    raise(SIGQUIT);
    assert_int_equal(l.calls, 1);
    edo__signal_unsubscribe(&l.subscriber);
}

test(default_follows)
{
    int status = 0;
    pid_t child = quiet_fork();
    if (child == 0) {
        listener l;
        if (subscribe(&l, 0, EDO__SIGNAL_DEFAULT) == 0) raise(SIGQUIT);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
}

/* ---- subscribers that leave while handlers run ---- */

enum { SUBSCRIBERS = 2, ROUNDS = 3000 };

static edo_atomic(uint32_t) subscribers_left;

static void come_and_go(void)
{
    listener *l = malloc(sizeof *l);
    insist(l && subscribe(l, 0, EDO__SIGNAL_TAKEN) == 0);
    edo__signal_unsubscribe(&l->subscriber);
    edo_store_relaxed(&l->has_left, true);
    free(l);
}

static void come_go_or_raise(unsigned index, void *arg)
{
    (void)arg;
    if (index < SUBSCRIBERS) {
        for (unsigned i = 0; i < ROUNDS; i++)
            come_and_go();
        edo_sub_relaxed(&subscribers_left, 1);
    } else {
        while (edo_load_relaxed(&subscribers_left))
            raise(SIGQUIT); // the handler runs on this thread
    }
}

test(handlers_against_unsubscribers)
{
    subscribers_left = SUBSCRIBERS;
    set_handler(SIGQUIT, earlier);
    run_threads(SUBSCRIBERS + 2, come_go_or_raise, NULL);
    assert_true(handler_of(SIGQUIT) == earlier);
    set_handler(SIGQUIT, SIG_DFL);
}

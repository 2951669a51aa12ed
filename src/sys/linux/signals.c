/* The dispatcher of sys/signals.h.
 *
 * Each signal has a list of subscribers, and the number of its handlers that are running on all
 * threads. A handler takes no lock:
 *
 *     handler                               unsubscriber
 *     handlers += 1     (acquire)           unlinks the subscriber  (release, under the lock)
 *     walks the list    (acquire)           handlers += 0           (release)
 *     handlers -= 1     (release)           waits for handlers == 0 (acquire)
 *
 * The two additions are read-modify-writes of one word, so one precedes the other. If the handler's
 * addition is first, the unsubscriber reads a count above 0 and waits for the subtraction. The
 * subtraction releases all accesses of the handler to the subscriber. If the unsubscriber's
 * addition is first, the handler's addition acquires the unlinking, so the handler does not find
 * the subscriber. An unlinked subscriber keeps its `next`, so a handler that is reading the
 * subscriber continues with the later subscribers in the list. A later subscriber cannot be freed
 * meanwhile either, because its unsubscriber waits for the same count.
 *
 * `first` is stored with release and read with acquire. So a handler reads only subscribers that
 * are fully written, even if an unlinking has changed `first`. A read of `next` needs no acquire.
 * New subscribers are linked only at the head of the list. So before a subscriber became the first
 * one, the subscribers behind it were fully written.
 *
 * Each link is changed by one store, so the child of a fork has intact lists at any moment. The
 * child drops all lists nevertheless, because the subscribers belong to threads of the parent. */
#include "sys/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "sys/sys.h"
#include "sys/terminals.h"

typedef void plain_handler(int number);
typedef void info_handler(int number, siginfo_t *info, void *context);

/* State of one signal. At most one of `plain` and `with_info` is set. A handler may read these two
 * members while a subscriber writes them. In that case the handler calls the old function, the new
 * function or neither, as if the signal had arrived at another moment. */
typedef struct slot {
    edo_atomic(edo__signal_subscriber *) first; // changed under the lock
    edo_atomic(uint32_t) handlers;
    edo_atomic(plain_handler *) plain;    // earlier handler of the program
    edo_atomic(info_handler *) with_info; // earlier handler with SA_SIGINFO
    edo_atomic(bool) was_ignored;         // the program ignored the signal before
    struct sigaction earlier;             // guarded by the lock
    bool is_installed; // set before the handler is installed; guarded by the lock
} slot;

enum { NUMBERS = 65 }; // 1 + the greatest number of a signal

static const int numbers[EDO__SIGNALS - EDO__SIGNAL_NAMES] = {
    [EDO__SIGNAL_INTERRUPT - EDO__SIGNAL_NAMES] = SIGINT,
    [EDO__SIGNAL_TERMINATE - EDO__SIGNAL_NAMES] = SIGTERM,
    [EDO__SIGNAL_QUIT - EDO__SIGNAL_NAMES] = SIGQUIT,
    [EDO__SIGNAL_URGENT - EDO__SIGNAL_NAMES] = SIGURG,
    [EDO__SIGNAL_FAULT - EDO__SIGNAL_NAMES] = SIGSEGV,
    [EDO__SIGNAL_CHILD - EDO__SIGNAL_NAMES] = SIGCHLD,
    [EDO__SIGNAL_WINDOW - EDO__SIGNAL_NAMES] = SIGWINCH,
    [EDO__SIGNAL_HANGUP - EDO__SIGNAL_NAMES] = SIGHUP,
    [EDO__SIGNAL_ABORT - EDO__SIGNAL_NAMES] = SIGABRT,
};

static edo__lock lock;
static slot slots[NUMBERS];
static edo_atomic(pid_t) owner; // process to which the subscribers belong

static int number_of(int signal)
{
    return signal < EDO__SIGNAL_NAMES ? signal : numbers[signal - EDO__SIGNAL_NAMES];
}

static slot *slot_of(const edo__signal_subscriber *subscriber)
{
    return &slots[number_of(subscriber->signal)];
}

/* ---- kinds ---- */

int edo__signal_number(edo__signal signal)
{
    return number_of((int)signal);
}

/* The C library uses the numbers from 32 to SIGRTMIN - 1. */
int edo__signal_kind_of(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return -EINVAL;
    default: break;
    }
    if (number < 1 || number > SIGRTMAX || (number >= 32 && number < SIGRTMIN)) return -EINVAL;
    return number < SIGRTMIN ? EDO__SIGNAL_COALESCED : EDO__SIGNAL_QUEUED;
}

void edo__signal_unblock(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- the handler ---- */

/* Makes the event of a signal. The event has the sender if a process has sent the signal, or if the
 * signal is SIGCHLD. */
static edo_signal_event event_of(int number, const siginfo_t *info)
{
    edo_signal_event event = { .number = number, .code = info->si_code };
    bool is_sent = info->si_code == SI_USER || info->si_code == SI_TKILL ||
                   info->si_code == SI_QUEUE || info->si_code == SI_MESGQ;
    if (is_sent || number == SIGCHLD) {
        event.pid = info->si_pid;
        event.uid = info->si_uid;
    }
    if (info->si_code == SI_QUEUE || info->si_code == SI_MESGQ || info->si_code == SI_TIMER) {
        event.value = info->si_value.sival_int;
        event.pointer = info->si_value.sival_ptr;
    }
    return event;
}

static edo__signal_answer ask_group(slot *s, uint32_t group, const edo_signal_event *event)
{
    edo__signal_answer answer = EDO__SIGNAL_PASSED;
    edo__signal_subscriber *one = edo_load_acquire(&s->first);
    for (; one; one = edo_load_relaxed(&one->next)) {
        bool is_asked = !one->is_deaf &&
                        (one->flags & (EDO__SIGNAL_FIRST | EDO__SIGNAL_LAST)) == group;
        edo__signal_answer its = is_asked ? one->notify(one->context, event) : EDO__SIGNAL_PASSED;
        if (its > answer) answer = its;
    }
    return answer;
}

static edo__signal_answer ask(slot *s, int number, const siginfo_t *info)
{
    edo_signal_event event = event_of(number, info);
    static const uint32_t groups[] = { EDO__SIGNAL_FIRST, 0, EDO__SIGNAL_LAST };
    edo__signal_answer answer = EDO__SIGNAL_PASSED;
    for (size_t i = 0; answer <= EDO__SIGNAL_LEFT && i < 3; i++) {
        edo__signal_answer its = ask_group(s, groups[i], &event);
        if (its > answer) answer = its;
    }
    return answer;
}

/* Calls the earlier handler. Returns: whether there is an earlier handler. */
static bool pass_on(slot *s, int number, siginfo_t *info, void *context)
{
    info_handler *with_info = edo_load_acquire(&s->with_info);
    plain_handler *plain = edo_load_acquire(&s->plain);
    if (with_info)
        with_info(number, info, context);
    else if (plain)
        plain(number);
    return with_info || plain;
}

static _Thread_local const void *fault_address __attribute__((tls_model("initial-exec")));

const void *edo__signal_fault_address(void)
{
    return fault_address;
}

/* Restores the default action, and raises the signal, which remains pending until the handler
 * returns. Restores terminals, because the process will probably end. */
static void act_as_default(int number)
{
    edo__terminals_restore();
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    raise(number);
}

/* Notifies the subscribers. Meanwhile, slot.handlers counts this handler. */
static edo__signal_answer ask_counted(slot *s, int number, const siginfo_t *info)
{
    edo_add_acquire(&s->handlers, 1); // partner: the addition in edo__signal_unsubscribe
    edo__signal_answer answer = ask(s, number, info);
    edo_sub_release(&s->handlers, 1); // partner: the wait in edo__signal_unsubscribe
    return answer;
}

/* The dispatcher's handler. The earlier handler runs after the count is decremented, because the
 * earlier handler may leave by longjmp(). A child made without fork handlers has the subscribers of
 * its parent. The child must not notify these subscribers, because their descriptors are shared
 * with the parent. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    slot *s = &slots[number];
    bool is_foreign = getpid() != edo_load_relaxed(&owner);
    if (number == SIGSEGV) fault_address = info->si_addr;
    edo__signal_answer answer = is_foreign ? EDO__SIGNAL_PASSED : ask_counted(s, number, info);
    if (answer == EDO__SIGNAL_LEFT) edo__terminals_restore();
    if (answer <= EDO__SIGNAL_NOTED && !pass_on(s, number, info, context)) {
        bool has_default = answer == EDO__SIGNAL_LEFT || is_foreign ||
                           number == SIGSEGV; // the faulting instruction would fault again
        if (has_default && !edo_load_relaxed(&s->was_ignored)) answer = EDO__SIGNAL_DEFAULT;
    }
    if (answer == EDO__SIGNAL_DEFAULT) act_as_default(number);
    errno = saved;
}

/* ---- installing: called under the lock ---- */

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

static void note_earlier(slot *s, const struct sigaction *action)
{
    bool with_info = action->sa_flags & SA_SIGINFO;
    bool is_function = action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
    s->earlier = *action;
    edo_store_relaxed(&s->was_ignored, !with_info && action->sa_handler == SIG_IGN);
    edo_store_release(&s->with_info, with_info ? action->sa_sigaction : NULL);
    edo_store_release(&s->plain, is_function && !with_info ? action->sa_handler : NULL);
}

/* Returns: those flags of the program's action for SIGCHLD that say how the system treats children
 * that stop or end. An ignored SIGCHLD counts as SA_NOCLDWAIT. */
static int flags_of_children(const struct sigaction *now)
{
    bool is_ignored = !(now->sa_flags & SA_SIGINFO) && now->sa_handler == SIG_IGN;
    return (now->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)) | (is_ignored ? SA_NOCLDWAIT : 0);
}

/* Installs the dispatcher's handler. While the handler runs, the signals in `numbers` are blocked,
 * except SIGSEGV and SIGABRT. If SIGSEGV were blocked, a fault in a handler would end the process
 * before the fault handler runs. SA_ONSTACK is set, because a thread that runs fibers has a
 * separate stack for handlers. */
static void install(slot *s, int number, const struct sigaction *now)
{
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] != SIGSEGV && numbers[i] != SIGABRT) sigaddset(&action.sa_mask, numbers[i]);
    note_earlier(s, now);
    if (number == SIGCHLD) action.sa_flags |= flags_of_children(now);
    s->is_installed = true;
    sigaction(number, &action, NULL);
}

static void put_back(slot *s, int number)
{
    struct sigaction now = { 0 };
    if (!s->is_installed) return;
    if (sigaction(number, NULL, &now) == 0 && is_ours(&now)) sigaction(number, &s->earlier, NULL);
    s->is_installed = false;
}

/* ---- subscribers ---- */

/* Adds a subscriber to the list. A subscriber with UNLESS_IGNORED is deaf (never notified) if the
 * process ignores the signal now. For example, background jobs of a shell ignore SIGINT. */
static void link_in(slot *s, edo__signal_subscriber *subscriber)
{
    struct sigaction now = { 0 };
    int number = number_of(subscriber->signal);
    sigaction(number, NULL, &now);
    bool is_ignored = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN;
    subscriber->is_deaf = is_ignored && (subscriber->flags & EDO__SIGNAL_UNLESS_IGNORED);
    edo_store_relaxed(&owner, getpid());
    edo_store_relaxed(&subscriber->next, edo_load_relaxed(&s->first));
    edo_store_release(&s->first, subscriber);
    if (!subscriber->is_deaf && !s->is_installed) install(s, number, &now);
}

/* Whether the signal has a subscriber with EDO__SIGNAL_ALONE. Called under the lock. */
static bool has_lone(const slot *s)
{
    const edo__signal_subscriber *one = edo_load_relaxed(&s->first);
    while (one && !(one->flags & EDO__SIGNAL_ALONE))
        one = edo_load_relaxed(&one->next);
    return one;
}

int edo__signal_subscribe(edo__signal_subscriber *subscriber)
{
    slot *s = slot_of(subscriber);
    if (edo__sys_fork_generation() == 0) return -ENOMEM; // a child could not restore handlers
    edo__lock_take(&lock);
    bool is_busy = (subscriber->flags & EDO__SIGNAL_ALONE) && has_lone(s);
    if (!is_busy) link_in(s, subscriber);
    edo__lock_give(&lock);
    return is_busy ? -EBUSY : 0;
}

/* Removes a subscriber from the list. Called under the lock. Returns: whether the subscriber was in
 * the list. */
static bool unlink_from(slot *s, edo__signal_subscriber *subscriber)
{
    edo__signal_subscriber **link = &s->first;
    while (edo_load_relaxed(link) && edo_load_relaxed(link) != subscriber)
        link = &edo_load_relaxed(link)->next;
    if (!edo_load_relaxed(link)) return false;
    edo_store_release(link, edo_load_relaxed(&subscriber->next));
    return true;
}

void edo__signal_unsubscribe(edo__signal_subscriber *subscriber)
{
    uint32_t tries = 0;
    slot *s = slot_of(subscriber);
    edo__lock_take(&lock);
    bool was_linked = unlink_from(s, subscriber);
    edo_add_release(&s->handlers, 0); // partner: the addition in ask_counted
    if (was_linked && !edo_load_relaxed(&s->first)) put_back(s, number_of(subscriber->signal));
    edo__lock_give(&lock);
    while (was_linked && edo_load_acquire(&s->handlers))
        edo__sys_wait_briefly(&tries);
}

bool edo__signal_is_caught(int signal)
{
    struct sigaction now = { 0 };
    return sigaction(number_of(signal), NULL, &now) == 0 && is_ours(&now);
}

int edo__signal_send(int signal, uint32_t thread)
{
    return tgkill(getpid(), (pid_t)thread, number_of(signal)) == 0 ? 0 : -errno;
}

void edo__signals_leave_parent(void)
{
    for (int number = 1; number < NUMBERS; number++) {
        edo_store_relaxed(&slots[number].first, NULL);
        edo_store_relaxed(&slots[number].handlers, 0);
        put_back(&slots[number], number);
    }
}

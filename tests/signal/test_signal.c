/* Streams of signals: coalescing and queueing, several subscribers, other handlers, forks. */
#include "support/streams.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/base.h"
#include "task/cx.h"

static struct sigaction action_of(int number)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now;
}

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

static edo_signal *open_signal(int number)
{
    edo_signal *signal = NULL;
    assert_int_equal(edo_signal_open(number, &signal), 0);
    return signal;
}

/* Sends a real-time signal. ThreadSanitizer runs the handler in the next call that it intercepts,
 * and would merge signals until then. */
static void send_value(int value)
{
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = value });
    if (EDO__TSAN) usleep(0);
}

/* ---- events ---- */

async_test(sender_and_number, edo_signal *signal; edo_signal_event event;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR1);
        assert_int_equal(edo_try_signal_next(self->signal, NULL), -EAGAIN);
        kill(getpid(), SIGUSR1);
        edo_await(rc, edo_signal_next(self->signal, &self->event));
        assert_int_equal(rc, 1);
        assert_int_equal(self->event.number, SIGUSR1);
        assert_int_equal(self->event.pid, getpid());
        assert_int_equal(self->event.uid, getuid());
        assert_int_equal(self->event.lost, 0);
        assert_int_equal(edo_try_signal_next(self->signal, NULL), -EAGAIN);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

async_test(waiting_task_is_woken, edo_signal *signal; edo_task *task; edo_signal_event event;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR1);
        rc = edo_spawn(&self->task, run_op, .op = edo_signal_next(self->signal, &self->event));
        assert_int_equal(rc, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        raise(SIGUSR1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        assert_int_equal(self->event.number, SIGUSR1);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* Signals between the opening and the first wait are kept. */
async_test(ordinary_ones_are_coalesced, edo_signal *signal; unsigned i;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR2);
        for (self->i = 0; self->i < 10; self->i++)
            raise(SIGUSR2);
        edo_await(rc, edo_signal_next(self->signal, NULL));
        assert_int_equal(rc, 1);
        assert_int_equal(edo_try_signal_next(self->signal, NULL), -EAGAIN);
        raise(SIGUSR2); // one after the event was taken is a new event
        edo_await(rc, edo_signal_next(self->signal, NULL));
        assert_int_equal(rc, 1);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

async_test(real_time_ones_are_queued, edo_signal *signal; edo_signal_event event; int i;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGRTMIN + 3);
        for (self->i = 1; self->i <= 100; self->i++)
            send_value(self->i);
        for (self->i = 1; self->i <= 100; self->i++) {
            edo_await(rc, edo_signal_next(self->signal, &self->event));
            assert_int_equal(rc, 1);
            assert_int_equal(self->event.value, self->i);
            assert_int_equal(self->event.pid, getpid());
        }
        assert_int_equal(edo_try_signal_next(self->signal, NULL), -EAGAIN);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

async_test(a_full_queue_counts_what_it_loses, edo_signal *signal; edo_signal_event event; int i;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGRTMIN + 3);
        for (self->i = 0; self->i < EDO_SIGNAL_QUEUE + 5; self->i++)
            send_value(self->i);
        edo_await(rc, edo_signal_next(self->signal, &self->event));
        assert_int_equal(rc, 1);
        assert_int_equal(self->event.value, 0);
        assert_int_equal(self->event.lost, 5);
        edo_await(rc, edo_signal_next(self->signal, &self->event));
        assert_int_equal(self->event.value, 1);
        assert_int_equal(self->event.lost, 0);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* Each waiting operation gets one event. */
async_test(several_operations_share_a_stream, edo_signal *signal; edo_task *tasks[3];
           edo_signal_event events[3]; int i, sum;)
{
    edo_body {
        int rc;
        self->sum = 0;
        self->signal = open_signal(SIGRTMIN + 3);
        for (self->i = 0; self->i < 3; self->i++) {
            rc = edo_spawn(&self->tasks[self->i], run_op,
                           .op = edo_signal_next(self->signal, &self->events[self->i]));
            assert_int_equal(rc, 0);
        }
        settle();
        for (self->i = 0; self->i < 3; self->i++)
            send_value(1 << self->i);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 1);
            self->sum += self->events[self->i].value;
        }
        assert_int_equal(self->sum, 7);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* Polls an operation, and counts the units of budget that it uses. */
typedef struct counted {
    edo_future base;
    edo_op op;
    int64_t used;
} counted;

static edo_poll counted_poll(edo_future *future, edo_cx *cx)
{
    counted *self = (counted *)(void *)future;
    int64_t before = cx->budget;
    edo_poll poll = edo_poll_future(&self->op.base, cx);
    edo_add_relaxed(&self->used, before - cx->budget);
    future->result = self->op.base.result;
    return poll;
}

struct waits_counted {
    edo_frame();
    edo_args(counted *counted;);
};

edo_async(waits_counted)
{
    edo_body {
        int rc;
        edo_await_on(rc, &self->counted->base);
        edo_return(rc);
    }
}

/* A wait that is woken after another call has taken the event uses budget, so it does not spin. */
current_thread_only("the waiting task does not run before the event is taken")
async_test(a_wait_in_vain_uses_budget, edo_signal *signal; counted counted; edo_task *task; int i;)
{
    static const edo_future_ops ops = { .name = "counted", .poll = counted_poll };
    enum { PATIENCE = 10000 };
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR1);
        self->counted = (counted){ .base = { .ops = &ops } };
        self->counted.op = edo_signal_next(self->signal, NULL);
        assert_int_equal(edo_spawn(&self->task, waits_counted, .counted = &self->counted), 0);
        settle();
        raise(SIGUSR1);
        assert_int_equal(edo_try_signal_next(self->signal, NULL), 1);
        for (self->i = 0; self->i < PATIENCE && !edo_load_relaxed(&self->counted.used); self->i++)
            settle();
        assert_true(edo_load_relaxed(&self->counted.used) > 0);
        raise(SIGUSR1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* ---- ends ---- */

async_test(a_cancelled_wait_takes_nothing, edo_signal *signal; edo_task *task;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR1);
        rc = edo_spawn(&self->task, run_op, .op = edo_signal_next(self->signal, NULL));
        assert_int_equal(rc, 0);
        settle();
        raise(SIGUSR1);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_true(rc == 1 || rc == -ECANCELED);
        assert_int_equal(edo_try_signal_next(self->signal, NULL), rc == 1 ? -EAGAIN : 1);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

async_test(close_ends_waits, edo_signal *signal; edo_task *task;)
{
    edo_body {
        int rc;
        self->signal = open_signal(SIGUSR1);
        rc = edo_spawn(&self->task, run_op, .op = edo_signal_next(self->signal, NULL));
        assert_int_equal(rc, 0);
        settle();
        edo_signal_close(self->signal);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_signal_close(NULL);
        edo_await(rc, edo_signal_next(NULL, NULL));
        assert_int_equal(rc, -EINVAL);
        edo_return(0);
    }
}

test(close_with_an_event_that_was_not_taken)
{
    edo_signal *signal = open_signal(SIGUSR1);
    raise(SIGUSR1);
    edo_signal_close(signal);
    assert_true(action_of(SIGUSR1).sa_handler == SIG_DFL);
}

test(numbers)
{
    edo_signal *signal;
    static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (int number = -1; number <= 70; number++) {
        bool refuses = number < 1 || number > SIGRTMAX || (number >= 32 && number < SIGRTMIN);
        for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
            refuses |= number == refused[i];
        int rc = edo_signal_open(number, &signal);
        assert_int_equal(rc, refuses ? -EINVAL : 0);
        if (rc == 0) edo_signal_close(signal);
    }
    assert_int_equal(edo_signal_open(SIGUSR1, NULL), -EINVAL);
}

/* ---- several subscribers ---- */

struct one_event {
    edo_frame();
    edo_args(edo_signal *signal;);
};

edo_async(one_event)
{
    edo_body {
        int rc;
        edo_await(rc, edo_signal_next(self->signal, NULL));
        edo_return(rc);
    }
}

test(each_stream_of_each_runtime_has_the_event)
{
    edo_runtime *runtimes[2];
    edo_signal *signals[3];
    for (int i = 0; i < 2; i++)
        assert_int_equal(create_runtime(NULL, &runtimes[i]), 0);
    for (int i = 0; i < 3; i++)
        signals[i] = open_signal(SIGHUP);
    raise(SIGHUP);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edo_block_on(runtimes[i % 2], one_event, .signal = signals[i]), 1);
        edo_signal_close(signals[i]);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(edo_runtime_destroy(runtimes[i]), 0);
    assert_true(action_of(SIGHUP).sa_handler == SIG_DFL);
}

test(flags_of_the_handler)
{
    edo_signal *signal = open_signal(SIGHUP);
    int flags = action_of(SIGHUP).sa_flags;
    assert_true((flags & SA_ONSTACK) && (flags & SA_RESTART) && (flags & SA_SIGINFO));
    edo_signal_close(signal);
}

/* ---- other handlers ---- */

static edo_atomic(int) own_calls;

static void own(int number)
{
    (void)number;
    edo_add_relaxed(&own_calls, 1);
}

test(earlier_handler_runs_and_is_restored)
{
    own_calls = 0;
    set_handler(SIGUSR1, own);
    edo_signal *first = open_signal(SIGUSR1), *second = open_signal(SIGUSR1);
    raise(SIGUSR1);
    assert_int_equal(own_calls, 1);
    assert_int_equal(edo_try_signal_next(first, NULL), 1);
    assert_int_equal(edo_try_signal_next(second, NULL), 1);
    edo_signal_close(first);
    assert_true(action_of(SIGUSR1).sa_handler != own);
    edo_signal_close(second);
    assert_true(action_of(SIGUSR1).sa_handler == own);
    set_handler(SIGUSR1, SIG_DFL);
}

test(later_handler_stays)
{
    edo_signal *signal = open_signal(SIGUSR1);
    set_handler(SIGUSR1, own);
    edo_signal_close(signal);
    assert_true(action_of(SIGUSR1).sa_handler == own);
    set_handler(SIGUSR1, SIG_DFL);
}

static void take_one_and_raise_again(void *arg)
{
    (void)arg;
    set_handler(SIGINT, SIG_DFL);
    edo_signal *signal = open_signal(SIGINT);
    raise(SIGINT);
    if (edo_try_signal_next(signal, NULL) != 1) _exit(1);
    edo_signal_close(signal);
    raise(SIGINT);
}

test(after_the_last_stream_the_default_action_is_back)
{
    int status = run_in_child(take_one_and_raise_again, NULL, NULL, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static void be_started_with_blocked_signals(void *arg)
{
    (void)arg;
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    edo_signal *signal = open_signal(SIGTERM);
    kill(getpid(), SIGTERM);
    assert_int_equal(edo_try_signal_next(signal, NULL), 1);
    edo_signal_close(signal);
}

test(open_unblocks_the_signal)
{
    expect_success_in_child(be_started_with_blocked_signals, NULL);
}

static void ignore_children(void *arg)
{
    (void)arg;
    set_handler(SIGCHLD, SIG_IGN);
    edo_signal *signal = open_signal(SIGCHLD);
    pid_t child = fork();
    if (child == 0) _exit(3);
    assert_int_equal(waitpid(child, NULL, 0), -1); // reaped by the system, as before
    assert_int_equal(errno, ECHILD);
    edo_signal_close(signal);
    assert_true(action_of(SIGCHLD).sa_handler == SIG_IGN);
}

test(ignored_children_are_still_reaped_by_the_system)
{
    expect_success_in_child(ignore_children, NULL);
}

/* ---- children of fork ---- */

/* A raise in the child reaches neither the stream of the parent nor, through a shared descriptor,
 * its waiting operations. */
test(child_of_a_fork)
{
    edo_runtime *runtime;
    edo_signal *signal = open_signal(SIGUSR1);
    int status;
    pid_t child = fork();
    if (child == 0) {
        int rc = edo_try_signal_next(signal, NULL);
        edo_signal_close(signal);
        if (rc != -ESTALE) _exit(1);
        raise(SIGUSR1);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    assert_int_equal(edo_try_signal_next(signal, NULL), -EAGAIN);
    raise(SIGUSR1);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, one_event, .signal = signal), 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_signal_close(signal);
}

/* The same without fork handlers. */
test(child_without_fork_handlers)
{
    edo_signal *signal = open_signal(SIGUSR1);
    int status;
    pid_t child = _Fork();
    if (child == 0) {
        raise(SIGUSR1);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    assert_int_equal(edo_try_signal_next(signal, NULL), -EAGAIN);
    edo_signal_close(signal);
}

/* ---- Ctrl-C and edo_run ---- */

async_test(ctrl_c, edo_task *task;)
{
    edo_body {
        int rc;
        set_handler(SIGINT, SIG_DFL); // a background job of a shell ignores it
        rc = edo_spawn(&self->task, run_op, .op = edo_ctrl_c());
        assert_int_equal(rc, 0);
        settle();
        raise(SIGINT);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        assert_true(action_of(SIGINT).sa_handler == SIG_DFL);
        rc = edo_spawn(&self->task, run_op, .op = edo_ctrl_c());
        assert_int_equal(rc, 0);
        settle();
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_true(action_of(SIGINT).sa_handler == SIG_DFL);
        edo_return(0);
    }
}

struct program {
    edo_frame();
    edo_args(int number;);
    edo_signal *signal;
};

/* While the stream is open, edo_run() is not interrupted; after that, it is. */
edo_async(program)
{
    edo_body {
        int rc;
        self->signal = open_signal(self->number);
        raise(self->number);
        edo_await(rc, edo_signal_next(self->signal, NULL));
        if (rc != 1) edo_return(-EPROTO);
        edo_signal_close(self->signal);
        if (edo_is_cancelled()) edo_return(-EPROTO);
        raise(self->number);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static void run_program(void *arg)
{
    (void)arg;
    set_handler(SIGINT, SIG_DFL);
    _exit(edo_run(program, .number = SIGINT));
}

test(edo_run_leaves_the_signal_to_a_stream)
{
    int status = run_in_child(run_program, NULL, NULL, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- many ---- */

enum { SENDERS = 2, SIGNALS = 2000 };

static edo_atomic(int) senders_left;

static void send_many(unsigned index, void *arg)
{
    (void)arg;
    for (int i = 0; i < SIGNALS; i++)
        kill(getpid(), index % 2 ? SIGUSR1 : SIGUSR2);
    edo_sub_release(&senders_left, 1);
}

/* Threads that existed before the stream take signals as well; none has the default action, and the
 * last one of each kind is taken. */
static void storm(void *arg)
{
    (void)arg;
    edo_signal *first = open_signal(SIGUSR1), *second = open_signal(SIGUSR2);
    senders_left = SENDERS;
    run_threads(SENDERS, send_many, NULL);
    assert_int_equal(edo_try_signal_next(first, NULL), 1);
    assert_int_equal(edo_try_signal_next(second, NULL), 1);
    kill(getpid(), SIGUSR1);
    while (edo_try_signal_next(first, NULL) != 1)
        continue;
    edo_signal_close(first);
    edo_signal_close(second);
}

test(storms)
{
    expect_success_in_child(storm, NULL);
}

test(errors_of_the_system)
{
    edo_signal *signal;
    test_allocator_install();
    test_allocator_fail_at(1);
    assert_int_equal(edo_signal_open(SIGUSR1, &signal), -ENOMEM);
    assert_int_equal(edo_signal_open(SIGUSR1, &signal), 0);
    edo_signal_close(signal);
    test_allocator_remove();
    assert_true(action_of(SIGUSR1).sa_handler == SIG_DFL);
}

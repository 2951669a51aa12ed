/* Whole programs: exit status, signals, and the end of other tasks. Each runs in a child. */
#include "runtime/fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static char text[4096]; // stderr of the child

/* A program. The child ends with the exit status that the program answers. */
typedef int program_fn(void);

static void run_program(void *arg)
{
    program_fn *const *program = arg;
    int status = (*program)();
    fflush(NULL);
    _exit(status); // without the exit handlers of the test program
}

static int status_of(program_fn *program)
{
    return run_in_child(run_program, &program, text, sizeof text);
}

static void expect_exit(program_fn *program, int expected, const char *expected_text)
{
    int status = status_of(program);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
    assert_string_equal(text, expected_text);
}

static void expect_killed(program_fn *program, int signal_number)
{
    int status = status_of(program);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal_number);
    assert_string_equal(text, "");
}

/* ---- exit status ---- */

static int answers_zero(void)
{
    return edo_run(answer, .result = 0);
}

static int answers_more(void)
{
    return edo_run(answer, .result = 1LL << 40);
}

static int answers_error(void)
{
    return edo_run(answer, .result = -ENOENT);
}

static int answers_cancelled(void)
{
    return edo_run(answer, .result = -ECANCELED); // without an interrupt
}

test(exit_status)
{
    expect_exit(answers_zero, 0, "");
    expect_exit(answers_more, 0, "");
    expect_exit(answers_error, 1, "edo: answer: No such file or directory\n");
    expect_exit(answers_cancelled, 1, "edo: answer: cancelled\n");
}

static int has_no_driver(void)
{
    return edo_run_with(&(edo_config){ .driver = "none such" }, answer, .result = 0);
}

static int has_no_memory(void)
{
    test_allocator_install();
    test_allocator_fail_from(1);
    return edo_run(answer, .result = 0);
}

test(not_run)
{
    expect_exit(has_no_driver, 1, "edo: answer: Invalid argument\n");
    expect_exit(has_no_memory, 1, "edo: answer: Cannot allocate memory\n");
}

/* ---- signals ---- */

/* Sends itself a signal, and waits for ever. */
struct interrupted {
    edo_frame();
    edo_args(int signal_number;);
};

edo_async(interrupted)
{
    edo_body {
        int rc;
        kill(getpid(), self->signal_number);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static int is_interrupted(void)
{
    return edo_run(interrupted, .signal_number = SIGINT);
}

static int is_terminated(void)
{
    return edo_run(interrupted, .signal_number = SIGTERM);
}

static int is_interrupted_twice_in_turn(void)
{
    int first = edo_run(interrupted, .signal_number = SIGINT);
    return first ? 100 + first : edo_run(interrupted, .signal_number = SIGINT);
}

test(signal_cancels)
{
    expect_exit(is_interrupted, 0, "");
    expect_exit(is_terminated, 0, "");
    expect_exit(is_interrupted_twice_in_turn, 0, "");
}

/* The signal arrives on another thread, while the runtime sleeps or is about to sleep. */
static void mask_sigterm(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    insist(pthread_sigmask(how, &set, NULL) == 0);
}

static void *send_signal(void *arg)
{
    mask_sigterm(SIG_UNBLOCK);
    kill(getpid(), SIGTERM);
    return arg;
}

struct starts_sender {
    edo_frame();
    edo_args();
    pthread_t thread;
};

edo_async(starts_sender)
{
    edo_body {
        int rc;
        mask_sigterm(SIG_BLOCK); // on this thread only
        insist(pthread_create(&self->thread, NULL, send_signal, NULL) == 0);
        edo_await(rc, edo_sleep(EDO_NEVER));
        pthread_join(self->thread, NULL);
        edo_return(rc);
    }
}

static int is_terminated_from_outside(void)
{
    return edo_run(starts_sender);
}

test(signal_on_another_thread)
{
    for (int i = 0; i < 20; i++)
        expect_exit(is_terminated_from_outside, 0, "");
}

/* ---- clean-up ---- */

struct cleans_up {
    edo_frame();
    edo_args(int64_t result; int second;);
};

edo_async(cleans_up)
{
    edo_body {
        int rc;
        kill(getpid(), SIGINT);
        edo_await(rc, edo_sleep(EDO_NEVER));
        insist(rc == -ECANCELED);
        edo_shield();
        edo_await(rc, edo_sleep(edo_ms(1)));
        insist(rc == 0);
        if (self->second) kill(getpid(), self->second);
        edo_await(rc, edo_sleep(edo_ms(1)));
        fprintf(stderr, "clean\n");
        edo_return(self->result);
    }
}

static int cleans_up_well(void)
{
    return edo_run(cleans_up, .result = 0);
}

static int cleans_up_and_tells(void)
{
    return edo_run(cleans_up, .result = -ECANCELED);
}

static int fails_to_clean_up(void)
{
    return edo_run(cleans_up, .result = -EIO);
}

static int is_interrupted_again(void)
{
    return edo_run(cleans_up, .second = SIGINT);
}

static int is_terminated_then(void)
{
    return edo_run(cleans_up, .second = SIGTERM);
}

test(clean_up)
{
    expect_exit(cleans_up_well, 0, "clean\n");
    expect_exit(cleans_up_and_tells, 0, "clean\n");
    expect_exit(fails_to_clean_up, 1, "clean\nedo: cleans_up: Input/output error\n");
}

test(second_signal_kills)
{
    expect_killed(is_interrupted_again, SIGINT);
    expect_killed(is_terminated_then, SIGTERM);
}

/* ---- a function that does not end ---- */

/* An accept loop that ignores every error. */
struct goes_on {
    edo_frame();
    edo_args(bool shields;);
};

edo_async(goes_on)
{
    edo_body {
        int rc;
        kill(getpid(), SIGINT);
        edo_await(rc, edo_sleep(EDO_NEVER));
        insist(rc == -ECANCELED);
        if (self->shields) edo_shield();
        for (;;)
            edo_await(rc, edo_sleep(self->shields ? edo_s(3600) : 0));
    }
}

static const edo_config hasty = { .drain_limit = 1000000, .abort_limit = 1000000 };

static int goes_on_spinning(void)
{
    return edo_run_with(&hasty, goes_on);
}

static int goes_on_waiting(void)
{
    return edo_run_with(&hasty, goes_on, .shields = true);
}

/* Waits behind a shield. A cancellation that a shield delays is followed by an abort. */
struct shields {
    edo_frame();
    edo_args();
};

edo_async(shields)
{
    edo_body {
        int rc;
        kill(getpid(), SIGINT);
        edo_shield();
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static int shields_for_ever(void)
{
    return edo_run_with(&hasty, shields);
}

static int shields_on_workers(void)
{
    static const edo_config config = {
        .drain_limit = 1000000, .abort_limit = EDO_NEVER, .stall_limit = EDO_NEVER, .workers = 2
    };
    return edo_run_with(&config, shields);
}

/* Waits for ever. Nothing wakes this function. */
struct waits_stubbornly {
    edo_frame();
    edo_args();
    struct stubborn stubborn;
};

edo_async(waits_stubbornly)
{
    edo_body {
        int rc;
        kill(getpid(), SIGINT);
        self->stubborn.base = (edo_future){ .ops = &stubborn_ops };
        edo_await_on(rc, &self->stubborn.base);
        edo_return(rc);
    }
}

static int waits_on(void)
{
    return edo_run_with(&hasty, waits_stubbornly);
}

static int waits_on_workers(void)
{
    static const edo_config config = {
        .drain_limit = 1000000, .abort_limit = 1000000, .stall_limit = EDO_NEVER, .workers = 2
    };
    return edo_run_with(&config, waits_stubbornly);
}

static void expect_lost(program_fn *program, const char *pattern, int lines)
{
    int status = status_of(program);
    for (const char *end = text; (end = strchr(end, '\n')); end++)
        lines--;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(text, pattern));
    assert_non_null(strstr(text, "cannot be ended and is leaked"));
    assert_int_equal(lines, 0);
}

test(limits_of_the_function)
{
    expect_lost(goes_on_spinning, "ignores its cancellation: 64 times", 2);
    assert_non_null(strstr(text, "in 'goes_on' at "));
    expect_lost(goes_on_waiting, "ignores its cancellation: 64 times", 2); // after the abort
    expect_lost(waits_on, "in 'waits_stubbornly' at ", 1);
    expect_lost(waits_on_workers, "task 'waits_stubbornly' #", 1); // without place while it runs
    expect_exit(shields_for_ever, 0, "");
    expect_exit(shields_on_workers, 0, "");
}

/* ---- signals that are the program's own ---- */

static int ignores_edo(void)
{
    return edo_run_with(&(edo_config){ .ignore_signals = true }, interrupted, SIGINT);
}

static void handle(int number)
{
    (void)number;
}

struct raises {
    edo_frame();
    edo_args();
};

edo_async(raises)
{
    edo_body {
        int rc;
        kill(getpid(), SIGINT);
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

static bool is_handled_by(int number, void (*handler)(int))
{
    struct sigaction action;
    insist(sigaction(number, NULL, &action) == 0);
    return action.sa_handler == handler;
}

static int keeps_own_handler(void)
{
    signal(SIGINT, handle);
    if (edo_run_with(&(edo_config){ .ignore_signals = true }, raises) != 0) return 2;
    return is_handled_by(SIGINT, handle) ? 0 : 3;
}

static void handle_otherwise(int number)
{
    (void)number;
}

static int puts_handlers_back(void)
{
    signal(SIGINT, handle);
    signal(SIGTERM, handle_otherwise);
    if (edo_run(answer, 0) != 0) return 2;
    if (edo_run(interrupted, SIGINT) != 0) return 3;
    if (edo_run(interrupted, SIGTERM) != 0) return 4;
    return is_handled_by(SIGINT, handle) && is_handled_by(SIGTERM, handle_otherwise) ? 0 : 5;
}

/* Sends itself a signal, which must not cancel it. */
struct ignores {
    edo_frame();
    edo_args(int signal_number;);
};

edo_async(ignores)
{
    edo_body {
        int rc;
        kill(getpid(), self->signal_number);
        edo_await(rc, edo_yield());
        edo_return(rc < 0 ? -EIO : 0);
    }
}

static int keeps_sigint_ignored(void)
{
    signal(SIGINT, SIG_IGN); // as in a background job of a script
    if (edo_run(ignores, SIGINT) != 0) return 2;
    if (!is_handled_by(SIGINT, SIG_IGN)) return 3;
    return edo_run(interrupted, SIGTERM);
}

static int keeps_sigterm_ignored(void)
{
    signal(SIGTERM, SIG_IGN);
    if (edo_run(ignores, SIGTERM) != 0) return 2;
    return is_handled_by(SIGTERM, SIG_IGN) ? 0 : 3;
}

test(ignored_signals)
{
    expect_exit(keeps_sigint_ignored, 0, "");
    expect_exit(keeps_sigterm_ignored, 0, "");
}

test(own_signals)
{
    expect_killed(ignores_edo, SIGINT);
    expect_exit(keeps_own_handler, 0, "");
    expect_exit(puts_handlers_back, 0, "");
}

/* ---- two programs at once ---- */

static void *run_beside(void *arg)
{
    int *status = arg;
    status[0] = edo_run(wait_forever);
    status[1] = edo_run_with(&(edo_config){ .ignore_signals = true }, answer, .result = 0);
    return NULL;
}

struct has_company {
    edo_frame();
    edo_args();
    pthread_t thread;
    int status[2];
};

edo_async(has_company)
{
    edo_body {
        insist(pthread_create(&self->thread, NULL, run_beside, self->status) == 0);
        insist(pthread_join(self->thread, NULL) == 0);
        edo_return(self->status[0] == 1 && self->status[1] == 0 ? 0 : -EPROTO);
    }
}

static int runs_two(void)
{
    return edo_run(has_company);
}

test(signals_are_for_one)
{
    expect_exit(runs_two, 0, "edo: wait_forever: Device or resource busy\n");
}

/* ---- other tasks ---- */

struct ends_late {
    edo_frame();
    edo_args();
};

edo_async(ends_late)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        edo_await(rc, edo_sleep(edo_ms(2)));
        fprintf(stderr, "late\n");
        edo_return(rc);
    }
}

struct leaves_one {
    edo_frame();
    edo_args();
};

edo_async(leaves_one)
{
    edo_body {
        int rc = edo_go(ends_late);
        insist(rc == 0);
        edo_await(rc, edo_yield());
        edo_return(0);
    }
}

static int drains(void)
{
    int status = edo_run(leaves_one);
    fprintf(stderr, "over\n");
    return status;
}

test(others_are_drained)
{
    expect_exit(drains, 0, "late\nover\n");
}

/* ---- tasks that cannot be ended ---- */

struct never_ends {
    edo_frame();
    edo_args();
    struct stubborn future;
};

edo_async(never_ends)
{
    edo_body {
        int rc;
        self->future = (struct stubborn){ .base.ops = &stubborn_ops };
        edo_await_on(rc, &self->future.base);
        edo_return(rc);
    }
}

struct leaves_stubborn {
    edo_frame();
    edo_args();
};

edo_async(leaves_stubborn)
{
    edo_body {
        edo_return(edo_go(never_ends));
    }
}

static void must_not_run(void)
{
    fprintf(stderr, "torn down\n");
}

static int leaks(void)
{
    atexit(must_not_run);
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    printf("buffered\n"); // the exit must flush this text
    edo_config config = { .drain_limit = edo_ms(5), .abort_limit = edo_ms(5), .name = "mine" };
    edo_run_with(&config, leaves_stubborn);
    return 100; // not reached
}

test(exit_without_end)
{
    int status = status_of(leaks);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(text, "edo: error: mine: task 'never_ends' #"));
    assert_non_null(strstr(text, "test_run.c:"));
    assert_non_null(strstr(text, "buffered\n"));
    assert_null(strstr(text, "torn down"));
}

/* ---- SIGPIPE ---- */

/* A program started by the task has the original action of SIGPIPE. */
struct starts_program {
    edo_frame();
    edo_args();
};

edo_async(starts_program)
{
    edo_body {
        int status = system("kill -PIPE $$; exit 5");
        bool killed = status == SIGPIPE || (WIFEXITED(status) && WEXITSTATUS(status) > 128);
        edo_return(killed ? 0 : -EIO);
    }
}

static int leaves_sigpipe(void)
{
    int status = edo_run(starts_program);
    return is_handled_by(SIGPIPE, SIG_DFL) ? status : 2;
}

static int handles_sigpipe(void)
{
    signal(SIGPIPE, handle);
    int status = edo_run(answer, 0);
    return is_handled_by(SIGPIPE, handle) ? status : 2;
}

test(sigpipe)
{
    expect_exit(leaves_sigpipe, 0, "");
    expect_exit(handles_sigpipe, 0, "");
}

/* ---- a program within a task is a mistake ---- */

struct runs_inside {
    edo_frame();
    edo_args();
};

edo_async(runs_inside)
{
    edo_body {
        edo_return(edo_run(answer, 0));
    }
}

static void run_inside(void *arg)
{
    (void)arg;
    edo_run(runs_inside);
}

test(inside_a_task)
{
    expect_abort(run_inside, NULL, "^edo: edo_run: .*task 'runs_inside' #[0-9]+, spawned at ");
}

/* ---- in the child of a fork the program is the parent's ---- */

static void be_terminated(void *arg)
{
    (void)arg;
    raise(SIGTERM);
}

static void run_another(void *arg)
{
    (void)arg;
    assert_int_equal(edo_run(answer, .result = 0), EXIT_SUCCESS);
}

/* Forks without exec, so the child keeps the handlers. */
static int start_forked(child_fn *fn)
{
    pid_t child = quiet_fork();
    if (child) return child;
    fn(NULL);
    _exit(0);
}

struct forks {
    edo_frame();
    edo_args();
};

edo_async(forks)
{
    edo_body {
        int status = await_child(start_forked(be_terminated));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        status = await_child(start_forked(run_another));
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        edo_return(0);
    }
}

static int forks_twice(void)
{
    return edo_run(forks);
}

test(child_of_a_program)
{
    expect_exit(forks_twice, EXIT_SUCCESS, "");
}

/* ---- a program inside of a task ---- */

struct nested_program {
    edo_frame();
    edo_args();
};

edo_async(nested_program)
{
    edo_body {
        edo_return(edo_run(answer, 0));
    }
}

static void run_nested(void *arg)
{
    (void)arg;
    edo_run(nested_program);
}

clean_test(program_inside_of_a_task_aborts)
{
    expect_abort(run_nested, NULL, "edo_run: .*nested_program");
}

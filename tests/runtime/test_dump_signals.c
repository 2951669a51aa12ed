/* edo-test: ct, because each test sets its number of workers. Dumps at SIGQUIT, and before an
 * abort. Each case runs in its own process. */
#include "runtime/dumped.h"

#include <signal.h>
#include <sys/wait.h>

#include <edo/dump.h>

#include "runtime/runtime.h"

/* ---- at SIGQUIT ---- */

static struct {
    pthread_mutex_t lock;
    text text;
    sem_t told; // posted at each line for a waiting task
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void hear(void *context, edo_log_level level, const char *line)
{
    (void)context;
    (void)level;
    pthread_mutex_lock(&heard.lock);
    append(&heard.text, line);
    pthread_mutex_unlock(&heard.lock);
    if (strstr(line, "edo_sleep")) sem_post(&heard.told);
}

static void expect_heard(const char *words, size_t times)
{
    pthread_mutex_lock(&heard.lock);
    expect(&heard.text, words, times);
    pthread_mutex_unlock(&heard.lock);
}

static void forget_heard(void)
{
    pthread_mutex_lock(&heard.lock);
    heard.text.used = 0;
    heard.text.bytes[0] = '\0';
    pthread_mutex_unlock(&heard.lock);
}

static bool heard_is_whole(void)
{
    pthread_mutex_lock(&heard.lock);
    bool whole = is_whole(&heard.text);
    pthread_mutex_unlock(&heard.lock);
    return whole;
}

static void begin_to_hear(void)
{
    heard.text = text_make();
    sem_init(&heard.told, 0, 0);
    edo_set_log(hear, NULL);
}

static edo_runtime *make_quitting(const char *name, int32_t workers)
{
    return make_runtime_with(&(edo_config){ .name = name,
                                            .workers = workers,
                                            .dump_on_quit = true,
                                            .stall_limit = EDO_NEVER,
                                            .max_spare = -1 });
}

static bool is_default(int number)
{
    struct sigaction now;
    insist(sigaction(number, NULL, &now) == 0);
    return now.sa_handler == SIG_DFL;
}

static void quit_twice(void *arg)
{
    (void)arg;
    begin_to_hear();
    edo_runtime *runtime = make_quitting("asked", 0), *other = make_runtime();
    insist(!is_default(SIGQUIT));
    spawn_to(runtime, NULL, wait_forever);
    while (edo_turn(runtime, 0) > 0)
        continue;
    for (size_t i = 1; i <= 2; i++) {
        insist(kill(getpid(), SIGQUIT) == 0);
        wait_on(&heard.told);
        expect_heard("task 'wait_forever' #", i);
        expect_heard("runtime 'asked'", i);
    }
    expect_heard("runtime 'edo'", 0); // this runtime has no dump_on_quit
    insist(edo_runtime_destroy(other) == 0);
    insist(!is_default(SIGQUIT));
    insist(edo_runtime_destroy(runtime) == 0);
    insist(is_default(SIGQUIT));
    text_free(&heard.text);
}

test(sigquit_dumps_and_the_program_goes_on)
{
    expect_success_in_child(quit_twice, NULL);
}

static void quit_while_stuck(void *arg)
{
    (void)arg;
    cell cells[2];
    begin_to_hear();
    edo_runtime *runtime = make_quitting("stuck", 2);
    spawn_to(runtime, NULL, wait_forever);
    while (count_of(&heard.text, "edo_sleep") == 0) // until the task waits
        insist(edo_dump(runtime, NULL, NULL) == 0);
    wait_on(&heard.told);
    for (int i = 0; i < 2; i++) {
        cell_init(&cells[i]);
        spawn_to(runtime, NULL, stuck, .cell = &cells[i]);
    }
    for (int i = 0; i < 2; i++)
        wait_on(&cells[i].entered);
    do {
        forget_heard();
        insist(kill(getpid(), SIGQUIT) == 0);
        wait_on(&heard.told);
    } while (!heard_is_whole());
    expect_heard(" runs task 'stuck' #", 2);
    for (int i = 0; i < 2; i++)
        sem_post(&cells[i].let_go);
    insist(edo_runtime_destroy(runtime) == 0);
    text_free(&heard.text);
}

test(also_while_all_workers_are_stuck)
{
    expect_success_in_child(quit_while_stuck, NULL);
}

static unsigned others_calls;

static void others_handler(int number)
{
    (void)number;
    others_calls++;
}

static void use_and_raise(void *arg)
{
    (void)arg;
    signal(SIGQUIT, others_handler);
    for (unsigned i = 1; i <= 3; i++) {
        edo_runtime *first = make_quitting("a", 0), *second = make_quitting("b", 0);
        insist(edo_runtime_destroy(first) == 0);
        insist(edo_runtime_destroy(second) == 0);
        raise(SIGQUIT);
        insist(others_calls == i);
    }
}

test(what_was_there_before_is_back_after)
{
    expect_success_in_child(use_and_raise, NULL);
}

#ifndef __SANITIZE_THREAD__ // ThreadSanitizer: no new threads in such a child, and late signals

static void raise_quit(void *arg)
{
    (void)arg;
    raise(SIGQUIT);
}

static void use_in_child(void *arg)
{
    (void)arg;
    quit_twice(NULL);
    raise(SIGQUIT);
}

static void fork_and_raise(void *arg)
{
    child_fn *fn = arg;
    edo_runtime *runtime = make_quitting("parent", 0);
    int status = await_child(start_child(fn, NULL));
    insist(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
    insist(edo_runtime_destroy(runtime) == 0);
}

/* The child has no thread that would dump, so the signal has its default action. */
test(in_the_child_of_a_fork_it_kills)
{
    expect_success_in_child(fork_and_raise, raise_quit);
}

/* The child may use SIGQUIT for its own runtimes. */
test(a_child_may_take_it_for_itself)
{
    expect_success_in_child(fork_and_raise, use_in_child);
}

#endif

static void make_and_end(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    for (int i = 0; i < 20; i++)
        insist(edo_runtime_destroy(make_quitting("many", 0)) == 0);
}

static void run_many(void *arg)
{
    (void)arg;
    run_threads(4, make_and_end, NULL);
    insist(is_default(SIGQUIT));
}

test(runtimes_come_and_go)
{
    expect_success_in_child(run_many, NULL);
}

/* ---- a handler of the program for the signal that interrupts threads ---- */

static void expect_answer(edo_runtime *runtime)
{
    do {
        forget_heard();
        insist(edo_dump(runtime, NULL, NULL) == 0);
    } while (!heard_is_whole());
    expect_heard(" runs task 'stuck' #", 1);
}

static void ask_in_vain(edo_runtime *runtime)
{
    forget_heard();
    insist(edo_dump(runtime, NULL, NULL) == 0);
    expect_heard(" runs task 'stuck' #", 0);
}

static void take_sigurg(void *arg)
{
    (void)arg;
    cell one;
    struct sigaction ours;
    begin_to_hear();
    edo_runtime *runtime = make_quitting("asked", 1);
    cell_init(&one);
    spawn_to(runtime, NULL, stuck, .cell = &one);
    wait_on(&one.entered);
    expect_answer(runtime);
    insist(sigaction(SIGURG, NULL, &ours) == 0);
    signal(SIGURG, others_handler);
    ask_in_vain(runtime);
    expect_heard("SIGURG: the program has set a handler", 1);
    ask_in_vain(runtime);
    expect_heard("SIGURG", 0); // already logged
    insist(sigaction(SIGURG, &ours, NULL) == 0);
    expect_answer(runtime);
    sem_post(&one.let_go);
    insist(edo_runtime_destroy(runtime) == 0);
    text_free(&heard.text);
}

test(another_handler_is_noticed)
{
    expect_success_in_child(take_sigurg, NULL);
}

/* ---- before an abort ---- */

struct misuses {
    edo_frame();
    edo_args();
};

edo_async(misuses)
{
    edo_body {
        edo_wait(edo_yield()); // in a task
        edo_return(0);
    }
}

static void misuse_in(edo_runtime *runtime)
{
    spawn_to(runtime, NULL, wait_forever);
    edo_block_on(runtime, misuses);
}

static void misuse(void *arg)
{
    if (arg) setenv("EDO_DUMP_ON_ABORT", arg, 1);
    misuse_in(make_runtime());
}

test(misuse_dumps_all_tasks)
{
    expect_abort(misuse, "1", "edo: edo_wait: called inside a task");
    expect_abort(misuse, "1", "edo: runtime 'edo' on ");
    expect_abort(misuse, "1", "edo: worker [0-9] runs task 'misuses' #");
    expect_abort(misuse, "1", "edo: task 'wait_forever' #");
}

test(without_the_variable_it_does_not)
{
    static char output[1 << 14];
    char *const values[] = { NULL, "", "0" };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        int status = run_in_child(misuse, values[i], output, sizeof output);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_non_null(strstr(output, "edo: edo_wait: called inside a task"));
        assert_null(strstr(output, "runtime 'edo' on"));
    }
}

/* Aborts after a change of the environment. The abort does not read the environment, so it does not
 * race with the program's setenv(). */
static void misuse_after_a_change(void *arg)
{
    edo_runtime *runtime = make_runtime();
    setenv("EDO_DUMP_ON_ABORT", "1", 1);
    misuse_in(runtime);
    (void)arg;
}

test(the_environment_is_read_by_create)
{
    static char output[1 << 14];
    int status = run_in_child(misuse_after_a_change, NULL, output, sizeof output);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_null(strstr(output, "runtime 'edo' on"));
}

static void misuse_under_lock(void *arg)
{
    (void)arg;
    setenv("EDO_DUMP_ON_ABORT", "1", 1);
    edo_runtime *runtime = make_runtime();
    edo__lock_take(&runtime->workers[0]->shard.lock);
    edo__misuse("test", "with a lock");
}

test(a_lock_of_its_own_is_no_deadlock)
{
    expect_abort(misuse_under_lock, NULL, "the tasks of worker 0 cannot be inspected");
}

/* Children that may die. */
#include "support/support.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

enum {
    CHILD_LIMIT = 120,      // seconds; generous, for sanitizers on a busy machine
    QUIET_LIMIT = 30000,    // ms, for one thread; see is_quiet
    QUIET_TRIES = 100,      // see await_quiet
    SPINNING = 10,          // ticks of processor time; see is_quiet
    STDERR_SIZE = 16 << 10, // bytes kept of a child's stderr
};

/* Restores the default actions. With cmocka's handlers, a dying child would continue with the tests
 * of its parent. */
static void reset_signals(void)
{
    static const int caught[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS, SIGABRT };
    for (size_t i = 0; i < ARRAY_LENGTH(caught); i++)
        signal(caught[i], SIG_DFL);
}

static _Noreturn void be_child(child_fn *fn, void *arg)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    reset_signals();
    setenv("CMOCKA_TEST_ABORT", "1",
           1); // otherwise a failed assertion would jump into the parent's tests
    fn(arg);
    fflush(NULL);
    _exit(EXIT_SUCCESS);
}

static void read_all(int fd, char *text, size_t size)
{
    char rest[512];
    size_t got = 0;
    for (;;) {
        bool fits = text && got < size - 1;
        ssize_t n = fits ? read(fd, text + got, size - 1 - got) : read(fd, rest, sizeof rest);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (fits) got += (size_t)n;
    }
    if (text) text[got] = '\0';
}

/* State of a thread, from its file in /proc. */
typedef struct thread_state {
    bool sleeps;        // or has ended
    unsigned long used; // processor time in ticks
} thread_state;

static thread_state state_of(int thread)
{
    char path[64], state;
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "re");
    if (!file) return (thread_state){ .sleeps = true };
    int found = fscanf(file,
                       "%*d (%*[^)]) %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                       " %lu %lu",
                       &state, &user, &system);
    fclose(file);
    if (found != 3) return (thread_state){ .sleeps = true };
    return (thread_state){ .sleeps = state == 'S', .used = user + system };
}

bool thread_sleeps(int thread)
{
    return state_of(thread).sleeps;
}

/* Returns: true if the thread sleeps, or does nothing but spin; false if the thread slept only after
 * a wait. A thread that is ready but gets no processor is waited for. */
static bool is_quiet(int thread)
{
    thread_state first = state_of(thread), now = first;
    for (int i = 0; i < QUIET_LIMIT && !now.sleeps; i++) {
        if (now.used >= first.used + SPINNING) return true;
        usleep(1000);
        now = state_of(thread);
    }
    return first.sleeps;
}

static bool are_others_quiet(void)
{
    bool all = true;
    DIR *threads = opendir("/proc/self/task");
    if (!threads) return true;
    for (struct dirent *entry; (entry = readdir(threads));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != gettid())
            all &= is_quiet(atoi(entry->d_name));
    closedir(threads);
    return all;
}

/* Waits until the other threads are quiet. AddressSanitizer's allocator ignores forks: a lock of it
 * that another thread holds stays held in the child, which then waits for ever. A thread takes such
 * locks when it starts. */
static void await_quiet(void)
{
    for (int i = 0; i < QUIET_TRIES && !are_others_quiet(); i++)
        continue;
}

int quiet_fork(void)
{
    if (EDO__ASAN) await_quiet();
    return fork();
}

static int start_child_by(int (*make)(void), child_fn *fn, void *arg)
{
    fflush(NULL);
    int child = make();
    assert_return_code(child, errno);
    if (child == 0) be_child(fn, arg);
    return child;
}

int start_child(child_fn *fn, void *arg)
{
    return start_child_by(quiet_fork, fn, arg);
}

int start_child_at_once(child_fn *fn, void *arg)
{
    return start_child_by(fork, fn, arg);
}

int await_child(int child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

struct captured {
    child_fn *fn;
    void *arg;
    int err[2];
};

static void run_captured(void *arg)
{
    struct captured *captured = arg;
    dup2(captured->err[1], STDERR_FILENO);
    close(captured->err[0]);
    close(captured->err[1]);
    alarm(CHILD_LIMIT);
    captured->fn(captured->arg);
}

int run_in_child(child_fn *fn, void *arg, char *stderr_text, size_t size)
{
    struct captured captured = { .fn = fn, .arg = arg };
    assert_return_code(pipe(captured.err), errno);
    int child = start_child(run_captured, &captured);
    close(captured.err[1]);
    read_all(captured.err[0], stderr_text, size);
    close(captured.err[0]);
    return await_child(child);
}

static bool has_line(char *text, const char *pattern)
{
    regex_t regex;
    bool is_regex = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0, found = false;
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strstr(line, pattern) || (is_regex && regexec(&regex, line, 0, NULL, 0) == 0))
            found = true;
    if (is_regex) regfree(&regex);
    return found;
}

static char stderr_text[STDERR_SIZE], stderr_shown[STDERR_SIZE];

static void describe(char *text, size_t size, int status)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}

void expect_abort(child_fn *fn, void *arg, const char *pattern)
{
    char end[64];
    int status = run_in_child(fn, arg, stderr_text, sizeof stderr_text);
    memcpy(stderr_shown, stderr_text, sizeof stderr_text);
    describe(end, sizeof end, status);
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!aborted || !has_line(stderr_text, pattern))
        fail_msg("expected to abort with '%s', but the child %s and wrote:\n%s", pattern, end,
                 stderr_shown);
}

void expect_success_in_child(child_fn *fn, void *arg)
{
    char end[64];
    int status = run_in_child(fn, arg, stderr_text, sizeof stderr_text);
    describe(end, sizeof end, status);
    if (status != 0) fail_msg("the child %s and wrote:\n%s", end, stderr_text);
}

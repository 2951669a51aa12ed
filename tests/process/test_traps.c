/* edo-test: once */
/* Spawning beside what other threads and signal handlers do. */
#include "process/children.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/atomic.h"
#include "base/base.h"

enum { SPAWNERS = 2, OTHERS = 2, ROUNDS = EDO__ASAN || EDO__TSAN ? 10 : 50 };

static edo_atomic(int) spawners_left;

/* Runs `ls` on the child's descriptors: it has no others than 0 to 2, and one of its own. */
static void list_descriptors(void)
{
    static const char *const argv[] = { "ls", "/proc/self/fd", NULL };
    edo_command command = { .argv = argv, .in = { .kind = EDO_STDIO_NULL } };
    edo_output output = { 0 };
    int64_t rc = edo_wait(edo_command_output(&command, &output));
    bool is_clean = output.out.size == 8 && memcmp(output.out.data, "0\n1\n2\n3\n", 8) == 0;
    edo_buffer_deinit(&output.out);
    edo_buffer_deinit(&output.err);
    if (rc != 0 || !is_clean) abort();
}

/* Other threads allocate all the time, and open descriptors without close-on-exec. */
static void spawn_or_disturb(unsigned index, void *arg)
{
    (void)arg;
    if (index < SPAWNERS) {
        for (int i = 0; i < ROUNDS; i++)
            list_descriptors();
        edo_sub_release(&spawners_left, 1);
        return;
    }
    while (edo_load_acquire(&spawners_left)) {
        free(malloc(1000));
        close(open("/dev/null", O_RDONLY));
    }
}

test(other_threads)
{
    spawners_left = SPAWNERS;
    run_threads(SPAWNERS + OTHERS, spawn_or_disturb, NULL);
}

/* ---- a storm of signals ---- */

static edo_atomic(int) alarms;
static pid_t parent;

static void on_alarm(int number)
{
    (void)number;
    if (getpid() != parent) abort(); // in a child: its mask or its handlers were wrong
    edo_add_relaxed(&alarms, 1);
}

/* Every call may be interrupted (EINTR), and no handler runs in a child. */
test(storm_of_signals)
{
    struct sigaction action = { .sa_handler = on_alarm }; // without SA_RESTART
    struct itimerval often = { { 0, 500 }, { 0, 500 } };
    parent = getpid();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < ROUNDS || !edo_load_relaxed(&alarms); i++)
        list_descriptors();
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    signal(SIGALRM, SIG_DFL);
}

/* ---- a program that is being written ---- */

/* Tried again for a while; then an error that names the step. */
test(program_that_is_open_for_writing)
{
    char folder[TEMP_PATH_SIZE], path[128], copy[512];
    edo_process *process;
    make_temp_dir(folder);
    snprintf(path, sizeof path, "%s/program", folder);
    snprintf(copy, sizeof copy, "cp /bin/true %s", path);
    assert_int_equal(system(copy), 0);
    int writer = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    edo_command command = { .program = path };
    int rc = edo_command_spawn(&command, &process);
    if (rc == 0) { // Linux 6.11 and 6.12 permit it
        while (edo_process_try_wait(process, NULL) == -EAGAIN)
            usleep(100);
        edo_process_close(process);
    } else {
        assert_int_equal(rc, -ETXTBSY);
        assert_int_equal(command.failed, EDO_STEP_EXEC);
    }
    close(writer);
    process = spawn_command(&command);
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), 0);
    edo_process_close(process);
    remove_tree(folder);
}

/* Least time for which the library tries to spawn a program that is open for writing. */
#define PATIENCE edo_ms(100)

/* Spawns a program. A child that another thread has made holds the program open until that child
 * runs, which on a busy machine may take longer than the library tries. */
static edo_process *spawn_written(const char *path)
{
    for (;;) {
        edo_process *process;
        edo_command command = { .program = path };
        int64_t began = edo_now();
        int rc = edo_command_spawn(&command, &process);
        if (rc == 0) return process;
        if (rc != -ETXTBSY || edo_now() - began < PATIENCE) abort();
    }
}

/* Threads write programs and run them at once. */
static void write_and_run(unsigned index, void *arg)
{
    const char *folder = arg;
    char path[128];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(path, sizeof path, "%s/%u-%d", folder, index, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        if (write(fd, "#!/bin/true\n", 12) != 12) abort();
        close(fd);
        edo_process *process = spawn_written(path);
        if (edo_wait(edo_process_wait(process, NULL)) != 0) abort();
        edo_process_close(process);
    }
}

test(programs_that_were_just_written)
{
    char folder[TEMP_PATH_SIZE];
    make_temp_dir(folder);
    run_threads(4, write_and_run, folder);
    remove_tree(folder);
}

/* ---- outputs that are exchanged ---- */

static void exchange_outputs(void *arg)
{
    (void)arg;
    static const char *const argv[] = { "/bin/sh", "-c", "echo to-1; echo to-2 >&2", NULL };
    int out[2], err[2];
    char text[8];
    if (pipe(out) < 0 || pipe(err) < 0) abort();
    dup2(out[1], 1);
    dup2(err[1], 2);
    edo_command command = { .argv = argv,
                            .out = { .kind = EDO_STDIO_FD, .fd = 2 },
                            .err = { .kind = EDO_STDIO_FD, .fd = 1 } };
    edo_process *process;
    if (edo_command_spawn(&command, &process) < 0) _exit(2);
    if (edo_wait(edo_process_wait(process, NULL)) != 0) _exit(3);
    if (read(out[0], text, 5) != 5 || memcmp(text, "to-2\n", 5) != 0) _exit(4);
    if (read(err[0], text, 5) != 5 || memcmp(text, "to-1\n", 5) != 0) _exit(5);
    _exit(0);
}

test(exchanged_outputs)
{
    int status = run_in_child(exchange_outputs, NULL, NULL, 0);
    assert_int_equal(status, 0);
}

/* ---- signal handlers of the library ---- */

test(handlers_preserve_errno)
{
    edo_signal *signal;
    assert_int_equal(edo_signal_open(SIGUSR1, &signal), 0);
    for (int i = 0; i < 1000; i++) {
        errno = 77;
        raise(SIGUSR1);
        assert_int_equal(errno, 77);
        if (i % 2) edo_try_signal_next(signal, NULL);
    }
    edo_signal_close(signal);
}

/* ---- groups and orphans ---- */

enum { GROUPS = 20, ADOPTED = 20 };

/* The group exists when the spawn returns, and the children of the child are members of it. The end
 * of the output shows that no member is left. */
test(groups_that_are_killed_at_once)
{
    for (int i = 0; i < GROUPS; i++) {
        edo_command command = SHELL("sleep 100 & sleep 100");
        char byte;
        command.options = EDO_COMMAND_GROUP;
        command.out.kind = EDO_STDIO_PIPE;
        edo_process *process = spawn_command(&command);
        edo_io *out = edo_process_take(process, 1);
        assert_int_equal(edo_process_kill_group(process, SIGKILL), 0);
        assert_int_equal(edo_wait(edo_process_wait(process, NULL)), EDO_EXIT_SIGNAL + SIGKILL);
        assert_int_equal(edo_wait(edo_read(out, &byte, 1)), 0);
        edo_close(out);
        edo_process_close(process);
    }
    await_no_children();
}

/* Takes the status of orphans, as an init process does: of all children except `own`. Returns: their
 * number. */
static int reap_orphans(pid_t own)
{
    siginfo_t info = { 0 };
    int status, count = 0;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
        if (info.si_pid == own) break; // it stands before the others until the library takes it
        assert_int_equal(waitpid(info.si_pid, &status, 0), info.si_pid);
        assert_int_equal(WEXITSTATUS(status), 3);
        info.si_pid = 0;
        count++;
    }
    return count;
}

/* The child's own child outlives it. */
static void adopt(void *arg)
{
    (void)arg;
    int orphans = 0;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int i = 0; i < ADOPTED; i++) {
        edo_command command = SHELL("(read line; exit 3) <&3 & exit 5");
        int pipe_ends[2];
        assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
        command.fds = &(edo_fd_map){ pipe_ends[0], 3 };
        command.fd_count = 1;
        edo_process *process = spawn_command(&command);
        close(pipe_ends[0]);
        orphans += reap_orphans(edo_process_pid(process));
        assert_int_equal(edo_wait(edo_process_wait(process, NULL)), 5);
        edo_process_close(process);
        close(pipe_ends[1]); // from now on the orphan may end
    }
    while (orphans < ADOPTED)
        orphans += reap_orphans(0);
    await_no_children();
}

/* The library leaves the orphans that a subreaper gets to the program. */
test(orphans_beside_own_children)
{
    expect_success_in_child(adopt, NULL);
}

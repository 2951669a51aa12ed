/* Commands: what the child is given, and errors with their steps. */
#include "process/children.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

async_test(arguments, COMMAND_MEMBERS)
{
    edo_body {
        static const char *const argv[] = {
            "sh", "-c", "echo \"$0 $1\"", "one", "two three", NULL
        };
        self->command = (edo_command){ .argv = argv };
        run_command(&self->command);
        assert_int_equal(self->status, 0);
        assert_string_equal(self->text, "one two three\n");
        self->command = (edo_command){ .program = "true" }; // argv is { "true" }
        run_command(&self->command);
        assert_int_equal(self->status, 0);
        edo_return(0);
    }
}

async_test(environment, COMMAND_MEMBERS)
{
    edo_body {
        static const char *const env[] = { "EDO_A=1", "EDO_B", "EDO_A=2", "EDO_C=", NULL };
        setenv("EDO_A", "old", 1);
        setenv("EDO_B", "old", 1);
        setenv("EDO_D", "kept", 1);
        self->command = SHELL("echo \"$EDO_A,${EDO_B-none},${EDO_C-none},$EDO_D\"");
        self->command.env = env;
        run_command(&self->command);
        assert_string_equal(self->text, "2,none,,kept\n");

        static const char *const only[] = { "EDO_A=1", NULL };
        self->command = (edo_command){ .program = "/usr/bin/env",
                                       .env = only,
                                       .options = EDO_COMMAND_CLEAR_ENV };
        run_command(&self->command);
        assert_string_equal(self->text, "EDO_A=1\n");
        unsetenv("EDO_A");
        unsetenv("EDO_B");
        unsetenv("EDO_D");
        edo_return(0);
    }
}

/* The search uses the PATH of the child's environment. */
async_test(search, COMMAND_MEMBERS char folder[TEMP_PATH_SIZE], path[128], variable[128];
           const char *env[2];)
{
    edo_body {
        make_temp_dir(self->folder);
        snprintf(self->path, sizeof self->path, "%s/edo-found", self->folder);
        FILE *script = fopen(self->path, "we");
        fputs("#!/bin/sh\necho found\n", script);
        fclose(script);
        self->command = (edo_command){ .program = "edo-found", .out = { .kind = EDO_STDIO_PIPE } };
        run_command(&self->command);
        assert_int_equal(self->status, -ENOENT);
        assert_int_equal(self->command.failed, EDO_STEP_EXEC);
        snprintf(self->variable, sizeof self->variable, "PATH=/nowhere::%s", self->folder);
        self->env[0] = self->variable;
        self->env[1] = NULL;
        self->command.env = self->env;
        run_command(&self->command);
        assert_int_equal(self->status, -EACCES); // found, and may not be executed
        chmod(self->path, 0755);
        run_command(&self->command);
        assert_int_equal(self->status, 0);
        assert_string_equal(self->text, "found\n");
        self->command = (edo_command){ .program = "edo-found",
                                       .directory = self->folder,
                                       .options = EDO_COMMAND_NO_SEARCH };
        run_command(&self->command);
        assert_string_equal(self->text, "found\n");
        remove_tree(self->folder);
        edo_return(0);
    }
}

async_test(place, COMMAND_MEMBERS)
{
    edo_body {
        self->command = SHELL("pwd; umask");
        self->command.directory = "/usr";
        self->command.options = EDO_COMMAND_UMASK;
        self->command.umask = 027;
        run_command(&self->command);
        assert_string_equal(self->text, "/usr\n0027\n");
        edo_return(0);
    }
}

async_test(limits_and_priority, COMMAND_MEMBERS char expected[32];)
{
    edo_body {
        static const edo_process_limit limits[] = { { RLIMIT_NOFILE, 64, 64 } };
        self->command = SHELL("ulimit -n; nice");
        self->command.limits = limits;
        self->command.limit_count = 1;
        self->command.nice = 5;
        run_command(&self->command);
        snprintf(self->expected, sizeof self->expected, "64\n%d\n",
                 getpriority(PRIO_PROCESS, 0) + 5 < 19 ? getpriority(PRIO_PROCESS, 0) + 5 : 19);
        assert_string_equal(self->text, self->expected);
        edo_return(0);
    }
}

async_test(ids, COMMAND_MEMBERS)
{
    edo_body {
        static const uint32_t groups[] = { 65533, 65532 };
        static const edo_process_ids ids = { 65534, 65531, groups, 2 };
        self->command = SHELL("id -u; id -g; id -G");
        self->command.ids = &ids;
        run_command(&self->command);
        if (geteuid() != 0) {
            assert_int_equal(self->status, -EPERM);
            assert_int_equal(self->command.failed, EDO_STEP_IDS);
        } else {
            assert_string_equal(self->text, "65534\n65531\n65531 65532 65533\n");
        }
        edo_return(0);
    }
}

/* ---- streams ---- */

async_test(files, COMMAND_MEMBERS char folder[TEMP_PATH_SIZE], path[128];)
{
    edo_body {
        make_temp_dir(self->folder);
        snprintf(self->path, sizeof self->path, "%s/file", self->folder);
        self->command = SHELL("echo one; echo two >&2");
        self->command.out = (edo_stdio){ .kind = EDO_STDIO_FILE, .path = self->path };
        self->command.err = (edo_stdio){ .kind = EDO_STDIO_OUT };
        run_command(&self->command);
        assert_int_equal(self->status, 0);
        self->command = SHELL("echo three");
        self->command.out = (edo_stdio){ .kind = EDO_STDIO_APPEND, .path = self->path };
        run_command(&self->command);
        self->command = (edo_command){ .program = "cat" };
        self->command.in = (edo_stdio){ .kind = EDO_STDIO_FILE, .path = self->path };
        run_command(&self->command);
        assert_string_equal(self->text, "one\ntwo\nthree\n");
        self->command.in.path = "/nowhere/file";
        run_command(&self->command);
        assert_int_equal(self->status, -ENOENT);
        assert_int_equal(self->command.failed, EDO_STEP_STDIO);
        remove_tree(self->folder);
        edo_return(0);
    }
}

/* Moves of descriptors that overlap: each target has the file of its source at the time of the
 * spawn. */
struct overlap {
    edo_frame();
    edo_args(const edo_fd_map *maps; unsigned count; const char *expected;);
    COMMAND_MEMBERS
};

edo_async(overlap)
{
    edo_body {
        self->command = SHELL(
            "for fd in 3 4 5; do test -e /dev/fd/$fd && read line <&$fd && echo $fd $line; done; :");
        self->command.in = (edo_stdio){ .kind = EDO_STDIO_NULL };
        self->command.fds = self->maps;
        self->command.fd_count = self->count;
        run_command(&self->command);
        assert_int_equal(self->status, 0);
        assert_string_equal(self->text, self->expected);
        edo_return(0);
    }
}

static int file_with(const char *text)
{
    int fds[2];
    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    fd_write_all(fds[1], text, strlen(text));
    close(fds[1]);
    return fds[0];
}

static void swap_descriptors(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    int a = file_with("a\na\na\n"), b = file_with("b\nb\nb\n");
    assert_int_equal(dup3(a, 100, O_CLOEXEC), 100);
    assert_int_equal(dup3(b, 101, O_CLOEXEC), 101);
    assert_int_equal(dup3(100, 3, O_CLOEXEC), 3);
    assert_int_equal(dup3(101, 4, O_CLOEXEC), 4);
    edo_fd_map swap[] = { { 3, 4 }, { 4, 3 } };
    edo_fd_map same[] = { { 3, 3 }, { 3, 5 }, { 4, 4 } };
    assert_int_equal(dup3(100, 5, O_CLOEXEC), 5); // so that the runtime has other numbers
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    int64_t rc = edo_block_on(runtime, overlap, .maps = swap, .count = 2, .expected = "3 b\n4 a\n");
    assert_int_equal(rc, 0);
    rc = edo_block_on(runtime, overlap, .maps = same, .count = 3, .expected = "3 a\n4 b\n5 a\n");
    assert_int_equal(rc, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(swapped_descriptors)
{
    expect_success_in_child(swap_descriptors, NULL);
}

async_test(wrong_commands, COMMAND_MEMBERS edo_process *process; edo_fd_map maps[2];)
{
    edo_body {
        self->command = (edo_command){ .program = NULL };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EINVAL);
        assert_int_equal(self->command.failed, EDO_STEP_COMMAND);
        self->command = (edo_command){ .program = "" };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -ENOENT);
        assert_int_equal(edo_command_spawn(NULL, &self->process), -EINVAL);
        self->command = (edo_command){ .program = "true", .fds = self->maps, .fd_count = 2 };
        self->maps[0] = (edo_fd_map){ 0, 2 };
        self->maps[1] = (edo_fd_map){ 0, 5 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EINVAL);
        self->maps[0] = (edo_fd_map){ 1, 5 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EINVAL);
        self->maps[0] = (edo_fd_map){ 999, 6 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EBADF);
        assert_int_equal(self->command.failed, EDO_STEP_DESCRIPTORS);
        self->command = (edo_command){ .program = "true", .directory = "/nowhere" };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -ENOENT);
        assert_int_equal(self->command.failed, EDO_STEP_DIRECTORY);
        assert_string_equal(edo_spawn_step_name(self->command.failed), "directory");
        self->command = (edo_command){ .program = "true",
                                       .options = EDO_COMMAND_GROUP,
                                       .group = 1 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EPERM);
        assert_int_equal(self->command.failed, EDO_STEP_GROUP);
        self->command = (edo_command){ .program = "true",
                                       .options = EDO_COMMAND_CGROUP,
                                       .cgroup = 999 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EBADF);
        assert_int_equal(self->command.failed, EDO_STEP_CLONE);
        self->command = (edo_command){ .program = "true", .parent_death = 999 };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EINVAL);
        assert_int_equal(self->command.failed, EDO_STEP_PARENT_DEATH);
        self->command = (edo_command){ .program = "/dev/null" };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -EACCES);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child is left
        edo_return(0);
    }
}

/* ---- the child's surroundings ---- */

/* Descriptors that are not close-on-exec do not reach the child. */
async_test(other_descriptors_are_closed, COMMAND_MEMBERS int fd;)
{
    edo_body {
        self->fd = open("/dev/null", O_RDONLY); // without O_CLOEXEC
        static const char *const argv[] = { "ls", "/proc/self/fd", NULL };
        self->command = (edo_command){ .argv = argv };
        run_command(&self->command);
        assert_string_equal(self->text, "0\n1\n2\n3\n"); // 3: of ls itself
        self->command.options = EDO_COMMAND_KEEP_FDS;
        run_command(&self->command);
        assert_true(strlen(self->text) > strlen("0\n1\n2\n3\n"));
        close(self->fd);
        edo_return(0);
    }
}

static void handle(int number)
{
    (void)number;
}

async_test(signals_are_default, COMMAND_MEMBERS sigset_t before;)
{
    edo_body {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &set, &self->before);
        signal(SIGINT, SIG_DFL); // a background job of a shell ignores both
        signal(SIGQUIT, SIG_DFL);
        signal(SIGHUP, SIG_DFL); // nohup(1) ignores it
        signal(SIGPIPE, SIG_IGN);
        signal(SIGUSR1, handle);
        signal(SIGUSR2, SIG_IGN);
        static const char *const argv[] = { "grep", "-E", "SigBlk|SigIgn", "/proc/self/status",
                                            NULL };
        self->command = (edo_command){ .argv = argv };
        run_command(&self->command);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGUSR1, SIG_DFL);
        signal(SIGUSR2, SIG_DFL);
        pthread_sigmask(SIG_SETMASK, &self->before, NULL);
        assert_string_equal(self->text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000800\n");
        edo_return(0);
    }
}

/* The mask is that of the calling thread, also if another thread makes the child. */
async_test(signals_are_kept, COMMAND_MEMBERS sigset_t before; int i;)
{
    edo_body {
        static const char *const argv[] = { "grep", "-E", "SigBlk|SigIgn", "/proc/self/status",
                                            NULL };
        self->command = SHELL("exit 0");
        run_command(&self->command); // starts a thread of the pool, which has another mask
        for (self->i = 0; self->i < 2; self->i++) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGTERM);
            pthread_sigmask(SIG_BLOCK, &set, &self->before);
            signal(SIGINT, SIG_DFL);
            signal(SIGQUIT, SIG_DFL);
            signal(SIGHUP, SIG_DFL);
            signal(SIGPIPE, SIG_IGN);
            self->command = (edo_command){ .argv = argv, .options = EDO_COMMAND_KEEP_SIGNALS };
            self->command.parent_death = self->i ? SIGKILL : 0;
            run_command(&self->command);
            signal(SIGPIPE, SIG_DFL);
            pthread_sigmask(SIG_SETMASK, &self->before, NULL);
            assert_string_equal(self->text,
                                "SigBlk:\t0000000000004000\nSigIgn:\t0000000000001000\n");
        }
        edo_return(0);
    }
}

/* The parent has closed its descriptor 0. */
static void spawn_without_input(void *arg)
{
    (void)arg;
    edo_process *process;
    edo_command command = SHELL("test -e /dev/fd/0 && test -e /dev/fd/1 && test -e /dev/fd/2");
    command.out = (edo_stdio){ .kind = EDO_STDIO_PIPE };
    close(0);
    process = spawn_command(&command);
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), 0);
    edo_process_close(process);
}

test(closed_input)
{
    expect_success_in_child(spawn_without_input, NULL);
}

/* ---- terminals ---- */

async_test(controlling_terminal, edo_command command; edo_process *process; edo_pty pty;
           char text[256]; size_t size;)
{
    edo_body {
        int64_t n;
        self->size = 0;
        memset(self->text, 0, sizeof self->text);
        n = edo_pty_open(&self->pty, 24, 80);
        if (n == -ENOENT || n == -EPERM || n == -ENOSPC) skip(); // no /dev/ptmx
        assert_int_equal(n, 0);
        self->command = SHELL("tty >/dev/null && stty size && echo hi >/dev/tty");
        self->command.in = self->command.out = self->command.err = (edo_stdio){
            EDO_STDIO_FD, .fd = self->pty.child
        };
        self->command.options = EDO_COMMAND_SESSION | EDO_COMMAND_TERMINAL;
        self->command.terminal = self->pty.child;
        self->process = spawn_command(&self->command);
        edo_pty_close_child(&self->pty);
        for (;;) {
            edo_await(n, edo_read(self->pty.io, self->text + self->size,
                                  sizeof self->text - 1 - self->size));
            if (n <= 0) break;
            self->size += (size_t)n;
        }
        assert_int_equal(n, 0);
        assert_string_equal(self->text, "24 80\r\nhi\r\n");
        edo_await(n, edo_process_wait(self->process, NULL));
        assert_int_equal(n, 0);
        edo_process_close(self->process);
        edo_pty_close(&self->pty);
        edo_return(0);
    }
}

/* A parent-death signal is not that of the thread that called: that thread may end. */
static edo_process *mortal;

static void spawn_mortal(unsigned index, void *arg)
{
    edo_command *command = arg;
    (void)index;
    if (edo_command_spawn(command, &mortal) < 0) abort();
}

test(parent_death_is_that_of_the_process)
{
    edo_command command = { .program = "cat",
                            .in = { .kind = EDO_STDIO_PIPE },
                            .out = { .kind = EDO_STDIO_PIPE },
                            .parent_death = SIGKILL };
    char byte;
    run_threads(1, spawn_mortal, &command);
    edo_io *in = edo_process_take(mortal, 0), *out = edo_process_take(mortal, 1);
    assert_int_equal(edo_wait(edo_write_all(in, "x", 1)), 1);
    assert_int_equal(edo_wait(edo_read(out, &byte, 1)), 1);
    edo_close(in);
    edo_close(out);
    assert_int_equal(edo_wait(edo_process_wait(mortal, NULL)), 0);
    edo_process_close(mortal);
}

/* Children that run: waits, signals, ends of the handle, orphans. */
#include "process/children.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/atomic.h"
#include "base/base.h"
#include "process/process.h"
#include "support/refusal.h"

/* A child that ends when its input ends; its streams are at edo_process_take(). */
#define CAT                                                                                        \
    {                                                                                              \
        .program = "cat", .in = { .kind = EDO_STDIO_PIPE }, .out = {.kind = EDO_STDIO_PIPE }       \
    }

/* ---- waiting ---- */

async_test(codes_and_signals, edo_command command; edo_process *process; edo_exit exit;)
{
    edo_body {
        int rc;
        self->command = SHELL("exit 7");
        self->process = spawn_command(&self->command);
        assert_true(edo_process_pid(self->process) > 0);
        edo_await(rc, edo_process_wait(self->process, &self->exit));
        assert_int_equal(rc, 7);
        assert_int_equal(self->exit.code, 7);
        assert_int_equal(self->exit.signal, 0);
        assert_true(self->exit.max_memory > 0);
        edo_await(rc, edo_process_wait(self->process, NULL)); // again
        assert_int_equal(rc, 7);
        assert_int_equal(edo_process_try_wait(self->process, &self->exit), 7);
        assert_int_equal(edo_process_kill(self->process, SIGTERM), -ESRCH);
        edo_process_close(self->process);

        self->command = SHELL("kill -KILL $$");
        self->process = spawn_command(&self->command);
        edo_await(rc, edo_process_wait(self->process, &self->exit));
        assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGKILL);
        assert_int_equal(self->exit.signal, SIGKILL);
        assert_false(self->exit.has_core);
        edo_process_close(self->process);
        edo_return(0);
    }
}

async_test(started_on_a_pool, edo_command command; edo_process *process;)
{
    edo_body {
        int rc;
        self->command = SHELL("exit 3");
        edo_await(rc, edo_command_start(&self->command, &self->process));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 3);
        edo_process_close(self->process);
        edo_return(0);
    }
}

async_test(several_waiters, edo_command command; edo_process *process; edo_task *tasks[3];
           edo_exit exits[3]; edo_io *in; int i;)
{
    edo_body {
        int rc;
        self->command = (edo_command)CAT;
        self->process = spawn_command(&self->command);
        self->in = edo_process_take(self->process, 0);
        assert_null(edo_process_take(self->process, 0));
        assert_int_equal(edo_process_try_wait(self->process, NULL), -EAGAIN);
        for (self->i = 0; self->i < 3; self->i++) {
            rc = edo_spawn(&self->tasks[self->i], run_op,
                           .op = edo_process_wait(self->process, &self->exits[self->i]));
            assert_int_equal(rc, 0);
        }
        settle();
        edo_task_cancel(self->tasks[2]);
        edo_await(rc, edo_join(self->tasks[2]));
        assert_int_equal(rc, -ECANCELED);
        edo_close(self->in);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 0);
            assert_true(self->exits[self->i].max_memory > 0);
        }
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* A wait with a limit leaves the child alone. */
async_test(wait_with_a_limit, edo_command command; edo_process *process; edo_io *in;)
{
    edo_body {
        int rc;
        self->command = (edo_command)CAT;
        self->process = spawn_command(&self->command);
        self->in = edo_process_take(self->process, 0);
        edo_await_for(rc, edo_ms(1), edo_process_wait(self->process, NULL));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_close(self->in);
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 0);
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* The child waits for the end of its input, which nobody took. */
async_test(a_wait_closes_the_input, edo_command command; edo_process *process;)
{
    edo_body {
        int rc;
        self->command = (edo_command)CAT;
        self->process = spawn_command(&self->command);
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 0);
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* Output that was not read before the end is still there. */
async_test(output_after_the_end, edo_command command; edo_process *process; edo_io *out;
           char text[64]; size_t size;)
{
    edo_body {
        int64_t n;
        self->command = SHELL("echo late");
        self->command.out.kind = EDO_STDIO_PIPE;
        self->process = spawn_command(&self->command);
        edo_await(n, edo_process_wait(self->process, NULL));
        assert_int_equal(n, 0);
        self->out = edo_process_take(self->process, 1);
        edo_process_close(self->process);
        edo_await(n, edo_read_exact(self->out, self->text, 5));
        assert_int_equal(n, 5);
        assert_memory_equal(self->text, "late\n", 5);
        edo_await(n, edo_read(self->out, self->text, 5));
        assert_int_equal(n, 0);
        edo_close(self->out);
        edo_return(0);
    }
}

/* ---- other waits of the process ---- */

static void mixed_children(void *arg)
{
    (void)arg;
    int status;
    edo_command command = (edo_command)CAT;
    edo_process *process = spawn_command(&command);
    pid_t own = fork();
    if (own == 0) _exit(9);
    assert_int_equal(waitpid(own, &status, 0), own); // the library has not taken it
    assert_int_equal(WEXITSTATUS(status), 9);
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), 0);
    edo_process_close(process);
}

test(other_children_keep_their_status)
{
    expect_success_in_child(mixed_children, NULL);
}

/* The program may have a stream of SIGCHLD beside the library's waits. */
async_test(stream_of_ends, edo_command command; edo_process *process; edo_signal *signal;
           edo_signal_event event; int pid;)
{
    edo_body {
        int rc;
        rc = edo_signal_open(SIGCHLD, &self->signal);
        assert_int_equal(rc, 0);
        self->command = (edo_command)CAT;
        self->process = spawn_command(&self->command);
        self->pid = edo_process_pid(self->process);
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 0);
        do
            edo_await(rc, edo_signal_next(self->signal, &self->event));
        while (rc == 1 && self->event.pid != self->pid); // children of earlier tests
        assert_int_equal(rc, 1);
        edo_process_close(self->process);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* Another part of the program takes every status, or SIGCHLD is ignored. */
static void lose_status(void *arg)
{
    (void)arg;
    edo_command command = (edo_command)CAT;
    edo_process *process = spawn_command(&command);
    edo_close(edo_process_take(process, 0));
    while (waitpid(-1, NULL, 0) < 0)
        continue;
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), -ECHILD);
    assert_int_equal(edo_process_kill(process, SIGKILL), -ESRCH);
    edo_process_close(process);
    signal(SIGCHLD, SIG_IGN);
    process = spawn_command(&command);
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), -ECHILD);
    edo_process_close(process);
}

test(lost_status)
{
    expect_success_in_child(lose_status, NULL);
}

/* ---- signals ---- */

async_test(kill_by_handle, edo_command command; edo_process *process;)
{
    edo_body {
        int rc;
        self->command = (edo_command)CAT;
        self->command.options = EDO_COMMAND_GROUP;
        self->process = spawn_command(&self->command);
        assert_int_equal(edo_process_kill(self->process, 0), 0);
        assert_int_equal(edo_process_kill(self->process, 999), -EINVAL);
        assert_int_equal(edo_process_kill_group(self->process, SIGUSR1), 0); // it exists at once
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGUSR1);
        assert_int_equal(edo_process_kill_group(self->process, SIGUSR1), -ESRCH);
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* The shell ignores SIGTERM, so SIGKILL follows after the grace period, by the test clock. */
async_test(stop, edo_command command; edo_process *process; edo_io *out; char byte;)
{
    edo_body {
        int64_t rc;
        self->command = (edo_command)CAT;
        self->process = spawn_command(&self->command);
        edo_await(rc, edo_process_stop(self->process, edo_s(1000), NULL));
        assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGTERM);
        edo_process_close(self->process);

        self->command = SHELL("trap '' TERM; echo x; while :; do sleep 1000; done");
        self->command.out.kind = EDO_STDIO_PIPE;
        self->command.options = EDO_COMMAND_GROUP; // sleep ends with the shell
        self->process = spawn_command(&self->command);
        self->out = edo_process_take(self->process, 1);
        edo_await(rc, edo_read(self->out, &self->byte, 1));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_process_stop(self->process, edo_s(1000), NULL));
        assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGKILL);
        edo_close(self->out);
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* ---- a signal comes before the end of the input ---- */

static edo_io *const *input; // the stream of a child's input; NULL once it is closed

static void judge(int signal)
{
    (void)signal;
    _exit(*input ? 0 : 1);
}

/* Ends this process with the verdict when it sends a signal. The callers end it with 2. */
static void judge_signals(edo_io *const *of)
{
    input = of;
    signal(SIGSYS, judge);
    trap_call(SYS_pidfd_send_signal);
    trap_call(SYS_kill);
}

static void stop_a_child(void *arg)
{
    (void)arg;
    edo_command command = CAT;
    edo_process *process = spawn_command(&command);
    judge_signals(&process->stdio[0]);
    (void)edo_wait(edo_process_stop(process, edo_s(9), NULL));
    _exit(2);
}

static void close_a_child(void *arg)
{
    (void)arg;
    edo_command command = CAT;
    command.on_close = EDO_PROCESS_KILL;
    edo_process *process = spawn_command(&command);
    judge_signals(&process->stdio[0]);
    edo_process_close(process);
    _exit(2);
}

/* The input is larger than a pipe, and the child does not read it. */
static void cut_a_collection(void *arg)
{
    static char bytes[1 << 20];
    edo_output output = { .input = bytes, .input_size = sizeof bytes };
    edo_command command = SHELL("exec sleep 100");
    (void)arg;
    command.on_close = EDO_PROCESS_KILL;
    judge_signals(&output.ways[0].io);
    (void)edo_wait_for(edo_ms(50), edo_command_output(&command, &output));
    _exit(2);
}

test(signals_come_before_the_end_of_the_input)
{
    expect_success_in_child(stop_a_child, NULL);
    expect_success_in_child(close_a_child, NULL);
    expect_success_in_child(cut_a_collection, NULL);
}

/* ---- closed handles ---- */

/* Closes a handle and answers whether the child reads its input to the end. */
test(fates_of_children)
{
    static const edo_process_fate fates[] = { EDO_PROCESS_LEAVE, EDO_PROCESS_TERMINATE,
                                              EDO_PROCESS_KILL };
    for (size_t i = 0; i < ARRAY_LENGTH(fates); i++) {
        edo_command command = (edo_command)CAT;
        char byte = 0;
        command.on_close = fates[i];
        edo_process *process = spawn_command(&command);
        edo_io *in = edo_process_take(process, 0), *out = edo_process_take(process, 1);
        edo_process_close(process);
        if (fates[i] == EDO_PROCESS_LEAVE) {
            assert_int_equal(edo_wait(edo_write_all(in, "x", 1)), 1);
            assert_int_equal(edo_wait(edo_read(out, &byte, 1)), 1);
            edo_close(in);
            in = NULL;
        }
        assert_int_equal(edo_wait(edo_read(out, &byte, 1)), 0);
        edo_close(in);
        edo_close(out);
        await_no_children();
    }
}

/* SIGKILL follows SIGTERM after the grace period, though no runtime runs. */
test(stubborn_children_are_killed)
{
    edo_command command = SHELL("trap '' TERM; echo x; while :; do sleep 1000; done");
    char byte;
    command.out.kind = EDO_STDIO_PIPE;
    command.options = EDO_COMMAND_GROUP;
    command.on_close = EDO_PROCESS_TERMINATE;
    command.grace = edo_ms(20);
    edo_process *process = spawn_command(&command);
    edo_io *out = edo_process_take(process, 1);
    assert_int_equal(edo_wait(edo_read(out, &byte, 1)), 1);
    edo_process_close(process);
    await_no_children();
    edo_close(out);
}

async_test(close_ends_waits, edo_command command; edo_process *process; edo_task *task;)
{
    edo_body {
        int rc;
        self->command = (edo_command)CAT;
        self->command.on_close = EDO_PROCESS_KILL;
        self->process = spawn_command(&self->command);
        rc = edo_spawn(&self->task, run_op, .op = edo_process_stop(self->process, edo_s(9), NULL));
        assert_int_equal(rc, 0);
        edo_task_cancel(self->task); // before its first poll: no signal is sent
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_process_close(self->process);
        edo_process_close(NULL);
        edo_await(rc, edo_process_wait(NULL, NULL));
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(edo_process_kill(NULL, 1), -EINVAL);
        assert_int_equal(edo_process_pid(NULL), -EINVAL);
        edo_return(0);
    }
}

/* ---- many ---- */

enum { MANY = 200 };

test(many_children)
{
    static edo_process *processes[MANY];
    for (int i = 0; i < MANY; i++) {
        edo_command command = { .program = "true" };
        processes[i] = spawn_command(&command);
    }
    for (int i = 0; i < MANY; i++) {
        if (i % 2) assert_int_equal(edo_wait(edo_process_wait(processes[i], NULL)), 0);
        edo_process_close(processes[i]); // every other one by the reaper
    }
    await_no_children();
}

/* ---- children of fork ---- */

static void use_in_a_child(void *arg)
{
    edo_process *process = arg;
    assert_int_equal(edo_process_try_wait(process, NULL), -ESTALE);
    edo_process_close(process);
}

test(child_of_a_fork)
{
    edo_command command = (edo_command)CAT;
    command.on_close = EDO_PROCESS_KILL;
    edo_process *process = spawn_command(&command);
    expect_success_in_child(use_in_a_child, process);
    assert_int_equal(edo_process_kill(process, 0), 0); // the child has not killed it
    assert_int_equal(edo_wait(edo_process_wait(process, NULL)), 0);
    edo_process_close(process);
}

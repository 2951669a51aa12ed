/* Whole outputs, pipelines, and lines of output. */
#include "process/children.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char *const cat[] = { "cat", NULL };

async_test(both_outputs, edo_command command; edo_output output;)
{
    edo_body {
        int64_t rc;
        self->output = (edo_output){ 0 };
        self->command = SHELL("echo out; echo err >&2; exit 4");
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 4);
        assert_int_equal(self->output.out.size, 4);
        assert_memory_equal(self->output.out.data, "out\n", 4);
        assert_int_equal(self->output.err.size, 4);
        assert_memory_equal(self->output.err.data, "err\n", 4);
        assert_false(self->output.out_truncated || self->output.was_cut);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

enum { MEGABYTE = 1 << 20 };

static char input[MEGABYTE];

/* A driver that moves single bytes has less to do. */
static size_t input_size(void)
{
    return driver_is("chaos") ? 40 << 10 : sizeof input;
}

/* More than the pipes hold, in both directions at once. */
async_test(large_input_and_output, edo_command command; edo_output output;)
{
    edo_body {
        int64_t rc;
        fill_pattern(input, sizeof input, 1, 0);
        self->command = (edo_command){ .argv = cat };
        self->output = (edo_output){ .input = input, .input_size = input_size() };
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, input_size());
        assert_true(is_pattern(self->output.out.data, input_size(), 1, 0));
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* The child closes its input early: no error, and no SIGPIPE here. */
async_test(input_that_is_not_read, edo_command command; edo_output output;)
{
    edo_body {
        static const char *const head[] = { "head", "-c1", NULL };
        int64_t rc;
        memset(input, 'x', sizeof input);
        self->command = (edo_command){ .argv = head };
        self->output = (edo_output){ .input = input, .input_size = input_size() };
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, 1);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* Bytes beyond the limit are dropped, and the child ends. */
async_test(limit, edo_command command; edo_output output;)
{
    edo_body {
        int64_t rc;
        memset(input, 'x', sizeof input);
        self->command = (edo_command){ .argv = cat };
        self->output = (edo_output){ .input = input, .input_size = input_size(), .limit = 10000 };
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, 10000);
        assert_true(self->output.out_truncated);
        assert_false(self->output.err_truncated);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* A process of the child holds the output: it is given up after the grace period, which passes by
 * the test clock. The exit ends that process. */
async_test(output_held_by_a_grandchild, edo_command command; edo_output output; edo_io *in;
           edo_process *process;)
{
    edo_body {
        int64_t rc;
        self->command = SHELL("exec 3<&0; cat <&3 >&1 & echo hi");
        self->command.in.kind = EDO_STDIO_PIPE;
        self->command.out.kind = EDO_STDIO_PIPE;
        self->process = spawn_command(&self->command);
        self->in = edo_process_take(self->process, 0); // cat ends when it is closed
        self->output = (edo_output){ .grace = edo_s(100) };
        edo_await(rc, edo_process_output(&self->process, 1, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, 3);
        assert_true(self->output.was_cut);
        edo_close(self->in);
        edo_process_close(self->process);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

async_test(errors_of_the_spawn, edo_command command; edo_output output; edo_process * none;)
{
    edo_body {
        int64_t rc;
        self->output = (edo_output){ 0 };
        self->command = (edo_command){ .program = "/nowhere" };
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, -ENOENT);
        assert_int_equal(self->command.failed, EDO_STEP_EXEC);
        edo_await(rc, edo_command_output(NULL, &self->output));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_process_output(NULL, 1, &self->output));
        assert_int_equal(rc, -EINVAL);
        self->none = NULL;
        edo_await(rc, edo_process_output(&self->none, 1, &self->output));
        assert_int_equal(rc, -EINVAL);
        edo_return(0);
    }
}

/* A spawn that fails with EAGAIN: the limit allows the child's user no process, and the user has
 * one. Only the superuser can change the user. */
async_test(spawn_that_fails_with_eagain, edo_command command; edo_output output;
           edo_process *other;)
{
    edo_body {
        int64_t rc;
        static const edo_process_ids ids = { .uid = 23456, .gid = 23456 };
        static const edo_process_limit limit = { RLIMIT_NPROC, 0, 0 };
        if (geteuid() != 0) edo_return(0);
        self->command = (edo_command){ .argv = cat, .in.kind = EDO_STDIO_PIPE, .ids = &ids };
        self->other = spawn_command(&self->command);
        self->output = (edo_output){ 0 };
        self->command.limits = &limit;
        self->command.limit_count = 1;
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, -EAGAIN);
        assert_int_equal(self->command.failed, EDO_STEP_EXEC);
        edo_await(rc, edo_process_wait(self->other, NULL)); // closes the input
        assert_int_equal(rc, 0);
        edo_process_close(self->other);
        edo_return(0);
    }
}

/* The spawn does not hold up the thread of the task. */
async_test(spawned_on_the_pool, edo_command command; edo_output output; edo_pool * pool;
           edo_pool_stats stats;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(edo_runtime_pool(edo_current_runtime(), "user", &self->pool), 0);
        edo_pool_read(self->pool, &self->stats);
        assert_int_equal(self->stats.threads, 0);
        self->output = (edo_output){ 0 };
        self->command = SHELL("exit 5");
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 5);
        edo_pool_read(self->pool, &self->stats);
        assert_int_equal(self->stats.threads, 1);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* A cancelled call closes the process, with the fate of the command. */
async_test(cancelled, edo_command command; edo_output output; int64_t began;)
{
    edo_body {
        int64_t rc;
        self->output = (edo_output){ 0 };
        self->command = SHELL("echo before; exec sleep 1000");
        self->command.on_close = EDO_PROCESS_KILL;
        edo_await_for(rc, edo_ms(1), edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* A cancelled collection continues. */
async_test(cancelled_and_continued, edo_command command; edo_output output; edo_process *process;
           edo_io *in;)
{
    edo_body {
        int64_t rc;
        self->output = (edo_output){ 0 };
        self->command = (edo_command){ .argv = cat,
                                       .in.kind = EDO_STDIO_PIPE,
                                       .out.kind = EDO_STDIO_PIPE };
        self->process = spawn_command(&self->command);
        self->in = edo_process_take(self->process, 0);
        edo_await(rc, edo_write_all(self->in, "abc", 3));
        edo_await_for(rc, edo_ms(1), edo_process_output(&self->process, 1, &self->output));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_write_all(self->in, "def", 3));
        edo_close(self->in);
        edo_await(rc, edo_process_output(&self->process, 1, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, 6);
        assert_memory_equal(self->output.out.data, "abcdef", 6);
        edo_process_close(self->process);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_return(0);
    }
}

/* ---- pipelines ---- */

/* The same bytes as the shell's own pipeline. */
async_test(pipelines, edo_command commands[4]; edo_process *processes[4]; edo_output output,
           expected; edo_exit exits[4]; char text[200000]; size_t i;)
{
    edo_body {
        static const char *const sort[] = { "sort", NULL }, *const gzip[] = { "gzip", "-nc", NULL },
                                 *const gunzip[] = { "gzip", "-dc", NULL };
        int64_t rc;
        for (self->i = 0; self->i + 8 < (driver_is("chaos") ? 4000 : sizeof self->text);
             self->i += 8)
            snprintf(self->text + self->i, 9, "%07zu\n", self->i * 7919 % 9999991);
        self->commands[0] = (edo_command){ .argv = sort, .in.kind = EDO_STDIO_PIPE };
        self->commands[1] = (edo_command){ .argv = gzip };
        self->commands[2] = (edo_command){ .argv = gunzip };
        self->commands[3] = (edo_command){ .argv = cat, .out.kind = EDO_STDIO_PIPE };
        rc = edo_pipeline_spawn(self->commands, 4, self->processes);
        assert_int_equal(rc, 0);
        self->output = (edo_output){ .input = self->text,
                                     .input_size = self->i,
                                     .exits = self->exits };
        edo_await(rc, edo_process_output(self->processes, 4, &self->output));
        assert_int_equal(rc, 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(self->exits[i].code, 0);
            edo_process_close(self->processes[i]);
        }
        self->commands[0] = SHELL("sort | cat");
        self->expected = (edo_output){ .input = self->text, .input_size = self->i };
        edo_await(rc, edo_command_output(&self->commands[0], &self->expected));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, self->i);
        assert_int_equal(self->expected.out.size, self->i);
        assert_memory_equal(self->output.out.data, self->expected.out.data, self->i);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_buffer_deinit(&self->expected.out);
        edo_buffer_deinit(&self->expected.err);
        edo_return(0);
    }
}

/* The first of several commands that fails is reported; the ones before it are killed. */
test(broken_pipeline)
{
    static const char *const bad[] = { "/nowhere", NULL };
    edo_command commands[] = { { .argv = cat }, { .argv = bad }, { .argv = cat } };
    edo_process *processes[3];
    siginfo_t info;
    commands[0].in.kind = EDO_STDIO_PIPE;
    assert_int_equal(edo_pipeline_spawn(commands, 3, processes), -ENOENT);
    assert_int_equal(commands[1].failed, EDO_STEP_EXEC);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) == 0)
        usleep(1000); // the reaper takes the status of the first
    assert_int_equal(edo_pipeline_spawn(commands, 0, processes), -EINVAL);
}

/* ---- lines ---- */

async_test(lines, edo_command command; edo_process *process; edo_io *out; edo_reader reader;
           char memory[256]; edo_slice line; unsigned count;)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        self->command = SHELL("for i in 1 2 3; do echo line $i; done");
        self->command.out.kind = EDO_STDIO_PIPE;
        self->process = spawn_command(&self->command);
        self->out = edo_process_take(self->process, 1);
        edo_reader_init(&self->reader, self->out, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(rc, edo_read_line(&self->reader, &self->line));
            if (rc <= 0) break;
            assert_int_equal(self->line.size, 6);
            self->count++;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, 3);
        edo_await(rc, edo_process_wait(self->process, NULL));
        edo_close(self->out);
        edo_process_close(self->process);
        edo_return(0);
    }
}

/* Processes that do not end, and the collection of their outputs by a task. */
typedef struct collected {
    edo_command command;
    edo_process *processes[2];
    edo_output output;
    edo_task *task;
} collected;

static void begin_collected(collected *c)
{
    *c = (collected){ .command = SHELL("exec sleep 100") };
    c->command.on_close = EDO_PROCESS_KILL;
    c->command.out.kind = EDO_STDIO_PIPE;
    c->processes[0] = spawn_command(&c->command);
    c->processes[1] = spawn_command(&c->command);
    int rc = edo_spawn(&c->task, run_op, .op = edo_process_output(c->processes, 2, &c->output));
    assert_int_equal(rc, 0);
}

static void end_collected(collected *c)
{
    edo_buffer_deinit(&c->output.out);
    edo_buffer_deinit(&c->output.err);
}

/* Another task closes a process whose outputs are collected. The operation ends, and closes the
 * pipes. */
async_test(a_close_ends_the_output, collected c; int closed;)
{
    edo_body {
        int64_t rc;
        for (self->closed = 0; self->closed < 2; self->closed++) {
            begin_collected(&self->c);
            settle();
            assert_non_null(self->c.output.ways[1].io);
            if (self->closed == 1)
                assert_int_equal(edo_process_kill(self->c.processes[0], SIGKILL), 0);
            while (self->c.output.ended < (size_t)self->closed)
                settle();
            edo_process_close(self->c.processes[self->closed]);
            edo_await_for(rc, edo_s(10), edo_join(self->c.task));
            assert_int_equal(rc, -ECANCELED);
            assert_null(self->c.output.ways[1].io);
            edo_process_close(self->c.processes[1 - self->closed]);
            end_collected(&self->c);
        }
        edo_return(0);
    }
}

/* The process was closed between two calls, and is not freed because another task waits for it. */
async_test(a_refused_continuation_closes_the_pipes, edo_command command; edo_process * process;
           edo_output output; edo_task * task;)
{
    edo_body {
        int64_t rc;
        self->output = (edo_output){ 0 };
        self->command = SHELL("exec sleep 100");
        self->command.on_close = EDO_PROCESS_KILL;
        self->command.out.kind = EDO_STDIO_PIPE;
        self->process = spawn_command(&self->command);
        edo_await_for(rc, edo_ms(1), edo_process_output(&self->process, 1, &self->output));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_non_null(self->output.ways[1].io);
        rc = edo_spawn(&self->task, run_op, .op = edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 0);
        settle();
        edo_process_close(self->process);
        edo_await(rc, edo_process_output(&self->process, 1, &self->output));
        assert_int_equal(rc, -ECANCELED);
        assert_null(self->output.ways[1].io);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_buffer_deinit(&self->output.out);
        edo_return(0);
    }
}

/* The operation waits for the first process when the second one is closed. */
async_test(a_close_of_a_later_process_ends_the_output, collected c;)
{
    edo_body {
        int64_t rc;
        begin_collected(&self->c);
        settle();
        edo_process_close(self->c.processes[1]);
        assert_int_equal(edo_process_kill(self->c.processes[0], SIGKILL), 0);
        edo_await(rc, edo_join(self->c.task));
        assert_int_equal(rc, -ECANCELED);
        edo_process_close(self->c.processes[0]);
        end_collected(&self->c);
        edo_return(0);
    }
}

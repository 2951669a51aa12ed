/* Children that are traced: such a child has ended, but has no status before its tracer allows. */
#include "process/children.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

enum { TRACER_LIMIT = 30 }; // seconds; a wait that blocks its thread ends then, and the test fails

/* Data and pipes of the tracer. A close of `told` ends the tracer; `tells` has its bytes. */
struct tracer {
    int child;
    int tells[2], told[2];
};

static void tell(const struct tracer *tracer, char byte)
{
    if (write(tracer->tells[1], &byte, 1) != 1) _exit(EXIT_FAILURE);
}

/* Traces the child, but takes no status: tells 'T' when the child is traced, 'Z' when it has ended.
 * Tells 'N' if tracing is not allowed. */
static void trace(void *arg)
{
    const struct tracer *tracer = arg;
    siginfo_t info;
    char byte;
    close(tracer->told[1]);
    alarm(TRACER_LIMIT);
    bool is_tracing = ptrace(PTRACE_SEIZE, tracer->child, 0, 0) == 0;
    tell(tracer, is_tracing ? 'T' : 'N');
    if (!is_tracing) return;
    while (waitid(P_PID, (id_t)tracer->child, &info, WEXITED | WNOWAIT | __WALL) < 0)
        if (errno != EINTR) _exit(EXIT_FAILURE);
    tell(tracer, 'Z');
    while (read(tracer->told[0], &byte, 1) < 0)
        if (errno != EINTR) _exit(EXIT_FAILURE);
}

static char next_byte(const struct tracer *tracer)
{
    char byte;
    fd_read_all(tracer->tells[0], &byte, 1);
    return byte;
}

/* Spawns a child that has been killed, and that a tracer holds. Returns: the tracer's pid; -1: tracing
 * is not allowed. */
static int hold_child(edo_command *command, struct tracer *tracer, edo_process **ret_process)
{
    *command = SHELL("exec sleep 100");
    *ret_process = spawn_command(command);
    tracer->child = edo_process_pid(*ret_process);
    assert_return_code(pipe(tracer->tells), errno);
    assert_return_code(pipe(tracer->told), errno);
    int pid = start_child(trace, tracer);
    close(tracer->tells[1]);
    bool is_traced = next_byte(tracer) == 'T';
    assert_int_equal(edo_process_kill(*ret_process, SIGKILL), 0);
    if (is_traced) assert_int_equal(next_byte(tracer), 'Z');
    if (is_traced) return pid;
    await_child(pid);
    return -1;
}

static void close_pipes(const struct tracer *tracer)
{
    close(tracer->tells[0]);
    close(tracer->told[0]);
}

/* A wait gives way to its limit and to other tasks, and sees the status when there is one. */
async_test(a_wait_for_a_held_child_gives_way, edo_command command; edo_process *process;
           struct tracer tracer; int pid; edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->pid = hold_child(&self->command, &self->tracer, &self->process);
        if (self->pid >= 0) {
            edo_await_for(rc, edo_ms(100), edo_process_wait(self->process, NULL));
            assert_int_equal(rc, -ETIMEDOUT);
            edo_await_for(rc, edo_ms(100), edo_process_stop(self->process, edo_ms(10), NULL));
            assert_int_equal(rc, -ETIMEDOUT);
            rc = edo_spawn(&self->task, run_op, .op = edo_process_wait(self->process, NULL));
            assert_int_equal(rc, 0);
            settle();
        }
        close(self->tracer.told[1]); // the tracer ends, and the status is for this process
        if (self->pid >= 0) {
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGKILL);
            assert_int_equal(await_child(self->pid), 0);
        }
        close_pipes(&self->tracer);
        edo_process_close(self->process);
        if (self->pid < 0) skip();
        edo_return(0);
    }
}

/* A close ends a wait that pauses. */
async_test(a_close_ends_a_wait_for_a_held_child, edo_command command; edo_process *process;
           struct tracer tracer; int pid; edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->pid = hold_child(&self->command, &self->tracer, &self->process);
        rc = edo_spawn(&self->task, run_op, .op = edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 0);
        settle();
        edo_process_close(self->process);
        edo_await(rc, edo_join(self->task));
        if (self->pid >= 0) assert_int_equal(rc, -ECANCELED);
        close(self->tracer.told[1]);
        if (self->pid >= 0) assert_int_equal(await_child(self->pid), 0);
        close_pipes(&self->tracer);
        await_no_children();
        edo_return(0);
    }
}

/* ---- the reaper ---- */

enum { WAITS = 10, KERNEL_SIGNAL_SET = 8 }; // WAITS: several pauses of the reaper

static sem_t waits;                  // one unit for each wait of the reaper
static atomic_int readable_children; // in all waits

__attribute__((constructor)) static void init_waits(void)
{
    if (sem_init(&waits, 0, 0) < 0) abort();
}

/* Replaces the call that only the reaper makes: counts the waits, and the children that end them.
 * The first entry is the bell. */
int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *limit, const sigset_t *mask)
{
    int rc = (int)syscall(SYS_ppoll, polled, count, limit, mask, KERNEL_SIGNAL_SET);
    for (nfds_t i = 1; i < count; i++)
        if (polled[i].revents) atomic_fetch_add(&readable_children, 1);
    sem_post(&waits);
    return rc;
}

static void await_waits(int count)
{
    while (count--)
        while (sem_wait(&waits) < 0)
            assert_int_equal(errno, EINTR);
}

/* Waits until a child has ended a wait. Units of earlier waits, also of earlier tests, are taken. */
static void await_readable_child(void)
{
    while (atomic_load(&readable_children) == 0)
        await_waits(1);
    while (sem_trywait(&waits) == 0)
        continue;
}

/* The reaper pauses between its tries to take the status of a child that a tracer holds, though the
 * child's descriptor is readable all the time. Another child is taken meanwhile. */
async_test(the_reaper_pauses_for_a_held_child, edo_command command, other_command;
           edo_process *process, *other; struct tracer tracer; int pid, other_pid, readable;)
{
    edo_body {
        self->pid = hold_child(&self->command, &self->tracer, &self->process);
        self->other_command = SHELL("exec sleep 100");
        self->other_command.on_close = EDO_PROCESS_KILL;
        self->other = spawn_command(&self->other_command);
        self->other_pid = edo_process_pid(self->other);
        atomic_store(&readable_children, 0);
        edo_process_close(self->process);
        if (self->pid >= 0) await_readable_child();
        if (self->pid >= 0) await_waits(WAITS);
        self->readable = atomic_load(&readable_children);
        edo_process_close(self->other);
        while (self->pid >= 0 && kill(self->other_pid, 0) == 0)
            await_waits(1);
        close(self->tracer.told[1]);
        if (self->pid >= 0) assert_int_equal(await_child(self->pid), 0);
        close_pipes(&self->tracer);
        await_no_children();
        if (self->pid < 0) skip();
        assert_int_equal(self->readable, 1);
        edo_return(0);
    }
}

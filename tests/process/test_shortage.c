/* edo-test: once */
/* Spawning without memory, without descriptors, and on a kernel without their calls. */
#include "process/children.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/base.h"

/* A child that ends when its input ends. */
#define CAT                                                                                        \
    {                                                                                              \
        .program = "cat", .in = { .kind = EDO_STDIO_PIPE }, .out = {.kind = EDO_STDIO_PIPE }       \
    }

static void run_and_close(void *arg)
{
    (void)arg;
    edo_command command = (edo_command)CAT;
    edo_process *process;
    int rc = edo_command_spawn(&command, &process);
    if (rc < 0) {
        assert_int_equal(rc, -ENOMEM);
        return;
    }
    edo_close(edo_process_take(process, 0));
    while (edo_process_try_wait(process, NULL) == -EAGAIN)
        usleep(100);
    edo_process_close(process);
}

test(without_memory)
{
    assert_true(with_each_allocation_failing(run_and_close, NULL) >= 3);
}

static void exhaust_descriptors(void *arg)
{
    (void)arg;
    edo_process *process;
    edo_command command = (edo_command)CAT;
    struct rlimit limit = { 64, 64 };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int last = -1, fd;
    while ((fd = dup(0)) >= 0)
        last = fd;
    for (int free_fds = 0; free_fds < 6; free_fds++) { // two pipes, and the child's descriptor
        int rc = edo_command_spawn(&command, &process);
        if (rc == 0) {
            assert_true(free_fds >= 3);
            edo_close(edo_process_take(process, 0));
            while (edo_process_try_wait(process, NULL) == -EAGAIN)
                usleep(100);
            edo_process_close(process);
            return;
        }
        assert_int_equal(rc, -EMFILE);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        close(last--);
    }
    fail();
}

test(without_descriptors)
{
    expect_success_in_child(exhaust_descriptors, NULL);
}

/* ---- kernels without pidfds, or without close_range() ---- */

#define REFUSE(number)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

/* Refuses the calls, and the flag CLONE_PIDFD of clone(), as an old kernel or a filter does. */
static void use_an_old_kernel(void)
{
    enum { FLAGS = offsetof(struct seccomp_data, args), PIDFD = 0x1000 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_pidfd_open),
        REFUSE(SYS_close_range),
        REFUSE(SYS_clone3),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PIDFD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(77);
}

struct on_old_kernel {
    edo_frame();
    edo_args(int count;);
    edo_command command;
    edo_output output;
    edo_process *process;
    edo_io *in, *out;
    char byte;
    int i;
};

edo_async(on_old_kernel)
{
    edo_body {
        int64_t rc;
        static const char *const list[] = { "ls", "/proc/self/fd", NULL };
        self->output = (edo_output){ 0 };
        self->command = (edo_command){ .argv = list };
        edo_await(rc, edo_command_output(&self->command, &self->output));
        assert_int_equal(rc, 0);
        assert_int_equal(self->output.out.size, strlen("0\n1\n2\n3\n"));
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        for (self->i = 0; self->i < self->count; self->i++) {
            self->command = (edo_command)CAT;
            self->process = spawn_command(&self->command);
            assert_int_equal(edo_process_kill(self->process, 0), 0);
            edo_await(rc, edo_process_stop(self->process, edo_s(60), NULL));
            assert_true(rc == EDO_EXIT_SIGNAL + SIGTERM || rc == 0);
            edo_process_close(self->process);
        }
        self->command = (edo_command){ .program = "/nowhere" };
        assert_int_equal(edo_command_spawn(&self->command, &self->process), -ENOENT);
        for (self->i = EDO_PROCESS_TERMINATE; self->i <= EDO_PROCESS_KILL; self->i++) {
            self->command = (edo_command)CAT;
            self->command.on_close = (edo_process_fate)self->i;
            self->process = spawn_command(&self->command);
            self->in = edo_process_take(self->process, 0);
            self->out = edo_process_take(self->process, 1);
            edo_process_close(self->process);
            edo_await(rc, edo_read(self->out, &self->byte, 1)); // ends though its input is open
            assert_int_equal(rc, 0);
            edo_close(self->in);
            edo_close(self->out);
        }
        edo_return(0);
    }
}

static edo_atomic(int) ends;

static void on_end(int number)
{
    (void)number;
    edo_add_relaxed(&ends, 1);
}

/* The library hears SIGCHLD there; so does the program's own handler. */
static void run_on_an_old_kernel(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    signal(SIGCHLD, on_end);
    open_descriptors();
    assert_int_equal(dup(0) > 2, 1); // an open descriptor that the child must not have
    use_an_old_kernel();
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    int64_t rc = edo_block_on(runtime, on_old_kernel, .count = 5);
    assert_int_equal(rc, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    await_no_children();
    assert_true(edo_load_relaxed(&ends) > 0);
}

test(old_kernels)
{
    if (EDO__ASAN || EDO__TSAN) skip(); // there a child is made by clone3() only
    int status = run_in_child(run_on_an_old_kernel, NULL, NULL, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
}

struct waits_without_descriptors {
    edo_frame();
    edo_args();
    edo_command command;
    edo_process *process;
};

/* Nothing can report the end of the child then, so the wait tries again and again. */
edo_async(waits_without_descriptors)
{
    edo_body {
        int64_t rc;
        static const char *const fails[] = { "sh", "-c", "exit 3", NULL };
        static const char *const waits[] = { "sleep", "1000", NULL };
        self->command = (edo_command){ .argv = fails };
        self->process = spawn_command(&self->command);
        edo_await(rc, edo_process_wait(self->process, NULL));
        assert_int_equal(rc, 3);
        edo_process_close(self->process);
        self->command = (edo_command){ .argv = waits };
        self->process = spawn_command(&self->command);
        edo_await_for(rc, edo_ms(20), edo_process_wait(self->process, NULL));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_process_stop(self->process, edo_s(60), NULL));
        assert_int_equal(rc, EDO_EXIT_SIGNAL + SIGTERM);
        edo_process_close(self->process);
        edo_return(0);
    }
}

static void wait_without_descriptors(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    struct rlimit limit = { 64, 64 };
    use_an_old_kernel();
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(0) >= 0)
        continue;
    int64_t rc = edo_block_on(runtime, waits_without_descriptors);
    assert_int_equal(rc, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(waits_without_pidfds_and_without_descriptors)
{
    if (EDO__ASAN || EDO__TSAN) skip(); // there a child is made by clone3() only
    int status = run_in_child(wait_without_descriptors, NULL, NULL, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
}

/* Making a child (sys/process.h) on Linux.
 *
 * The child shares the memory of this process, so no memory is copied. The parent thread waits
 * until the child has executed the program or has ended (CLONE_VM | CLONE_VFORK, as vfork()). The
 * child runs on a stack of its own. All signals are blocked, so no handler of the program runs in
 * the child. The child makes only raw system calls, for two reasons. Functions of the C library may
 * take locks that another thread holds. The library's setuid() would signal the other threads of
 * the parent.
 *
 * In two cases the child gets a copy of the memory instead (CLONE_VFORK alone). A child in a cgroup
 * needs clone3(), which takes no function to run. In a build with a sanitizer, instrumented code
 * must not run in two processes that share memory.
 *
 * The child reports a failed step in shared memory. So the report also arrives from a child with a
 * copy, even if an emulator has turned vfork() into fork(). */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

enum {
    STACK_SIZE = 64 << 10, // bytes; enough, because the stack use of the child is known
    SET_SIZE = 8,          // bytes of the kernel's set of signals
    LAST_SIGNAL = 64,
    MOST_CLOSED = 65536, // limit of descriptors to close one by one, on kernels before 5.9
    STATUS_LOST = 127,
};

/* Report of the child, in shared memory below the child's stack. */
typedef struct report {
    int32_t step, error;
} report;

typedef struct birth {
    const edo__spawn_plan *plan;
    report *report;
    uint64_t mask; // blocked signals of the parent thread
    pid_t parent;
} birth;

/* ---- the child ---- */

static _Noreturn void fail(const birth *b, edo_spawn_step step, int error)
{
    b->report->step = (int32_t)step;
    __atomic_store_n(&b->report->error, error, __ATOMIC_RELEASE);
    for (;;)
        syscall(SYS_exit_group, STATUS_LOST);
}

static long check(const birth *b, edo_spawn_step step, long result)
{
    if (result < 0) fail(b, step, errno);
    return result;
}

/* The kernel's struct for a signal action, of which only the first member is used. */
typedef struct action {
    uintptr_t handler;
    uint64_t rest[15];
} action;

/* Restores the default actions of all signals that have handlers. Without EDO_COMMAND_KEEP_SIGNALS,
 * also restores the default action of SIGPIPE if the signal is ignored. Called while all signals
 * are blocked. */
static void reset_signals(const birth *b)
{
    bool keeps = b->plan->command->options & EDO_COMMAND_KEEP_SIGNALS;
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        action now = { 0 }, none = { 0 };
        if (syscall(SYS_rt_sigaction, number, NULL, &now, SET_SIZE) < 0) continue;
        bool has_handler = now.handler != (uintptr_t)SIG_DFL && now.handler != (uintptr_t)SIG_IGN;
        if (has_handler || (number == SIGPIPE && !keeps))
            syscall(SYS_rt_sigaction, number, &none, NULL, SET_SIZE);
    }
}

static void join_group(const birth *b)
{
    const edo_command *command = b->plan->command;
    if (command->options & EDO_COMMAND_SESSION)
        check(b, EDO_STEP_GROUP, syscall(SYS_setsid));
    else if (command->options & EDO_COMMAND_GROUP)
        check(b, EDO_STEP_GROUP, syscall(SYS_setpgid, 0, command->group));
    if (command->options & EDO_COMMAND_TERMINAL)
        check(b, EDO_STEP_TERMINAL, syscall(SYS_ioctl, command->terminal, TIOCSCTTY, 0));
}

/* Duplicates each source to its target. If the number of a source is not above the highest target,
 * a target could overwrite the source before it is duplicated. So the first loop duplicates such a
 * source to a number above the highest target. If a source is its own target, only the
 * close-on-exec flag is cleared. */
static void move_descriptors(const birth *b)
{
    const edo__spawn_plan *plan = b->plan;
    edo_fd highest = plan->moves[plan->move_count - 1].target;
    for (size_t i = 0; i < plan->move_count; i++) {
        edo__fd_move *move = &plan->moves[i];
        move->current = move->source;
        if (move->source > highest || move->source == move->target) continue;
        long fd = syscall(SYS_fcntl, move->source, F_DUPFD_CLOEXEC, highest + 1);
        move->current = (edo_fd)check(b, EDO_STEP_DESCRIPTORS, fd);
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        const edo__fd_move *move = &plan->moves[i];
        long rc = move->current == move->target ? syscall(SYS_fcntl, move->target, F_SETFD, 0)
                                                : syscall(SYS_dup3, move->current, move->target, 0);
        check(b, EDO_STEP_DESCRIPTORS, rc);
    }
}

static void close_range_of(unsigned first, unsigned last)
{
    struct {
        uint64_t soft, hard;
    } limit = { MOST_CLOSED, MOST_CLOSED };
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    if (limit.soft > MOST_CLOSED) limit.soft = MOST_CLOSED;
    for (unsigned fd = first; fd <= last && fd < limit.soft; fd++)
        syscall(SYS_close, fd);
}

static void close_others(const birth *b)
{
    const edo__spawn_plan *plan = b->plan;
    unsigned next = 0;
    if (plan->command->options & EDO_COMMAND_KEEP_FDS) return;
    for (size_t i = 0; i < plan->move_count; i++) {
        unsigned target = (unsigned)plan->moves[i].target;
        if (target > 0) close_range_of(next, target - 1);
        next = target + 1;
    }
    close_range_of(next, UINT32_MAX);
}

static uint64_t limit_of(int64_t value)
{
    return value < 0 ? UINT64_MAX : (uint64_t)value;
}

/* Sets the priority and the limits. The raw getpriority() returns 20 minus the priority. */
static void set_limits(const birth *b)
{
    const edo_command *command = b->plan->command;
    for (uint32_t i = 0; i < command->limit_count; i++) {
        const edo_process_limit *limit = &command->limits[i];
        uint64_t pair[2] = { limit_of(limit->soft), limit_of(limit->hard) };
        check(b, EDO_STEP_LIMITS, syscall(SYS_prlimit64, 0, limit->resource, pair, NULL));
    }
    if (!command->nice) return;
    long now = 20 - check(b, EDO_STEP_LIMITS, syscall(SYS_getpriority, PRIO_PROCESS, 0));
    check(b, EDO_STEP_LIMITS, syscall(SYS_setpriority, PRIO_PROCESS, 0, now + command->nice));
}

static void set_ids(const birth *b)
{
    const edo_process_ids *ids = b->plan->command->ids;
    if (!ids) return;
    check(b, EDO_STEP_IDS, syscall(SYS_setgroups, (long)ids->group_count, ids->groups));
    check(b, EDO_STEP_IDS, syscall(SYS_setresgid, ids->gid, ids->gid, ids->gid));
    check(b, EDO_STEP_IDS, syscall(SYS_setresuid, ids->uid, ids->uid, ids->uid));
}

/* Sets the signal that the child receives when the parent ends. Called after the ids are set,
 * because a change of the user clears this setting. If the parent has already ended, the signal
 * would never come. In that case the child has another parent by now, and this step fails with
 * ESRCH. */
static void set_parent_death(const birth *b)
{
    int signal = b->plan->command->parent_death;
    if (!signal) return;
    check(b, EDO_STEP_PARENT_DEATH, syscall(SYS_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0));
    if (syscall(SYS_getppid) != b->parent) fail(b, EDO_STEP_PARENT_DEATH, ESRCH);
}

static void set_place(const birth *b)
{
    const edo_command *command = b->plan->command;
    if (command->directory) check(b, EDO_STEP_DIRECTORY, syscall(SYS_chdir, command->directory));
    if (command->options & EDO_COMMAND_UMASK) syscall(SYS_umask, command->umask);
}

/* Whether the search continues after an error, because the program may be at a later path. */
static bool is_elsewhere(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ENAMETOOLONG ||
           error == ELOOP || error == ESTALE || error == ENODEV || error == ETIMEDOUT;
}

/* Executes the program. Tries the paths in their order. If all fail, and one of them has failed
 * with EACCES, reports EACCES rather than ENOENT, because EACCES means that a program was found. */
static _Noreturn void execute(const birth *b)
{
    const edo__spawn_plan *plan = b->plan;
    int error = ENOENT;
    for (const char *const *path = plan->paths; *path; path++) {
        syscall(SYS_execve, *path, plan->argv, plan->envp);
        if (error != EACCES) error = errno;
        if (!is_elsewhere(errno)) fail(b, EDO_STEP_EXEC, errno);
    }
    fail(b, EDO_STEP_EXEC, error);
}

static int be_born(void *arg)
{
    const birth *b = arg;
    bool keeps = b->plan->command->options & EDO_COMMAND_KEEP_SIGNALS;
    uint64_t mask = keeps ? b->plan->mask : 0;
    reset_signals(b);
    join_group(b);
    move_descriptors(b);
    set_limits(b);
    set_ids(b);
    set_parent_death(b);
    set_place(b);
    close_others(b);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, SET_SIZE);
    execute(b);
}

/* ---- the parent ---- */

/* Makes a child that shares the memory. A kernel before 5.2 ignores CLONE_PIDFD and does not change
 * *pidfd. An emulator or a filter may refuse CLONE_PIDFD. */
static pid_t clone_sharing(birth *b, void *stack, int *pidfd)
{
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    pid_t pid = clone(be_born, stack, flags | CLONE_PIDFD, b, pidfd);
    if (pid < 0 && (errno == EINVAL || errno == EPERM)) pid = clone(be_born, stack, flags, b);
    return pid;
}

static pid_t clone_copying(birth *b, int *pidfd)
{
    const edo_command *command = b->plan->command;
    struct clone_args args = { .flags = CLONE_VFORK | CLONE_PIDFD,
                               .pidfd = (__u64)(uintptr_t)pidfd,
                               .exit_signal = SIGCHLD };
    bool has_cgroup = command->options & EDO_COMMAND_CGROUP;
    if (has_cgroup) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (__u64)command->cgroup;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && errno != EAGAIN && errno != ENOMEM && errno != EMFILE && !has_cgroup) {
        args.flags = CLONE_VFORK; // no CLONE_PIDFD, as in clone_sharing
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    }
    if (pid == 0) be_born(b);
    return pid;
}

static bool copies(const edo_command *command)
{
    return EDO__ASAN || EDO__TSAN || (command->options & EDO_COMMAND_CGROUP);
}

/* Takes the status of a child that has reported a failure and is about to end. */
static void bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static int64_t make_child(birth *b, char *memory, int *pidfd)
{
    uint64_t all = UINT64_MAX;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &b->mask, SET_SIZE);
    pid_t pid = copies(b->plan->command) ? clone_copying(b, pidfd)
                                         : clone_sharing(b, memory + STACK_SIZE, pidfd);
    int error = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &b->mask, NULL, SET_SIZE);
    return pid < 0 ? -error : pid;
}

/* Stores the child in *ret_child. If the child has reported a failed step, stores that step in
 * *ret_step instead, and returns the error of the step. */
static int conclude(const report *r, pid_t pid, int pidfd, edo__spawned *ret_child,
                    edo_spawn_step *ret_step)
{
    int error = __atomic_load_n(&r->error, __ATOMIC_ACQUIRE);
    if (error) {
        bury(pid);
        if (pidfd >= 0) close(pidfd);
        *ret_step = (edo_spawn_step)r->step;
        return -error;
    }
    if (pidfd < 0) pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    *ret_child = (edo__spawned){ .pid = pid, .fd = pidfd };
    return 0;
}

uint64_t edo__sys_signal_mask(void)
{
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, SET_SIZE);
    return mask;
}

int edo__sys_spawn(const edo__spawn_plan *plan, edo__spawned *ret_child, edo_spawn_step *ret_step)
{
    int pidfd = -1;
    char *memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
    *ret_step = EDO_STEP_CLONE;
    if (memory == MAP_FAILED) return -ENOMEM;
    birth b = { .plan = plan, .report = (report *)(void *)memory, .parent = getpid() };
    int64_t pid = make_child(&b, memory, &pidfd);
    int rc = pid < 0 ? (int)pid : conclude(b.report, (pid_t)pid, pidfd, ret_child, ret_step);
    munmap(memory, STACK_SIZE);
    return rc;
}

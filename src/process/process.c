/* Child processes: spawning, signals, and closing of handles. */
#include "process/process.h"

#include "base/base.h"
#include "base/duration.h"
#include "process/plan.h"
#include "process/reaper.h"
#include "runtime/inspect/maker.h"
#include "sys/sys.h"

#include <edo/blocking.h>

#define DEFAULT_GRACE edo_s(5)
#define FIRST_PAUSE   edo_ms(1)  // pause before the first retry after -ETXTBSY; doubled each time
#define LAST_PAUSE    edo_ms(64) // longest pause

/* ---- the object ---- */

void edo__process_unref(edo_process *process)
{
    if (edo_sub_acq_rel(&process->refs, 1) > 1) return;
    edo__sys_close(process->fd);
    edo__sys_close(process->bell);
    edo__free_closed(process, sizeof *process);
}

static void release(edo__source *source)
{
    edo__process_unref(edo__container(source, edo_process, source));
}

static const edo__source_ops source_ops = { .release = release };

/* Allocates the object and opens the streams before the child is made, so that nothing can fail
 * once the child runs. */
static int create(edo__plan *plan, edo_process **ret_process)
{
    edo_process *process = edo__alloc_zeroed(sizeof *process);
    if (!process) return -ENOMEM;
    const edo_command *command = plan->spawn.command;
    bool makes_group = (command->options & EDO_COMMAND_GROUP) && command->group == 0;
    process->refs = 1;
    process->fd = process->bell = -1;
    process->fork_generation = edo__sys_fork_generation();
    process->on_close = command->on_close;
    process->grace = command->grace ? command->grace : DEFAULT_GRACE;
    process->leads = makes_group || (command->options & EDO_COMMAND_SESSION);
    process->kill_at = EDO_NEVER;
    *ret_process = process;
    for (int i = 0; i < 3; i++) {
        if (plan->ours[i] < 0) continue;
        process->stdio[i] = edo__fd_io_create(plan->ours[i], 0);
        if (!process->stdio[i]) return -ENOMEM;
        plan->ours[i] = -1;
    }
    return 0;
}

static void close_stdio(edo_process *process)
{
    for (int i = 0; i < 3; i++)
        edo_close(edo_process_take(process, i));
}

static void discard(edo_process *process)
{
    if (!process) return;
    close_stdio(process);
    edo__process_unref(process);
}

/* ---- spawning ---- */

static void warn_of_ignored_children(void)
{
    static edo_atomic(bool) said;
    if (!edo__sys_children_are_ignored() || edo_swap_relaxed(&said, true)) return;
    edo__log(EDO_LOG_WARN, "SIGCHLD is ignored (or SA_NOCLDWAIT is set): the system drops the "
                           "status of children, and waits answer -ECHILD");
}

static int spawn_once(const edo__plan *plan, edo__spawned *ret_child, edo_spawn_step *ret_step)
{
    bool has_death_signal = plan->spawn.command->parent_death;
    return has_death_signal ? edo__reaper_spawn(&plan->spawn, ret_child, ret_step)
                            : edo__sys_spawn(&plan->spawn, ret_child, ret_step);
}

/* Spawns a child. Tries again after -ETXTBSY, which means that the program is open for writing. A
 * program that was just written may still be open in a child that another thread has made, until
 * that child executes its own program. */
static int spawn(const edo__plan *plan, edo__spawned *ret_child, edo_spawn_step *ret_step)
{
    for (int64_t pause = FIRST_PAUSE;; pause *= 2) {
        int rc = spawn_once(plan, ret_child, ret_step);
        if (rc != -ETXTBSY || pause > LAST_PAUSE) return rc;
        edo__sys_sleep(pause);
    }
}

/* Initialises the object after the spawn. If the child has no descriptor, waits use an eventfd that
 * the reaper sets. */
static void begin(edo_process *process, const edo__spawned *child)
{
    process->pid = child->pid;
    process->fd = child->fd < 0 ? -1 : child->fd;
    if (process->fd < 0) process->bell = edo__sys_event_open();
    edo_fd fd = process->fd < 0 ? process->bell : process->fd;
    edo__source_init(&process->source, fd, EDO__SOURCE_SEVERAL | EDO__SOURCE_BORROWED, &source_ops);
    edo__source_note_maker(&process->source, "process");
    if (process->fd < 0) {
        edo_add_relaxed(&process->refs, 1);
        edo__reaper_add(process);
    }
}

void edo__command_keep_mask(edo_command *command)
{
    if (command->options & EDO_COMMAND_KEEP_SIGNALS) command->mask = edo__sys_signal_mask();
}

int edo__command_spawn(edo_command *command, edo_process **ret_process)
{
    edo__plan plan;
    edo__spawned child;
    edo_process *process = NULL;
    int rc = edo__plan_init(&plan, command, &command->failed);
    if (rc < 0) return rc;
    rc = create(&plan, &process);
    if (rc == 0) rc = spawn(&plan, &child, &command->failed);
    edo__plan_deinit(&plan);
    if (rc < 0) {
        discard(process);
        return rc;
    }
    begin(process, &child);
    warn_of_ignored_children();
    command->failed = EDO_STEP_NONE;
    *ret_process = process;
    return 0;
}

int edo_command_spawn(edo_command *command, edo_process **ret_process)
{
    if (!command || !ret_process) return -EINVAL;
    edo__command_keep_mask(command);
    return edo__command_spawn(command, ret_process);
}

static int64_t start(void *arg)
{
    edo_command *command = arg;
    return edo__command_spawn(command, command->ret_process);
}

edo_op edo_command_start(edo_command *command, edo_process **ret_process)
{
    edo__check_memory("edo_command_start", command, "command");
    edo__check_memory("edo_command_start", ret_process, "output");
    if (!command || !ret_process) return edo__op_refuse(-EINVAL);
    command->ret_process = ret_process;
    edo__command_keep_mask(command);
    return edo_blocking(start, command);
}

const char *edo_spawn_step_name(edo_spawn_step step)
{
    static const char *const names[] = {
        [EDO_STEP_NONE] = "none",
        [EDO_STEP_COMMAND] = "command",
        [EDO_STEP_STDIO] = "stdio",
        [EDO_STEP_CLONE] = "clone",
        [EDO_STEP_GROUP] = "group",
        [EDO_STEP_TERMINAL] = "terminal",
        [EDO_STEP_DESCRIPTORS] = "descriptors",
        [EDO_STEP_LIMITS] = "limits",
        [EDO_STEP_IDS] = "ids",
        [EDO_STEP_PARENT_DEATH] = "parent death",
        [EDO_STEP_DIRECTORY] = "directory",
        [EDO_STEP_EXEC] = "exec",
    };
    return (size_t)step < sizeof names / sizeof *names ? names[step] : "unknown";
}

/* ---- handles ---- */

int edo_process_pid(const edo_process *process)
{
    return process ? process->pid : -EINVAL;
}

edo_io *edo_process_take(edo_process *process, int which)
{
    if (!process || which < 0 || which > 2) return NULL;
    edo__source_check(&process->source, "edo_process_take");
    edo__lock_take(&process->lock);
    edo_io *io = process->stdio[which];
    process->stdio[which] = NULL;
    edo__lock_give(&process->lock);
    return io;
}

int edo__process_collect(edo_process *process)
{
    edo__lock_take(&process->lock);
    if (!process->state) process->state = edo__sys_child_status(process->pid, &process->exit);
    int state = process->state;
    edo__lock_give(&process->lock);
    return state;
}

/* Sends a signal. The lock prevents other threads from taking the status during the call. Once the
 * status was taken, the system could reuse the pid, and the signal would reach another process. */
static int send(edo_process *process, int signal, bool to_group)
{
    edo__lock_take(&process->lock);
    int rc = -ESRCH;
    if (!process->state)
        rc = to_group ? edo__sys_child_kill_group(process->pid, signal)
                      : edo__sys_child_kill(process->pid, process->fd, signal);
    edo__lock_give(&process->lock);
    return rc;
}

int edo__process_signal(edo_process *process, int signal)
{
    return send(process, signal, process->leads);
}

int edo_process_kill(edo_process *process, int signal)
{
    if (!process) return -EINVAL;
    edo__source_check(&process->source, "edo_process_kill");
    return send(process, signal, false);
}

int edo_process_kill_group(edo_process *process, int signal)
{
    if (!process) return -EINVAL;
    edo__source_check(&process->source, "edo_process_kill_group");
    return send(process, signal, true);
}

/* Passes a running child to the reaper, and ends the child as `on_close` requires. If the child has
 * no descriptor, it is already in the reaper's list. The caller's reference keeps the object valid
 * during this call. */
static void leave_behind(edo_process *process)
{
    if (process->fd >= 0) {
        edo_add_relaxed(&process->refs, 1);
        edo__reaper_add(process);
    }
    if (process->on_close == EDO_PROCESS_KILL)
        edo__process_signal(process, EDO__SIGNAL_NUMBER_KILL);
    if (process->on_close == EDO_PROCESS_TERMINATE) {
        edo__process_signal(process, EDO__SIGNAL_NUMBER_TERMINATE);
        edo__reaper_kill_at(process, edo__later(edo__sys_now(), process->grace));
    }
}

static bool runs(edo_process *process)
{
    if (process->fork_generation != edo__sys_fork_generation()) return false; // not our child
    return process->fd < 0 || edo__process_collect(process) == 0;
}

void edo_process_close(edo_process *process)
{
    if (!process) return;
    edo__source_check_open(&process->source, "edo_process_close");
    if (runs(process)) leave_behind(process);
    close_stdio(process); // after the signal: a child must not take a cut input for the whole
    edo__source_close(&process->source, "edo_process_close");
}

/* Pipelines and pseudo-terminals. */
#include "process/process.h"

#include "base/base.h"
#include "sys/sys.h"

/* ---- pipelines ---- */

static void kill_all(edo_process **processes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        processes[i]->on_close = EDO_PROCESS_KILL;
        edo_process_close(processes[i]);
    }
}

/* Spawns one command between two pipes. *input: the end of a pipe from which the command reads, or
 * -1. On return, *input is the end from which the next command reads. */
static int spawn_linked(edo_command *command, bool is_last, edo_fd *input,
                        edo_process **ret_process)
{
    edo_fd fds[2] = { -1, -1 };
    edo_command linked = *command;
    if (!is_last) {
        int rc = edo__sys_child_pipe(-1, fds);
        command->failed = EDO_STEP_STDIO;
        if (rc < 0) return rc;
        linked.out = (edo_stdio){ .kind = EDO_STDIO_FD, .fd = fds[1] };
    }
    if (*input >= 0) linked.in = (edo_stdio){ .kind = EDO_STDIO_FD, .fd = *input };
    int rc = edo_command_spawn(&linked, ret_process);
    command->failed = linked.failed;
    edo__sys_close(fds[1]);
    edo__sys_close(*input);
    *input = fds[0];
    return rc;
}

int edo_pipeline_spawn(edo_command *commands, size_t count, edo_process **ret_processes)
{
    edo_fd input = -1;
    if (!commands || !ret_processes || count == 0) return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int rc = spawn_linked(&commands[i], i + 1 == count, &input, &ret_processes[i]);
        if (rc == 0) continue;
        edo__sys_close(input);
        kill_all(ret_processes, i);
        return rc;
    }
    return 0;
}

/* ---- terminals ---- */

int edo_pty_open(edo_pty *ret_pty, unsigned rows, unsigned columns)
{
    edo_fd fds[2];
    if (!ret_pty) return -EINVAL;
    int rc = edo__sys_open_pty(rows, columns, fds);
    if (rc < 0) return rc;
    edo_io *io = edo__fd_io_create(fds[0], EDO__SOURCE_MASTER);
    if (io) {
        *ret_pty = (edo_pty){ .io = io, .child = fds[1] };
        return 0;
    }
    edo__sys_close(fds[0]);
    edo__sys_close(fds[1]);
    return -ENOMEM;
}

void edo_pty_close_child(edo_pty *pty)
{
    edo__sys_close(pty->child);
    pty->child = -1;
}

void edo_pty_close(edo_pty *pty)
{
    if (!pty->io) return; // zeroed, or closed before
    edo_pty_close_child(pty);
    edo_close(pty->io);
    pty->io = NULL;
}

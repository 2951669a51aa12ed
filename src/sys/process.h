/* Contract with the operating system: child processes. Thread: any. */
#pragma once

#include <edo/process.h>

/* A descriptor of the child. */
typedef struct edo__fd_move {
    edo_fd source, target;
    edo_fd current; // the source's number while the child moves descriptors; set by the child
} edo__fd_move;

/* A command, and everything that the child needs. Prepared before the child exists. */
typedef struct edo__spawn_plan {
    const edo_command *command;
    const char *const *paths; // paths to try for the program, in order; then NULL
    char *const *argv, *const *envp;
    edo__fd_move *moves; // sorted by target
    size_t move_count;
    uint64_t mask; // with EDO_COMMAND_KEEP_SIGNALS: signals that the child blocks
} edo__spawn_plan;

typedef struct edo__spawned {
    int32_t pid;
    edo_fd fd; // readable when the child has ended; -1: the system has no such descriptor
} edo__spawned;

/* Makes the child, and waits until the child has executed the program.
 * Returns: 0; or a negative errno. On failure *ret_step is set, and no child is left. */
int edo__sys_spawn(const edo__spawn_plan *plan, edo__spawned *ret_child, edo_spawn_step *ret_step);

/* Takes the status of a child that has ended. After that, the system may reuse the pid. Returns: 1:
 * the status was taken; 0: the child is still running; -ECHILD: the status is lost. */
int edo__sys_child_status(int32_t pid, edo_exit *ret_exit);

/* Sends a signal to a child whose status has not been taken. fd: see edo__spawned. */
int edo__sys_child_kill(int32_t pid, edo_fd fd, int signal);
int edo__sys_child_kill_group(int32_t pid, int signal);

enum { EDO__SIGNAL_NUMBER_TERMINATE = 15, EDO__SIGNAL_NUMBER_KILL = 9 };

/* Whether the system drops the status of children, because this process ignores SIGCHLD or has set
 * SA_NOCLDWAIT. */
bool edo__sys_children_are_ignored(void);

/* Returns: the blocked signals of the calling thread, as bits in the system's order. */
uint64_t edo__sys_signal_mask(void);

/* Returns: the environment of this process, terminated by NULL. */
char *const *edo__sys_environment(void);

/* Opens a file that will become a descriptor of a child. path: NULL for the null device.
 * Returns: the descriptor, closed by exec; or a negative errno. */
edo_fd edo__sys_open_stdio(const char *path, edo_stdio_kind kind, bool is_output);

bool edo__sys_fd_is_open(edo_fd fd);

/* Makes a pipe, closed by exec. ours: index in ret_fds of the end that becomes non-blocking; -1 for
 * no end. Returns: 0 or a negative errno. */
int edo__sys_child_pipe(int ours, edo_fd ret_fds[2]);

/* Opens a pseudo-terminal. ret_fds[0]: the master, non-blocking. ret_fds[1]: the terminal. */
int edo__sys_open_pty(unsigned rows, unsigned columns, edo_fd ret_fds[2]);

/* A descriptor in edo__sys_poll_many(); fd -1 is ignored. */
typedef struct edo__polled {
    edo_fd fd;
    uint16_t wanted, ready; // wanted: EDO_READABLE; ready: not 0 if the descriptor is ready
} edo__polled;

/* Waits until a descriptor is ready, at most `timeout` ns. INT64_MAX: no limit. */
void edo__sys_poll_many(edo__polled *polled, size_t count, int64_t timeout);

/* Blocks all signals on the calling thread, which is a thread of the library. */
void edo__sys_block_signals(void);

/* Sleeps for `duration` ns. */
void edo__sys_sleep(int64_t duration);

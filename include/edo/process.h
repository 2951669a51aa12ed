/* Processes: commands, children, their streams and ends.
 *
 * A command is a plain struct in the user's frame. Zeroed members have the usual meaning: the
 * child inherits the environment, the directory, and descriptors 0 to 2.
 *
 *     static const char *const argv[] = { "sort", "-n", NULL };
 *     self->command = (edo_command){ .argv = argv, .in.kind = EDO_STDIO_PIPE };
 *     rc = edo_command_spawn(&self->command, &self->process);
 *     if (rc < 0) ...                        // -ENOENT: no such program
 *     ...
 *     edo_await(rc, edo_process_wait(self->process, &self->exit));
 *     edo_process_close(self->process);
 *
 * The child. The child is made without a copy of the parent's memory. The call that spawns returns
 * only when the child has loaded the program. So a program that cannot be executed is an error of
 * this call, and edo_command.failed names the step that failed. The child has only the descriptors
 * that the command names. Signals have their default actions and are not blocked. Signals that the
 * process ignores remain ignored, except SIGPIPE. No fork handler of the program is called. The
 * child inherits the priority and the processor affinity of the calling thread, even if that thread
 * is a worker bound to one processor.
 *
 * The end of a child. Several tasks may wait for one child. The library waits for each of its own
 * children by pid, and never for other children. Where the kernel has pidfds, the library installs
 * no handler for SIGCHLD. If another part of the program waits for all children (waitpid(-1)), or
 * ignores SIGCHLD, the status is lost, and the wait answers -ECHILD. If the handle is closed before
 * the child ends, a thread of the library takes the status later, so no zombie remains. */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_process edo_process;

typedef enum edo_stdio_kind {
    EDO_STDIO_INHERIT, // the descriptor of this process; /dev/null if it is closed
    EDO_STDIO_NULL,    // /dev/null
    EDO_STDIO_PIPE,    // a pipe; edo_process_take() gives its other end
    EDO_STDIO_FD,      // the descriptor `fd`, which remains the caller's
    EDO_STDIO_FILE,    // the file `path`: read as input; created or emptied as an output
    EDO_STDIO_APPEND,  // the file `path`: created or appended to
    EDO_STDIO_OUT,     // for err: the same as out
} edo_stdio_kind;

typedef struct edo_stdio {
    edo_stdio_kind kind;
    edo_fd fd;
    const char *path;
} edo_stdio;

/* Gives the child the descriptor `source` of this process under the number `target`. */
typedef struct edo_fd_map {
    edo_fd source, target;
} edo_fd_map;

/* The user, the group and all supplementary groups of the child. */
typedef struct edo_process_ids {
    uint32_t uid, gid;
    const uint32_t *groups;
    uint32_t group_count;
} edo_process_ids;

enum { EDO_NO_LIMIT = -1 };

typedef struct edo_process_limit {
    int resource;       // RLIMIT_* of the system
    int64_t soft, hard; // EDO_NO_LIMIT: none
} edo_process_limit;

/* The fate of a child that still runs when its handle is closed. */
typedef enum edo_process_fate {
    EDO_PROCESS_LEAVE,     // the child continues to run
    EDO_PROCESS_TERMINATE, // SIGTERM; SIGKILL after edo_command.grace
    EDO_PROCESS_KILL,      // SIGKILL
} edo_process_fate;

/* The step at which a spawn has failed. */
typedef enum edo_spawn_step {
    EDO_STEP_NONE,
    EDO_STEP_COMMAND,      // the command itself is wrong
    EDO_STEP_STDIO,        // a pipe or a file of in, out or err
    EDO_STEP_CLONE,        // the creation of the process, and its cgroup
    EDO_STEP_GROUP,        // the process group or the session
    EDO_STEP_TERMINAL,     // the controlling terminal
    EDO_STEP_DESCRIPTORS,  // usually a descriptor that is not open
    EDO_STEP_LIMITS,       // a limit, or the priority
    EDO_STEP_IDS,          // user and groups
    EDO_STEP_PARENT_DEATH, // the parent-death signal
    EDO_STEP_DIRECTORY,    // the working directory
    EDO_STEP_EXEC,         // the program
} edo_spawn_step;

/* Bits of edo_command.options. */
enum {
    EDO_COMMAND_CLEAR_ENV = 1,    // `env` is applied to an empty environment
    EDO_COMMAND_NO_SEARCH = 2,    // `program` is a path, even without a slash
    EDO_COMMAND_KEEP_FDS = 4,     // the child inherits all descriptors without close-on-exec
    EDO_COMMAND_KEEP_SIGNALS = 8, // mask and ignored signals as in the calling thread
    EDO_COMMAND_GROUP = 16,       // the child is in a new process group, or in `group`
    EDO_COMMAND_SESSION = 32,     // the child has a new session
    EDO_COMMAND_TERMINAL = 64,    // `terminal` is the controlling terminal; needs a new session
    EDO_COMMAND_UMASK = 128,      // the child has `umask`
    EDO_COMMAND_CGROUP = 256,     // the child begins in the cgroup of the descriptor `cgroup`
};

typedef struct edo_command {
    const char *program;     // path, or a name to search for; NULL: argv[0]
    const char *const *argv; // ends with NULL; NULL: the program's name alone
    const char *const *env;  // ends with NULL; "NAME=value" sets, "NAME" removes; NULL: no change
    const char *directory;   // NULL: that of this process
    edo_stdio in, out, err;
    const edo_fd_map *fds; // further descriptors; targets from 3 on
    uint32_t fd_count;
    uint32_t options;           // EDO_COMMAND_*
    const edo_process_ids *ids; // NULL: those of this process
    const edo_process_limit *limits;
    uint32_t limit_count;
    uint32_t umask;
    int32_t group;        // 0: a new group
    int32_t nice;         // added to the priority of this process
    int32_t parent_death; // signal sent to the child when this process ends; 0: none
    edo_fd terminal, cgroup;
    edo_process_fate on_close;
    int64_t grace;             // ns from SIGTERM to SIGKILL; 0: 5 s
    edo_spawn_step failed;     // set by the spawn
    edo_process **ret_process; // private
    uint64_t mask;             // private
    void *reserved[3];
} edo_command;

/* Status of a child that has ended. */
typedef struct edo_exit {
    int code;             // argument of exit(); 0 if a signal has ended the process
    int signal;           // signal that has ended the process; 0: ended by exit()
    bool has_core;        // memory was dumped
    int64_t user, system; // ns of processor time
    int64_t max_memory;   // bytes
    int64_t minor_faults, major_faults;
    int64_t voluntary_switches, involuntary_switches;
    int64_t reserved[4];
} edo_exit;

enum { EDO_EXIT_SIGNAL = 256 }; // added to the signal in the result of a wait

/* ---- spawning ---- */

/* Starts a program. A name without a slash is searched for in the PATH of the child's environment,
 * unless EDO_COMMAND_NO_SEARCH is set. A relative path is relative to the child's directory. If
 * another process has the program open for writing (ETXTBSY), the start is tried again for about
 * 100 ms.
 * Returns: 0, or a negative errno. After an error, command->failed is the step that failed, and no
 * process remains. The errors are -EINVAL for a command without a program, or with a target that is
 * below 3 or used twice; -ENOENT; -EACCES; -EMFILE; -EAGAIN; -ENOMEM; other errors of the system.
 * Thread: any. Blocks until the program is loaded: some hundred microseconds from a local disk. */
EDO_API EDO_MUST_USE int edo_command_spawn(edo_command *command, edo_process **ret_process);

/* As edo_command_spawn(), on the runtime's pool "user", for programs on slow disks.
 * Cancel: as edo_blocking(): prompt until the spawn begins; afterwards waits, and answers the
 * result of the spawn. */
EDO_API EDO_MUST_USE edo_op edo_command_start(edo_command *command, edo_process **ret_process);

/* Starts several commands. The output of each command is the input of the next. `in` of the first
 * command and `out` of the last command are used as they are.
 * ret_processes: receives `count` processes. Returns: as edo_command_spawn(); after an error, the
 * processes that were started are killed. Thread: as edo_command_spawn(). */
EDO_API EDO_MUST_USE int edo_pipeline_spawn(edo_command *commands, size_t count,
                                            edo_process **ret_processes);

/* Name of a step, such as "exec". */
EDO_API const char *edo_spawn_step_name(edo_spawn_step step);

/* ---- children ---- */

EDO_API int edo_process_pid(const edo_process *process);

/* Takes the stream of a pipe. which: 0 for in, 1 for out, 2 for err. From then on the stream is the
 * caller's. If `in` was not taken, the first wait closes it. The close of the handle closes the
 * other streams that were not taken.
 * Returns: the stream; NULL if there is no pipe, or if its stream was already taken. Thread:
 * any. */
EDO_API edo_io *edo_process_take(edo_process *process, int which);

/* Waits until the child has ended.
 * ret_exit: may be NULL.
 * Result: the exit code (0 to 255), or EDO_EXIT_SIGNAL + the signal that has ended the process;
 * -ECHILD: the status is lost; -EXDEV while tasks of another runtime wait; -ESTALE in the child of
 * a fork. Cancel: prompt; the child continues. */
EDO_API EDO_MUST_USE edo_op edo_process_wait(edo_process *process, edo_exit *ret_exit);

/* Takes the status without waiting.
 * Returns: as edo_process_wait(); -EAGAIN while the child runs. Thread: any. */
EDO_API int edo_process_try_wait(edo_process *process, edo_exit *ret_exit);

/* Sends SIGTERM, then closes the input as a wait does. Sends SIGKILL if the child has not ended
 * after `grace` ns, and waits for the child's end. If the command made a process group or a
 * session, both signals go to the whole group.
 * Result: as edo_process_wait(). Cancel: prompt; signals that were sent are not taken back. */
EDO_API EDO_MUST_USE edo_op edo_process_stop(edo_process *process, int64_t grace,
                                             edo_exit *ret_exit);

/* These calls send a signal to the child, or to the process group that the child leads. After the
 * child's end, the system may give its pid to another process. The signal never reaches that
 * process.
 * Returns: 0; -ESRCH: the child has ended and its status was taken; -EINVAL; -EPERM.
 * Thread: any. */
EDO_API int edo_process_kill(edo_process *process, int signal);
EDO_API int edo_process_kill_group(edo_process *process, int signal);

/* Closes the handle. If the child still runs, edo_command.on_close decides its fate, and its status
 * is taken in the background. A signal is sent before the child's input ends. Waiting operations
 * answer -ECANCELED. NULL is ignored. Thread: any. */
EDO_API void edo_process_close(edo_process *process);

/* ---- whole outputs ---- */

typedef struct edo_output {
    /* Set by the caller before the first call: (edo_output){ 0 } is the default. */
    const void *input; // bytes to write to the child's input pipe, which is then closed
    size_t input_size;
    size_t limit;    // greatest number of bytes kept of each output; 0: 16 MiB
    int64_t grace;   // ns from the child's end until outputs that are still open are given up; 0:
                     // 1 s. A process that the child has started may keep an output open.
    edo_exit *exits; // receives the status of each process; may be NULL

    /* Results. The buffers are the caller's: edo_buffer_deinit(). */
    edo_buffer out, err;
    bool out_truncated, err_truncated; // bytes beyond `limit` were dropped
    bool was_cut;                      // an output was given up after `grace`

    /* All below is private. */
    edo_process *const *processes;
    size_t count, ended;
    int64_t result, deadline;
    struct {
        edo_io *io;
        edo_op op;
        bool is_done;
    } ways[3];
    edo_process *own;
    edo_command *command;
    edo_op waiting;
    bool has_begun, has_failed;
    const edo_op *user;
} edo_output;

/* Runs a command to its end: writes the input, and reads both outputs at the same time. If the
 * command does not set `out` or `err`, that output is a pipe. If the command does not set `in`,
 * `in` is a pipe if there are bytes to write, and the null device otherwise. A child that does not
 * read all of its input is not an error. The spawn is a job of the pool "user", as that of
 * edo_command_start().
 * Result: as edo_process_wait(), or an error of the spawn; -ENOMEM.
 * Cancel: waits, briefly. After a cancellation, also by a limit, the operation closes the handle,
 * so edo_command.on_close decides the fate of the child. By default the child continues to run, and
 * nobody reads its outputs; EDO_PROCESS_KILL ends the child. The bytes that were read are in the
 * buffers. */
EDO_API EDO_MUST_USE edo_op edo_command_output(edo_command *command, edo_output *output);

/* As edo_command_output(), for processes that were spawned before. The operation writes the input
 * of the first process, reads the outputs of the last process, and waits for the ends of all
 * processes. It uses the pipes that were not taken. The processes remain the caller's, and must
 * stay open until the operation has ended. (If a process is closed too early, the operation answers
 * -ECANCELED.)
 * Result: that of the last process. Cancel: waits, briefly; another call with the same `output`
 * continues. */
EDO_API EDO_MUST_USE edo_op edo_process_output(edo_process *const *processes, size_t count,
                                               edo_output *output);

/* ---- terminals ---- */

typedef struct edo_pty {
    edo_io *io;   // the master's side: write what a user types, read what a user sees
    edo_fd child; // the terminal, for EDO_STDIO_FD and edo_command.terminal; -1 once closed
} edo_pty;

/* Opens a pair of pseudo-terminals. Close `child` after the spawn (edo_pty_close_child), because
 * while it is open, a read of `io` does not answer 0, even after the child process has exited.
 * rows, columns: 0 for a size that is not set. Returns: 0; -ENOMEM; -ENOSPC and others of the
 * system. */
EDO_API EDO_MUST_USE int edo_pty_open(edo_pty *ret_pty, unsigned rows, unsigned columns);
EDO_API void edo_pty_close_child(edo_pty *pty);
EDO_API void edo_pty_close(edo_pty *pty); // closes both sides; ignores zeroed memory

EDO_END_DECLS

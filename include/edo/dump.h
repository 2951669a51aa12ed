/* Dumps of all tasks, as text for people. A dump is made line by line.
 *
 *     runtime 'edo' on epoll: 2 tasks; 2 workers, 1 of them asleep, 1 stuck
 *     worker 0 runs task 'crunch' #1025, since 512 ms, spawned by serve at server.c:71
 *       crunch (server.c:40)
 *       its thread is in
 *         crunch_async_body+0x5c (server)
 *     task 'serve' #1 waits, last polled 513 ms ago, spawned by main at server.c:90
 *       serve (server.c:73)
 *         session (server.c:55)
 *           edo_read
 *
 * The running tasks come first, each with its worker and the stack of its thread. For a running
 * function, the dump shows the line of its last await. All other tasks follow, each with its async
 * backtrace. A backtrace lists the task's functions with their lines, outermost first, and ends
 * with the operation that the task waits for.
 *
 * The inspection of a waiting task takes some microseconds, in which the task cannot run. If a
 * thread runs a task, SIGURG interrupts the thread, and the thread reports its own task. So a dump
 * also works while all workers are stuck. The signal may end a system call of that thread with
 * EINTR. A task that yields all the time is asked several times to pause. If the task never pauses,
 * the dump shows the task's name but not its frames. Tasks that begin or end during the dump may be
 * missing.
 *
 * A dump allocates a list of the tasks of each worker. If there is no memory for a list, the tasks
 * of that list are missing, and the call returns -ENOMEM. The tasks that the workers run are always
 * shown.
 *
 * Dumps can also be made without a call. With edo_config.dump_on_quit, SIGQUIT dumps the runtime to
 * the log, and the program continues. With EDO_DUMP_ON_ABORT=1 in the environment, an abort for
 * misuse first dumps all runtimes to stderr. tools/gdb/edo.py prints the same dump in a debugger,
 * also from a core file.
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS

/* Receives one line, without its newline. The line is valid during the call. Called on the thread
 * that asked for the dump. No task is kept from running during the call, so the function may be
 * slow, and may call anything. */
typedef void edo_dump_fn(void *context, const char *line);

/* Dumps all tasks of a runtime. Several dumps may be made at once.
 * write: NULL sends the lines to the log, as warnings.
 * Returns: 0; -ENOMEM when tasks are missing or backtraces were cut; -ESTALE in the child of a
 * fork.
 * Thread: any that holds the runtime or a reference, also inside tasks. With a reference, a dump
 * may be made even while the runtime is being destroyed. */
EDO_API int edo_dump(edo_runtime *runtime, edo_dump_fn *write, void *context);

/* Dumps all runtimes of the process, in the order of their creation, including runtimes that could
 * not be ended. Returns: 0 or -ENOMEM. Thread: any. */
EDO_API int edo_dump_all(edo_dump_fn *write, void *context);

EDO_END_DECLS

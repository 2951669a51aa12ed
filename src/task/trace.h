/* Backtraces of futures, and the place of a task for lines of the log and of aborts. */
#pragma once

#include <edo/task.h>

void edo__trace_future(const edo_future *future, int depth,
                       void (*visit)(void *context, const edo_trace_line *), void *context);

/* Finds the function that a task is running now, at any depth of calls. If no function is running,
 * finds the innermost function that waits. The function's `line` is the line of its last await.
 * Returns: NULL if the task has not begun. Thread: the task's poller, or an inspector. */
const edo_future *edo__function_of(const edo_task *task);

/* Table for a future whose waits may be in a source file other than edo_future_ops.file.
 * edo_future_ops.reserved[0] points to the table. `file_of` returns the file in which the future
 * waits now, or NULL. A signal handler of the poller's thread may call `file_of`, too. */
typedef struct edo__places {
    const char *(*file_of)(const edo_future *future);
} edo__places;

enum { EDO__PLACE_SIZE = 256 };

/* Writes ", in 'function' at file:line" for the function that edo__function_of() finds, and the
 * line of its last await. Writes "" if no function has begun. Thread: the task's poller, or an
 * inspector. Returns: text. */
const char *edo__describe_place(const edo_task *task, char text[EDO__PLACE_SIZE]);

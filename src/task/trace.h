/* Backtraces of futures, and the place of a task for lines of the log and of aborts. */
#pragma once

#include <edo/task.h>

void edo__trace_future(const edo_future *future, int depth,
                       void (*visit)(void *context, const edo_trace_line *), void *context);

/* The function of the task that runs, however deep, or else the innermost that waits; NULL: it has not
 * begun. Its line is that of its last await. The task's poller, or an inspector. */
const edo_future *edo__function_of(const edo_task *task);

/* Of a future that waits in more files than that of its ops; their `reserved` has it. file_of: the
 * file of the place where it waits now, or NULL; also in a signal handler of its poller's. */
typedef struct edo__places {
    const char *(*file_of)(const edo_future *future);
} edo__places;

enum { EDO__PLACE_SIZE = 256 };

/* ", in 'function' at file:line": the innermost running function of the task, and the line of its
 * last await; "" if no function has begun. Thread: the task's poller, or an inspector. Returns:
 * text. */
const char *edo__describe_place(const edo_task *task, char text[EDO__PLACE_SIZE]);

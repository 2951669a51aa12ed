/* Snapshots: the task that a worker polls at this moment, and its stack. Only the thread that polls a task
 * may read its frames, and its own stack. So it is interrupted by a signal, whose handler
 * fills the snapshot. */
#pragma once

#include "runtime/schedule/worker.h"

enum {
    EDO__SNAPSHOT_LINES = 64, // of the task's backtrace; what is deeper is only counted
    EDO__SNAPSHOT_STACK = 48,
    EDO__SNAPSHOT_NAME = 64,
};

typedef struct edo__snapshot {
    edo__worker *worker;
    uint32_t asker;  // a thread
    bool is_polling; // else only the stack is there
    char name[EDO__SNAPSHOT_NAME];
    uint64_t id;
    const edo_site *site;
    int64_t poll_start;
    size_t line_count; // of lines[]
    size_t more_lines; // that did not fit
    size_t stack_count;
    edo_trace_line lines[EDO__SNAPSHOT_LINES];
    void *stack[EDO__SNAPSHOT_STACK];
} edo__snapshot;

/* Any thread, also that of the worker.
 * Returns: 0; -ETIMEDOUT or -ESRCH when its thread does not answer, or is none. */
int edo__snapshot_take(edo__snapshot *snapshot, edo__worker *worker);

enum { EDO__WHERE_SIZE = 256 };

/* "function (file:line)", with two spaces for each depth. Returns: text. */
const char *edo__describe_line(const edo_trace_line *line, char text[EDO__WHERE_SIZE]);

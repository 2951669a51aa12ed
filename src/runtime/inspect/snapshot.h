/* Snapshots. A snapshot has the task that a worker is polling, and the stack of the worker's
 * thread. Only the worker's thread may read the task's frames and the stack. So another thread that
 * takes a snapshot interrupts the worker's thread by a signal, and the signal handler fills the
 * snapshot. */
#pragma once

#include "runtime/schedule/worker.h"

enum {
    EDO__SNAPSHOT_LINES = 64, // lines of the task's backtrace; further lines are only counted
    EDO__SNAPSHOT_STACK = 48,
    EDO__SNAPSHOT_NAME = 64,
};

typedef struct edo__snapshot {
    edo__worker *worker;
    uint32_t asker;  // system's id of the thread that takes the snapshot
    bool is_polling; // whether the thread polls a task; false: only the stack is valid
    char name[EDO__SNAPSHOT_NAME];
    uint64_t id;
    const edo_site *site;
    int64_t poll_start;
    size_t line_count; // number of entries in lines[]
    size_t more_lines; // number of further lines, for which lines[] has no room
    size_t stack_count;
    edo_trace_line lines[EDO__SNAPSHOT_LINES];
    void *stack[EDO__SNAPSHOT_STACK];
} edo__snapshot;

/* Takes a snapshot. Thread: any, including the worker's thread.
 * Returns: 0; -ETIMEDOUT if the worker's thread does not respond; -ESRCH if the worker has no
 * thread. */
int edo__snapshot_take(edo__snapshot *snapshot, edo__worker *worker);

enum { EDO__WHERE_SIZE = 256 };

/* Writes a line as "function (file:line)", indented by two spaces per depth. Returns: text. */
const char *edo__describe_line(const edo_trace_line *line, char text[EDO__WHERE_SIZE]);

/* The text of a dump. It consists of lines for a runtime and lines for each of its tasks. dump.c
 * determines the order of the lines, and takes the locks.
 *
 * The dump's reference to a task keeps the task's memory valid, but not the task's name, which
 * belongs to the user. So the name is read only while the task cannot end: during an inspection of
 * the task, or on the worker's thread that is polling the task (snapshot.h). */
#pragma once

#include <edo/dump.h>

#include "runtime/runtime.h"
#include "runtime/inspect/snapshot.h"

enum {
    EDO__REPORTER_LINES = 64, // number of lines of a backtrace that need no allocated memory
    EDO__REPORTER_SEEN = 256, // size of seen[]; further running tasks may be reported twice
};

/* State of one dump. Only the dumping thread uses this struct. */
typedef struct edo__reporter {
    edo_runtime *runtime;
    edo_dump_fn *write;
    void *context;
    int rc;
    uint64_t seen[EDO__REPORTER_SEEN]; // ids of running tasks that were reported
    size_t seen_count;
    edo__snapshot snapshot;

    /* result of the last inspection */
    uint64_t state;
    int64_t poll_start;
    char name[EDO__SNAPSHOT_NAME];
    edo_trace_line few[EDO__REPORTER_LINES], *lines;
    size_t line_capacity, line_count; // if count > capacity, the lines beyond the capacity are lost
} edo__reporter;

void edo__reporter_init(edo__reporter *t, edo_runtime *runtime, edo_dump_fn *write, void *context);

/* Frees the memory of a reporter. Returns: 0; -ENOMEM if lines of a backtrace were lost. */
int edo__reporter_deinit(edo__reporter *t);

/* Writes one line. */
void edo__say(edo__reporter *t, const char *format, ...) EDO_PRINTF(2, 3);

void edo__report_runtime(edo__reporter *t);

/* Reports the running tasks that were not reported yet. If `tasks` is not NULL, reports only those
 * of them that are in `tasks`. */
void edo__report_workers(edo__reporter *t, edo_task *const *tasks, size_t count);

/* Reports a task, and drops the caller's reference. Returns: false if the task is running or being
 * inspected; the caller then keeps its reference. */
bool edo__report_task(edo__reporter *t, edo_task *task);

/* Reports a task that was running at each attempt to inspect it. Drops the caller's reference. */
void edo__report_restless(edo__reporter *t, edo_task *task);

/* The text of a dump: lines for a runtime, and for each of its tasks. dump.c has the order and the
 * locks.
 *
 * A reference keeps the memory of a task. The name belongs to the user, so it is read only while
 * the task cannot end. Threads report the tasks that they run (snapshot.h). */
#pragma once

#include <edo/dump.h>

#include "runtime/runtime.h"
#include "runtime/inspect/snapshot.h"

enum {
    EDO__REPORTER_LINES = 64, // lines of a backtrace without allocated memory
    EDO__REPORTER_SEEN = 256, // running tasks kept in mind; further ones may be named twice
};

/* State of one dump; only the dumping thread touches it. */
typedef struct edo__reporter {
    edo_runtime *runtime;
    edo_dump_fn *write;
    void *context;
    int rc;
    uint64_t seen[EDO__REPORTER_SEEN]; // ids
    size_t seen_count;
    edo__snapshot snapshot;

    /* result of the last inspection */
    uint64_t state;
    int64_t poll_start;
    char name[EDO__SNAPSHOT_NAME];
    edo_trace_line few[EDO__REPORTER_LINES], *lines;
    size_t line_capacity, line_count; // a count above the capacity: further lines were not kept
} edo__reporter;

void edo__reporter_init(edo__reporter *t, edo_runtime *runtime, edo_dump_fn *write, void *context);

/* Returns: 0; -ENOMEM when lines were not kept. */
int edo__reporter_deinit(edo__reporter *t);

/* Writes one line. */
void edo__say(edo__reporter *t, const char *format, ...) EDO_PRINTF(2, 3);

void edo__report_runtime(edo__reporter *t);

/* Reports the tasks that workers run. tasks: the only tasks to report; NULL: any. */
void edo__report_workers(edo__reporter *t, edo_task *const *tasks, size_t count);

/* Reports a task that is not running. Returns: false when it is running; else true, and the
 * caller's reference is dropped. */
bool edo__report_task(edo__reporter *t, edo_task *task);

/* Reports a task that ran at every inspection. Drops the caller's reference. */
void edo__report_restless(edo__reporter *t, edo_task *task);

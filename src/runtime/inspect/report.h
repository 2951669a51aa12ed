/* The text of a dump: lines for a runtime, and for each of its tasks. dump.c has the order, and the
 * locks.
 *
 * A task's memory stays by a reference; its name is the user's, and is read only while the task cannot
 * end. Threads report the tasks that they run (snapshot.h). */
#pragma once

#include <edo/dump.h>

#include "runtime/runtime.h"
#include "runtime/inspect/snapshot.h"

enum {
    EDO__REPORTER_LINES = 64, // of a backtrace, without more memory
    EDO__REPORTER_SEEN =
        256, // running tasks that are reported once; beyond that some are named twice
};

/* One dump's; only its thread touches it. */
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
    size_t line_capacity, line_count; // the count may be larger: the rest was not kept
} edo__reporter;

void edo__reporter_init(edo__reporter *t, edo_runtime *runtime, edo_dump_fn *write, void *context);

/* Returns: 0, or -ENOMEM when lines were not kept. */
int edo__reporter_deinit(edo__reporter *t);

/* One line. */
void edo__say(edo__reporter *t, const char *format, ...) EDO_PRINTF(2, 3);

void edo__report_runtime(edo__reporter *t);

/* Tasks that workers run. tasks: the only ones to report; NULL: any. */
void edo__report_workers(edo__reporter *t, edo_task *const *tasks, size_t count);

/* A task that does not run, with a reference.
 * Returns: false when it runs; else that is done with, and the reference given back. */
bool edo__report_task(edo__reporter *t, edo_task *task);

/* A task that runs at each inspection. Gives the reference back. */
void edo__report_restless(edo__reporter *t, edo_task *task);

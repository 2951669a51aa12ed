/* Dumps, the text: what is said of a runtime, and of each of its tasks. dump.c has the order, and the
 * locks.
 *
 * A task's memory stays by a reference; its name is the user's, and is read only while the task cannot
 * end. Tasks that run are told of by their threads (snapshot.h). */
#pragma once

#include <edo/dump.h>

#include "runtime/runtime.h"
#include "runtime/inspect/snapshot.h"

enum {
    EDO__TELLER_LINES = 64, // of a backtrace, without more memory
    EDO__TELLER_TOLD = 256, // tasks that run, to be told of once; with more some are named twice
};

/* One dump's; only its thread touches it. */
typedef struct edo__teller {
    edo_runtime *runtime;
    edo_dump_fn *write;
    void *context;
    int rc;
    uint64_t told[EDO__TELLER_TOLD]; // ids
    size_t told_count;
    edo__snapshot snapshot;

    /* what the last look at a task saw */
    uint64_t state;
    int64_t poll_start;
    char name[EDO__SNAPSHOT_NAME];
    edo_trace_line few[EDO__TELLER_LINES], *lines;
    size_t line_capacity, line_count; // the count may be larger: the rest was not kept
} edo__teller;

void edo__teller_init(edo__teller *t, edo_runtime *runtime, edo_dump_fn *write, void *context);

/* Returns: 0, or -ENOMEM when lines were not kept. */
int edo__teller_deinit(edo__teller *t);

/* One line. */
void edo__say(edo__teller *t, const char *format, ...) EDO_PRINTF(2, 3);

void edo__tell_runtime(edo__teller *t);

/* What the workers run. tasks: the only ones to be told of; NULL: any. */
void edo__tell_workers(edo__teller *t, edo_task *const *tasks, size_t count);

/* A task that does not run, with a reference.
 * Returns: false when it runs; else that is done with, and the reference given back. */
bool edo__tell_task(edo__teller *t, edo_task *task);

/* One that runs whenever it is looked at. Gives the reference back. */
void edo__tell_restless(edo__teller *t, edo_task *task);

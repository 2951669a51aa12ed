/* The system that modelled code runs on: a driver that only sleeps and is woken, memory of the
 * checker, a clock that only models move. */
#pragma once

#include "runtime/runtime.h"

#include "model/model.h"

/* A runtime in memory of this execution, on that driver. Its owner is the thread that turns it. */
edo_runtime *fake_runtime_create(void);

/* The same as the options have it; the driver and the limits of its end are given. */
edo_runtime *fake_runtime_with(const edo_config *options);

/* Makes fn_poll() what edo_async(fn) would make of a body: tasks of struct fn are spawned by the name
 * of fn, and each poll of theirs is one call. */
#define POLLED(fn)                                                                                 \
    static const edo_future_ops fn##_async = {                                                     \
        .name = #fn,                                                                               \
        .poll = fn##_poll,                                                                         \
        .kind = EDO_KIND_OWNER,                                                                    \
        .size = sizeof(struct fn),                                                                 \
        .args_offset = offsetof(struct fn, args),                                                  \
        .args_size = sizeof(((struct fn *)0)->args),                                               \
    }

/* What a foreign loop does with edo_runtime_fd(): sleeps until it is readable. */
void fake_wait_readable(edo_runtime *runtime);

/* No thread can be started. Whoever sets it takes it back. */
extern bool fake_no_threads;

/* The driver of every name. */
extern const struct edo_driver_ops *fake_driver_ops;

/* How often the driver was woken in this execution. */
extern unsigned fake_unparks;

/* The time. Waits move it: when no thread can go on, to the end of the first of them. Every runtime that
 * is made sets it back to zero. */
extern int64_t fake_now;

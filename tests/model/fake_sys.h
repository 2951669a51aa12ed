/* The system for modelled code: a driver that can only sleep and be woken, memory of the checker, a
 * clock that only models move. */
#pragma once

#include "runtime/runtime.h"

#include "model/model.h"

/* Makes a runtime in memory of this execution, on that driver. The owner is the thread that turns
 * it. */
edo_runtime *fake_runtime_create(void);

/* The same with options, except that the driver and the limits of the end are fixed. */
edo_runtime *fake_runtime_with(const edo_config *options);

/* Uses fn_poll() in place of an async body: tasks of struct fn are spawned by the name fn, and each
 * of their polls is one call of fn_poll(). */
#define POLLED(fn)                                                                                 \
    static const edo_future_ops fn##_async = {                                                     \
        .name = #fn,                                                                               \
        .poll = fn##_poll,                                                                         \
        .kind = EDO_KIND_OWNER,                                                                    \
        .size = sizeof(struct fn),                                                                 \
        .args_offset = offsetof(struct fn, args),                                                  \
        .args_size = sizeof(((struct fn *)0)->args),                                               \
    }

/* Sleeps until the runtime's descriptor is readable, as a foreign loop does. */
void fake_wait_readable(edo_runtime *runtime);

/* Has the start of threads fail. A model that sets it also clears it. */
extern bool fake_no_threads;

/* Moment to which the timer of a foreign loop was set last. */
extern int64_t fake_timer;

/* The driver that the fake finds under every name. */
extern const struct edo_driver_ops *fake_driver_ops;

/* Number of unparks in this execution. */
extern unsigned fake_unparks;
extern int fake_events; // events that turns of drivers have yet to fetch

/* Number of times that the only thread has lost its processor. */
extern uint64_t fake_preemptions;

/* The time. When no thread can go on, it moves to the end of the first wait. Creating a runtime
 * resets it to zero. */
extern int64_t fake_now;

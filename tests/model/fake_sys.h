/* The system that modelled code runs on: a driver that only sleeps and is woken, memory of the
 * checker, a clock that only models move. */
#pragma once

#include "runtime/runtime.h"

#include "model/model.h"

/* A runtime in memory of this execution, on that driver. Its owner is the thread that turns it. */
edo_runtime *fake_runtime_create(void);

/* What a foreign loop does with edo_runtime_fd(): sleeps until it is readable. */
void fake_wait_readable(edo_runtime *runtime);

/* How often the driver was woken in this execution. */
extern unsigned fake_unparks;

/* The time; every runtime that is made sets it back to zero. */
extern int64_t fake_now;

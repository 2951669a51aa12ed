/* Queueing of tasks, from any thread. */
#pragma once

#include "runtime/runtime.h"

/* As edo__runtime_push(), async-signal-safe. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task);

/* Functions that queue tasks, from any thread. */
#pragma once

#include "runtime/runtime.h"

/* Queues a task like edo__runtime_push(), but is async-signal-safe. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task);

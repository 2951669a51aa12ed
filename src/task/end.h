/* The end of a task. */
#pragma once

#include "task/task.h"

/* Ends a task whose function has ended: wakes the joiner, leaves the scope, drops the runtime's
 * reference. Thread: the poller. */
void edo__task_finish(edo_task *task);

/* Gives up a task that cannot be ended. Its joins then answer -ESHUTDOWN. */
void edo__task_give_up(edo_task *task);

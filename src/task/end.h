/* The end of a task. */
#pragma once

#include "task/task.h"

/* The end of the function, by the poller: wakes the joiner, leaves the scope, drops the
 * reference. */
void edo__task_finish(edo_task *task);

/* Gives up a task that cannot be ended: joins answer -ESHUTDOWN. */
void edo__task_give_up(edo_task *task);

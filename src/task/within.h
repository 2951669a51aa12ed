/* Limits of edo_within(), and how functions pass the limits to their children. */
#pragma once

#include "task/cx.h"

/* Applies the function's limits to the fates of its children. Part of edo__give_fates(). */
void edo__give_limits(const edo_future *function, edo_cx *cx);

/* Checks the limits of a function that waits. A limit that has passed takes effect. A limit that
 * has not passed sets the task's deadline. Returns: whether a limit has passed now, so that the
 * body must be polled again. */
bool edo__limits_pass(edo_future *function, edo_cx *cx);

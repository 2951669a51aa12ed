/* Limits of edo_within(), as functions pass them to their children. */
#pragma once

#include "task/cx.h"

/* Applies the function's limits to the fates of its children. Part of edo__give_fates(). */
void edo__give_limits(const edo_future *function, edo_cx *cx);

/* Checks the limits of a function that waits: a limit that has passed takes effect, and any other
 * sets the task's deadline. Returns: whether a limit has passed now, so that the body must be
 * polled again. */
bool edo__limits_pass(edo_future *function, edo_cx *cx);

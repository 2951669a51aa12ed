/* Limits of edo_within(), as functions hand them down. */
#pragma once

#include "task/cx.h"

/* The part of its limits. */
void edo__give_limits(const edo_future *function, edo_cx *cx);

/* The function waits: its limits that have passed take effect, the others have the task polled in
 * time. Returns: whether one has passed now, so that the body is to be polled again. */
bool edo__limits_pass(edo_future *function, edo_cx *cx);

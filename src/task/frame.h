/* Frames of async functions, and their memory. */
#pragma once

#include <edo/async.h>

/* Builds a frame with its arguments. */
void edo__frame_build(void *frame, const edo_future_ops *ops, const void *args);

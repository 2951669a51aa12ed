/* The kind of driver of a runtime, and the drivers of its workers. */
#pragma once

#include "runtime/runtime.h"

/* Chooses the kind of driver. wanted: what the environment names, if the config does not; or NULL.
 * Returns: 0, -EINVAL, -ENOMEM. */
int edo__drivers_choose(edo_runtime *runtime, const char *wanted);

/* A worker could not be made. Returns: whether all are to be made anew, with the fallback; false if
 * it was not for the driver, or there is none. Without workers, before create has ended. */
bool edo__drivers_fall_back(edo_runtime *runtime);

/* Opens a driver for a worker. Who makes workers. Returns: 0 or a negative errno. */
int edo__drivers_open(edo_runtime *runtime, edo_driver **ret_driver);

/* Opens the one for the first helper ahead, if there may be helpers. */
int edo__drivers_keep_one(edo_runtime *runtime);

/* Closes what is kept, and later frees the rest. */
void edo__drivers_close(edo_runtime *runtime);
void edo__drivers_free(edo_runtime *runtime);

/* The kind of driver of a runtime, and the drivers of its workers. */
#pragma once

#include "runtime/runtime.h"

/* Chooses the kind of driver. wanted: the name in the environment, for a config without one; or
 * NULL. Returns: 0, -EINVAL, -ENOMEM. */
int edo__drivers_choose(edo_runtime *runtime, const char *wanted);

/* Falls back to another kind of driver, when a worker could not be made. Returns: whether all
 * workers are to be made again; false if the driver was not the reason, or there is no fallback.
 * Without workers, inside create. */
bool edo__drivers_fall_back(edo_runtime *runtime);

/* Opens a driver for a worker. Thread: the maker of workers. Returns: 0 or a negative errno. */
int edo__drivers_open(edo_runtime *runtime, edo_driver **ret_driver);

/* Opens and keeps the driver of the first helper, if there may be helpers. */
int edo__drivers_keep_one(edo_runtime *runtime);

/* Closes the kept driver, and later frees the copied argument. */
void edo__drivers_close(edo_runtime *runtime);
void edo__drivers_free(edo_runtime *runtime);

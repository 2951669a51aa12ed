/* The kind of driver of a runtime, and the drivers of its workers. */
#pragma once

#include "runtime/runtime.h"

/* Chooses the kind of driver. `wanted` is the name from the environment, or NULL. It is used only
 * if the config names no driver. Returns: 0; -EINVAL for an unknown name; -ENOMEM. */
int edo__drivers_choose(edo_runtime *runtime, const char *wanted);

/* Falls back to another kind of driver, after a worker could not be made. Called by
 * edo_runtime_create(), while the runtime has no workers. Returns: true if the caller must make all
 * workers again; false if the driver was not the reason, or if there is no fallback. */
bool edo__drivers_fall_back(edo_runtime *runtime);

/* Gets a driver for a new worker: the kept driver if there is one, else a driver that is opened
 * now. Called by the thread that makes workers. Returns: 0 or a negative errno. */
int edo__drivers_open(edo_runtime *runtime, edo_driver **ret_driver);

/* Opens and keeps the driver of the first helper, if the runtime may have helpers. Returns: 0 or a
 * negative errno. */
int edo__drivers_keep_one(edo_runtime *runtime);

/* edo__drivers_close() closes the kept driver. edo__drivers_free() frees the copied argument. */
void edo__drivers_close(edo_runtime *runtime);
void edo__drivers_free(edo_runtime *runtime);

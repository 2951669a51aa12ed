/* The reaper: a thread of the process that takes the status of children whose handles were closed.
 * The reaper also sends SIGKILL after a grace period, takes the status of children without a
 * descriptor, and makes children that have a parent-death signal. */
#pragma once

#include "process/process.h"

/* Adds a child to the reaper's list. The caller's reference becomes the reaper's. Thread: any. */
void edo__reaper_add(edo_process *process);

/* Sets the time of SIGKILL (ns of edo__sys_now()) for a child in the reaper's list. Thread: any. */
void edo__reaper_kill_at(edo_process *process, int64_t when);

/* Makes a child on the reaper's thread, and waits for the result. When a thread ends, the system
 * sends the parent-death signal to the children that this thread has made. So once this function
 * has been called, the reaper's thread ends only with the process.
 * Returns: as edo__sys_spawn(); -EAGAIN: the thread cannot be started. */
int edo__reaper_spawn(const edo__spawn_plan *plan, edo__spawned *ret_child,
                      edo_spawn_step *ret_step);

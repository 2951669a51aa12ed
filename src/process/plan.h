/* A plan is everything that a child needs, prepared before the child exists. */
#pragma once

#include "sys/process.h"

typedef struct edo__plan {
    edo__spawn_plan spawn;
    edo_fd ours[3];   // this process's ends of the pipes; -1: none
    edo_fd theirs[3]; // descriptors opened only for the child; -1: none
    void *memory;
    size_t size;
} edo__plan;

/* Makes a plan. Returns: 0; or a negative errno. On failure *ret_step is set, and
 * edo__plan_deinit() must not be called. */
int edo__plan_init(edo__plan *plan, const edo_command *command, edo_spawn_step *ret_step);

/* Closes the descriptors of the plan, and frees its memory. */
void edo__plan_deinit(edo__plan *plan);

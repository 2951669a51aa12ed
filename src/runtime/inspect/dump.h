/* Dumps at an abort. A dump at an abort writes all runtimes to stderr, even if the thread holds
 * locks. */
#pragma once

#include <edo/dump.h>

#include "base/atomic.h"

/* Makes edo__misuse() dump all tasks, if EDO_DUMP_ON_ABORT is set in the environment. */
void edo__dump_prepare(void);

/* Function that writes lines about the stacks of fibers at the end of a dump. NULL until the fiber
 * module sets the pointer, when stacks are first measured. */
typedef void edo__dump_stacks_fn(edo_dump_fn *write, void *context);
extern edo_atomic(edo__dump_stacks_fn *) edo__dump_stacks;

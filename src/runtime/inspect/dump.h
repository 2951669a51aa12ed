/* Dumps at an abort. Such a dump writes all runtimes to stderr. It works even if the aborting
 * thread holds locks. */
#pragma once

#include <edo/dump.h>

#include "base/atomic.h"

/* Makes edo__misuse() dump all tasks, if EDO_DUMP_ON_ABORT is set in the environment. */
void edo__dump_prepare(void);

/* Function that writes lines about the stacks of fibers at the end of a dump. NULL at first. The
 * fiber module sets the pointer when stacks are first measured. */
typedef void edo__dump_stacks_fn(edo_dump_fn *write, void *context);
extern edo_atomic(edo__dump_stacks_fn *) edo__dump_stacks;

/* Dumps at an abort. Such a dump writes all runtimes to stderr, even if the thread holds locks. */
#pragma once

#include <edo/dump.h>

#include "base/atomic.h"

/* Makes edo__misuse() dump all tasks, if EDO_DUMP_ON_ABORT is set in the environment. */
void edo__dump_prepare(void);

/* Writes lines about the stacks of fibers at the end of a dump. Set by the fiber module when stacks
 * are measured; NULL before. */
typedef void edo__dump_stacks_fn(edo_dump_fn *write, void *context);
extern edo_atomic(edo__dump_stacks_fn *) edo__dump_stacks;

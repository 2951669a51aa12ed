/* The help that one worker gives to others. */
#pragma once

#include "runtime/runtime.h"

/* Serves the workers that are stuck, as far as nobody else does. Owner of `worker`. */
void edo__worker_help(edo__worker *worker);

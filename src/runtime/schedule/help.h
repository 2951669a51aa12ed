/* Help of one worker for stuck ones. */
#pragma once

#include "runtime/runtime.h"

/* Serves stuck workers, unless another helper does. Owner of `worker`. */
void edo__worker_help(edo__worker *worker);

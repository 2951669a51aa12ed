/* An operation that a test polls by hand, without a runtime. Any thread may poll, one at a time.
 * The operation must not move in memory while it waits. */
#pragma once

#include "support/support.h"

#include <edo/edo.h>

#include "io/io.h"

typedef struct chore {
    edo_user_wakeable waker;
    edo_atomic(uint32_t) wakes;
    edo__source *source;
    edo_op op;
    uint32_t side; // claimed side: EDO__SOURCE_READING or WRITING
    bool claimed;
    char byte;
} chore;

void chore_set(chore *self, edo__source *source, edo_op op);

/* Polls the operation in the way of a stream or listener. here: the driver of the polling worker.
 * cancelled: whether the task was cancelled. */
edo_poll chore_poll(chore *self, edo_driver *here, bool cancelled);

/* Returns: whether the operation was woken since the last call. */
bool chore_take_wake(chore *self);

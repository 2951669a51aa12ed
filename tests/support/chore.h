/* An operation that is polled by hand, without a runtime: what a task would do with it, by any
 * thread, one at a time. It stays where it is while it waits. */
#pragma once

#include "support/support.h"

#include <edo/edo.h>

#include "io/io.h"

typedef struct chore {
    edo_user_wakeable waker;
    edo_atomic(uint32_t) wakes;
    edo__source *source;
    edo_op op;
    uint32_t side; // EDO__SOURCE_READING or WRITING: what it claims
    bool claimed;
    char byte;
} chore;

void chore_set(chore *self, edo__source *source, edo_op op);

/* As the operations of streams and listeners do it. here: the driver of the worker that polls.
 * cancelled: by its task; the driver sees as well that the source was closed. */
edo_poll chore_poll(chore *self, edo_driver *here, bool cancelled);

/* Returns: whether it was woken since the last time. */
bool chore_take_wake(chore *self);

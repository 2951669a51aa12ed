#include "support/chore.h"

static void note_wake(edo_user_wakeable *waker)
{
    edo_add_acq_rel(&((chore *)(void *)waker)->wakes, 1);
}

void chore_set(chore *self, edo__source *source, edo_op op)
{
    self->waker = (edo_user_wakeable){ .head.kind = EDO_WAKEABLE_USER, .wake = note_wake };
    self->source = source;
    self->op = op;
    self->side = edo__side_of(&op) == EDO__READ_SIDE ? EDO__SOURCE_READING : EDO__SOURCE_WRITING;
    self->claimed = false;
    edo_store_relaxed(&self->wakes, 0);
}

static edo_poll drive(chore *self, edo_driver *here, bool cancelled)
{
    bool ending = cancelled || edo__source_is_closed(self->source);
    return edo__op_step(self->source, &self->op, here, &self->waker.head, ending);
}

edo_poll chore_poll(chore *self, edo_driver *here, bool cancelled)
{
    if (!self->claimed) {
        int rc = edo__source_claim(self->source, self->side);
        if (rc < 0) {
            self->op.base.result = rc;
            return EDO_READY;
        }
        self->claimed = true;
    }
    if (drive(self, here, cancelled) == EDO_PENDING) return EDO_PENDING;
    self->claimed = false;
    edo__source_leave(self->source, self->side);
    return EDO_READY;
}

bool chore_take_wake(chore *self)
{
    return edo_swap_acquire(&self->wakes, 0) != 0;
}

/* Scopes, as tasks and frames see them. */
#pragma once

#include <edo/scope.h>

/* Takes an ended member out of its scope, and wakes the scope's waiters. */
void edo__scope_member_ended(edo_task *task);

/* Aborts if a scope of the frame has live members, else unlinks it. */
void edo__scope_leave(edo_future *scope);

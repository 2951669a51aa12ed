/* Scopes, as tasks and frames see them. */
#pragma once

#include <edo/scope.h>

/* Prepares an empty scope that is in no frame's list `kept`. The owner calls edo__scope_leave() at
 * the end. */
void edo__scope_prepare(edo_scope *scope, edo_future *owner, uint32_t flags);

/* Takes an ended member out of its scope, and wakes the scope's waiters. */
void edo__scope_member_ended(edo_task *task);

/* Aborts if the scope has live members, else drops the ended members. The caller unlinks the scope
 * from the frame. */
void edo__scope_leave(edo_future *scope);

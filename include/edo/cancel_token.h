/* Cancellation tokens: one that is cancelled says so to all who ask or wait, and to its children.
 *
 *     rc = edo_cancel_token_create(NULL, &server->stop);
 *     rc = edo_cancel_token_create(server->stop, &request->stop);   // a child: of one request
 *     ...
 *     self->stopped = edo_cancel_token_wait(self->stop);
 *     self->next = edo_accept(self->listener, &self->conn);
 *     edo_select(which, &self->stopped.base, &self->next.base);
 *
 * Cancellation of edo's own (edo_task_cancel(), scopes, limits) ends what somebody owns. A token is for
 * those who do not own each other: it is counted, may be handed anywhere, and those who have it decide
 * where they stop.
 *
 * A child of a cancelled token is cancelled; the cancellation of a child does not reach its parent. A
 * token that goes leaves its children to its parent.
 */
#pragma once

#include <edo/scope.h>

EDO_BEGIN_DECLS

typedef struct edo_cancel_token edo_cancel_token;

EDO_API extern const edo_future_ops edo__cancel_token_wait_ops;

/* Makes a token, with one reference. parent: NULL for none; it need not be kept.
 * Returns: 0 or -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_cancel_token_create(edo_cancel_token *parent,
                                                 edo_cancel_token **ret_token);

/* Each reference is one owner's. Nobody waits any more when the last one goes; NULL is ignored.
 * Thread: any. */
EDO_API edo_cancel_token *edo_cancel_token_ref(edo_cancel_token *token);
EDO_API void edo_cancel_token_unref(edo_cancel_token *token);

/* Cancels it and all below it, at once: when this returns, all of them are. What the caller did before
 * is visible to those who see it. Twice is once.
 * Thread: any that has a reference. */
EDO_API void edo_cancel_token_cancel(edo_cancel_token *token);
EDO_API bool edo_cancel_token_is_cancelled(const edo_cancel_token *token);

/* Waits until it is cancelled; the caller has a reference meanwhile.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_cancel_token_wait(edo_cancel_token *token)
{
    return edo__op(&edo__cancel_token_wait_ops, token, NULL, 0, 0);
}

/* A scope that a token cancels; in the frame of its owner. All private. */
typedef struct edo_cancel_binding {
    edo_cancel_token *token;
    edo_scope *scope;
    struct edo_cancel_binding *next, **pprev; // the lock of the tree
} edo_cancel_binding;

/* When the token is cancelled, so is the scope; at once if it is already. The binding holds a
 * reference. It is taken back before the scope is left.
 * Thread: that of the scope's owner. */
EDO_API void edo_cancel_token_bind(edo_cancel_token *token, edo_cancel_binding *binding,
                                   edo_scope *scope);
EDO_API void edo_cancel_token_unbind(edo_cancel_binding *binding);

EDO_END_DECLS

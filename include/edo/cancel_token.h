/* Cancellation tokens. A token is a request to stop, which tasks test or await. If a token is
 * cancelled, its descendants are cancelled, too.
 *
 *     rc = edo_cancel_token_create(NULL, &server->stop);
 *     rc = edo_cancel_token_create(server->stop, &request->stop);   // a child, for one request
 *     ...
 *     self->stopped = edo_cancel_token_wait(self->stop);
 *     self->next = edo_accept(self->listener, &self->conn);
 *     edo_select(which, &self->stopped.base, &self->next.base);
 *
 * edo_task_cancel(), scopes and limits end futures that the caller owns. A token is for tasks that
 * do not own each other. A token is reference-counted, and may be passed to any task. Each task
 * that has a reference decides at which point it stops.
 *
 * A child that is made of a cancelled token is cancelled from the beginning. The cancellation of a
 * child does not cancel its parent. When a token is destroyed, its children become children of its
 * parent.
 */
#pragma once

#include <edo/scope.h>

EDO_BEGIN_DECLS

typedef struct edo_cancel_token edo_cancel_token;

EDO_API extern const edo_future_ops edo__cancel_token_wait_ops;

/* Makes a token, with one reference. parent: the new token becomes a child of this token, but holds
 * no reference to it. NULL: no parent.
 * Returns: 0 or -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_cancel_token_create(edo_cancel_token *parent,
                                                 edo_cancel_token **ret_token);

/* edo_cancel_token_ref() adds a reference, and edo_cancel_token_unref() releases one. Each
 * reference has one owner. The last unref aborts if a task still waits for the token. unref ignores
 * NULL.
 * Thread: any. */
EDO_API edo_cancel_token *edo_cancel_token_ref(edo_cancel_token *token);
EDO_API void edo_cancel_token_unref(edo_cancel_token *token);

/* Cancels the token and its descendants. When the call returns, all of them are cancelled. A task
 * that sees the cancellation also sees everything that the caller wrote before the call. A second
 * call does nothing.
 * Thread: any that has a reference. */
EDO_API void edo_cancel_token_cancel(edo_cancel_token *token);
EDO_API bool edo_cancel_token_is_cancelled(const edo_cancel_token *token);

/* Waits until the token is cancelled. The caller must hold a reference until the operation is
 * ready.
 * Result: 0. Cancel: prompt. If the token was cancelled before the wait was cancelled, the result
 * is 0. */
static inline EDO_MUST_USE edo_op edo_cancel_token_wait(edo_cancel_token *token)
{
    return edo__op(&edo__cancel_token_wait_ops, token, NULL, 0, 0);
}

/* Connects a token with a scope that the token cancels. The struct lies in the frame of the scope's
 * owner. All members are private. */
typedef struct edo_cancel_binding {
    edo_cancel_token *token;
    edo_scope *scope;
    struct edo_cancel_binding *next, **pprev; // guarded by the lock of the tree
} edo_cancel_binding;

/* Binds a scope to a token: a cancellation of the token cancels the scope. If the token is already
 * cancelled, the scope is cancelled at once. The binding holds a reference to the token. Unbind
 * before the scope is left. If a function returns while its scope is bound, or opens a bound scope
 * again, the process aborts. unbind aborts for a binding that is not bound.
 * Thread: that of the scope's owner. */
EDO_API void edo_cancel_token_bind(edo_cancel_token *token, edo_cancel_binding *binding,
                                   edo_scope *scope);
EDO_API void edo_cancel_token_unbind(edo_cancel_binding *binding);

EDO_END_DECLS

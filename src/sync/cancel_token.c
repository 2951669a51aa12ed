/* Cancellation tokens. The tokens of a tree share one lock, which guards the links, waiters and
 * scopes of all these tokens. Creation, cancellation and destruction of a token take this lock. So
 * a walk over the tree takes only one token lock. The lock lies in a reference-counted object of
 * its own, because any token may be destroyed first.
 *
 * A walk over a subtree follows the links: from a token to its first child, its next sibling, or
 * back to its parent. So the walk needs no stack, however deep the tree is.
 *
 * Orders. A cancellation releases the caller's writes. A task that sees the cancellation acquires
 * these writes, from the word or with the wake. */
#include <edo/cancel_token.h>

#include "base/base.h"
#include "sync/queue.h"

typedef struct token_tree {
    edo__lock lock;
    size_t tokens; // number of tokens of the tree; guarded by the lock
} token_tree;

struct edo_cancel_token {
    edo_atomic(uint32_t) references;
    edo_atomic(bool) is_cancelled;
    token_tree *tree;
    /* members guarded by the lock of the tree */
    edo_cancel_token *parent, *first_child, *next, **pprev;
    edo__wait_list waiters;
    edo_cancel_binding *bindings;
};

/* ---- the tree; under the lock ---- */

static void link_child(edo_cancel_token *parent, edo_cancel_token *child)
{
    child->parent = parent;
    child->next = parent->first_child;
    child->pprev = &parent->first_child;
    if (child->next) child->next->pprev = &child->next;
    parent->first_child = child;
}

static void unlink_child(edo_cancel_token *child)
{
    if (!child->parent) return;
    *child->pprev = child->next;
    if (child->next) child->next->pprev = child->pprev;
    child->parent = NULL;
}

static void leave_children(edo_cancel_token *token, edo_cancel_token *heir)
{
    for (edo_cancel_token *child; (child = token->first_child);) {
        unlink_child(child);
        if (heir) link_child(heir, child);
    }
}

/* Finds the token after `token` in a walk over the descendants of `root`. Returns: the token; NULL:
 * the walk is over. */
static edo_cancel_token *next_below(const edo_cancel_token *root, edo_cancel_token *token)
{
    if (token->first_child) return token->first_child;
    while (token != root && !token->next)
        token = token->parent;
    return token == root ? NULL : token->next;
}

/* ---- life ---- */

static token_tree *tree_for(edo_cancel_token *parent)
{
    return parent ? parent->tree : edo__alloc_zeroed(sizeof(token_tree));
}

static void join_tree(edo_cancel_token *token, token_tree *tree, edo_cancel_token *parent)
{
    edo__lock_take(&tree->lock);
    token->tree = tree;
    tree->tokens++;
    if (parent) {
        token->is_cancelled = edo_load_relaxed(&parent->is_cancelled);
        link_child(parent, token);
    }
    edo__lock_give(&tree->lock);
}

int edo_cancel_token_create(edo_cancel_token *parent, edo_cancel_token **ret_token)
{
    token_tree *tree = tree_for(parent);
    edo_cancel_token *token = edo__alloc_zeroed(sizeof *token);
    if (!tree || !token) {
        if (!parent) edo__free(tree, sizeof *tree);
        edo__free(token, sizeof *token);
        return -ENOMEM;
    }
    token->references = 1;
    join_tree(token, tree, parent);
    *ret_token = token;
    return 0;
}

edo_cancel_token *edo_cancel_token_ref(edo_cancel_token *token)
{
    edo_add_relaxed(&token->references, 1);
    return token;
}

static void destroy(edo_cancel_token *token)
{
    token_tree *tree = token->tree;
    edo__lock_take(&tree->lock);
    if (!edo__wait_list_is_empty(&token->waiters))
        edo__misuse("edo_cancel_token_unref",
                    "the last reference was dropped while operations wait");
    edo_cancel_token *parent = token->parent;
    unlink_child(token);
    leave_children(token, parent);
    bool is_last = --tree->tokens == 0;
    edo__lock_give(&tree->lock);
    edo__free(token, sizeof *token);
    if (is_last) edo__free(tree, sizeof *tree);
}

void edo_cancel_token_unref(edo_cancel_token *token)
{
    if (token && edo_sub_acq_rel(&token->references, 1) == 1) destroy(token);
}

/* ---- cancellation ---- */

/* Cancels one token, under the lock of the tree. The cancellation of a scope takes the scope's lock
 * while the lock of the tree is held. No function of scopes takes the lock of a tree, so the two
 * locks are always taken in this order. */
static void cancel_one(edo_cancel_token *token, edo__wakes *wakes)
{
    if (edo_load_relaxed(&token->is_cancelled)) return;
    edo_store_release(&token->is_cancelled, true);
    edo__wait_wake_all(&token->waiters, wakes);
    edo_plain_read(&token->bindings);
    for (edo_cancel_binding *binding = token->bindings; binding; binding = binding->next)
        edo_scope_cancel(binding->scope);
}

void edo_cancel_token_cancel(edo_cancel_token *token)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&token->tree->lock);
    for (edo_cancel_token *below = token; below; below = next_below(token, below))
        cancel_one(below, &wakes);
    edo__lock_give(&token->tree->lock);
    edo__wakes_commit(&wakes);
}

bool edo_cancel_token_is_cancelled(const edo_cancel_token *token)
{
    return edo_load_acquire(&token->is_cancelled);
}

/* ---- waiting ---- */

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    (void)op;
    (void)wakes;
    return edo_cancel_token_is_cancelled(object) ? 0 : -EAGAIN;
}

static const edo__queue_ops queue_ops = { .begin = begin };

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_cancel_token *token = op->object;
    edo__lock *lock = &token->tree->lock;
    edo__wakes none = { NULL, NULL }; // a wait wakes no task
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo__lock_take(lock);
    int64_t result = edo__queue_step(&queue_ops, &token->waiters, op, cx, &none);
    edo__lock_give(lock);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

const edo_future_ops edo__cancel_token_wait_ops = { .name = "edo_cancel_token_wait",
                                                    .poll = wait_poll };

/* ---- scopes ---- */

void edo_cancel_token_bind(edo_cancel_token *token, edo_cancel_binding *binding, edo_scope *scope)
{
    edo__check_memory("edo_cancel_token_bind", binding, "binding");
    *binding = (edo_cancel_binding){ edo_cancel_token_ref(token), scope, NULL, &token->bindings };
    edo__lock_take(&token->tree->lock);
    edo_plain_write(&token->bindings);
    binding->next = token->bindings;
    if (binding->next) binding->next->pprev = &binding->next;
    token->bindings = binding;
    bool is_late = edo_load_relaxed(&token->is_cancelled);
    edo__lock_give(&token->tree->lock);
    scope->bindings++;
    if (is_late) edo_scope_cancel(scope);
}

void edo_cancel_token_unbind(edo_cancel_binding *binding)
{
    edo_cancel_token *token = binding->token;
    if (!token) edo__misuse("edo_cancel_token_unbind", "the binding is not bound");
    binding->token = NULL;
    binding->scope->bindings--;
    edo__lock_take(&token->tree->lock);
    edo_plain_write(&token->bindings);
    *binding->pprev = binding->next;
    if (binding->next) binding->next->pprev = binding->pprev;
    edo__lock_give(&token->tree->lock);
    edo_cancel_token_unref(token);
}

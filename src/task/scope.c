/* Scopes, whose members are tasks. A scope's lock guards the scope's lists, count, failure and
 * waiters. */
#include <stdio.h>

#include "task/scope.h"
#include "base/lock.h"
#include "task/executor.h"
#include "task/failure.h"
#include "task/future.h"
#include "task/op.h"
#include "task/wait_list.h"

enum {
    MAX_NAMES = 8,      // number of members named in the abort line when a scope is left early
    JOIN_CUT_SHORT = 1, // edo_op.detail: join cancelled before its first poll, or with members left
};

/* Flags of a member. */
enum {
    ENDED = 1,    // of an IN_ORDER scope: has ended, but is in `live` until edo_scope_next()
    REPLACED = 2, // a later member has the same key; the result is dropped
};

static edo__node *live_of(edo_scope *scope)
{
    return (edo__node *)(void *)&scope->live;
}

static edo__node *ended_of(edo_scope *scope)
{
    return (edo__node *)(void *)&scope->ended;
}

static edo__wait_list *waiters_of(edo_scope *scope)
{
    return (edo__wait_list *)(void *)&scope->waiters;
}

static edo__task_extra *member_of(edo__node *node)
{
    return edo__container(node, edo__task_extra, scope_link);
}

static edo_task *task_of_member(edo__task_extra *extra)
{
    return (edo_task *)(void *)(extra + 1);
}

static edo_poll scope_poll(edo_future *future, edo_cx *cx)
{
    (void)future;
    (void)cx;
    return EDO_PENDING; // never polled: serves only as a mark in the frame
}

static const edo_future_ops scope_ops = { .name = "scope",
                                          .poll = scope_poll,
                                          .kind = EDO_KIND_SCOPE };

/* Leaves a scope that is still in the frame's list `kept`, and that the function now opens again,
 * as in a loop. */
static void leave_earlier(edo_scope *scope, struct edo_any_frame *frame)
{
    edo_future **link = &frame->edo_head.kept;
    while (*link && *link != &scope->base) {
        edo__check_kept(*link);
        link = &(*link)->next;
    }
    if (!*link) return;
    *link = scope->base.next;
    edo__scope_leave(&scope->base);
}

void edo__scope_prepare(edo_scope *scope, edo_future *owner, uint32_t flags)
{
    *scope = (edo_scope){ .base = { .ops = &scope_ops, .flags = EDO__KEPT },
                          .owner = owner,
                          .flags = flags };
    edo__list_init(live_of(scope));
    edo__list_init(ended_of(scope));
}

void edo__scope_open(edo_scope *scope, edo_future *owner, uint32_t flags)
{
    struct edo_any_frame *frame = (struct edo_any_frame *)(void *)owner;
    edo__check_memory("edo_scope_open", scope, "scope");
    if ((flags & EDO_SCOPE_IGNORE) && (flags & EDO_SCOPE_FAIL_FAST))
        edo__misuse("edo_scope_open", "EDO_SCOPE_IGNORE contradicts EDO_SCOPE_FAIL_FAST, in '%s'",
                    owner->ops->name);
    if ((flags & EDO_SCOPE_IGNORE) && (flags & EDO_SCOPE_END_RUNTIME))
        edo__misuse("edo_scope_open", "EDO_SCOPE_IGNORE contradicts EDO_SCOPE_END_RUNTIME, in '%s'",
                    owner->ops->name);
    if ((flags & EDO_SCOPE_IN_ORDER) && !(flags & EDO_SCOPE_RESULTS))
        edo__misuse("edo_scope_open", "EDO_SCOPE_IN_ORDER without EDO_SCOPE_RESULTS, in '%s'",
                    owner->ops->name);
    leave_earlier(scope, frame);
    edo__scope_prepare(scope, owner, flags);
    scope->base.next = frame->edo_head.kept;
    frame->edo_head.kept = &scope->base;
}

static bool has_ended(const edo__node *node)
{
    return edo__container(node, edo__task_extra, scope_link)->scope_marks & ENDED;
}

/* Raises the fate of all live members. Called under the lock. Returns: a chain of tasks to push
 * after the lock is released. */
static edo_task *end_all(edo_scope *scope, uint64_t fate)
{
    edo_task *chain = NULL;
    scope->cancelled = true;
    edo__list_each(live_of(scope), node) {
        if (has_ended(node)) continue;
        chain = edo__task_ask_chained(task_of_member(member_of(node)), fate, chain);
    }
    return chain;
}

/* ---- members ---- */

/* Adds to the number of members. Called under the lock. The store is atomic, because
 * edo_scope_count() reads the number without the lock. */
static void add_to_count(edo_scope *scope, int64_t change)
{
    edo_store_relaxed(&scope->count, scope->count + (uint64_t)change);
}

/* Returns: the ended member that the next edo_scope_next() returns, or NULL. Called under the
 * lock. */
static edo__node *first_ended(edo_scope *scope)
{
    bool in_order = scope->flags & EDO_SCOPE_IN_ORDER;
    edo__node *list = in_order ? live_of(scope) : ended_of(scope);
    return edo__list_is_empty(list) || (in_order && !has_ended(list->next)) ? NULL : list->next;
}

/* Wakes all waiters if no member is left or an ended member can be taken. Called under the lock. */
static void wake_waiters(edo_scope *scope, edo__wakes *wakes)
{
    if (scope->count == 0 || first_ended(scope)) edo__wait_wake_all(waiters_of(scope), wakes);
}

/* ---- keys ---- */

/* Replaces the members with a key: cancels live members, and moves ended members to the list
 * ret_dropped. Called under the lock. Returns: a chain of tasks to push after the lock is
 * released. */
static edo_task *replace(edo_scope *scope, const void *key, edo__node *ret_dropped)
{
    edo_task *chain = NULL;
    edo__node *const lists[] = { live_of(scope), ended_of(scope) };
    for (unsigned i = 0; i < 2; i++) {
        for (edo__node *node = lists[i]->next, *next; node != lists[i]; node = next) {
            edo__task_extra *extra = member_of(node);
            next = node->next;
            if (extra->user != key || (extra->scope_marks & REPLACED)) continue;
            extra->scope_marks |= REPLACED;
            if (lists[i] == live_of(scope) && !has_ended(node)) {
                chain = edo__task_ask_chained(task_of_member(extra), EDO__CANCELLED, chain);
                continue;
            }
            edo__list_remove(node);
            edo__list_push(ret_dropped, node);
        }
    }
    return chain;
}

static void drop_all(edo__node *list)
{
    while (!edo__list_is_empty(list)) {
        edo__task_extra *extra = member_of(list->next);
        edo__list_remove(&extra->scope_link);
        edo_detach(task_of_member(extra));
    }
}

/* Adds a member; `key` may be NULL. Earlier members with the same key are replaced in the same
 * critical section. So if two members with one key enter concurrently, only the later member
 * remains. */
static int enter(edo_scope *scope, edo_task *task, const void *key)
{
    edo_task *chain = NULL;
    edo__node dropped;
    edo__list_init(&dropped);
    edo__lock_take(&scope->lock);
    int rc = scope->cancelled ? -ECANCELED : scope->closed ? -ESHUTDOWN : 0;
    if (rc == 0 && key) chain = replace(scope, key, &dropped);
    if (rc == 0) {
        edo__list_push(live_of(scope), &edo__task_extra_of(task)->scope_link);
        add_to_count(scope, 1);
    }
    edo__lock_give(&scope->lock);
    edo__task_push_chain(chain);
    drop_all(&dropped);
    return rc;
}

/* Removes an entered member that could not be spawned. Also wakes the waiters. Otherwise they would
 * wait for ever if the last other member ended while this member was still counted. */
static void leave(edo_scope *scope, edo_task *task)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&scope->lock);
    edo__list_remove(&edo__task_extra_of(task)->scope_link);
    add_to_count(scope, -1);
    wake_waiters(scope, &wakes);
    edo__lock_give(&scope->lock);
    edo__wakes_commit(&wakes);
}

static int spawn(uint64_t *ret_id, edo_scope *scope, const edo_spawn_options *options,
                 const void *key, const edo_site *site, const void *args)
{
    edo_runtime *runtime = edo__spawn_runtime(options);
    if (!runtime) return -EINVAL;
    bool results = scope->flags & EDO_SCOPE_RESULTS;
    edo_task *task = edo__task_create(runtime, options, site, args, results, scope);
    if (!task) return -ENOMEM;
    uint64_t id = task->id;
    int rc = enter(scope, task, key); // before the task can end
    if (rc == 0) {
        rc = edo__runtime_adopt(runtime, task);
        if (rc < 0) leave(scope, task);
    }
    if (rc < 0)
        edo__task_discard(task);
    else
        *ret_id = id;
    return rc;
}

int edo__scope_spawn(edo_scope *scope, const edo_spawn_options *options, const edo_site *site,
                     const void *args)
{
    uint64_t id;
    return spawn(&id, scope, options, NULL, site, args);
}

int edo__scope_spawn_member(uint64_t *ret_id, edo_scope *scope, const edo_spawn_options *options,
                            const edo_site *site, const void *args)
{
    return spawn(ret_id, scope, options, NULL, site, args);
}

int edo__scope_spawn_key(edo_scope *scope, void *key, const edo_spawn_options *options,
                         const edo_site *site, const void *args)
{
    edo_spawn_options keyed = options ? *options : (edo_spawn_options){ 0 };
    uint64_t id;
    if (!key) return -EINVAL;
    keyed.user = key;
    return spawn(&id, scope, &keyed, key, site, args);
}

/* Whether the member or the scope was cancelled. The load is relaxed: the scope's lock orders this
 * load after or before every cancellation of members through the scope. */
static bool was_cancelled(const edo_scope *scope, const edo_task *task)
{
    return scope->cancelled || (edo_load_relaxed(&task->state) & (EDO__CANCELLED | EDO__ABORTED));
}

static bool has_failed(const edo_scope *scope, const edo_task *task, int64_t result)
{
    if (result >= 0) return false;
    if (edo__task_extra_of(task)->scope_marks & REPLACED) return false;
    return result != -ECANCELED || !was_cancelled(scope, task);
}

/* Lowers the count for an ended member. Removes the member from the list `live`, unless the scope
 * is IN_ORDER and keeps the result. Called under the lock. Returns: whether the result is kept for
 * edo_scope_next(). */
static bool leave_ended(edo_scope *scope, edo__task_extra *extra)
{
    bool kept = (scope->flags & EDO_SCOPE_RESULTS) && !(extra->scope_marks & REPLACED);
    bool in_order = scope->flags & EDO_SCOPE_IN_ORDER;
    add_to_count(scope, -1);
    if (kept && in_order) {
        extra->scope_marks |= ENDED;
        return true;
    }
    edo__list_remove(&extra->scope_link);
    if (kept) edo__list_push(ended_of(scope), &extra->scope_link);
    return kept;
}

/* This function does not access the scope after the release of the lock. From then on, if no member
 * is left, the owner may return, and the scope's memory may be reused. */
void edo__scope_member_ended(edo_task *task)
{
    edo__task_extra *extra = edo__task_extra_of(task);
    edo_scope *scope = extra->scope;
    int64_t result = edo__task_frame(task)->result;
    edo_task *chain = NULL;
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&scope->lock);
    bool is_dropped = !leave_ended(scope, extra) && (scope->flags & EDO_SCOPE_RESULTS);
    bool failed = has_failed(scope, task, result);
    uint32_t flags = scope->flags;
    if (failed && !(flags & EDO_SCOPE_IGNORE)) {
        if (scope->failure == 0) scope->failure = result;
        if (scope->flags & EDO_SCOPE_FAIL_FAST) chain = end_all(scope, EDO__CANCELLED);
    }
    wake_waiters(scope, &wakes);
    edo__lock_give(&scope->lock);
    if (failed && (flags & (EDO_SCOPE_LOG | EDO_SCOPE_END_RUNTIME)))
        edo__failure_report(task, result, flags & EDO_SCOPE_END_RUNTIME);
    edo__wakes_commit(&wakes);
    edo__task_push_chain(chain);
    if (is_dropped) edo_detach(task);
}

static edo_task *pop_ended(edo_scope *scope)
{
    edo__node *node = first_ended(scope);
    if (!node) return NULL;
    edo__list_remove(node);
    return task_of_member(member_of(node));
}

static void drop_ended(edo_scope *scope)
{
    for (edo_task *task; (task = pop_ended(scope));)
        edo_detach(task);
}

/* ---- joining ---- */

/* A join of the scope (edo_scope_join), or a wait for the next member that ends
 * (edo_scope_next). */
typedef struct EDO__OVERLAY scope_op {
    edo_future base;
    edo_scope *scope;
    edo_member *ret_member; // output of edo_scope_next()
    uint64_t reserved, progress;
    edo__op_wait wait;
} scope_op;

EDO__OVERLAY_FITS(scope_op);

static scope_op *scope_op_of(const edo_op *op)
{
    return (scope_op *)(uintptr_t)op;
}

/* Whether another operation already waits. A scope serves one waiter at a time. */
static bool is_taken(edo_scope *scope, const edo_op *op)
{
    return edo_load_relaxed(&op->word) == EDO__OP_IDLE &&
           !edo__wait_list_is_empty(waiters_of(scope));
}

static edo_poll wait_here(edo_scope *scope, edo_op *op, edo_cx *cx)
{
    if (!edo__wait_goes_on(op, cx->waker)) edo__wait_enqueue(waiters_of(scope), op, cx->waker);
    return EDO_PENDING;
}

static int64_t join_result(const edo_scope *scope, const edo_op *op)
{
    if (scope->failure) return scope->failure;
    return op->detail & JOIN_CUT_SHORT ? -ECANCELED : 0;
}

static edo_poll answer(edo_op *op, int64_t result)
{
    op->base.result = result;
    return EDO_READY;
}

/* Polls a join. Called under the lock. An abort of the join reaches the members even if no
 * cancellation preceded the abort. *ret_chain is the chain of tasks to push once the lock is
 * released. */
static edo_poll poll_join(edo_scope *scope, edo_op *op, edo_cx *cx, edo_task **ret_chain)
{
    if (is_taken(scope, op)) return answer(op, -EBUSY);
    if (scope->count == 0) {
        edo__wait_leave(waiters_of(scope), op);
        return answer(op, join_result(scope, op));
    }
    if (cx->fate != EDO_LIVE) op->detail = JOIN_CUT_SHORT;
    if (cx->fate == EDO_ABORTED)
        *ret_chain = end_all(scope, EDO__ABORTED);
    else if (cx->fate != EDO_LIVE && !scope->cancelled)
        *ret_chain = end_all(scope, EDO__CANCELLED);
    return wait_here(scope, op, cx);
}

static edo_poll poll_next(edo_scope *scope, edo_op *op, edo_cx *cx, edo_task **ret_task)
{
    if (is_taken(scope, op)) return answer(op, -EBUSY);
    *ret_task = pop_ended(scope);
    if (!*ret_task && scope->count && cx->fate == EDO_LIVE) return wait_here(scope, op, cx);
    edo__wait_leave(waiters_of(scope), op);
    return answer(op, *ret_task ? 1 : scope->count ? -ECANCELED : 0);
}

static edo_poll scope_join_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_scope *scope = scope_op_of(op)->scope;
    edo_task *chain = NULL;
    if (cx->fate != EDO_LIVE && future->state == EDO_NEW) op->detail = JOIN_CUT_SHORT;
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    edo__lock_take(&scope->lock);
    edo_poll poll = poll_join(scope, op, cx, &chain);
    edo__lock_give(&scope->lock);
    edo__task_push_chain(chain);
    return poll == EDO_READY ? edo__op_finish(op, cx, op->base.result) : EDO_PENDING;
}

/* A join has EDO_KIND_OWNER, because it must be polled even in a cancelled function. There the join
 * must end the members. */
static const edo_future_ops scope_join_ops = { .name = "edo_scope_join",
                                               .poll = scope_join_poll,
                                               .kind = EDO_KIND_OWNER };

edo_op edo_scope_join(edo_scope *scope)
{
    return edo__op(&scope_join_ops, scope, NULL, 0, 0);
}

static void fill_member(edo_task *task, edo_member *ret_member)
{
    *ret_member = (edo_member){ .id = task->id,
                                .result = edo__task_frame(task)->result,
                                .name = edo_task_name(task),
                                .user = edo_task_user(task) };
    edo_detach(task);
}

static edo_poll scope_next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_scope *scope = scope_op_of(op)->scope;
    edo_task *task = NULL;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo__lock_take(&scope->lock);
    edo_poll poll = poll_next(scope, op, cx, &task);
    edo__lock_give(&scope->lock);
    if (task) fill_member(task, scope_op_of(op)->ret_member);
    return poll == EDO_READY ? edo__op_finish(op, cx, op->base.result) : EDO_PENDING;
}

static const edo_future_ops scope_next_ops = { .name = "edo_scope_next", .poll = scope_next_poll };

edo_op edo_scope_next(edo_scope *scope, edo_member *ret_member)
{
    edo__check_memory("edo_scope_next", ret_member, "member");
    if (!(scope->flags & EDO_SCOPE_RESULTS))
        edo__misuse("edo_scope_next", "the scope was opened without EDO_SCOPE_RESULTS");
    return edo__op(&scope_next_ops, scope, ret_member, 0, 0);
}

void edo_scope_cancel(edo_scope *scope)
{
    edo__lock_take(&scope->lock);
    edo_task *chain = end_all(scope, EDO__CANCELLED);
    edo__lock_give(&scope->lock);
    edo__task_push_chain(chain);
}

static edo_task *find_member(edo_scope *scope, uint64_t id)
{
    edo__list_each(live_of(scope), node) {
        edo_task *task = task_of_member(member_of(node));
        if (task->id == id && !has_ended(node)) return task;
    }
    return NULL;
}

/* A member leaves the list before its task is freed, and leaves it under the lock. So a task found
 * in the list is alive. After the lock is released, the queue entry owned by this function keeps
 * the task alive until the task's poll. */
int edo_scope_cancel_member(edo_scope *scope, uint64_t id)
{
    edo_task *chain = NULL;
    edo__lock_take(&scope->lock);
    edo_task *task = find_member(scope, id);
    if (task) chain = edo__task_ask_chained(task, EDO__CANCELLED, NULL);
    edo__lock_give(&scope->lock);
    edo__task_push_chain(chain);
    return task ? 0 : -ESRCH;
}

/* Counts the live members with a key, except replaced ones. If `chain` is not NULL, also cancels
 * these members. Called under the lock. */
static size_t visit_key(edo_scope *scope, const void *key, edo_task **chain)
{
    size_t count = 0;
    edo__list_each(live_of(scope), node) {
        edo__task_extra *extra = member_of(node);
        if (extra->user != key || extra->scope_marks) continue;
        count++;
        if (chain) *chain = edo__task_ask_chained(task_of_member(extra), EDO__CANCELLED, *chain);
    }
    return count;
}

size_t edo__scope_cancel_key(edo_scope *scope, const void *key)
{
    edo_task *chain = NULL;
    edo__lock_take(&scope->lock);
    size_t count = visit_key(scope, key, &chain);
    edo__lock_give(&scope->lock);
    edo__task_push_chain(chain);
    return count;
}

size_t edo__scope_count_key(edo_scope *scope, const void *key)
{
    edo__lock_take(&scope->lock);
    size_t count = visit_key(scope, key, NULL);
    edo__lock_give(&scope->lock);
    return count;
}

void edo_scope_close(edo_scope *scope)
{
    edo__lock_take(&scope->lock);
    scope->closed = true;
    edo__lock_give(&scope->lock);
}

size_t edo_scope_count(const edo_scope *scope)
{
    return edo_load_relaxed(&scope->count);
}

/* ---- leaving ---- */

static void abort_with_names(edo_scope *scope)
{
    char names[256] = "";
    size_t used = 0;
    unsigned count = 0;
    edo__list_each(live_of(scope), node) {
        if (has_ended(node)) continue;
        if (++count > MAX_NAMES || used >= sizeof names) break;
        const edo_task *task = task_of_member(member_of(node));
        int n = snprintf(names + used, sizeof names - used, "%s'%s' #%llu", used ? ", " : "",
                         edo_task_name(task), (unsigned long long)task->id);
        used += n > 0 ? (size_t)n : 0;
    }
    edo__misuse(scope->owner->ops->name, "returned while its scope had %llu live members: %s",
                (unsigned long long)scope->count, names);
}

void edo__scope_leave(edo_future *future)
{
    edo_scope *scope = (edo_scope *)(void *)future;
    edo__lock_take(&scope->lock);
    if (scope->count) abort_with_names(scope);
    if (edo__unlikely(scope->bindings))
        edo__misuse(scope->owner->ops->name, "left a scope that a cancellation token is bound to: "
                                             "call edo_cancel_token_unbind() before");
    edo__lock_give(&scope->lock);
    drop_ended(scope); // needs no lock, because there are no members any more
}

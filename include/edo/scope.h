/* A scope: tasks that their owner cannot leave before they have ended.
 *
 * It is a join set, a task tracker and a nursery in one. It lies in the frame of its owner:
 *
 *     edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
 *     rc = edo_scope_spawn(&self->scope, fetch, .url = self->url);
 *     edo_await(rc, edo_scope_join(&self->scope));
 *
 * An async function that returns while its scope has members aborts the process with their names.
 * Members are tasks: they may run on any worker, and end on their own. A scope that is cancelled
 * while it is joined cancels its members and waits for their ends.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

enum {
    EDO_SCOPE_FAIL_FAST = 1, // the first failure cancels the other members
    EDO_SCOPE_RESULTS = 2,   // ended members are kept for edo_scope_next(), also by a join
    EDO_SCOPE_IGNORE = 4,    // failures of members are their own matter: a join answers 0
    EDO_SCOPE_IN_ORDER = 8,  // with EDO_SCOPE_RESULTS: edo_scope_next() in the order of the spawns
};

/* All private. */
typedef struct edo_scope {
    edo_future base; // its place in the owner's frame
    edo_future *owner;
    uint32_t lock, flags;
    struct {
        void *next, *prev;
    } live, ended;
    uint64_t count;  // members alive
    int64_t failure; // the first one, or 0
    edo_op *waiters; // the first
    bool cancelled, closed;
    uint64_t reserved[2];
} edo_scope;

/* How a member ended. */
typedef struct edo_member {
    uint64_t id; // edo_task_id()
    int64_t result;
    const char *name;
    void *user; // of its edo_spawn_options, or its key
} edo_member;

EDO_API void edo__scope_open(edo_scope *scope, edo_future *owner, uint32_t flags);
EDO_API EDO_MUST_USE int edo__scope_spawn(edo_scope *scope, const edo_spawn_options *options,
                                          const edo_site *site, const void *args);
EDO_API EDO_MUST_USE int edo__scope_spawn_member(uint64_t *ret_id, edo_scope *scope,
                                                 const edo_spawn_options *options,
                                                 const edo_site *site, const void *args);

EDO_API EDO_MUST_USE int edo__scope_spawn_key(edo_scope *scope, void *key,
                                              const edo_spawn_options *options,
                                              const edo_site *site, const void *args);

/* Opens an empty scope in the frame of the function that calls it. EDO_SCOPE_IGNORE with
 * EDO_SCOPE_FAIL_FAST, which contradict each other, abort, and so does EDO_SCOPE_IN_ORDER without
 * EDO_SCOPE_RESULTS. */
#define edo_scope_open(scope, flags) edo__scope_open((scope), &self->base, (flags))

/* Starts a member: edo_scope_spawn(&self->scope, fetch, .url = url).
 * Returns: as edo_spawn(), -ECANCELED when the scope was cancelled, -ESHUTDOWN when it was closed. On
 * failure the arguments are still the caller's.
 * Thread: inside any task of the scope's runtime, while the owner has not left: its own, or one
 * that it waits for. */
#define edo_scope_spawn(scope, ...)                                                                \
    edo__scope_spawn((scope), NULL, edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))
#define edo_scope_spawn_with(scope, options, ...)                                                  \
    edo__scope_spawn((scope), (options), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* The same, and *ret_id is the member's edo_task_id(), for edo_scope_cancel_member(). It is never
 * used again, so it may be kept for as long as one likes. Written before this returns; the member
 * may run before. */
#define edo_scope_spawn_member(ret_id, scope, ...)                                                 \
    edo__scope_spawn_member((ret_id), (scope), NULL, edo__site_of(__VA_ARGS__, ),                  \
                            edo__args_of(__VA_ARGS__, ))

/* The same under a key, a pointer or a number other than 0: edo_scope_spawn_key(&self->scope,
 * self->user, serve, .conn = conn). The key is the member's edo_task_user() and edo_member.user.
 *
 * A member that has the key already is cancelled and replaced: edo_scope_next() does not answer it,
 * and its failure is none of the scope's; it is still waited for. So of all members with one key
 * edo_scope_next() answers the latest. Costs a walk through the members, under the scope's lock.
 * Returns: as edo_scope_spawn(), and -EINVAL for the key 0. Nothing is replaced on failure, unless the
 * runtime ends. */
#define edo_scope_spawn_key(scope, key, ...)                                                       \
    edo__scope_spawn_key((scope), (void *)(uintptr_t)(key), NULL, edo__site_of(__VA_ARGS__, ),     \
                         edo__args_of(__VA_ARGS__, ))

/* Waits until no member is left.
 * Result: 0, or the first failure of a member since the scope was opened (with EDO_SCOPE_IGNORE: 0).
 * That a member answered -ECANCELED because it was cancelled is no failure.
 * Cancel: waits: cancels the members, and answers -ECANCELED (or the failure that came before) when
 * they have ended. At most one join or next waits on a scope; a second answers -EBUSY. */
EDO_API EDO_MUST_USE edo_op edo_scope_join(edo_scope *scope);

/* Waits for the next member to end, in the order of their ends; with EDO_SCOPE_IN_ORDER for the end of
 * the one that was spawned first. Needs EDO_SCOPE_RESULTS.
 * Result: 1 with *ret_member; 0 when the scope has no member left.
 * Cancel: prompt; no member is taken. */
EDO_API EDO_MUST_USE edo_op edo_scope_next(edo_scope *scope, edo_member *ret_member);

/* Cancels all members; none can be added any more.
 * Thread: inside any task of the scope's runtime. */
EDO_API void edo_scope_cancel(edo_scope *scope);

/* Cancels one member; it ends by itself. Costs a walk through the members, under the scope's lock.
 * Returns: 0; -ESRCH when the scope has no such member any more.
 * Thread: inside any task of the scope's runtime. */
EDO_API int edo_scope_cancel_member(edo_scope *scope, uint64_t id);

/* The same for all members with a key (edo_scope_spawn_key()), or with that pointer as the user of
 * their edo_spawn_options.
 * Returns: how many have not ended.
 * Thread: inside any task of the scope's runtime. */
EDO_API size_t edo__scope_cancel_key(edo_scope *scope, const void *key);
#define edo_scope_cancel_key(scope, key)                                                           \
    edo__scope_cancel_key((scope), (const void *)(uintptr_t)(key))

/* The members with a key that have not ended. Costs a walk, too.
 * Thread: as above; a snapshot. */
EDO_API size_t edo__scope_count_key(edo_scope *scope, const void *key);
#define edo_scope_count_key(scope, key)                                                            \
    edo__scope_count_key((scope), (const void *)(uintptr_t)(key))

/* No member can be added any more; those that there are go on. After it, a join that answers has seen
 * the end of all.
 * Thread: inside any task of the scope's runtime. */
EDO_API void edo_scope_close(edo_scope *scope);

/* Members that have not ended.
 * Thread: as above; a snapshot. */
EDO_API size_t edo_scope_count(const edo_scope *scope);

EDO_END_DECLS

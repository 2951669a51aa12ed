/* A scope: a group of tasks that have all ended before their owner leaves the scope.
 *
 * A scope serves as join set, task tracker and nursery. The scope is a member of its owner's frame:
 *
 *     edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
 *     rc = edo_scope_spawn(&self->scope, fetch, .url = self->url);
 *     edo_await(rc, edo_scope_join(&self->scope));
 *
 * If an async function returns while its scope has members, the process aborts, and the abort line
 * names the members. Members are tasks, so they may run on any worker, and each ends independently.
 * A cancelled edo_scope_join() cancels the members and waits for their ends.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

enum {
    EDO_SCOPE_FAIL_FAST = 1,    // the first failure cancels the other members
    EDO_SCOPE_RESULTS = 2,      // ended members are kept for edo_scope_next(), also during a join
    EDO_SCOPE_IGNORE = 4,       // failures of members are ignored: a join answers 0
    EDO_SCOPE_LOG = 16,         // the log names each member that fails, also with EDO_SCOPE_IGNORE
    EDO_SCOPE_END_RUNTIME = 32, // the first failure is logged, and ends the runtime
    EDO_SCOPE_IN_ORDER = 8,     // with EDO_SCOPE_RESULTS: edo_scope_next() reports in spawn order
};

/* All members are private. */
typedef struct edo_scope {
    edo_future base; // linked into the owner's frame
    edo_future *owner;
    uint32_t lock, flags;
    struct {
        void *next, *prev;
    } live, ended;
    uint64_t count;  // members that have not ended
    int64_t failure; // first failure of a member, or 0
    edo_op *waiters; // first of the waiting operations
    bool cancelled, closed;
    uint32_t bindings; // number of bindings to cancellation tokens; used by the owner
    uint64_t reserved[2];
} edo_scope;

/* Report of a member that has ended. */
typedef struct edo_member {
    uint64_t id; // edo_task_id()
    int64_t result;
    const char *name;
    void *user; // edo_spawn_options.user, or the key
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

/* Opens an empty scope in the frame of the calling function. Aborts if flags contradict each other:
 * EDO_SCOPE_IGNORE with EDO_SCOPE_FAIL_FAST or with EDO_SCOPE_END_RUNTIME. Also aborts for
 * EDO_SCOPE_IN_ORDER without EDO_SCOPE_RESULTS. */
#define edo_scope_open(scope, flags) edo__scope_open((scope), &self->base, (flags))

/* Starts a member: edo_scope_spawn(&self->scope, fetch, .url = url).
 * Returns: as edo_spawn(); -ECANCELED if the scope was cancelled; -ESHUTDOWN if the scope was
 * closed. On failure the arguments still belong to the caller.
 * Thread: inside the owner's task; or inside another task of the scope's runtime, if the owner
 * waits for that task. The owner's function must not return during the call. */
#define edo_scope_spawn(scope, ...)                                                                \
    edo__scope_spawn((scope), NULL, edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))
#define edo_scope_spawn_with(scope, options, ...)                                                  \
    edo__scope_spawn((scope), (options), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* Starts a member, and stores its edo_task_id() in *ret_id, for edo_scope_cancel_member(). An id is
 * never used again, so the caller may keep the id after the member's end. *ret_id is written before
 * this call returns, but the member may already run before that. */
#define edo_scope_spawn_member(ret_id, scope, ...)                                                 \
    edo__scope_spawn_member((ret_id), (scope), NULL, edo__site_of(__VA_ARGS__, ),                  \
                            edo__args_of(__VA_ARGS__, ))

/* Starts a member under a key, which is a pointer or a number other than 0:
 * edo_scope_spawn_key(&self->scope, self->user, serve, .conn = conn). The key is the member's
 * edo_task_user() and edo_member.user.
 *
 * An earlier member with the same key is cancelled and replaced. edo_scope_next() never reports a
 * replaced member. The scope ignores a failure of a replaced member, but a join still waits for
 * that member's end. Cost: a walk through the members, under the scope's lock.
 * Returns: as edo_scope_spawn(); -EINVAL for the key 0. After a failure no member has been
 * replaced, with one exception: when the runtime refuses the new member (-ESHUTDOWN because the
 * runtime is ending, -ESTALE after fork()), the earlier member has already been replaced. */
#define edo_scope_spawn_key(scope, key, ...)                                                       \
    edo__scope_spawn_key((scope), (void *)(uintptr_t)(key), NULL, edo__site_of(__VA_ARGS__, ),     \
                         edo__args_of(__VA_ARGS__, ))

/* Waits until no member is left.
 * Result: 0, or the first failure of a member since the scope was opened. With EDO_SCOPE_IGNORE
 * failures do not count, and the result is 0. -ECANCELED of a cancelled member is not a failure.
 * -EBUSY: another join or next already waits on the scope.
 * Cancel: waits; cancels the members, and answers -ECANCELED (or an earlier failure) after they
 * have ended. */
EDO_API EDO_MUST_USE edo_op edo_scope_join(edo_scope *scope);

/* Waits for the next member to end. Members are reported in the order of their ends, or, with
 * EDO_SCOPE_IN_ORDER, in the order of their spawns. Needs EDO_SCOPE_RESULTS.
 * Result: 1 with *ret_member; 0 if the scope has no member left; -EBUSY as edo_scope_join().
 * Cancel: prompt; no member is taken. */
EDO_API EDO_MUST_USE edo_op edo_scope_next(edo_scope *scope, edo_member *ret_member);

/* Cancels all members. The scope accepts no further members.
 * Thread: inside any task of the scope's runtime. */
EDO_API void edo_scope_cancel(edo_scope *scope);

/* Cancels one member, without waiting for its end. Cost: a walk through the members, under the
 * scope's lock.
 * Returns: 0; -ESRCH when the scope has no such live member.
 * Thread: inside any task of the scope's runtime. */
EDO_API int edo_scope_cancel_member(edo_scope *scope, uint64_t id);

/* Cancels all members with a key. The key of a member is that of edo_scope_spawn_key(), or `user`
 * of its edo_spawn_options.
 * Returns: the number of such members that had not ended.
 * Thread: inside any task of the scope's runtime. */
EDO_API size_t edo__scope_cancel_key(edo_scope *scope, const void *key);
#define edo_scope_cancel_key(scope, key)                                                           \
    edo__scope_cancel_key((scope), (const void *)(uintptr_t)(key))

/* Number of members with a key that have not ended. Cost: a walk through the members, under the
 * scope's lock.
 * Thread: as above; a snapshot. */
EDO_API size_t edo__scope_count_key(edo_scope *scope, const void *key);
#define edo_scope_count_key(scope, key)                                                            \
    edo__scope_count_key((scope), (const void *)(uintptr_t)(key))

/* Closes the scope to new members. Present members continue. When a later join answers, the scope
 * is empty for good.
 * Thread: inside any task of the scope's runtime. */
EDO_API void edo_scope_close(edo_scope *scope);

/* Number of members that have not ended.
 * Thread: as above; a snapshot. */
EDO_API size_t edo_scope_count(const edo_scope *scope);

EDO_END_DECLS

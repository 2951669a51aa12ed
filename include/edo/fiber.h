/* Fibers: tasks whose functions are ordinary ones, with a stack of their own.
 *
 *     static int64_t echo(void *arg)
 *     {
 *         edo_io *conn = arg;
 *         char buf[4096];
 *         int64_t n;
 *         while ((n = edo_wait(edo_read(conn, buf, sizeof buf))) > 0)
 *             if (edo_wait(edo_write_all(conn, buf, (size_t)n)) < 0) break;
 *         edo_close(conn);
 *         return 0;
 *     }
 *     ...
 *     rc = edo_fiber_go(echo, conn);
 *
 * A fiber waits by edo_wait() and its like (edo/wait.h), also deep in functions that it calls.
 * Operations, cancellation, limits, scopes, budgets, dumps are those of async functions: a fiber is
 * a task whose poll runs its function until that waits. So an async function joins a fiber with
 * edo_join(), and a fiber calls an async function with edo_wait_call().
 *
 * Cancellation. The wait of a cancelled fiber answers -ECANCELED, and so does each further one,
 * until edo_fiber_shield(). The function always runs, and to its own end.
 *
 * Stack. 64 KiB of address space by default, of which 16 KiB are a guard; memory is taken page by
 * page as it is touched. A fiber that overflows it ends the process with a line that names the
 * fiber and the size. A single frame that is larger than the guard can jump over it: compile with
 * -fstack-clash-protection.
 *
 * Threads. In a runtime with workers a fiber may go on on another thread after each wait. Compilers
 * do not know that: they may keep the address of a thread-local variable, also that of errno,
 * across a wait. So do not use thread-local variables across waits in one function; take
 * edo_fiber_key_create(), a function that is not inlined, or pin the fiber to a worker. errno
 * itself stays with the fiber. Link-time optimisation over edo and the program does the same to
 * calls of edo: leave edo out of it where fibers move. A mutex of the threads that is held across a
 * wait may be unlocked by another thread, which is undefined.
 *
 * Exceptions of C++ may pass inside of a fiber, but not leave its function: that terminates the
 * process. longjmp() goes to places in the same fiber only.
 *
 * Limits. setjmp() and longjmp() between fibers, and a wait in a signal handler, abort where they
 * are noticed.
 */
#pragma once

#include <edo/runtime.h>
#include <edo/scope.h>
#include <edo/wait.h>
#include <edo/within.h>

EDO_BEGIN_DECLS

typedef struct edo__fiber edo__fiber;
struct edo__places;

/* The frame of a fiber's task; for edo_fiber_init(). Private. */
struct edo_fiber_frame {
    edo_future base;
    edo_frame_head edo_head;
    edo__fiber *fiber; // on its stack; NULL: it has ended
};

enum {
    EDO_FIBER_UNGUARDED = 1, // no guard below the stack: an overflow damages other memory
};

/* Options of a fiber; zeroed is the default. */
typedef struct edo_fiber_options {
    edo_spawn_options task;
    size_t stack_size; // bytes of address space, with the guard; rounded up; 0: 64 KiB
    void *stack;       // the caller's own memory of stack_size bytes, until the fiber's end; it has
                       // no guard. NULL: from the library's
    uint32_t flags;    // EDO_FIBER_UNGUARDED
    uint32_t reserved_flags;
    void *reserved[4];
} edo_fiber_options;

/* ---- spawning ---- */

/* The function of a fiber and its argument; private. */
typedef struct edo__fiber_start {
    int64_t (*fn)(void *arg);
    const void *arg;
    size_t args_size; // bytes of *arg, copied to the stack for fn; 0: fn gets arg itself
} edo__fiber_start;

EDO_API EDO_MUST_USE int edo__fiber_spawn(edo_task **ret_task, const edo_fiber_options *options,
                                          const edo_site *site, const edo__fiber_start *start);
EDO_API EDO_MUST_USE int edo__fiber_scope_spawn(edo_scope *scope, const edo_fiber_options *options,
                                                const edo_site *site,
                                                const edo__fiber_start *start);
EDO_API EDO_MUST_USE int edo__fiber_init(struct edo_fiber_frame *frame,
                                         const edo_fiber_options *options, const edo_site *site,
                                         const edo__fiber_start *start);
EDO_API int edo__fiber_run(const edo_config *config, const edo_fiber_options *options,
                           const edo_site *site, const edo__fiber_start *start);
EDO_API int64_t edo__fiber_block_on(edo_runtime *runtime, const edo_fiber_options *options,
                                    const edo_site *site, const edo__fiber_start *start);
EDO_API void edo__fiber_run_test(const edo_site *site, const edo__fiber_start *start);
EDO_API edo_poll edo__fiber_poll(edo_future *future, edo_cx *cx);
EDO_API extern const struct edo__places edo__fiber_places; // where it waits

#define edo__fiber_site(fn)                                                                        \
    (__extension__({                                                                               \
        static const edo_future_ops edo_ops_ = { #fn,                                              \
                                                 __FILE__,                                         \
                                                 edo__fiber_poll,                                  \
                                                 EDO_KIND_ASYNC,                                   \
                                                 sizeof(struct edo_fiber_frame),                   \
                                                 offsetof(struct edo_fiber_frame, fiber),          \
                                                 sizeof(edo__fiber *),                             \
                                                 { &edo__fiber_places, NULL } };                   \
        static const edo_site edo_site_ = { &edo_ops_, __func__, __FILE__, __LINE__, 0 };          \
        &edo_site_;                                                                                \
    }))

static inline edo__fiber_start edo__fiber_start_of(int64_t (*fn)(void *arg), const void *arg,
                                                   size_t args_size)
{
    edo__fiber_start start;
    start.fn = fn;
    start.arg = arg;
    start.args_size = args_size;
    return start;
}

#ifdef __cplusplus
static inline const edo__fiber_start *edo__fiber_address(const edo__fiber_start &start)
{
    return &start;
}
#define edo__fiber_plain(fn, arg) edo__fiber_address(edo__fiber_start_of((fn), (arg), 0))
#else
#define edo__fiber_plain(fn, arg) (&(edo__fiber_start){ (fn), (arg), 0 })
#endif

/* Starts a fiber: edo_fiber_spawn(&task, &options, echo, conn), for int64_t echo(void *arg). The
 * function's result is the task's. The handle goes to edo_join() or edo_detach(); options may be
 * NULL, and so may ret_task, for a detached one.
 * Returns: as edo_spawn_with(); -ENOMEM also without memory for a stack, with the reason in the
 * log; -EINVAL for a stack that is too small; -ENOTSUP where shadow stacks are on. On failure arg
 * is still the caller's. Thread: as edo_spawn_with(). */
#define edo_fiber_spawn(ret_task, options, fn, arg)                                                \
    edo__fiber_spawn((ret_task), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* The same, detached and with the default options. */
#define edo_fiber_go(fn, arg) edo_fiber_spawn(NULL, NULL, fn, arg)

/* The same, as a member of a scope; Returns and Thread as edo_scope_spawn(). */
#define edo_fiber_scope_spawn(scope, options, fn, arg)                                             \
    edo__fiber_scope_spawn((scope), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* The same for one worker only, as edo_spawn_on(): such a fiber never changes its thread. */
#define edo_fiber_on(ret_task, worker, fn, arg)                                                    \
    edo__fiber_on((ret_task), (worker), edo__fiber_site(fn), edo__fiber_plain(fn, arg))
EDO_API EDO_MUST_USE int edo__fiber_on(edo_task **ret_task, unsigned worker, const edo_site *site,
                                       const edo__fiber_start *start);

/* Runs a fiber as a program: as edo_run() and edo_run_with(). */
#define edo_fiber_run(fn, arg) edo_fiber_run_with(NULL, NULL, fn, arg)
#define edo_fiber_run_with(config, options, fn, arg)                                               \
    edo__fiber_run((config), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* Runs a fiber on a runtime, as edo_block_on(). */
#define edo_fiber_block_on(runtime, fn, arg)                                                       \
    edo__fiber_block_on((runtime), NULL, edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* Makes a fiber that an async function calls, as a member of its frame:
 *
 *     struct edo_fiber_frame child;                               // in the frame
 *     rc = edo_fiber_init(&self->child, NULL, parse, self->text);
 *     if (rc == 0) edo_await_on(rc, &self->child.base);
 *
 * The frame must be polled once it was made, because nothing else releases its stack. The options
 * of the task have no effect. Returns: 0; -ENOMEM; -EINVAL; -ENOTSUP. */
#define edo_fiber_init(frame, options, fn, arg)                                                    \
    edo__fiber_init((frame), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* ---- typed arguments ----
 *
 *     struct echo {
 *         edo_io *conn;
 *         int limit;
 *     };
 *     edo_fiber(echo)                              // its body: int64_t (struct echo *self)
 *     {
 *         ... self->conn ...
 *     }
 *     rc = edo_fiber_go_args(echo, .conn = conn);
 *
 * The arguments are copied to the fiber's stack. */
#define edo_fiber(fn)                                                                              \
    static int64_t fn##_body(struct fn *self);                                                     \
    static int64_t fn##_fiber(void *arg)                                                           \
    {                                                                                              \
        return fn##_body((struct fn *)arg);                                                        \
    }                                                                                              \
    static int64_t fn##_body(__attribute__((unused)) struct fn *self)

#ifdef __cplusplus
extern "C++" {
template <class Args> edo__fiber_start edo__fiber_copied(int64_t (*fn)(void *), const Args &args)
{
    return edo__fiber_start_of(fn, &args, sizeof args);
}
}
#endif

/* Expands to the site and the start of a typed fiber. */
#ifdef __cplusplus
#define edo__fiber_typed(fn, ...)                                                                  \
    edo__fiber_site(fn),                                                                           \
        edo__fiber_address(edo__fiber_copied(                                                      \
            fn##_fiber, __extension__(__typeof__(*(struct fn *)0)){ __VA_ARGS__ }))
#else
#define edo__fiber_typed(fn, ...)                                                                  \
    edo__fiber_site(fn),                                                                           \
        (&(edo__fiber_start){ fn##_fiber, &(struct fn){ __VA_ARGS__ }, sizeof(struct fn) })
#endif

#define edo_fiber_spawn_args(ret_task, options, ...)                                               \
    edo__fiber_spawn((ret_task), (options), edo__fiber_typed(__VA_ARGS__, ))
#define edo_fiber_go_args(...) edo__fiber_spawn(NULL, NULL, edo__fiber_typed(__VA_ARGS__, ))
#define edo_fiber_scope_spawn_args(scope, options, ...)                                            \
    edo__fiber_scope_spawn((scope), (options), edo__fiber_typed(__VA_ARGS__, ))
#define edo_fiber_run_args(...) edo__fiber_run(NULL, NULL, edo__fiber_typed(__VA_ARGS__, ))

/* ---- inside of a fiber; elsewhere these abort ---- */

/* Whether the calling function runs in a fiber, and may wait. Thread: any. */
EDO_API bool edo_in_fiber(void);

/* Whether the fiber was asked to end; for loops that compute. A shield hides it. */
EDO_API bool edo_fiber_is_cancelled(void);

/* Begins clean-up: from here on waits work although the fiber was cancelled, but not if it was
 * aborted. */
EDO_API void edo_fiber_shield(void);

/* Bytes left on the stack, without the guard. */
EDO_API size_t edo_fiber_stack_room(void);

/* Bytes of the stack that have been touched since edo_fiber_trim(), in whole pages: by this fiber,
 * or by an earlier one that had the same stack. For choosing stack_size. Costs a system call.
 * Returns: 0 where the system does not know. */
EDO_API size_t edo_fiber_stack_peak(void);

/* Returns unused stack memory, which deeper calls have touched, to the system. For a fiber that now
 * waits for long. Costs a system call. */
EDO_API void edo_fiber_trim(void);

/* Returns the stacks that are kept for later fibers to the system: those of the calling thread, and
 * those that all threads share. Thread: any. */
EDO_API void edo_fiber_drop_stacks(void);

/* ---- limits and scopes in blocks ---- */

EDO_API edo_limit *edo__fiber_limit_open(edo_limit *limit, int64_t deadline, uint32_t line);
EDO_API void edo__fiber_limit_close(edo_limit *limit);
EDO_API void edo__fiber_scope_open(edo_scope *scope, uint32_t flags);
EDO_API void edo__fiber_scope_close(edo_scope *scope);
EDO_API void edo__fiber_end_op(edo_op *op);

/* A time limit for all waits of the block that follows, as edo_within() for async functions. It
 * also covers the waits of functions that the block calls; a wait that the limit ends answers
 * -ETIMEDOUT. Any way to leave the block is allowed. */
#define edo_wait_within(duration)     edo_wait_within_until(edo__deadline_after(duration))
#define edo_wait_within_until(when)   edo__wait_within(__COUNTER__, (when))
#define edo__wait_within(place, when) edo__wait_within_at(place, when)
#define edo__wait_within_at(place, when)                                                           \
    for (edo_limit edo_limit_##place __attribute__((cleanup(edo__fiber_limit_close))),             \
         *edo_once_##place = edo__fiber_limit_open(&edo_limit_##place, (when), __LINE__);          \
         edo_once_##place; edo_once_##place = NULL)

/* Declares a scope for the rest of the block, as edo_scope_open(). To leave the block while it has
 * members aborts with their names: edo_wait(edo_scope_join(&name)). */
#define edo_fiber_scope(name, flags)                                                               \
    edo_scope name __attribute__((cleanup(edo__fiber_scope_close)));                               \
    edo__fiber_scope_open(&name, (flags))

/* Stands behind the declaration of an operation: edo_op a EDO_ENDS = edo_read(...); If
 * edo_wait_any() has left the operation running, the end of the block cancels it, and waits for its
 * end. */
#define EDO_ENDS __attribute__((cleanup(edo__fiber_end_op)))

/* ---- values of a fiber, where threads have thread-local ones ---- */

enum { EDO_FIBER_KEYS = 8 };

/* Makes a key, for all fibers of the process; it is never given back.
 * Returns: 0; -EAGAIN when there are EDO_FIBER_KEYS already. Thread: any. */
EDO_API EDO_MUST_USE int edo_fiber_key_create(uint32_t *ret_key);

/* The fiber's value for a key; NULL until it is set. */
EDO_API void *edo_fiber_get(uint32_t key);
EDO_API void edo_fiber_set(uint32_t key, void *value);

/* ---- tests ---- */

/* Defines a fiber, and a plain function name_test(void **state) that runs it on a fresh runtime
 * with the test clock, as edo_test() of edo/test.h does: edo_fiber_test(nap) { ... return 0; } */
#define edo_fiber_test(name)                                                                       \
    static int64_t name(void *edo_unused_);                                                        \
    static void name##_test(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        edo__fiber_run_test(edo__fiber_site(name), edo__fiber_plain(name, NULL));                  \
    }                                                                                              \
    static int64_t name(__attribute__((unused)) void *edo_unused_)

EDO_END_DECLS

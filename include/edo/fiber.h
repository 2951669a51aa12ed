/* Fibers: tasks that run an ordinary function. Each fiber has its own stack.
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
 * A fiber waits by edo_wait() and the other calls of edo/wait.h, even deep in functions that the
 * fiber calls. Operations, cancellation, limits, scopes, budgets and dumps work as in async
 * functions, because a fiber is a task whose poll runs the function until its next wait. An async
 * function waits for the end of a fiber with edo_join(). A fiber calls an async function with
 * edo_wait_call().
 *
 * Cancellation. In a cancelled fiber, each wait returns -ECANCELED, until the fiber calls
 * edo_fiber_shield(). The function of a fiber always starts, and always runs to its end.
 *
 * Stack. The default is 64 KiB of address space, including a guard of 16 KiB. Memory is allocated
 * page by page when it is first touched. An overflow touches the guard, which ends the process with
 * a line that names the fiber and the stack's size. But a function whose frame is larger than the
 * guard can write past the guard without touching it. To prevent this, compile with
 * -fstack-clash-protection.
 *
 * Threads. In a runtime with workers a fiber may continue on another thread after each wait.
 * Compilers do not know this, and may keep the address of a thread-local variable (errno is one)
 * across a wait. Do not use a thread-local variable both before and after a wait in one function.
 * Instead, use edo_fiber_key_create(), a separate function that is not inlined, or a fiber pinned
 * to a worker. The value of errno is saved and restored with the fiber. If edo and the program are
 * optimised together at link time, the compiler can also keep such an address across a wait inside
 * calls of edo. So if fibers change threads, exclude edo from link-time optimisation. Do not hold a
 * mutex for threads (such as pthread_mutex_t) across a wait. The fiber might then unlock the mutex
 * on another thread, which is undefined behaviour.
 *
 * C++ exceptions may propagate inside a fiber. An exception that leaves the fiber's function
 * terminates the process.
 *
 * Misuse. A fiber must not longjmp() into another fiber. A signal handler must not wait. If the
 * library detects such a misuse, it aborts the process.
 */
#pragma once

#include <edo/runtime.h>
#include <edo/scope.h>
#include <edo/wait.h>
#include <edo/within.h>

EDO_BEGIN_DECLS

typedef struct edo__fiber edo__fiber;
struct edo__places;

/* Frame of a fiber's task, for edo_fiber_init(). The members are private. */
struct edo_fiber_frame {
    edo_future base;
    edo_frame_head edo_head;
    edo__fiber *fiber; // on the fiber's stack; NULL: the fiber has ended
};

enum {
    EDO_FIBER_UNGUARDED = 1, // no guard below the stack: an overflow corrupts other memory
};

/* Options of a fiber. A zeroed struct gives the defaults. */
typedef struct edo_fiber_options {
    edo_spawn_options task;
    size_t stack_size; // bytes of address space, including the guard; rounded up; 0: 64 KiB
    void *stack;       // stack_size bytes of the caller's memory, without a guard; in use until the
                       // fiber's end; NULL: the library allocates the stack
    uint32_t flags;    // EDO_FIBER_UNGUARDED
    uint32_t reserved_flags;
    void *reserved[4];
} edo_fiber_options;

/* ---- spawning ---- */

/* Function and argument of a fiber. Private. */
typedef struct edo__fiber_start {
    int64_t (*fn)(void *arg);
    const void *arg;
    size_t args_size; // bytes of *arg; fn receives a copy on the stack; 0: fn receives arg itself
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
EDO_API extern const struct edo__places edo__fiber_places; // finds the file of a fiber's wait

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

/* Starts a fiber that runs fn(arg): edo_fiber_spawn(&task, &options, echo, conn). fn is a function
 * such as int64_t echo(void *arg). The result of fn is the task's result. Pass the handle to
 * edo_join() or edo_detach(). options may be NULL. ret_task may be NULL for a detached fiber.
 * Returns: as edo_spawn_with(); -ENOMEM also if there is no memory for a stack (the log has the
 * reason); -EINVAL for a stack that is too small; -ENOTSUP if shadow stacks are enabled. On
 * failure the caller still owns arg. Thread: as edo_spawn_with(). */
#define edo_fiber_spawn(ret_task, options, fn, arg)                                                \
    edo__fiber_spawn((ret_task), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* As edo_fiber_spawn(), but the fiber is detached and has the default options. */
#define edo_fiber_go(fn, arg) edo_fiber_spawn(NULL, NULL, fn, arg)

/* As edo_fiber_spawn(), but the fiber is a member of a scope. Returns and Thread: as
 * edo_scope_spawn(). */
#define edo_fiber_scope_spawn(scope, options, fn, arg)                                             \
    edo__fiber_scope_spawn((scope), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* As edo_fiber_spawn(), but the fiber is pinned to one worker, as by edo_spawn_on(). So the fiber
 * never changes its thread. */
#define edo_fiber_on(ret_task, worker, fn, arg)                                                    \
    edo__fiber_on((ret_task), (worker), edo__fiber_site(fn), edo__fiber_plain(fn, arg))
EDO_API EDO_MUST_USE int edo__fiber_on(edo_task **ret_task, unsigned worker, const edo_site *site,
                                       const edo__fiber_start *start);

/* Runs a fiber as a program, as edo_run() and edo_run_with() do with an async function. */
#define edo_fiber_run(fn, arg) edo_fiber_run_with(NULL, NULL, fn, arg)
#define edo_fiber_run_with(config, options, fn, arg)                                               \
    edo__fiber_run((config), (options), edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* Runs a fiber on a runtime, as edo_block_on() does with an async function. */
#define edo_fiber_block_on(runtime, fn, arg)                                                       \
    edo__fiber_block_on((runtime), NULL, edo__fiber_site(fn), edo__fiber_plain(fn, arg))

/* Makes a fiber that an async function calls. The fiber's frame is a member of the caller's frame:
 *
 *     struct edo_fiber_frame child;                               // in the frame
 *     rc = edo_fiber_init(&self->child, NULL, parse, self->text);
 *     if (rc == 0) edo_await_on(rc, &self->child.base);
 *
 * The fiber must be polled to its end. Only the end releases its stack. options->task is ignored.
 * Returns: 0; -ENOMEM; -EINVAL; -ENOTSUP. */
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

/* ---- inside a fiber; elsewhere these calls abort, except those with "Thread: any" ---- */

/* Whether the calling function runs in a fiber and may wait. Thread: any. */
EDO_API bool edo_in_fiber(void);

/* Whether the fiber was cancelled. Useful in loops without waits. Returns: false after
 * edo_fiber_shield(). */
EDO_API bool edo_fiber_is_cancelled(void);

/* Begins clean-up: later waits work although the fiber was cancelled. An abort still ends them. */
EDO_API void edo_fiber_shield(void);

/* Free bytes of the stack, without the guard. */
EDO_API size_t edo_fiber_stack_room(void);

/* If fewer than `bytes` bytes of the calling fiber's stack are free, the process aborts, with a
 * line that names the fiber. Useful in recursions, and before a call of a function whose frame is
 * larger than the guard, because such a function can write past the guard. Outside of fibers the
 * call does nothing. Thread: any. */
EDO_API void edo_fiber_probe(size_t bytes);

/* Greatest depth of the stack since the last edo_fiber_trim(), in bytes. The depth is counted in
 * whole pages from the high end of the stack's memory. Pages that an earlier fiber used on the same
 * stack are counted, too. Costs a system call.
 * Returns: 0 if the system has no such information. */
EDO_API size_t edo_fiber_stack_peak(void);

/* Releases the pages of the stack that the fiber has used earlier but does not use now. Useful
 * before a long wait that follows deep calls. Costs a system call. */
EDO_API void edo_fiber_trim(void);

/* Unmaps stacks that are kept for later fibers: those that the calling thread keeps for itself, and
 * those that all threads share. Thread: any. */
EDO_API void edo_fiber_drop_stacks(void);

/* ---- watermarks: how much stack the fibers of a function have used ---- */

/* Turns on or off the measurement of fibers that are made after this call. The measurement helps to
 * choose stack_size. It is not for production, because it costs some microseconds per fiber. The
 * stack is cleared before the fiber starts, and is searched for written bytes at the fiber's end.
 * Fibers whose stack is memory of the program are not measured. Thread: any. */
EDO_API void edo_fiber_measure(bool on);

/* Measured fibers of one function. */
typedef struct edo_fiber_stats {
    const char *name, *file; // name of the function, file of a place that spawned such a fiber
    uint32_t line;           // line of that place
    uint64_t ended;          // measured fibers that have ended
    uint64_t peak;           // bytes; greatest stack depth of one of these fibers
    uint64_t stack_size;     // bytes; size of the smallest of their stacks, including the guard
    uint64_t guard;          // bytes; guard of that smallest stack
} edo_fiber_stats;

enum { EDO_FIBER_FUNCTIONS = 256 }; // greatest number of measured functions

/* Reads the stats of the functions whose fibers were measured. edo_dump() shows them too. As
 * stack_size, choose peak + guard and some reserve, because rare paths and signal handlers on the
 * fiber's stack may need more than was measured.
 * ret_stats: array of `count` elements.
 * Returns: the number of functions, which may exceed count.
 * Thread: any. */
static inline size_t edo_fiber_stats_read(edo_fiber_stats *ret_stats, size_t count);

/* size: bytes of the caller's struct, which may grow at its end. Private. */
EDO_API size_t edo__fiber_stats_read(edo_fiber_stats *ret_stats, size_t count, size_t size);

static inline size_t edo_fiber_stats_read(edo_fiber_stats *ret_stats, size_t count)
{
    return edo__fiber_stats_read(ret_stats, count, sizeof *ret_stats);
}

/* ---- limits and scopes in blocks ---- */

EDO_API edo_limit *edo__fiber_limit_open(edo_limit *limit, int64_t deadline, uint32_t line);
EDO_API void edo__fiber_limit_close(edo_limit *limit);
EDO_API void edo__fiber_scope_open(edo_scope *scope, uint32_t flags);
EDO_API void edo__fiber_scope_close(edo_scope *scope);
EDO_API void edo__fiber_end_op(edo_op *op);

/* Limits all waits of the block that follows, as edo_within() does in async functions. The limit
 * also applies to waits in functions that the block calls. After the limit, the waits return
 * -ETIMEDOUT. The block may be left by break, goto or return. */
#define edo_wait_within(duration)     edo_wait_within_until(edo__deadline_after(duration))
#define edo_wait_within_until(when)   edo__wait_within(__COUNTER__, (when))
#define edo__wait_within(place, when) edo__wait_within_at(place, when)
#define edo__wait_within_at(place, when)                                                           \
    for (edo_limit edo_limit_##place __attribute__((cleanup(edo__fiber_limit_close))),             \
         *edo_once_##place = edo__fiber_limit_open(&edo_limit_##place, (when), __LINE__);          \
         edo_once_##place; edo_once_##place = NULL)

/* Declares a scope for the rest of the block, and opens it as edo_scope_open() does. Before the end
 * of the block, wait for the members of the scope: edo_wait(edo_scope_join(&name)). If the block is
 * left while the scope has members, the process aborts, with a line that names the members. */
#define edo_fiber_scope(name, flags)                                                               \
    edo_scope name __attribute__((cleanup(edo__fiber_scope_close)));                               \
    edo__fiber_scope_open(&name, (flags))

/* Attribute for a variable that holds an operation, as in: edo_op a EDO_ENDS = edo_read(...).
 * edo_wait_any() may leave the operation running. If the operation is still running when the block
 * is left, the operation is cancelled, and the program continues behind the block only when the
 * operation has ended. */
#define EDO_ENDS __attribute__((cleanup(edo__fiber_end_op)))

/* ---- fiber-local values ---- */

enum { EDO_FIBER_KEYS = 8 };

/* Makes a key for all fibers of the process. Keys are never released.
 * Returns: 0; -EAGAIN if EDO_FIBER_KEYS keys exist already. Thread: any. */
EDO_API EDO_MUST_USE int edo_fiber_key_create(uint32_t *ret_key);

/* The fiber's value for a key; initially NULL. */
EDO_API void *edo_fiber_get(uint32_t key);
EDO_API void edo_fiber_set(uint32_t key, void *value);

/* ---- tests ---- */

/* Defines a fiber, and a plain function name_test(void **state). The function runs the fiber on a
 * fresh runtime with the test clock, as edo_test() of edo/test.h does:
 *     edo_fiber_test(nap) { ... return 0; } */
#define edo_fiber_test(name)                                                                       \
    static int64_t name(void *edo_unused_);                                                        \
    static void name##_test(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        edo__fiber_run_test(edo__fiber_site(name), edo__fiber_plain(name, NULL));                  \
    }                                                                                              \
    static int64_t name(__attribute__((unused)) void *edo_unused_)

EDO_END_DECLS

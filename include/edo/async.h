/* Async functions: straight-line code that waits.
 *
 *     struct echo {
 *         edo_frame();                          // head of every frame; names the callees
 *         edo_args(edo_io *conn;);              // given by the caller
 *         char buf[4096];                       // locals that live across an await
 *     };
 *
 *     edo_async(echo)
 *     {
 *         edo_body {
 *             int64_t n;                        // scratch: set and used between two awaits
 *             edo_await(n, edo_read(self->conn, self->buf, sizeof self->buf));
 *             edo_close(self->conn);
 *             edo_return(n);
 *         }
 *     }
 *
 * The body is an ordinary function that returns at an await and later resumes there. So the values
 * of the body's locals are lost at every await. A value that lives across an await belongs in the
 * frame. Compilers report most violations (gcc with -Wall -O2, clang with
 * -Wconditional-uninitialized). tools/edo-lint reports the rest.
 *
 * Rules for the caller. A frame does not move after its first poll. A pointer that is given to an
 * operation points into a frame, the heap or static memory. An async function owns its arguments
 * once it is called or spawned. An async function always runs to its own end, even when it is
 * cancelled.
 *
 * Bodies need GNU C (gcc, clang). C++17 code may include this header, and call, spawn and run async
 * functions.
 */
#pragma once

#include <edo/task.h>
#include <edo/time.h>

#ifndef __cplusplus
#pragma GCC diagnostic error "-Wreturn-type"
#ifdef __clang__
#pragma clang diagnostic warning "-Wconditional-uninitialized"
#endif
#endif

/* Many macros below end a call with `__VA_ARGS__, )`. The last argument is empty. It is there
 * because ISO C requires at least one argument for the `...` of the called macro. __extension__
 * keeps -pedantic from warning about the GNU extensions. */

/* ---- the frame ---- */

/* The library's part of a frame; its members are private. */
typedef struct edo_frame_head {
    edo_future *awaiting; // the awaited future, or several linked siblings
    edo_future *kept;     // open scopes, open limits, and futures that edo_any() left running
    uint32_t home;        // address of this frame at its first poll; see edo__place_of()
    int32_t resume;       // bytes from the start of the body to the label at which to resume
    union {
        int64_t deadline; // limit of edo_await_for(); ns of edo_now()'s clock
        int64_t failure;  // the first failure in edo_try_all()
        int64_t winner;   // index of the winner of edo_select(), edo_any() and their variants
    };
} edo_frame_head;

/* Head of a frame. The arguments declare a frame for each async function that edo_call() calls:
 * edo_frame(struct head head; struct body body;). One slot has room for any one of these frames, or
 * for an awaited operation. */
#define edo_frame(...)                                                                             \
    edo_future base;                                                                               \
    edo_frame_head edo_head;                                                                       \
    union {                                                                                        \
        edo_op op;                                                                                 \
        __VA_ARGS__                                                                                \
    } edo_slot

/* The arguments, as struct members. A call initialises only the arguments and the head. If a member
 * has the name of its own type, clang needs the struct tag: edo_args(struct flag *flag;). */
#define edo_args(...)                                                                              \
    __extension__ union {                                                                          \
        struct {                                                                                   \
            __VA_ARGS__                                                                            \
        } args;                                                                                    \
        __extension__ struct {                                                                     \
            __VA_ARGS__ EDO__NO_ARGS                                                               \
        };                                                                                         \
    }

#if defined __cplusplus && defined __clang__
#define EDO__NO_ARGS char edo_no_args_[0]; // clang++ reports an anonymous struct without members
#else
#define EDO__NO_ARGS
#endif

/* Common beginning of all frames: the head, and a slot for an operation. */
struct edo_any_frame {
    edo_frame();
};

EDO_BEGIN_DECLS
EDO_API void edo__frame_init(void *frame, const edo_future_ops *ops);
EDO_API edo_future *edo__link(void *frame, size_t count, edo_future *const *children);
EDO_API edo_future *edo__link_array(void *frame, size_t count, edo_future *first, size_t stride);
EDO_API edo_poll edo__poll_limited(void *frame, edo_cx *cx);
EDO_API edo_poll edo__poll_all(void *frame, edo_cx *cx);
EDO_API edo_poll edo__poll_try_all(void *frame, edo_cx *cx);
EDO_API edo_poll edo__poll_select(void *frame, edo_cx *cx);
EDO_API edo_poll edo__poll_select_biased(void *frame, edo_cx *cx);
EDO_API edo_poll edo__poll_any(void *frame, edo_cx *cx);
EDO_API edo_future *edo__box(const edo_future_ops *ops, const void *args);
EDO_API void edo__unbox(edo_future *boxed);
EDO_API void edo__shield(edo_future *function, edo_cx *cx);
EDO_END_DECLS

/* Initialises the frame of a callee that will run concurrently with other futures:
 * edo_init(&self->child, fetch, .url = url). */
#define edo_init(frame, ...) edo__init((frame), __VA_ARGS__, )
#define edo__init(frame, fn, ...)                                                                  \
    ((frame)->args = __extension__(__typeof__((frame)->args)){ __VA_ARGS__ },                      \
     edo__frame_init((frame), &fn##_async))

/* ---- the function ---- */

#ifdef __clang__
#define EDO__ASYNC_BODY __attribute__((noinline, annotate("edo_async_body")))
#else
#define EDO__ASYNC_BODY __attribute__((noinline, noclone))
#endif

/* Defines the async function for the frame type struct fn, static to this file. */
#define edo_async(fn) edo__async(static, fn)

/* As edo_async(), with external linkage. Other files declare the function by
 * edo_declare_async(fn). */
#define edo_async_extern(fn)  edo__async(, fn)
#define edo_declare_async(fn) extern const edo_future_ops fn##_async

/* Return type of a body. No number converts to this type, so `return rc` does not compile. */
typedef struct edo__end_with_edo_return {
    edo_poll poll;
} edo__end_with_edo_return;

#define edo__async(linkage, fn)                                                                    \
    _Static_assert(_Alignof(struct fn) <= _Alignof(max_align_t),                                   \
                   "a frame lies where malloc could put it: no more alignment than that");         \
    _Static_assert(offsetof(struct fn, base) == 0,                                                 \
                   "edo_frame() is not the first member of struct " #fn);                          \
    EDO__ASYNC_BODY static edo__end_with_edo_return fn##_async_body(struct fn *self, edo_cx *cx);  \
    static edo_poll fn##_async_poll(edo_future *future, edo_cx *cx)                                \
    {                                                                                              \
        return fn##_async_body((struct fn *)(void *)future, cx).poll;                              \
    }                                                                                              \
    linkage const edo_future_ops fn##_async = {                                                    \
        .name = #fn,                                                                               \
        .file = __FILE__,                                                                          \
        .poll = fn##_async_poll,                                                                   \
        .kind = EDO_KIND_ASYNC,                                                                    \
        .size = sizeof(struct fn),                                                                 \
        .args_offset = offsetof(struct fn, args),                                                  \
        .args_size = sizeof(((struct fn *)0)->args),                                               \
    };                                                                                             \
    EDO__ASYNC_BODY static edo__end_with_edo_return fn##_async_body(struct fn *self, edo_cx *cx)

#define edo__label_address(label) (__extension__((const char *)(&&label)))

/* Opens the body. The braces that follow contain all statements of the function. */
#define edo_body                                                                                   \
    (void)cx;                                                                                      \
edo_start_:                                                                                        \
    if (self->edo_head.resume)                                                                     \
        __extension__({ goto *(edo__label_address(edo_start_) + self->edo_head.resume); });

/* Ends the function with a result: >= 0 or a negative errno. Falling off the end, or a plain
 * `return`, is a compile-time error. */
#define edo_return(...)                                                                            \
    do {                                                                                           \
        self->base.result = (__VA_ARGS__);                                                         \
        return (edo__end_with_edo_return){ EDO_READY };                                            \
    } while (0)

#define EDO__CAT_(a, b)         a##b
#define EDO__CAT(a, b)          EDO__CAT_(a, b)
#define edo__suspend_until(...) edo__suspend_at(EDO__CAT(edo_at_, __COUNTER__), __VA_ARGS__)
#define edo__suspend_at(label, ...)                                                                \
    self->edo_head.resume = (int32_t)(edo__label_address(label) - edo__label_address(edo_start_)); \
label:                                                                                             \
    if ((__VA_ARGS__) == EDO_PENDING) return (edo__end_with_edo_return)                            \
        {                                                                                          \
            EDO_PENDING                                                                            \
        }

/* Stores the line of an await before the operation is constructed, so that an abort in the
 * constructor can name the line. */
#define edo__note_line() (self->base.line = __LINE__)

/* Rejects an unsigned variable, in which an error would look like a large result. */
#define edo__check_signed(lhs)                                                                     \
    _Static_assert((__typeof__(lhs))-1 < (__typeof__(lhs))1,                                       \
                   "the result is negative on error: \"" #lhs "\" is to be of a signed type")

/* A signal handler may inspect the frame between any two instructions (see edo/dump.h). The handler
 * finds an awaited future by the pointer edo_head.awaiting. So the future is complete before the
 * pointer is set, and the pointer is cleared before the memory of the future is reused. The fences
 * make the compiler keep that order. The handler runs on the same thread, so the processor needs no
 * fence. */
#define edo__link_slot()                                                                           \
    do {                                                                                           \
        __atomic_signal_fence(__ATOMIC_RELEASE);                                                   \
        self->edo_head.awaiting = &self->edo_slot.op.base;                                         \
    } while (0)

static inline edo_future *edo__unlink(edo_frame_head *head)
{
    edo_future *future = head->awaiting;
    head->awaiting = NULL;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return future;
}

#define edo__take_result(lhs)                                                                      \
    do {                                                                                           \
        edo__check_signed(lhs);                                                                    \
        lhs = (__typeof__(lhs))edo__unlink(&self->edo_head)->result;                               \
    } while (0)

/* ---- waiting for one ---- */

/* Waits for an operation, which is built in the frame's slot, and stores its result in lhs. */
#define edo_await(lhs, ...)                                                                        \
    do {                                                                                           \
        edo__note_line();                                                                          \
        self->edo_slot.op = (__VA_ARGS__);                                                         \
        edo__await_slot(lhs);                                                                      \
    } while (0)

#define edo__await_slot(lhs)                                                                       \
    do {                                                                                           \
        edo__link_slot();                                                                          \
        edo__suspend_until(edo_poll_future(self->edo_head.awaiting, cx));                          \
        edo__take_result(lhs);                                                                     \
    } while (0)

/* Waits for a future that is not in the slot: a member of the frame, or a user's own operation. */
#define edo_await_on(lhs, future)                                                                  \
    do {                                                                                           \
        edo__note_line();                                                                          \
        self->edo_head.awaiting = edo__link(self, 1, (edo_future *const[]){ (future) });           \
        edo__suspend_until(edo_poll_future(self->edo_head.awaiting, cx));                          \
        edo__take_result(lhs);                                                                     \
    } while (0)

/* Waits for an operation with a time limit in nanoseconds, such as edo_ms(5). If the operation is
 * ready, its result is taken, even if the limit has passed. Otherwise, when the limit passes, the
 * operation is ended, and the result is -ETIMEDOUT. */
#define edo_await_for(lhs, duration, ...)                                                          \
    do {                                                                                           \
        edo__note_line();                                                                          \
        self->edo_slot.op = (__VA_ARGS__);                                                         \
        self->edo_head.deadline = edo__deadline_after(duration);                                   \
        edo__await_limited(lhs);                                                                   \
    } while (0)

#define edo__await_limited(lhs)                                                                    \
    do {                                                                                           \
        edo__link_slot();                                                                          \
        edo__suspend_until(edo__poll_limited(self, cx));                                           \
        edo__take_result(lhs);                                                                     \
    } while (0)

/* The operation of the last edo_await(). Valid until the next await. Example:
 * edo_op_progress(edo_last_op()). */
#define edo_last_op() ((const edo_op *)&self->edo_slot.op)

/* Calls an async function and waits for it. The callee's frame is in the slot, so the call
 * allocates nothing. */
#define edo_call(lhs, ...)                                                                         \
    do {                                                                                           \
        edo__build_callee(__VA_ARGS__, );                                                          \
        edo__await_slot(lhs);                                                                      \
    } while (0)

/* As edo_call(), with a time limit. When the limit passes, the callee sees -ECANCELED at its
 * awaits. If the callee then returns -ECANCELED, lhs is -ETIMEDOUT. Any other result of the callee
 * is stored in lhs unchanged. */
#define edo_call_for(lhs, duration, ...)                                                           \
    do {                                                                                           \
        edo__build_callee(__VA_ARGS__, );                                                          \
        self->edo_head.deadline = edo__deadline_after(duration);                                   \
        edo__await_limited(lhs);                                                                   \
    } while (0)

#define edo__build_callee(fn, ...)                                                                 \
    do {                                                                                           \
        _Static_assert(sizeof(struct fn) <= sizeof self->edo_slot,                                 \
                       "struct " #fn " does not fit the slot: name it in edo_frame(struct " #fn    \
                       " " #fn ";), or, if the function calls itself, use edo_call_boxed");        \
        edo__note_line();                                                                          \
        edo__init((struct fn *)(void *)&self->edo_slot, fn, __VA_ARGS__);                          \
    } while (0)

/* As edo_call(), with the callee's frame on the heap, for recursion. If there is no memory, lhs is
 * -ENOMEM, the function is not called, and the arguments still belong to the caller. The thread's
 * stack limits the depth of a recursion, because each call is polled inside its caller's poll. A
 * stack of 8 MiB has room for tens of thousands of calls. A call for which the stack has no room
 * also fails with -ENOMEM, and a line is written to the log. */
#define edo_call_boxed(lhs, ...)                                                                   \
    do {                                                                                           \
        edo__check_signed(lhs);                                                                    \
        edo__note_line();                                                                          \
        self->edo_head.awaiting = edo__box(edo__ops_of(__VA_ARGS__, ),                             \
                                           edo__args_of(__VA_ARGS__, ));                           \
        if (self->edo_head.awaiting) {                                                             \
            edo__suspend_until(edo_poll_future(self->edo_head.awaiting, cx));                      \
            lhs = (__typeof__(lhs))self->edo_head.awaiting->result;                                \
            edo__unbox(edo__unlink(&self->edo_head));                                              \
        } else {                                                                                   \
            lhs = (__typeof__(lhs))-ENOMEM;                                                        \
        }                                                                                          \
    } while (0)

/* ---- several at once ---- */

#define edo__link_all(...)                                                                         \
    edo__link(self, sizeof((edo_future *[]){ __VA_ARGS__ }) / sizeof(edo_future *),                \
              (edo_future *const[]){ __VA_ARGS__ })

/* begin: first value of `winner` or `failure`. */
#define edo__together(poll, begin, ...)                                                            \
    do {                                                                                           \
        edo__note_line();                                                                          \
        self->edo_head.awaiting = edo__link_all(__VA_ARGS__);                                      \
        self->edo_head.winner = (begin);                                                           \
        edo__suspend_until(poll(self, cx));                                                        \
        self->edo_head.awaiting = NULL;                                                            \
    } while (0)

/* Runs all futures to their ends: edo_all(&self->a.base, &self->b.base). Each future then has its
 * own result. Two rules apply to all macros for several futures: each future is named only once,
 * and no other function awaits the future before the macro is done. Debug builds of the library
 * abort if a rule is broken. */
#define edo_all(...) edo__together(edo__poll_all, 0, __VA_ARGS__)

/* Runs all futures to their ends. The first failure cancels the other futures. rc: 0, or the first
 * failure. */
#define edo_try_all(rc, ...)                                                                       \
    do {                                                                                           \
        edo__check_signed(rc);                                                                     \
        edo__together(edo__poll_try_all, 0, __VA_ARGS__);                                          \
        rc = (__typeof__(rc))self->edo_head.failure;                                               \
    } while (0)

/* Waits until one future is ready. This future is the winner. The other futures are cancelled, and
 * have ended when the macro is done. edo_select() chooses the future that it polls first at random.
 * edo_select_biased() polls from left to right.
 * which: the winner's position, counted from 0. If there is no winner: -ECANCELED if the function
 * was cancelled, or -ETIMEDOUT if the limit of an edo_within() has passed. */
#define edo_select(which, ...)        edo__choose(which, edo__poll_select, __VA_ARGS__)
#define edo_select_biased(which, ...) edo__choose(which, edo__poll_select_biased, __VA_ARGS__)

/* Waits until one future is ready. This future is the winner. The other futures are kept, which
 * means that each later await of this function polls them, too. When the function returns, it
 * cancels its kept futures and waits until they have ended.
 * which: as edo_select(). */
#define edo_any(which, ...) edo__choose(which, edo__poll_any, __VA_ARGS__)

#define edo__choose(which, poll, ...)                                                              \
    do {                                                                                           \
        edo__check_signed(which);                                                                  \
        edo__together(poll, -1, __VA_ARGS__);                                                      \
        which = (__typeof__(which))self->edo_head.winner;                                          \
    } while (0)

/* ---- the elements of an array ---- */

#define edo__together_of(poll, begin, array, count)                                                \
    do {                                                                                           \
        edo__note_line();                                                                          \
        self->edo_head.awaiting = edo__link_array(self, (count), &(array)->base, sizeof *(array)); \
        self->edo_head.winner = (begin);                                                           \
        edo__suspend_until(poll(self, cx));                                                        \
        self->edo_head.awaiting = NULL;                                                            \
    } while (0)

/* Runs the first `count` elements of an array to their ends: edo_all_of(self->fetches,
 * self->count). The elements are frames or operations. The array is in the frame or on the heap. If
 * `count` is 0, the macro does not wait. */
#define edo_all_of(array, count) edo__together_of(edo__poll_all, 0, array, count)

#define edo_try_all_of(rc, array, count)                                                           \
    do {                                                                                           \
        edo__check_signed(rc);                                                                     \
        edo__together_of(edo__poll_try_all, 0, array, count);                                      \
        rc = (__typeof__(rc))self->edo_head.failure;                                               \
    } while (0)

/* As edo_select(), edo_select_biased() and edo_any(), for the first `count` elements of an array.
 * which: the winner's index; -EINVAL for a count of 0. */
#define edo_select_of(which, array, count) edo__choose_of(which, edo__poll_select, array, count)
#define edo_select_biased_of(which, array, count)                                                  \
    edo__choose_of(which, edo__poll_select_biased, array, count)
#define edo_any_of(which, array, count) edo__choose_of(which, edo__poll_any, array, count)

#define edo__choose_of(which, poll, array, count)                                                  \
    do {                                                                                           \
        edo__check_signed(which);                                                                  \
        edo__together_of(poll, -1, array, count);                                                  \
        which = (__typeof__(which))self->edo_head.winner;                                          \
    } while (0)

/* ---- cancellation ---- */

/* Whether this function was cancelled. Useful in loops that compute without an await. After
 * edo_shield(), the answer is false in spite of a cancellation. */
#define edo_is_cancelled() (edo_cx_fate(cx) != EDO_LIVE)

/* Begins clean-up. Futures that are first polled after this call work even if the function was
 * cancelled. An abort still ends these futures. */
#define edo_shield() edo__shield(&self->base, cx)

/* ---- tasks and entry points ---- */

#ifdef __cplusplus
template <class Args> const void *edo__address(const Args &args)
{
    return &args;
}
#define edo__args_of(fn, ...)                                                                      \
    edo__address(__extension__(__typeof__(((struct fn *)0)->args)){ __VA_ARGS__ })
#else
#define edo__args_of(fn, ...) (&__extension__(__typeof__(((struct fn *)0)->args)){ __VA_ARGS__ })
#endif

#define edo__ops_of(fn, ...) (&fn##_async)

#define edo__site_of(fn, ...)                                                                      \
    (__extension__({                                                                               \
        static const edo_site edo_site_ = { &fn##_async, __func__, __FILE__, __LINE__, 0 };        \
        &edo_site_;                                                                                \
    }))

/* Starts a task: edo_spawn(&self->task, fetch, .url = url). Pass the handle to edo_join() or
 * edo_detach().
 * Returns: 0; -ENOMEM; -ESHUTDOWN when the runtime is ending; -EINVAL without a current runtime;
 * -ESTALE for a runtime made before fork(). On failure the arguments still belong to the caller.
 * Thread: inside a task, or any thread that has entered a runtime. Other threads use
 * edo_spawn_with(), with options that name a runtime. */
#define edo_spawn(ret_task, ...)                                                                   \
    edo__spawn((ret_task), NULL, edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* Starts a task with options. options: a pointer to edo_spawn_options.
 * Returns: as edo_spawn(); also -EINVAL if the options pin the task to a worker that does not
 * exist.
 * Thread: any, when the options name a runtime. */
#define edo_spawn_with(ret_task, options, ...)                                                     \
    edo__spawn((ret_task), (options), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* Starts a task that only the given worker runs. Workers are numbered as by edo_worker_index().
 * Tasks that are pinned to the same worker run one at a time. While one of them computes for a long
 * time, the others wait. Worker 0 of a current-thread runtime is the thread that turns the runtime.
 * Returns: as edo_spawn(); also -EINVAL if there is no such worker. */
#define edo_spawn_on(ret_task, worker, ...)                                                        \
    edo__spawn_on((ret_task), (worker), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* Starts a detached task. Returns and Thread: as edo_spawn(). */
#define edo_go(...) edo__spawn(NULL, NULL, edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

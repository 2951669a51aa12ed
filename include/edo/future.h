/* Futures, operations and wakers.
 *
 * A future is plain data that is polled until it is ready. The data begins with an edo_future. The
 * owner of the future chooses the memory for it. A future does nothing before its first poll, and
 * must not move after that poll. A poll answers EDO_READY if the future has its result, which is
 * one int64_t, >= 0 or a negative errno. Otherwise the poll arranges that the task will be woken,
 * and answers EDO_PENDING.
 *
 * An operation (edo_op) is a leaf: a future of the library, of fixed size. A constructor, such as
 * edo_read(), edo_sleep() or edo_join(), returns the operation by value. Memory passed by pointer
 * (buffers, ret_*) must outlive the operation, so such memory belongs in the frame.
 *
 * The next poll of a cancelled future sees the cancellation. In that poll, a waiting operation
 * answers its result if there is one, and -ECANCELED otherwise. An operation that answers
 * -ECANCELED has had no effect. In a cancelled function a new operation answers -ECANCELED at once,
 * even if it could succeed without waiting. Async functions always run to their own end.
 *
 * Tasks are in edo/task.h. Async functions (edo_async, edo_await, ...) are in edo/async.h.
 */
#pragma once

#include <edo/base.h>

EDO_BEGIN_DECLS

typedef struct edo_future edo_future;
typedef struct edo_cx edo_cx; // context of a poll; valid during that poll only
typedef struct edo_task edo_task;
typedef struct edo_runtime edo_runtime;
typedef struct edo_context edo_context;
typedef struct edo_wakeable edo_wakeable;

typedef enum edo_poll { EDO_PENDING, EDO_READY } edo_poll;

/* Request to a future to end. A shield protects from EDO_CANCELLED, but not from EDO_ABORTED. */
typedef enum edo_fate { EDO_LIVE, EDO_CANCELLED, EDO_ABORTED } edo_fate;

typedef enum edo_kind {
    EDO_KIND_LEAF,  // an operation; in a cancelled function, a new one ends without a poll
    EDO_KIND_ASYNC, // an async function: an edo_any_frame
    EDO_KIND_SCOPE, // a scope, linked into its owner's frame
    EDO_KIND_LIMIT, // the limit of an edo_within() block, linked into its function's frame
    EDO_KIND_OWNER, // polls other futures, or must release something; always polled at least once
} edo_kind;

/* One static table per kind of future. */
typedef struct edo_future_ops {
    const char *name; // shown in backtraces
    const char *file; // source file of an async function; else NULL
    edo_poll (*poll)(edo_future *, edo_cx *);
    edo_kind kind;
    uint32_t size;        // bytes of the frame
    uint32_t args_offset; // offset of the arguments in the frame
    uint32_t args_size;
    const void *reserved[2]; // [0]: an edo__places, private to the library, or NULL
} edo_future_ops;

enum { EDO_NEW, EDO_WAITING, EDO_ENDING, EDO_DONE };

struct edo_future {
    const edo_future_ops *ops;
    edo_future *next; // sibling, while several are awaited or kept
    int64_t result;   // once EDO_DONE: >= 0, or a negative errno
    uint32_t line;    // async function: line of its await; kept operation: see EDO__KEPT
    uint8_t state;    // EDO_NEW, EDO_WAITING, EDO_ENDING, EDO_DONE
    uint8_t fate;     // edo_fate requested of this future; only rises
    uint8_t flags;    // EDO__SHIELD, ...
    uint8_t reserved;
};

/* A leaf operation. All members except the result are private. */
typedef struct edo_op {
    edo_future base;
    void *object; // an edo_io, a task, a scope, ...
    void *data;   // buffer or ret_*
    uint64_t length;
    uint64_t progress;
    union {
        struct {
            void *next, *prev; // wait node, while the operation is in a list
        } node;
        struct {
            void *driver, *extra; // driver of the operation, and the driver's data
        } at;
    } link;
    edo_wakeable *waker; // woken when the operation is ready; set while the operation waits
    uint32_t word;       // atomic: state, see src/task/op.h
    uint32_t detail;
} edo_op;

#ifdef __cplusplus
static_assert(sizeof(edo_future) <= 32 && sizeof(edo_op) <= 96, "public layouts are fixed");
#else
_Static_assert(sizeof(edo_future) <= 32 && sizeof(edo_op) <= 96, "public layouts are fixed");
#endif

/* Builds an operation. Called by constructors. Each member is assigned separately, and short
 * constructors are inline. This way, an await builds its operation in place, without a copy. */
static inline EDO_MUST_USE edo_op edo__op(const edo_future_ops *ops, void *object, void *data,
                                          uint64_t length, uint32_t detail)
{
    edo_op op;
    op.base.ops = ops;
    op.base.next = NULL;
    op.base.result = 0;
    op.base.line = 0;
    op.base.state = EDO_NEW;
    op.base.fate = EDO_LIVE;
    op.base.flags = op.base.reserved = 0;
    op.object = object;
    op.data = data;
    op.length = length;
    op.progress = 0;
    op.link.node.next = op.link.node.prev = NULL;
    op.waker = NULL;
    op.word = 0;
    op.detail = detail;
    return op;
}

/* ---- polling: for authors of futures and executors ---- */

/* Polls a future. The future gets the fate of the polling function, and the call updates the
 * future's state. If a future of EDO_KIND_LEAF is new and its fate is not EDO_LIVE, it is not
 * polled, and answers -ECANCELED.
 * Returns: EDO_READY if the future has ended, now or earlier.
 * Thread: inside a poll. */
EDO_API edo_poll edo_poll_future(edo_future *future, edo_cx *cx);

/* Asks a future to end. The future sees the request in its next poll. If the future is awaited,
 * that poll follows soon. The caller still owns the future, and must not free it before it is
 * ready. A second call, or a call for a future that has ended, does nothing.
 * Thread: inside the task that polls the future. */
EDO_API void edo_cancel(edo_future *future);

/* Aborts a future. An abort is a stronger request to end than a cancellation: no shield protects
 * from it.
 * Thread: inside the task that polls the future. */
EDO_API void edo_abort(edo_future *future);

/* Fate of this poll. A leaf that is polled with a fate other than EDO_LIVE answers its result or
 * -ECANCELED. */
EDO_API edo_fate edo_cx_fate(const edo_cx *cx);

/* Returns: the task's waker. edo_wake() with this waker causes the task to be polled again. A
 * future may store the waker until its next poll. That poll must remove or replace the stored
 * waker. To keep a waker for longer, call edo_waker_ref(). */
EDO_API edo_wakeable *edo_cx_waker(const edo_cx *cx);

/* Requests a poll at time `when` of edo_now()'s clock. The next poll of the task drops the request.
 * So each poll that still waits for that time must repeat the request. */
EDO_API void edo_cx_deadline(edo_cx *cx, int64_t when);

/* Uses one unit of the task's budget. Every leaf calls this before it answers EDO_READY.
 * Returns: false if the budget is used up. The leaf must then answer EDO_PENDING, and the task is
 * queued again, behind the other tasks. */
EDO_API EDO_MUST_USE bool edo_cx_charge(edo_cx *cx);

/* ---- wakers ---- */

typedef enum edo_wakeable_kind { EDO_WAKEABLE_TASK = 1, EDO_WAKEABLE_USER } edo_wakeable_kind;

/* Head of a wakeable object: a task, or a user's own object that begins with this struct. */
struct edo_wakeable {
    uint8_t kind; // edo_wakeable_kind
    uint8_t flags;
    uint16_t private_[3];
};

/* A user's own wakeable, for example one that posts to a foreign event loop. `wake` is called on
 * any thread, perhaps several times, with a lock of the library held. So `wake` must be brief, and
 * must not call any function of edo except edo_wake(). The object may be freed when no waiting
 * operation has it as its waker any more. */
typedef struct edo_user_wakeable {
    edo_wakeable head;
    void (*wake)(struct edo_user_wakeable *);
} edo_user_wakeable;

EDO_API void edo_user_wakeable_init(edo_user_wakeable *wakeable, void (*wake)(edo_user_wakeable *));

/* Wakes a task, so that the task is polled again soon. That poll sees everything that the caller
 * did before this call. The call is cheap if the task is already queued.
 * Thread: any, but not in a signal handler. After the task's end, only a counted waker may be
 * used. */
EDO_API void edo_wake(edo_wakeable *waker);

/* Takes a counted reference, which keeps the waker valid even after its task has ended.
 * Returns: waker. Thread: any, while the waker is still valid. */
EDO_API edo_wakeable *edo_waker_ref(edo_wakeable *waker);
EDO_API void edo_waker_unref(edo_wakeable *waker); // NULL is ignored

/* ---- results ---- */

/* Bytes moved by an operation that has ended, even if the operation failed or was cancelled. */
static inline uint64_t edo_op_progress(const edo_op *op)
{
    return op->progress;
}

/* ---- backtraces ---- */

typedef struct edo_trace_line {
    int depth;               // 0 for the task's function
    const char *name, *file; // name and file of the function or operation; file may be NULL
    uint32_t line;           // line of the function's await; 0 for a leaf
} edo_trace_line;

/* Calls `visit` for the future, and for every frame and operation that the future waits for,
 * outermost first.
 * Thread: any while the future is not being polled, or inside its task. */
EDO_API void edo_future_trace(const edo_future *future,
                              void (*visit)(void *context, const edo_trace_line *), void *context);

EDO_END_DECLS

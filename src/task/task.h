/* The task: one allocation { [extra] header | frame }. The header may be touched by any thread as
 * state.h says; what belongs to the poller or to the runtime is marked. */
#pragma once

#include <edo/scope.h>
#include <edo/task.h>

#include "base/base.h"
#include "base/list.h"
#include "sys/sys.h"
#include "task/state.h"

/* A deadline in a wheel, whose lock guards it. */
typedef struct edo__timer {
    struct edo__timer *next;
    edo_atomic(struct edo__timer **) pprev; // NULL while it is in no wheel
    int64_t when;
} edo__timer;

struct edo_task {
    edo_wakeable head; // flags: EDO__TASK_*, private_: EDO__SEAT_*, below
    edo_atomic(uint64_t) state;
    edo_task *queue_next; // whoever owns the queue entry
    edo_runtime *runtime;
    edo__node registry;       // the lock of its shard
    edo_wakeable *join_waker; // see EDO__JOIN_WAKER
    edo__timer timer;         // the one timer, see runtime/time/timers.c
    uint64_t id;
    const edo_site *site;
    edo_context *context;           // the poller
    edo_atomic(int64_t) poll_start; // of the last poll, of the runtime's clock; 0 before
};

/* What only some tasks need; lies before the header. */
typedef struct edo__task_extra {
    const char *name;
    void *user;
    edo_scope *scope; // of which it is a member; the scope's lock
    edo__node scope_link;
    void *reserved;
} edo__task_extra;

/* What is counted of a task, where that was asked for; lies before the extra. Others read it. */
typedef struct edo__task_counts {
    edo_atomic(uint64_t) wakes; // any thread
    edo_atomic(uint64_t) polls; // this and the times, in nanoseconds: the poller
    edo_atomic(int64_t) busy, longest_poll, scheduled;
    int64_t queued_at; // whoever owns the queue entry; 0: not known
} edo__task_counts;

enum {
    EDO__TASK_EXTRA = 3,   // how many prefixes there are: an edo__task_extra before the header,
    EDO__TASK_COUNTED = 2, // and an edo__task_counts before that
    EDO__TASK_IN_HEAP = 4, // from a worker's heap, else from the hooks
    EDO__TASK_TRACKED = 8, // its handle is to be reported when it is leaked, see handle.h
};

/* Which seats (runtime/schedule/worker.h) a task has to do with: indices in head.private_. */
enum {
    EDO__SEAT_SHARD, // in whose registry it is; fixed
    EDO__SEAT_WHEEL, // in whose wheel its timer is; the poller
    EDO__SEAT_HOME,  // 1 + the only one that may poll it, or 0; fixed
};

_Static_assert(sizeof(edo_task) <= 112, "the header of a task");
_Static_assert(sizeof(edo_task) + sizeof(struct edo_any_frame) <= 288, "a sleeping task");
_Static_assert(sizeof(edo_task) % 16 == 0 && sizeof(edo__task_extra) % 16 == 0 &&
                   sizeof(edo__task_counts) == sizeof(edo__task_extra),
               "frames are aligned for any type");

static inline edo_future *edo__task_frame(const edo_task *task)
{
    return (edo_future *)(void *)(task + 1);
}

/* It is about to be polled: has its frame fetched, which else is a cache miss. */
static inline void edo__task_prefetch(const edo_task *task)
{
    const char *frame = (const char *)(task + 1);
    __builtin_prefetch(frame);
    __builtin_prefetch(frame + 64); // the next line
}

/* What its end will write, under the lock, where to wait for it would have others wait. Read without:
 * an old neighbour is fetched in vain, no more. */
static inline void edo__task_prefetch_neighbours(const edo_task *task)
{
    __builtin_prefetch(edo_load_figure(&task->registry.next), 1);
    __builtin_prefetch(edo_load_figure(&task->registry.prev), 1);
}

/* 1 + the seat that alone may poll it, or 0. */
static inline uint32_t edo__task_home(const edo_task *task)
{
    return task->head.private_[EDO__SEAT_HOME];
}

static inline edo__task_extra *edo__task_extra_of(const edo_task *task)
{
    return task->head.flags & EDO__TASK_EXTRA ? (edo__task_extra *)(void *)task - 1 : NULL;
}

static inline const char *edo__task_name(const edo_task *task)
{
    const edo__task_extra *extra = edo__task_extra_of(task);
    return extra && extra->name ? extra->name : task->site->ops->name;
}

static inline size_t edo__task_prefix_size(uint8_t flags)
{
    return (flags & EDO__TASK_EXTRA) * sizeof(edo__task_extra);
}

/* The task is EDO__TASK_COUNTED. */
static inline edo__task_counts *edo__task_counts_of(const edo_task *task)
{
    return (edo__task_counts *)(void *)edo__task_extra_of(task) - 1;
}

static inline bool edo__task_is_joinable(const edo_task *task)
{
    uint64_t state = edo_load_acquire(&task->state);
    return (state & EDO__OVER) && !(state & EDO__JOIN_WAKER);
}

/* What a join answers. The task is over. Acquire: one that was given up may have ended since. */
static inline int64_t edo__task_result(const edo_task *task)
{
    if (!(edo_load_acquire(&task->state) & EDO__COMPLETE)) return -ESHUTDOWN; // given up
    edo_plain_read(&edo__task_frame(task)->result);
    return edo__task_frame(task)->result;
}

/* ---- waking, in two steps: the first is made under the lock of what was waited for ---- */

/* Step one. Returns: what to commit once the lock is gone, or NULL. Any thread. */
edo_wakeable *edo__wake_prepare(edo_wakeable *waker);

/* Step two; NULL is ignored. Any thread. */
void edo__wake_commit(edo_wakeable *waker);

/* As edo__task_prepare, of a task that is counted. */
bool edo__task_prepare_counted(edo_task *task);

/* First step of a wake, see edo__state_prepare. Any thread. */
static inline bool edo__task_prepare(edo_task *task)
{
    if (edo__unlikely(task->head.flags & EDO__TASK_COUNTED)) return edo__task_prepare_counted(task);
    return edo__state_prepare(&task->state);
}

/* The task is queued now. Whoever owns the queue entry. */
static inline void edo__task_note_queued(edo_task *task)
{
    if (edo__unlikely(task->head.flags & EDO__TASK_COUNTED))
        edo__task_counts_of(task)->queued_at = edo__sys_now();
}

/* ---- life ---- */

/* Makes a task that is in no runtime yet: QUEUED, with one reference for the runtime, and one for a
 * handle if wanted. NULL: out of memory. Any thread. */
edo_task *edo__task_create(edo_runtime *runtime, const edo_spawn_options *options,
                           const edo_site *site, const void *args, bool handle, edo_scope *scope);

/* Frees a task that was never registered; its arguments are the caller's again. */
void edo__task_discard(edo_task *task);

/* The end of the function, by the poller: wakes the joiner, tells the scope, drops the
 * reference. */
void edo__task_finish(edo_task *task);

/* Gives a handle back. */
void edo__task_give_back(edo_task *task);

/* Gives up a task that cannot be ended: joins answer -ESHUTDOWN. */
void edo__task_give_up(edo_task *task);

void edo__task_unref(edo_task *task);

/* Frees the memory of a task without references. */
void edo__task_free(edo_task *task);

/* Tells the scope of an ended member, and wakes who waits there. */
void edo__scope_member_ended(edo_task *task);

/* Cancels or aborts. Returns: whether the caller owns a queue entry, which it must push. */
bool edo__task_ask(edo_task *task, uint64_t fate);

/* The same for several tasks under a lock: those to be pushed are chained, and pushed without it.
 * Returns: the chain. */
edo_task *edo__task_ask_chained(edo_task *task, uint64_t fate, edo_task *chain);
void edo__task_push_chain(edo_task *chain);

/* ---- futures ---- */

enum {
    EDO__SHIELD = 1,    // this function cleans up
    EDO__COVERED = 2,   // first polled behind a shield
    EDO__TIMED_OUT = 4, // cancelled by a time limit
    EDO__KEPT = 8,      // in the list of what its frame keeps; a leaf's place is in its line
    EDO__OVERDUE = 16,  // a limit of this function's, of edo_within(), has passed
    EDO__RESPITE = 32,  // its limit passed while no budget was left
};

/* Which of a poll's fates come of a limit alone. */
enum { EDO__BARE_OVERDUE = 1, EDO__FATE_OVERDUE = 2 };

/* What a poll is given. One per worker; the poller's. */
struct edo_cx {
    union {
        struct {
            uint8_t fate;    // of what is first polled now: edo_fate
            uint8_t bare;    // the same without the shield of the function that polls
            bool shielded;   // that function has a shield
            uint8_t overdue; // EDO__BARE_OVERDUE, ...
        };
        uint32_t asked; // all four: 0 in most polls, where nobody has asked for an end
    };
    bool requeue;          // queue the task again, behind the others
    int32_t budget;        // units left
    int64_t next_deadline; // the earliest one met in this poll
    int64_t now;           // of the runtime's clock, when it last looked
    int64_t slice_end;     // of the time slice; 0: not measured so far
    edo_runtime *runtime;
    struct edo__worker *worker; // whose cx it is
    struct edo__heap *heap;     // of tasks; the worker's thread
    size_t heap_max;            // largest block that is taken from it
    edo_task *task;
    edo_wakeable *waker;
    uint64_t polls;  // of tasks, in all
    uint64_t random; // xorshift64
    struct {
        uint64_t polls; // the poll that they belong to
        const edo_future *place;
        uint32_t count;
    } refusals; // of operations at one place, begun by a cancelled function
};

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static inline uint32_t edo__random_below(edo_cx *cx, uint32_t limit)
{
    cx->random ^= cx->random << 13;
    cx->random ^= cx->random >> 7;
    cx->random ^= cx->random << 17;
    return (uint32_t)((cx->random >> 32) * limit >> 32);
}

/* What this thread is doing. */
struct edo__thread {
    edo_runtime *runtime;       // whose turn it runs, or that it has entered
    struct edo__worker *worker; // the seat that it has, of that runtime; begins with its edo_cx
    edo_cx *cx;                 // of the poll in progress
    uintptr_t stack;            // of the frame that polls; 0 outside of polls
    const edo_runtime
        *serves; // it calls a job, a hook or a blocking function for that runtime, which
                 // cannot end before the call does
};

#ifdef EDO_MODEL
void *model_self_memory(void); // the checker's threads are coroutines of one thread
#define edo__self (*(struct edo__thread *)model_self_memory())
#else
extern _Thread_local struct edo__thread edo__self __attribute__((tls_model("initial-exec")));
#endif

/* The edo_cx of this thread's worker, or NULL. */
static inline const edo_cx *edo__worker_cx(void)
{
    return (const edo_cx *)(const void *)edo__self.worker;
}

static inline void edo__raise_fate(edo_future *future, edo_fate fate)
{
    if (future->fate < (uint8_t)fate) future->fate = (uint8_t)fate;
}

static inline edo_task *edo__current_task(void)
{
    return edo__self.cx ? edo__self.cx->task : NULL;
}

/* A frame with its arguments. */
void edo__frame_build(void *frame, const edo_future_ops *ops, const void *args);

void edo__trace_future(const edo_future *future, int depth,
                       void (*visit)(void *context, const edo_trace_line *), void *context);

/* Aborts if a scope of the frame has live members, else unlinks it. */
void edo__scope_leave(edo_future *scope);

/* Sets what a function hands down: its fate, its shield, its limits. In a poll of it. */
void edo__give_fates(const edo_future *function, edo_cx *cx);

/* The part of its limits. */
void edo__give_limits(const edo_future *function, edo_cx *cx);

/* The function waits: its limits that have passed take effect, the others have the task polled in
 * time. Returns: whether one has passed now, so that the body is to be polled again. */
bool edo__limits_pass(edo_future *function, edo_cx *cx);

enum { EDO__PLACE_SIZE = 256 };

/* ", in 'function' at file:line": the function of the task that runs, however deep, and the line of
 * its last await; "" for a task without one. The task's poller, or who inspects it. Returns: text. */
const char *edo__describe_place(const edo_task *task, char text[EDO__PLACE_SIZE]);

/* Aborts when a future that is linked as kept is no longer the one that was kept there. */
void edo__check_kept(const edo_future *future);

/* Low bits of where it lies, in units of its alignment. */
static inline uint32_t edo__place_of(const edo_future *future)
{
    return (uint32_t)((uintptr_t)future / _Alignof(edo_future));
}

/* Whether a future that is kept lies elsewhere than when edo_any began to keep it. */
static inline bool edo__has_moved(const edo_future *future)
{
    if (future->ops->kind == EDO_KIND_SCOPE || future->ops->kind == EDO_KIND_LIMIT) return false;
    if (future->ops->kind != EDO_KIND_ASYNC) return future->line != edo__place_of(future);
    return ((const struct edo_any_frame *)(const void *)future)->edo_head.home != future;
}

/* The task: one allocation { [gap] [[counts] extra] header | frame }. Any thread may touch the
 * header, by the rules of state.h. If only one thread or the holder of a lock may use a member, the
 * member's comment names the thread or lock. */
#pragma once

#include <edo/scope.h>
#include <edo/task.h>

#include "base/base.h"
#include "base/list.h"
#include "sys/sys.h"
#include "task/cx.h"
#include "task/state.h"

/* A deadline in a timer wheel. Guarded by the wheel's lock. */
typedef struct edo__timer {
    struct edo__timer *next;
    edo_atomic(struct edo__timer **) pprev; // NULL: not in a wheel
    int64_t when;
} edo__timer;

struct edo_task {
    edo_wakeable head; // flags: EDO__TASK_*, private_: EDO__WORKER_*, below
    edo_atomic(uint64_t) state;
    edo_task *queue_next; // used by the owner of the queue entry
    edo_runtime *runtime;
    edo__node registry;       // guarded by the lock of the task's shard
    edo_wakeable *join_waker; // see EDO__JOIN_WAKER
    edo__timer timer;         // earliest deadline of the task, see runtime/time/timers.c
    uint64_t id;
    const edo_site *site;
    edo_atomic(int64_t)
        poll_start; // start of the last poll; ns of the runtime's clock; 0: not polled yet
};

/* Members that only some tasks need. This struct is placed before the header. */
typedef struct edo__task_extra {
    const char *name;
    void *user;
    edo_scope *scope; // the scope that has the task as a member; guarded by the scope's lock
    edo__node scope_link;
    uintptr_t scope_marks; // guarded by the scope's lock
} edo__task_extra;

/* Statistics of a COUNTED task, placed before the edo__task_extra. The comment of each member names
 * the writer. Any thread may read the members. */
typedef struct edo__task_counts {
    edo_atomic(uint64_t) wakes;                        // number of wakes; written by any thread
    edo_atomic(uint64_t) polls;                        // number of polls; written by the poller
    edo_atomic(int64_t) busy, longest_poll, scheduled; // ns; written by the poller
    int64_t queued_at; // ns; 0: unknown; written by the owner of the queue entry
} edo__task_counts;

enum {
    EDO__TASK_EXTRA = 1,   // an edo__task_extra lies before the header
    EDO__TASK_COUNTED = 2, // an edo__task_counts lies before the extra; implies EDO__TASK_EXTRA
    EDO__TASK_IN_HEAP = 4, // allocated from a worker's heap, not through the hooks
    EDO__TASK_TRACKED = 8, // a leaked handle of the task is reported, see handle.h
};

/* Indices of head.private_. Each element has the number of a worker (runtime/schedule/worker.h). */
enum {
    EDO__WORKER_SHARD, // worker whose registry has the task; fixed
    EDO__WORKER_WHEEL, // worker whose wheel has the task's timer; used by the poller
    EDO__WORKER_HOME,  // 1 + the number of the only worker that may poll the task, or 0; fixed
};

enum { EDO__FRAME_ALIGN = 16 }; // the greatest alignment of a frame

_Static_assert(sizeof(edo_task) <= 104, "the header of a task");
_Static_assert(sizeof(edo_task) + sizeof(struct edo_any_frame) <= 264, "a sleeping task");
_Static_assert(_Alignof(max_align_t) <= EDO__FRAME_ALIGN &&
                   sizeof(edo__task_extra) % EDO__FRAME_ALIGN == 0 &&
                   sizeof(edo__task_counts) % EDO__FRAME_ALIGN == 0,
               "frames are aligned for any type");

static inline edo_future *edo__task_frame(const edo_task *task)
{
    return (edo_future *)(void *)(task + 1);
}

/* The task's context, or NULL. Stored in the link of the frame to its sibling, because a task's
 * frame has no sibling. Used by the poller. */
static inline edo_context *edo__task_context(const edo_task *task)
{
    return (edo_context *)(void *)edo__task_frame(task)->next;
}

static inline void edo__task_set_context(edo_task *task, edo_context *context)
{
    edo__task_frame(task)->next = (edo_future *)(void *)context;
}

/* Prefetches the frame before a poll, because the poll's first access would otherwise be a cache
 * miss. */
static inline void edo__task_prefetch(const edo_task *task)
{
    const char *frame = (const char *)(task + 1);
    __builtin_prefetch(frame);
    __builtin_prefetch(frame + 64); // the next line
}

/* Prefetches the task's neighbours in the registry, to which the task's end writes under the lock
 * of the shard. The links are read without that lock, because a stale link costs only a useless
 * prefetch. */
static inline void edo__task_prefetch_neighbours(const edo_task *task)
{
    __builtin_prefetch(edo_load_figure(&task->registry.next), 1);
    __builtin_prefetch(edo_load_figure(&task->registry.prev), 1);
}

/* Returns: 1 + the number of the only worker that may poll the task; 0 if every worker may poll the
 * task. */
static inline uint32_t edo__task_home(const edo_task *task)
{
    return task->head.private_[EDO__WORKER_HOME];
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

/* Bytes of the gap at the start of a task's memory. The gap aligns the frame to EDO__FRAME_ALIGN. A
 * frame whose size is no multiple of EDO__FRAME_ALIGN needs less alignment, and no gap. */
static inline size_t edo__task_gap(const edo_site *site)
{
    bool is_aligned = site->ops->size % EDO__FRAME_ALIGN == 0;
    return is_aligned ? EDO__FRAME_ALIGN - sizeof(edo_task) % EDO__FRAME_ALIGN : 0;
}

/* Bytes of a task's memory before the header. */
static inline size_t edo__task_prefix_size(const edo_site *site, uint8_t flags)
{
    size_t gap = edo__task_gap(site);
    if (edo__likely(!(flags & EDO__TASK_EXTRA))) return gap;
    return gap + sizeof(edo__task_extra) +
           (flags & EDO__TASK_COUNTED ? sizeof(edo__task_counts) : 0);
}

/* Statistics of a task with EDO__TASK_COUNTED. */
static inline edo__task_counts *edo__task_counts_of(const edo_task *task)
{
    return (edo__task_counts *)(void *)edo__task_extra_of(task) - 1;
}

static inline bool edo__task_is_joinable(const edo_task *task)
{
    uint64_t state = edo_load_acquire(&task->state);
    return (state & EDO__OVER) && !(state & EDO__JOIN_WAKER);
}

/* Returns: the result of a join. The task must be OVER. The load acquires, because a task that was
 * given up may have completed since. */
static inline int64_t edo__task_result(const edo_task *task)
{
    if (!(edo_load_acquire(&task->state) & EDO__COMPLETE)) return -ESHUTDOWN; // given up
    edo_plain_read(&edo__task_frame(task)->result);
    return edo__task_frame(task)->result;
}

/* ---- waking, in two steps: the first under the lock of the wait list, the second without ---- */

/* Step one. Returns: the wakeable to commit once the lock is released, or NULL. Thread: any. */
edo_wakeable *edo__wake_prepare(edo_wakeable *waker);

/* Step two; NULL is ignored. Thread: any. */
void edo__wake_commit(edo_wakeable *waker);

/* Does the work of edo__task_prepare() for a COUNTED task. */
bool edo__task_prepare_counted(edo_task *task);

/* First step of a wake, see edo__state_prepare. Thread: any. */
static inline bool edo__task_prepare(edo_task *task)
{
    if (edo__unlikely(task->head.flags & EDO__TASK_COUNTED)) return edo__task_prepare_counted(task);
    return edo__state_prepare(&task->state);
}

/* Stores the time at which the task is queued. Thread: the owner of the queue entry. */
static inline void edo__task_note_queued(edo_task *task)
{
    if (edo__unlikely(task->head.flags & EDO__TASK_COUNTED))
        edo__task_counts_of(task)->queued_at = edo__sys_now();
}

/* ---- life ---- */

/* Finds the runtime for a spawn. Returns: NULL if there is no runtime, or if the runtime has no
 * worker of the pinned number. */
edo_runtime *edo__spawn_runtime(const edo_spawn_options *options);

/* Makes a task that its runtime has not yet adopted. The task is QUEUED, and has one reference for
 * the runtime. If `handle` is true, the task has a handle, and a second reference for the handle.
 * Returns: NULL if out of memory. Thread: any. */
edo_task *edo__task_create(edo_runtime *runtime, const edo_spawn_options *options,
                           const edo_site *site, const void *args, bool handle, edo_scope *scope);

/* Frees a task that was never registered. The arguments belong to the caller again. */
void edo__task_discard(edo_task *task);

/* Returns a handle: drops JOIN_INTEREST and the handle's reference. */
void edo__task_give_back(edo_task *task);

/* Frees the memory of a task without references. In debug builds, the memory first passes through
 * the quarantine. */
void edo__task_release(edo_task *task);

/* Drops a reference, and clears state bits in the same step. The subtraction releases this holder's
 * accesses to the task. The subtraction of the last reference acquires the accesses of all other
 * holders, so that these accesses precede the next use of the task's memory. */
static inline void edo__task_drop(edo_task *task, uint64_t what)
{
    uint64_t old = edo_sub_acq_rel(&task->state, what);
    if (old / EDO__REF == 1) edo__task_release(task);
}

static inline void edo__task_unref(edo_task *task)
{
    edo__task_drop(task, EDO__REF);
}

/* Frees the memory of a task without references. */
void edo__task_free(edo_task *task);

/* Cancels or aborts a task. Returns: whether the caller owns a queue entry, and must push the
 * entry. */
bool edo__task_ask(edo_task *task, uint64_t fate);

/* As edo__task_ask(), for several tasks under a lock. If the task must be pushed, adds the task to
 * `chain`. The caller pushes the chain after the lock is released. Returns: the chain. */
edo_task *edo__task_ask_chained(edo_task *task, uint64_t fate, edo_task *chain);
void edo__task_push_chain(edo_task *chain);

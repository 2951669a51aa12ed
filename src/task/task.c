/* Tasks: creation, waking and end. */
#include "task/task.h"

#include "sys/sys.h"
#include "task/executor.h"
#include "task/frame.h"
#include "task/handle.h"
#include "task/memory.h"

/* ---- memory ---- */

static size_t prefix_size(const edo_task *task)
{
    return edo__task_prefix_size(task->site, task->head.flags);
}

static size_t whole_size(const edo_task *task)
{
    return prefix_size(task) + sizeof *task + task->site->ops->size;
}

/* Allocates from the heap of this thread's worker, if the worker belongs to the runtime and the
 * task is small. Otherwise allocates through the hooks. */
static void *allocate(edo_runtime *runtime, size_t size, uint8_t *ret_flags)
{
    const edo_cx *cx = edo__worker_cx();
    if (!cx || cx->runtime != runtime || size > cx->heap_max) return edo__alloc(size);
    *ret_flags |= EDO__TASK_IN_HEAP;
    return edo__heap_alloc(cx->heap, size);
}

void edo__task_free(edo_task *task)
{
    void *memory = (char *)task - prefix_size(task);
    edo__worker_free(memory, whole_size(task), task->head.flags & EDO__TASK_IN_HEAP);
}

void edo__task_release(edo_task *task)
{
    if (EDO__QUARANTINE) task = edo__quarantine_put(task);
    if (task) edo__task_free(task);
}

/* ---- making ---- */

static uint8_t flags_for(const edo_runtime *runtime, const edo_spawn_options *options,
                         const edo_scope *scope)
{
    if (edo__unlikely(edo__executor_of(runtime)->counts_tasks) || (options && options->metrics))
        return EDO__TASK_EXTRA | EDO__TASK_COUNTED;
    return scope || (options && (options->name || options->user)) ? EDO__TASK_EXTRA : 0;
}

static void init_extra(edo_task *task, const edo_spawn_options *options, edo_scope *scope)
{
    edo__task_extra *extra = edo__task_extra_of(task);
    if (!extra) return;
    *extra = (edo__task_extra){ .scope = scope };
    if (task->head.flags & EDO__TASK_COUNTED)
        *edo__task_counts_of(task) = (edo__task_counts){ .queued_at = edo__sys_now() };
    if (options) {
        extra->name = options->name;
        extra->user = options->user;
    }
}

static edo_context *context_for(const edo_spawn_options *options)
{
    edo_context *context = options ? options->context : NULL;
    if (context) return edo_context_ref(context);
    const edo_task *task = edo__current_task();
    edo_context *inherited = task ? edo__task_context(task) : NULL;
    return inherited ? edo_context_ref(inherited) : NULL;
}

/* Assigns each member separately, because compilers translate a struct literal of this size into a
 * loop that zeroes the memory first. */
static void init_task(edo_task *task, edo_runtime *runtime, const edo_spawn_options *options,
                      const edo_site *site, uint8_t flags, bool handle)
{
    task->head = (edo_wakeable){ .kind = EDO_WAKEABLE_TASK, .flags = flags };
    if (options) task->head.private_[EDO__WORKER_HOME] = (uint16_t)options->pinned;
    task->state = EDO__NOTIFIED + EDO__REF;
    if (handle) task->state += EDO__JOIN_INTEREST + EDO__REF;
    task->queue_next = NULL;
    task->runtime = runtime;
    task->registry = (edo__node){ NULL, NULL };
    task->join_waker = NULL;
    task->timer = (edo__timer){ NULL, NULL, 0 };
    task->id = edo__runtime_new_id(runtime);
    task->site = site;
    task->poll_start = 0;
}

edo_task *edo__task_create(edo_runtime *runtime, const edo_spawn_options *options,
                           const edo_site *site, const void *args, bool handle, edo_scope *scope)
{
    uint8_t flags = flags_for(runtime, options, scope);
    size_t before = edo__task_prefix_size(site, flags);
    char *memory = allocate(runtime, before + sizeof(edo_task) + site->ops->size, &flags);
    if (!memory) return NULL;
    edo_task *task = (edo_task *)(void *)(memory + before);
    init_task(task, runtime, options, site, flags, handle);
    init_extra(task, options, scope);
    edo__frame_build(edo__task_frame(task), site->ops, args);
    edo__task_set_context(task, context_for(options));
    return task;
}

void edo__task_discard(edo_task *task)
{
    edo_context_unref(edo__task_context(task));
    edo__task_free(task);
}

edo_runtime *edo__spawn_runtime(const edo_spawn_options *options)
{
    edo_runtime *runtime = options && options->runtime ? options->runtime : edo__self.runtime;
    if (!runtime || !options) return runtime;
    return options->pinned <= edo__executor_of(runtime)->worker_count ? runtime : NULL;
}

int edo__spawn(edo_task **ret_task, const edo_spawn_options *options, const edo_site *site,
               const void *args)
{
    edo_runtime *runtime = edo__spawn_runtime(options);
    if (!runtime) return -EINVAL;
    edo_task *task = edo__task_create(runtime, options, site, args, ret_task != NULL, NULL);
    if (!task) return -ENOMEM;
    if (ret_task && edo__unlikely(edo__executor_of(runtime)->tracks_handles))
        task->head.flags |= EDO__TASK_TRACKED;
    int rc = edo__runtime_adopt(runtime, task);
    if (rc < 0) {
        edo__task_discard(task);
        return rc;
    }
    if (ret_task) *ret_task = task;
    return 0;
}

int edo__spawn_on(edo_task **ret_task, unsigned worker, const edo_site *site, const void *args)
{
    if (worker >= UINT16_MAX) return -EINVAL;
    return edo__spawn(ret_task, &(edo_spawn_options){ .pinned = worker + 1 }, site, args);
}

/* ---- waking ---- */

static edo_task *task_of(edo_wakeable *waker)
{
    return (edo_task *)(void *)waker;
}

void edo_user_wakeable_init(edo_user_wakeable *wakeable, void (*wake)(edo_user_wakeable *))
{
    *wakeable = (edo_user_wakeable){ .head = { .kind = EDO_WAKEABLE_USER }, .wake = wake };
}

/* Counts the wake before the first step, because the task may be freed after that step. */
bool edo__task_prepare_counted(edo_task *task)
{
    edo_add_figure(&edo__task_counts_of(task)->wakes, 1);
    bool owned = edo__state_prepare(&task->state);
    if (owned) edo__task_note_queued(task);
    return owned;
}

/* A user's wakeable is woken at once, under the caller's lock. A wakeable has no state that could
 * keep it alive between the two steps of a wake. */
edo_wakeable *edo__wake_prepare(edo_wakeable *waker)
{
    if (waker->kind == EDO_WAKEABLE_TASK) return edo__task_prepare(task_of(waker)) ? waker : NULL;
    edo_user_wakeable *user = (edo_user_wakeable *)(void *)waker;
    user->wake(user);
    return NULL;
}

void edo__wake_commit(edo_wakeable *waker)
{
    if (waker) edo__runtime_push(task_of(waker)->runtime, task_of(waker));
}

void edo_wake(edo_wakeable *waker)
{
    edo__wake_commit(edo__wake_prepare(waker));
}

edo_wakeable *edo_waker_ref(edo_wakeable *waker)
{
    if (waker->kind == EDO_WAKEABLE_TASK) edo_add_relaxed(&task_of(waker)->state, EDO__REF);
    return waker;
}

void edo_waker_unref(edo_wakeable *waker)
{
    if (waker && waker->kind == EDO_WAKEABLE_TASK) edo__task_unref(task_of(waker));
}

edo_wakeable *edo_task_waker(edo_task *task)
{
    edo__check_task("edo_task_waker", task);
    return edo_waker_ref(&task->head);
}

/* ---- cancelling ---- */

bool edo__task_ask(edo_task *task, uint64_t fate)
{
    return edo__state_ask(&task->state, fate) && edo__task_prepare(task);
}

edo_task *edo__task_ask_chained(edo_task *task, uint64_t fate, edo_task *chain)
{
    if (!edo__task_ask(task, fate)) return chain;
    task->queue_next = chain;
    return task;
}

void edo__task_push_chain(edo_task *chain)
{
    while (chain) {
        edo_task *next = chain->queue_next;
        edo__runtime_push(chain->runtime, chain);
        chain = next;
    }
}

void edo_task_cancel(edo_task *task)
{
    edo__check_handle("edo_task_cancel", task);
    edo__task_push_chain(edo__task_ask_chained(task, EDO__CANCELLED, NULL));
}

void edo_task_abort(edo_task *task)
{
    edo__check_handle("edo_task_abort", task);
    edo__task_push_chain(edo__task_ask_chained(task, EDO__ABORTED, NULL));
}

/* ---- the end ---- */

static __attribute__((cold, noinline)) void give_back_tracked(edo_task *task)
{
    edo__handle_returned(task);
    edo__task_unref(task);
}

void edo__task_give_back(edo_task *task)
{
    if (edo__likely(!(task->head.flags & EDO__TASK_TRACKED)))
        edo__task_drop(task, EDO__REF + EDO__JOIN_INTEREST);
    else
        give_back_tracked(task);
}

void edo_detach(edo_task *task)
{
    if (!task) return;
    edo__check_handle("edo_detach", task);
    edo__task_give_back(task);
}

/* ---- constants of a task ---- */

bool edo_task_is_done(const edo_task *task)
{
    edo__check_handle("edo_task_is_done", task);
    return edo__task_is_joinable(task);
}

uint64_t edo_task_id(const edo_task *task)
{
    edo__check_task("edo_task_id", task);
    return task->id;
}

const char *edo_task_name(const edo_task *task)
{
    edo__check_task("edo_task_name", task);
    return edo__task_name(task);
}

const edo_site *edo_task_site(const edo_task *task)
{
    edo__check_task("edo_task_site", task);
    return task->site;
}

void *edo_task_user(const edo_task *task)
{
    edo__check_task("edo_task_user", task);
    const edo__task_extra *extra = edo__task_extra_of(task);
    return extra ? extra->user : NULL;
}

edo_task *edo_current_task(void)
{
    return edo__current_task();
}

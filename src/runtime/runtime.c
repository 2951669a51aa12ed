/* Making runtimes, entering tasks, ending them. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sys.h"
#include "task/op.h"

enum {
    DEFAULT_EVENT_INTERVAL = 61, // polls between two looks at the driver; Tokio's and Go's number
    DEFAULT_BUDGET = 128,        // operations per poll
    ID_BLOCK = 1024,             // task ids taken at a time
};

#define DEFAULT_TIME_SLICE  edo_ms(10)
#define DEFAULT_DRAIN_LIMIT edo_s(10)
#define DEFAULT_ABORT_LIMIT edo_s(1)

/* ---- making ---- */

static void set_defaults(edo_config *config)
{
    if (!config->name) config->name = "edo";
    if (!config->event_interval) config->event_interval = DEFAULT_EVENT_INTERVAL;
    if (!config->budget) config->budget = DEFAULT_BUDGET;
    if (config->budget > INT32_MAX) config->budget = INT32_MAX; // it is counted down below zero
    if (!config->time_slice) config->time_slice = DEFAULT_TIME_SLICE;
    if (!config->drain_limit) config->drain_limit = DEFAULT_DRAIN_LIMIT;
    if (!config->abort_limit) config->abort_limit = DEFAULT_ABORT_LIMIT;
    if (!config->seed) config->seed = edo__sys_random() | 1; // xorshift never leaves zero
}

static int open_named(edo_runtime *runtime, const char *wanted)
{
    char name[32];
    const char *colon = strchr(wanted, ':');
    snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - wanted) : -1, wanted);
    const edo_driver_ops *ops = edo__sys_driver(name);
    const char *reason = "no such driver";
    int rc = -EINVAL;
    if (ops) rc = ops->open(runtime, colon ? colon + 1 : NULL, &runtime->driver, &reason);
    if (rc < 0 && ops && strcmp(name, EDO__FALLBACK_DRIVER) != 0) {
        edo__log(EDO_LOG_WARN, "%s: the %s driver is not to be had (%s); using %s",
                 runtime->config.name, name, reason, EDO__FALLBACK_DRIVER);
        return open_named(runtime, EDO__FALLBACK_DRIVER);
    }
    return rc;
}

static int open_driver(edo_runtime *runtime)
{
    const char *reason = "";
    const edo_config *config = &runtime->config;
    if (config->driver_ops)
        return config->driver_ops->open(runtime, NULL, &runtime->driver, &reason);
    const char *name = config->driver ? config->driver : getenv("EDO_DRIVER");
    return open_named(runtime, name && *name ? name : EDO__DEFAULT_DRIVER);
}

static void init_clock(edo_runtime *runtime)
{
    edo__clock *clock = &runtime->clock;
    clock->auto_advance = true;
    clock->paused = runtime->config.test_clock;
    clock->frozen = clock->target = edo__sys_now();
}

static const char *describe_current(char *buffer, size_t size)
{
    const edo_task *task = edo_current_task();
    if (!task) return "";
    snprintf(buffer, size, " [task '%s' #%llu, spawned at %s:%u]", edo_task_name(task),
             (unsigned long long)task->id, task->site->file, task->site->line);
    return buffer;
}

static void init(edo_runtime *runtime, const edo_config *config)
{
    if (config) runtime->config = *config;
    set_defaults(&runtime->config);
    runtime->ready.end = &runtime->ready.first;
    runtime->refs = 1;
    runtime->timer_fd = -1;
    runtime->fork_generation = edo__sys_fork_generation();
    edo__list_init(&runtime->registry);
    init_clock(runtime);
    runtime->cx = (edo_cx){ .runtime = runtime,
                            .now = edo__runtime_now(runtime),
                            .random = runtime->config.seed };
    edo__wheel_init(&runtime->wheel, runtime->cx.now);
}

int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime)
{
    edo_store_relaxed(&edo__describe_current, describe_current); // by any thread, always the same
    edo__sys_ignore_sigpipe();
    edo_runtime *runtime = edo__alloc_zeroed(sizeof *runtime);
    if (!runtime) return -ENOMEM;
    int rc = -ENOMEM;
    init(runtime, config);
    if (!runtime->fork_generation) goto fail_heap;
    runtime->heap = edo__heap_create();
    if (!runtime->heap) goto fail_heap;
    rc = open_driver(runtime);
    if (rc < 0) goto fail_driver;
    runtime->driver_name = runtime->driver->ops->name;
    *ret_runtime = runtime;
    return 0;

fail_driver:
    edo__heap_close(runtime->heap);
fail_heap:
    edo__free(runtime, sizeof *runtime);
    return rc;
}

edo_runtime *edo_runtime_ref(edo_runtime *runtime)
{
    edo_add_relaxed(&runtime->refs, 1);
    return runtime;
}

void edo_runtime_unref(edo_runtime *runtime)
{
    if (runtime && edo_sub_acq_rel(&runtime->refs, 1) == 1) edo__free(runtime, sizeof *runtime);
}

edo_runtime *edo_current_runtime(void)
{
    return edo__self.runtime;
}

const char *edo_runtime_driver(const edo_runtime *runtime)
{
    return runtime->driver_name; // also after the driver's end, through a reference
}

size_t edo_runtime_task_count(const edo_runtime *runtime)
{
    return edo_load_relaxed(&runtime->task_count);
}

bool edo__runtime_is_stale(const edo_runtime *runtime)
{
    return runtime->fork_generation != edo__sys_fork_generation();
}

/* ---- tasks ---- */

static edo_atomic(uint64_t) id_blocks = 1;

uint64_t edo__runtime_new_id(edo_runtime *runtime)
{
    if (edo__self.runtime != runtime) return edo_add_relaxed(&id_blocks, ID_BLOCK);
    if (runtime->next_id == runtime->last_id) {
        runtime->next_id = edo_add_relaxed(&id_blocks, ID_BLOCK);
        runtime->last_id = runtime->next_id + ID_BLOCK;
    }
    return runtime->next_id++;
}

/* Either the closing comes first, and the task is refused; or the task is in the registry when the
 * drain begins. The lock orders them. */
int edo__runtime_adopt(edo_runtime *runtime, edo_task *task)
{
    if (edo__unlikely(edo__runtime_is_stale(runtime))) return -ESTALE;
    edo__lock_take(&runtime->registry_lock);
    bool closed = runtime->closed;
    if (!closed) {
        edo__list_push(&runtime->registry, &task->registry);
        edo_store_relaxed(&runtime->task_count, runtime->task_count + 1);
    }
    edo__lock_give(&runtime->registry_lock);
    if (closed) return -ESHUTDOWN;
    edo__runtime_push(runtime, task);
    return 0;
}

void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate)
{
    edo_task *chain = NULL; // entries that we own, through queue_next
    edo__lock_take(&runtime->registry_lock);
    edo__list_each(&runtime->registry, node) {
        edo_task *task = edo__container(node, edo_task, registry);
        edo__state_ask(&task->state, fate);
        if (edo__state_prepare(&task->state)) {
            task->queue_next = chain;
            chain = task;
        }
    }
    edo__lock_give(&runtime->registry_lock);
    while (chain) {
        edo_task *next = chain->queue_next;
        edo__runtime_push(runtime, chain);
        chain = next;
    }
}

/* ---- turning ---- */

static int check_turn(const edo_runtime *runtime)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    return runtime->turning || edo__in_task() ? -EBUSY : 0;
}

/* When the next timer is due, by the monotonic clock; EDO_NEVER for one of a test clock. */
static int64_t next_timer_of_system(const edo_runtime *runtime)
{
    int64_t next = edo__wheel_next(&runtime->wheel);
    if (next == EDO_NEVER || runtime->clock.paused) return EDO_NEVER;
    return edo__later(next, -runtime->clock.offset);
}

/* Outside of turns a foreign loop sleeps on our descriptor: so the runtime counts as parked, and
 * what is ready now makes the descriptor readable. */
static void arm_foreign_loop(edo_runtime *runtime, int more)
{
    edo__sys_timer_set(runtime->timer_fd, next_timer_of_system(runtime));
    uint32_t awake = EDO__AWAKE;
    bool parked = edo_cas_relaxed(&runtime->park, &awake, EDO__PARKED);
    if (more || !parked) runtime->driver->ops->unpark(runtime->driver);
}

int edo_turn(edo_runtime *runtime, int64_t timeout)
{
    int rc = check_turn(runtime);
    if (rc < 0) return rc;
    edo_swap_acquire(&runtime->park, EDO__AWAKE);
    int more = edo__turn(runtime, timeout > 0 ? timeout : 0);
    if (runtime->timer_fd >= 0) arm_foreign_loop(runtime, more);
    return more;
}

int edo_runtime_fd(edo_runtime *runtime)
{
    int fd = runtime->driver->ops->fd(runtime->driver);
    if (fd < 0 || runtime->timer_fd >= 0) return fd;
    int timer = edo__sys_timer_open();
    if (timer < 0) return timer;
    int rc = runtime->driver->ops->watch(runtime->driver, timer);
    if (rc < 0) {
        edo__sys_close(timer);
        return rc;
    }
    runtime->timer_fd = timer;
    arm_foreign_loop(runtime, 1);
    return fd;
}

/* Between turns the owner may look at any task, and cannot be turned away. */
static void let_go_of_kept(edo_runtime *runtime)
{
    for (edo_task *task = runtime->ready.first; task; task = task->queue_next)
        if (edo_load_relaxed(&task->state) & EDO__RUNNING) edo__state_requeue(&task->state);
}

int edo__turn_until(edo_runtime *runtime, const edo_task *task)
{
    int more = 1;
    runtime->keeps_yielded = true;
    while (!edo__task_is_joinable(task))
        more = edo__turn(runtime, EDO_NEVER);
    runtime->keeps_yielded = false;
    let_go_of_kept(runtime);
    return more;
}

int64_t edo__block_on(edo_runtime *runtime, const edo_site *site, const void *args)
{
    int rc = check_turn(runtime);
    if (rc < 0) return rc;
    edo_task *root;
    rc = edo__spawn(&root, &(edo_spawn_options){ .runtime = runtime }, site, args);
    if (rc < 0) return rc;
    int more = edo__turn_until(runtime, root);
    if (runtime->timer_fd >= 0) arm_foreign_loop(runtime, more);
    int64_t result = edo__task_frame(root)->result;
    edo_detach(root);
    return result;
}

/* ---- the end ---- */

/* The limit is one of real time, also under a test clock: nobody advances that one here. */
static void drain_until(edo_runtime *runtime, int64_t limit)
{
    int64_t deadline = edo__later(edo__sys_now(), limit);
    while (!edo__list_is_empty(&runtime->registry)) {
        int64_t left = deadline - edo__sys_now();
        if (left <= 0) return;
        edo__turn(runtime, left);
    }
}

static int64_t give_up_rest(edo_runtime *runtime)
{
    int64_t count = 0;
    while (!edo__list_is_empty(&runtime->registry)) {
        edo_task *task = edo__container(runtime->registry.next, edo_task, registry);
        edo__log(EDO_LOG_ERROR,
                 "%s: task '%s' #%llu, spawned at %s:%u, cannot be ended and is leaked",
                 runtime->config.name, edo_task_name(task), (unsigned long long)task->id,
                 task->site->file, task->site->line);
        edo__list_remove(&task->registry);
        edo__task_give_up(task);
        count++;
    }
    return count;
}

/* The rest of a push from another thread is a few instructions long. */
static void wait_for_visitors(edo_runtime *runtime)
{
    while (edo_load_acquire(&runtime->visitors))
        edo__sys_yield_thread();
}

static void release(edo_runtime *runtime)
{
    if (runtime->timer_fd >= 0) edo__sys_close(runtime->timer_fd);
    runtime->driver->ops->close(runtime->driver);
    edo__heap_close(runtime->heap);
    edo_runtime_unref(runtime);
}

static void close_to_spawns(edo_runtime *runtime)
{
    edo__lock_take(&runtime->registry_lock);
    runtime->closed = true;
    edo__lock_give(&runtime->registry_lock);
}

/* In the child of a fork: the tasks are the parent's, and stay in the memory copied from it. Wakes
 * of them, as by the close of a stream, must not reach for the driver's descriptors any more. */
static int destroy_inherited(edo_runtime *runtime)
{
    runtime->closed = true;
    edo_store_relaxed(&runtime->park, EDO__NOTIFIED_PARK);
    if (runtime->timer_fd >= 0) edo__sys_close(runtime->timer_fd);
    runtime->driver->ops->close(runtime->driver);
    return 0;
}

int edo_runtime_destroy(edo_runtime *runtime)
{
    if (!runtime) return 0;
    int rc = check_turn(runtime);
    if (rc == -ESTALE) return destroy_inherited(runtime);
    if (rc < 0) return rc;
    close_to_spawns(runtime);
    edo__runtime_ask_all(runtime, EDO__CANCELLED);
    drain_until(runtime, runtime->config.drain_limit);
    edo__runtime_ask_all(runtime, EDO__ABORTED);
    drain_until(runtime, runtime->config.abort_limit);
    wait_for_visitors(runtime);
    int64_t given_up = give_up_rest(runtime);
    edo__blocking_close(runtime);
    if (given_up) return -ETIMEDOUT; // driver, heap and runtime stay, for the tasks use them
    release(runtime);
    return 0;
}

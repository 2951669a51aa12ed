/* A runtime: its making, wakes of its tasks from any thread, its end. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>

#include <edo/metrics.h>

#include "runtime/inspect/maker.h"
#include "runtime/runtimes.h"
#include "task/handle.h"

enum {
    DEFAULT_EVENT_INTERVAL = 61, // polls between two looks at the driver; Tokio's and Go's number
    DEFAULT_BUDGET = 128,        // operations per poll
    MIN_SPARE = 4,
    NO_SPARE = -1,
    MAX_WORKERS = 10000, // and as many spare ones: seats are numbered in 16 bits
};

#define DEFAULT_TIME_SLICE  edo_ms(10)
#define DEFAULT_DRAIN_LIMIT edo_s(10)
#define DEFAULT_ABORT_LIMIT edo_s(1)
#define DEFAULT_STALL_LIMIT edo_ms(100)
#define DEFAULT_TIMER_SLACK edo_us(50) // as Linux gives the waits of threads

/* ---- making ---- */

static void set_defaults(edo_config *config)
{
    if (!config->name) config->name = "edo";
    if (!config->event_interval) config->event_interval = DEFAULT_EVENT_INTERVAL;
    if (!config->budget) config->budget = DEFAULT_BUDGET;
    if (config->budget > INT32_MAX) config->budget = INT32_MAX; // it is counted down below zero
    if (!config->time_slice) config->time_slice = DEFAULT_TIME_SLICE;
    if (!config->timer_slack) config->timer_slack = DEFAULT_TIMER_SLACK;
    if (!config->drain_limit) config->drain_limit = DEFAULT_DRAIN_LIMIT;
    if (!config->abort_limit) config->abort_limit = DEFAULT_ABORT_LIMIT;
    if (!config->seed) config->seed = edo__sys_random() | 1; // xorshift never leaves zero
    if (!config->stall_limit)
        config->stall_limit = config->workers ? DEFAULT_STALL_LIMIT : EDO_NEVER;
    if (EDO_DEBUG && !EDO__TSAN) config->report_leaks = true; // its lock would hide races
    if (!config->max_spare)
        config->max_spare = config->workers > MIN_SPARE ? config->workers : MIN_SPARE;
}

static int check_numbers(const edo_config *config)
{
    bool has_seats = config->workers >= EDO_WORKERS_AUTO && config->workers <= MAX_WORKERS &&
                     config->max_spare >= NO_SPARE && config->max_spare <= MAX_WORKERS;
    bool has_times = config->stall_limit >= 0 && config->time_slice >= 0 &&
                     config->timer_slack >= 0 && config->drain_limit >= 0 &&
                     config->abort_limit >= 0;
    bool has_cpus = config->cpus || !config->cpu_count;
    return has_seats && has_times && has_cpus ? 0 : -EINVAL;
}

static int parse_workers(const char *text, int32_t *ret_workers)
{
    char *end;
    long count = strtol(text, &end, 10);
    if (end == text || *end || count < 1 || count > MAX_WORKERS) {
        edo__log(EDO_LOG_ERROR, "EDO_WORKER_THREADS=%s is no number of threads", text);
        return -EINVAL;
    }
    *ret_workers = (int32_t)count;
    return 0;
}

static int settle_workers(edo_config *config)
{
    const char *text = getenv("EDO_WORKER_THREADS");
    if (config->workers != EDO_WORKERS_AUTO) return 0;
    if (text && *text) return parse_workers(text, &config->workers);
    config->workers = (int32_t)edo__sys_cpu_count();
    return 0;
}

/* What the pointer leads to need not outlive this. */
static int settle_metrics(edo_runtime *runtime)
{
    const edo_metrics_config *config = runtime->config.metrics;
    runtime->config.metrics = NULL;
    if (!config) return 0;
    int rc = edo__scale_init(&runtime->scales[EDO_POLL_TIME], &config->poll_time);
    if (rc < 0) return rc;
    runtime->counts_tasks = config->tasks || config->schedule_latency.scale;
    return edo__scale_init(&runtime->scales[EDO_SCHEDULE_LATENCY], &config->schedule_latency);
}

/* ---- seats ---- */

static size_t size_of_seats(const edo_runtime *runtime)
{
    return runtime->seat_limit * sizeof(edo__worker *);
}

static void close_seats(edo_runtime *runtime)
{
    edo__drivers_close(runtime);
    for (uint32_t i = 0; i < runtime->seat_count; i++)
        edo__worker_close(runtime->seats[i]);
}

static void free_seats(edo_runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->seat_count; i++)
        edo__worker_free(runtime->seats[i]);
    edo__free(runtime->seats, size_of_seats(runtime));
}

static int make_seats(edo_runtime *runtime)
{
    int rc = 0;
    for (uint32_t i = 0; i < runtime->worker_count && rc == 0; i++) {
        edo__worker *seat;
        rc = edo__worker_create(runtime, i, &seat);
        if (rc == 0) edo__runtime_add_seat(runtime, seat);
    }
    return rc < 0 ? rc : edo__drivers_keep_one(runtime);
}

static void unmake_seats(edo_runtime *runtime)
{
    close_seats(runtime);
    for (uint32_t i = 0; i < runtime->seat_count; i++)
        edo__worker_free(runtime->seats[i]);
    edo_store_relaxed(&runtime->seat_count, 0);
}

static int create_seats(edo_runtime *runtime)
{
    runtime->seats = edo__alloc_zeroed(size_of_seats(runtime));
    if (!runtime->seats) return -ENOMEM;
    int rc = make_seats(runtime);
    if (rc == 0) return 0;
    unmake_seats(runtime);
    if (edo__drivers_fall_back(runtime)) rc = make_seats(runtime);
    return rc;
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
    char place[EDO__PLACE_SIZE];
    const edo_task *task = edo_current_task();
    if (!task) return "";
    snprintf(buffer, size, " [task '%s' #%llu, spawned at %s:%u%s]", edo_task_name(task),
             (unsigned long long)task->id, task->site->file, task->site->line,
             edo__describe_place(task, place));
    return buffer;
}

static void init(edo_runtime *runtime)
{
    const edo_config *config = &runtime->config;
    set_defaults(&runtime->config);
    runtime->has_threads = config->workers > 0;
    runtime->worker_count = config->workers > 0 ? (uint32_t)config->workers : 1;
    runtime->seat_limit = runtime->worker_count;
    if (runtime->has_threads && config->max_spare > 0)
        runtime->seat_limit += (uint32_t)config->max_spare;
    runtime->timer_fd = -1;
    runtime->fork_generation = edo__sys_fork_generation();
    init_clock(runtime);
}

int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime)
{
    edo_store_relaxed(&edo__describe_current, describe_current); // by any thread, always the same
    edo__log_read_environment();
    edo_runtime *runtime = edo__alloc_zeroed(sizeof *runtime);
    if (!runtime) return -ENOMEM;
    if (config) runtime->config = *config;
    runtime->refs = 1;
    int rc = check_numbers(&runtime->config);
    if (rc == 0) rc = settle_workers(&runtime->config);
    if (rc == 0) rc = settle_metrics(runtime);
    if (rc == 0) rc = edo__drivers_choose(runtime, getenv("EDO_DRIVER"));
    if (rc < 0) goto fail_seats;
    init(runtime);
    rc = runtime->fork_generation ? create_seats(runtime) : -ENOMEM;
    if (rc == 0) rc = edo__threads_start(runtime);
    if (rc < 0) goto fail_seats;
    edo__runtimes_add(runtime);
    *ret_runtime = runtime;
    return 0;

fail_seats:
    close_seats(runtime);
    edo_runtime_unref(runtime);
    return rc;
}

edo_runtime *edo_runtime_ref(edo_runtime *runtime)
{
    edo_add_relaxed(&runtime->refs, 1);
    return runtime;
}

void edo_runtime_unref(edo_runtime *runtime)
{
    if (!runtime || edo_sub_acq_rel(&runtime->refs, 1) != 1) return;
    free_seats(runtime);
    edo__drivers_free(runtime);
    edo__free(runtime, sizeof *runtime);
}

edo_runtime *edo_current_runtime(void)
{
    return edo__self.runtime;
}

const char *edo_runtime_driver(const edo_runtime *runtime)
{
    return runtime->driver_ops->name; // also after the driver's end, through a reference
}

unsigned edo_runtime_workers(const edo_runtime *runtime)
{
    return runtime->has_threads ? runtime->worker_count : 0;
}

edo_runtime *edo_runtime_enter(edo_runtime *runtime)
{
    if (edo__in_task())
        edo__misuse("edo_runtime_enter", "a task has its runtime: spawn with edo_spawn_with()");
    edo_runtime *before = edo__self.runtime;
    edo__self.runtime = runtime;
    return before;
}

void edo_runtime_leave(edo_runtime *before)
{
    edo__self.runtime = before;
}

bool edo__runtime_is_stale(const edo_runtime *runtime)
{
    return runtime->fork_generation != edo__sys_fork_generation();
}

/* ---- wakes ---- */

/* From a thread without a seat, or for another seat. In the child of a fork nobody runs the tasks,
 * and a lock may have been held by a thread that is not there. */
static __attribute__((noinline)) void push_from_afar(edo_runtime *runtime, edo_task *task)
{
    uint32_t home = edo__task_home(task);
    if (runtime->has_threads && edo__runtime_is_stale(runtime)) return;
    edo_add_relaxed(&runtime->visitors, 1);
    if (!runtime->has_threads || home) {
        edo__worker_push_foreign(runtime->seats[home ? home - 1 : 0], task);
    } else {
        edo_add_figure(&runtime->foreign_pushes, 1);
        edo__inject_push(runtime, task, task, 1);
    }
    edo_sub_release(&runtime->visitors, 1); // partner: wait_for_visitors
}

void edo__runtime_push(edo_runtime *runtime, edo_task *task)
{
    edo__worker *worker = edo__seat_in(runtime);
    uint32_t home = edo__task_home(task);
    if (edo__likely(worker && (!home || home == worker->index + 1)))
        edo__worker_push(worker, task);
    else
        push_from_afar(runtime, task);
}

/* The first seat's stack takes any task; the inject queue has a lock, which no signal handler may
 * take. The visit keeps the runtime from going before the last touch. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task)
{
    uint32_t home = edo__task_home(task);
    edo_add_relaxed(&runtime->visitors, 1);
    edo__worker_push_foreign(runtime->seats[home ? home - 1 : 0], task);
    edo_sub_release(&runtime->visitors, 1); // partner: wait_for_visitors
}

/* ---- the end ---- */

/* Waits for the ends of tasks that others run. The count is read before the registry: an end that
 * comes after changes it. */
static void wait_for_end(edo_runtime *runtime, int64_t deadline)
{
    uint32_t count = edo_load_acquire(&runtime->end_count);
    if (!edo__runtime_is_empty(runtime))
        edo__sys_futex_wait_until(&runtime->end_count, count, deadline);
}

/* The program's function was waited for before, and no other task is left. */
static bool is_root_left_alone(const edo_runtime *runtime)
{
    return runtime->is_root_lost && edo_runtime_task_count(runtime) == 1;
}

/* The limit is one of real time, also under a test clock: nobody advances that one here. */
static void drain_until(edo_runtime *runtime, int64_t limit)
{
    int64_t deadline = edo__later(edo__sys_now(), limit);
    while (!edo__runtime_is_empty(runtime) && !is_root_left_alone(runtime)) {
        int64_t left = deadline - edo__sys_now();
        if (left <= 0) return;
        if (runtime->has_threads)
            wait_for_end(runtime, deadline);
        else
            edo__turn_once(runtime->seats[0], left);
    }
}

/* The rest of a push from another thread is a few instructions long. */
static void wait_for_visitors(edo_runtime *runtime)
{
    uint32_t tries = 0;
    while (edo_load_acquire(&runtime->visitors))
        edo__sys_wait_briefly(&tries);
}

static void release(edo_runtime *runtime)
{
    if (runtime->timer_fd >= 0) edo__sys_close(runtime->timer_fd);
    edo__runtimes_remove(runtime);
    edo__quarantine_empty();
    edo__monitor_free(runtime);
    close_seats(runtime);
    edo__free_all_closed();
    edo_runtime_unref(runtime);
}

/* In the child of a fork: the tasks are the parent's, and stay in the memory copied from it. Wakes
 * of them, as by the close of a stream, must not reach for the drivers' descriptors any more. */
static int destroy_inherited(edo_runtime *runtime)
{
    edo_store_relaxed(&runtime->is_closed, true);
    if (runtime->timer_fd >= 0) edo__sys_close(runtime->timer_fd);
    edo__drivers_close(runtime);
    for (uint32_t i = 0; i < runtime->seat_count; i++) {
        edo__worker *seat = runtime->seats[i];
        edo_store_relaxed(&seat->park, EDO__NOTIFIED_PARK);
        seat->driver->ops->close(seat->driver);
    }
    return 0;
}

/* Seats and runtime stay when a task does, for it uses them. */
int edo_runtime_destroy(edo_runtime *runtime)
{
    if (!runtime) return 0;
    int rc = edo__runtime_check_owner(runtime);
    if (rc == -ESTALE) return destroy_inherited(runtime);
    if (rc == 0 && edo__self.serves == runtime) rc = -EBUSY;
    if (rc < 0) return rc;
    edo__runtime_close(runtime);
    edo__runtime_ask_all(runtime, EDO__CANCELLED);
    drain_until(runtime, runtime->config.drain_limit);
    edo__runtime_ask_all(runtime, EDO__ABORTED);
    drain_until(runtime, runtime->config.abort_limit);
    wait_for_visitors(runtime);
    int64_t lost = edo__runtime_give_up(runtime);
    bool all_left = edo__threads_stop(runtime, 0);
    edo__blocking_close(runtime);
    if (runtime->config.report_leaks) {
        edo__handles_report(runtime);
        edo__makers_report(runtime);
    }
    edo__quarantine_empty();
    edo__free_all_closed();
    if (lost || !all_left) return -ETIMEDOUT;
    release(runtime);
    return 0;
}

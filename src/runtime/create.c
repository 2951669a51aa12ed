/* Creation of a runtime, and its simple properties. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>

#include <edo/metrics.h>

#include "runtime/drivers.h"
#include "runtime/inspect/dump.h"
#include "runtime/inspect/maker.h"
#include "runtime/registry.h"
#include "runtime/runtimes.h"
#include "runtime/schedule/threads.h"
#include "runtime/schedule/workers.h"
#include "task/holders.h"
#include "task/handle.h"
#include "task/trace.h"

enum {
    DEFAULT_EVENT_INTERVAL = 61, // polls between two turns of the driver, as in Tokio and Go
    DEFAULT_BUDGET = 128,        // operations per poll
    MIN_SPARE = 4,
    NO_SPARE = -1,
    MAX_WORKERS = 10000, // limit of `workers` and of `max_spare`; worker indices fit into 16 bits
};

#define DEFAULT_TIME_SLICE  edo_ms(10)
#define DEFAULT_DRAIN_LIMIT edo_s(10)
#define DEFAULT_ABORT_LIMIT edo_s(1)
#define DEFAULT_STALL_LIMIT edo_ms(100)

/* ---- settings ---- */

static void set_defaults(edo_config *config)
{
    if (!config->name) config->name = "edo";
    if (!config->event_interval) config->event_interval = DEFAULT_EVENT_INTERVAL;
    if (!config->budget) config->budget = DEFAULT_BUDGET;
    if (config->budget > INT32_MAX) config->budget = INT32_MAX; // cx->budget is signed
    if (!config->time_slice) config->time_slice = DEFAULT_TIME_SLICE;
    if (!config->drain_limit) config->drain_limit = DEFAULT_DRAIN_LIMIT;
    if (!config->abort_limit) config->abort_limit = DEFAULT_ABORT_LIMIT;
    if (!config->seed) config->seed = edo__sys_random() | 1; // xorshift needs a nonzero state
    if (!config->stall_limit)
        config->stall_limit = config->workers ? DEFAULT_STALL_LIMIT : EDO_NEVER;
    if (EDO_DEBUG && !EDO__TSAN) // the lock of the makers would hide races from TSan
        config->report_leaks = true;
    if (!config->max_spare)
        config->max_spare = config->workers > MIN_SPARE ? config->workers : MIN_SPARE;
}

static int check_numbers(const edo_config *config)
{
    bool has_workers = config->workers >= EDO_WORKERS_AUTO && config->workers <= MAX_WORKERS &&
                       config->max_spare >= NO_SPARE && config->max_spare <= MAX_WORKERS;
    bool has_times = config->stall_limit >= 0 && config->time_slice >= 0 &&
                     config->timer_slack >= 0 && config->drain_limit >= 0 &&
                     config->abort_limit >= 0;
    bool has_cpus = config->cpus || !config->cpu_count;
    bool has_policy = (unsigned)config->on_failure <= EDO_FAILURE_END;
    return has_workers && has_times && has_cpus && has_policy ? 0 : -EINVAL;
}

static int parse_workers(const char *text, int32_t *ret_workers)
{
    char *end;
    long count = strtol(text, &end, 10);
    if (end == text || *end || count < 1 || count > MAX_WORKERS) {
        edo__log(EDO_LOG_ERROR, "EDO_WORKER_THREADS=%s: not a number of threads", text);
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

/* Copies the settings for metrics, because the caller's pointer need not remain valid. */
static int settle_metrics(edo_runtime *runtime)
{
    const edo_metrics_config *config = runtime->config.metrics;
    runtime->config.metrics = NULL;
    if (!config) return 0;
    int rc = edo__scale_init(&runtime->scales[EDO_POLL_TIME], &config->poll_time);
    if (rc < 0) return rc;
    runtime->base.counts_tasks = config->tasks || config->schedule_latency.scale;
    return edo__scale_init(&runtime->scales[EDO_SCHEDULE_LATENCY], &config->schedule_latency);
}

/* ---- workers ---- */

static size_t size_of_workers(const edo_runtime *runtime)
{
    return runtime->worker_limit * sizeof(edo__worker *);
}

static int make_workers(edo_runtime *runtime)
{
    int rc = 0;
    for (uint32_t i = 0; i < runtime->base.worker_count && rc == 0; i++) {
        edo__worker *worker;
        rc = edo__worker_create(runtime, i, &worker);
        if (rc == 0) edo__runtime_add_worker(runtime, worker);
    }
    return rc < 0 ? rc : edo__drivers_keep_one(runtime);
}

static void unmake_workers(edo_runtime *runtime)
{
    edo__workers_close(runtime);
    edo__workers_free(runtime);
    edo_store_relaxed(&runtime->worker_total, 0);
}

static int create_workers(edo_runtime *runtime)
{
    runtime->workers = edo__alloc_zeroed(size_of_workers(runtime));
    if (!runtime->workers) return -ENOMEM;
    int rc = make_workers(runtime);
    if (rc == 0) return 0;
    unmake_workers(runtime);
    if (edo__drivers_fall_back(runtime)) rc = make_workers(runtime);
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
    runtime->base = (edo__executor){ .name = config->name,
                                     .time_slice = config->time_slice,
                                     .on_failure = (uint8_t)config->on_failure,
                                     .budget = config->budget,
                                     .worker_count = config->workers > 0 ? (uint32_t)config->workers
                                                                         : 1,
                                     .counts_tasks = runtime->base.counts_tasks,
                                     .tracks_handles = config->report_leaks,
                                     .fork_generation = edo__sys_fork_generation() };
    runtime->worker_limit = runtime->base.worker_count;
    if (runtime->has_threads && config->max_spare > 0)
        runtime->worker_limit += (uint32_t)config->max_spare;
    runtime->timer_fd = -1;
    init_clock(runtime);
    runtime->baton.random = config->seed;
}

int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime)
{
    edo_store_relaxed(&edo__describe_current, describe_current); // relaxed: always the same value
    edo__log_read_environment();
#ifndef EDO_MODEL
    edo__holders_prepare();
#endif
    edo_runtime *runtime = edo__alloc_zeroed(sizeof *runtime);
    if (!runtime) return -ENOMEM;
    if (config) runtime->config = *config;
    runtime->refs = 1;
    int rc = check_numbers(&runtime->config);
    if (rc == 0) rc = settle_workers(&runtime->config);
    if (rc == 0) rc = settle_metrics(runtime);
    if (rc == 0) rc = edo__drivers_choose(runtime, getenv("EDO_DRIVER"));
    if (rc < 0) goto fail_workers;
    init(runtime);
    rc = runtime->base.fork_generation ? create_workers(runtime) : -ENOMEM;
    if (rc == 0) rc = edo__threads_start(runtime);
    if (rc < 0) goto fail_workers;
    edo__dump_prepare();
    edo__runtimes_add(runtime);
    *ret_runtime = runtime;
    return 0;

fail_workers:
    edo__workers_close(runtime);
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
    edo__workers_free(runtime);
    edo__free(runtime->workers, size_of_workers(runtime));
    edo__drivers_free(runtime);
    edo__free(runtime, sizeof *runtime);
}

edo_runtime *edo_current_runtime(void)
{
    return edo__self.runtime;
}

const char *edo_runtime_driver(const edo_runtime *runtime)
{
    return runtime->driver_ops->name; // remains valid after the driver was closed
}

unsigned edo_runtime_workers(const edo_runtime *runtime)
{
    return runtime->has_threads ? runtime->base.worker_count : 0;
}

edo_runtime *edo_runtime_enter(edo_runtime *runtime)
{
    if (edo__in_task())
        edo__misuse("edo_runtime_enter", "called inside a task; use edo_spawn_with()");
    edo_runtime *before = edo__self.runtime;
    edo__self.runtime = runtime;
    return before;
}

void edo_runtime_leave(edo_runtime *before)
{
    edo__self.runtime = before;
}

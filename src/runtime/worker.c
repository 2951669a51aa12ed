/* A seat: its making, with a driver of its own, and its end. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- its driver ---- */

static int open_named(edo__worker *worker, const char *wanted)
{
    char name[32];
    edo_runtime *runtime = worker->runtime;
    const char *colon = strchr(wanted, ':');
    snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - wanted) : -1, wanted);
    const edo_driver_ops *ops = edo__sys_driver(name);
    const char *reason = "no such driver";
    int rc = -EINVAL;
    if (ops) rc = ops->open(runtime, colon ? colon + 1 : NULL, &worker->driver, &reason);
    if (rc < 0 && ops && strcmp(name, EDO__FALLBACK_DRIVER) != 0) {
        edo__log(EDO_LOG_WARN, "%s: the %s driver is not to be had (%s); using %s",
                 runtime->config.name, name, reason, EDO__FALLBACK_DRIVER);
        return open_named(worker, EDO__FALLBACK_DRIVER);
    }
    return rc;
}

/* All seats of a runtime have the driver that the first one got. */
static int open_driver(edo__worker *worker)
{
    const char *reason = "";
    const edo_runtime *runtime = worker->runtime;
    const edo_config *config = &runtime->config;
    if (config->driver_ops)
        return config->driver_ops->open(worker->runtime, NULL, &worker->driver, &reason);
    const char *name = config->driver ? config->driver : getenv("EDO_DRIVER");
    if (!name || !*name) name = EDO__DEFAULT_DRIVER;
    bool fell_back = runtime->driver_name &&
                     strncmp(name, runtime->driver_name, strlen(runtime->driver_name)) != 0;
    return open_named(worker, fell_back ? runtime->driver_name : name);
}

/* ---- making and ending ---- */

enum { CHEAP_POLL = 50 }; // nanoseconds: what a poll is taken to cost at first

static void init_seat(edo__worker *worker, edo_runtime *runtime, uint32_t index)
{
    worker->runtime = runtime;
    worker->index = index;
    worker->is_shared = worker->keeps_yielded = runtime->has_threads;
    worker->is_spare = worker->rests = index >= runtime->worker_count;
    if (runtime->config.hooks || runtime->scales[EDO_POLL_TIME].buckets)
        worker->observed = EDO__POLL_COUNTED;
    worker->interval = runtime->config.event_interval;
    worker->notify_at = 1;
    worker->poll_cost = CHEAP_POLL;
    edo_store_relaxed(&worker->steal_at, 1);
    worker->local.end = &worker->local.first;
    edo__list_init(&worker->shard.tasks);
    worker->cx = (edo_cx){ .runtime = runtime,
                           .worker = worker,
                           .now = edo__runtime_now(runtime),
                           .random = runtime->config.seed + index };
    if (!worker->cx.random) worker->cx.random = 1;
    edo__wheel_init(&worker->wheel, worker->cx.now);
}

int edo__worker_create(edo_runtime *runtime, uint32_t index, edo__worker **ret_worker)
{
    edo__worker *worker = edo__alloc_zeroed(sizeof *worker);
    if (!worker) return -ENOMEM;
    init_seat(worker, runtime, index);
    int rc = edo__histograms_create(runtime->scales, worker->histograms);
    if (rc < 0) goto fail_histograms;
    rc = -ENOMEM;
    worker->heap = edo__heap_create();
    if (!worker->heap) goto fail_heap;
    rc = open_driver(worker);
    if (rc < 0) goto fail_driver;
    *ret_worker = worker;
    return 0;

fail_driver:
    edo__heap_close(worker->heap);
fail_heap:
    edo__histograms_free(runtime->scales, worker->histograms);
fail_histograms:
    edo__free(worker, sizeof *worker);
    return rc;
}

/* Its counters stay with the seat. */
static void close_driver(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    edo_driver *driver = worker->driver;
    edo__lock_take(&runtime->driver_lock);
    edo__driver_counters_copy(&worker->past_io, &driver->counters);
    worker->driver = NULL;
    edo__lock_give(&runtime->driver_lock);
    driver->ops->close(driver);
}

void edo__worker_close(edo__worker *worker)
{
    close_driver(worker);
    edo__heap_close(worker->heap);
}

void edo__worker_free(edo__worker *worker)
{
    edo__histograms_free(worker->runtime->scales, worker->histograms);
    edo__free(worker, sizeof *worker);
}

/* Creation and end of a worker and its driver. */
#include "runtime/schedule/workers.h"
#include "driver/drivers.h"
#include "runtime/drivers.h"
#include "runtime/runtime.h"

/* ---- creation and end ---- */

static void init_worker(edo__worker *worker, edo_runtime *runtime, uint32_t index)
{
    worker->runtime = runtime;
    worker->index = index;
    worker->is_shared = worker->keeps_yielded = runtime->has_threads;
    worker->is_spare = index >= runtime->base.worker_count;
    if (runtime->config.hooks || runtime->scales[EDO_POLL_TIME].buckets)
        worker->observed = EDO__POLL_COUNTED;
    worker->interval = runtime->config.event_interval;
    worker->notify_at = 1;
    worker->gate = worker->is_spare ? EDO__GATE_NONE : EDO__GATE_OUTSIDE;
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
    init_worker(worker, runtime, index);
    int rc = edo__histograms_create(runtime->scales, worker->histograms);
    if (rc < 0) goto fail_histograms;
    rc = -ENOMEM;
    worker->cx.heap = edo__heap_create();
    if (!worker->cx.heap) goto fail_heap;
    worker->cx.heap_max = edo__heap_max();
    rc = edo__drivers_open(runtime, &worker->driver);
    if (rc < 0) goto fail_driver;
    *ret_worker = worker;
    return 0;

fail_driver:
    edo__heap_close(worker->cx.heap);
fail_heap:
    edo__histograms_free(runtime->scales, worker->histograms);
fail_histograms:
    edo__free(worker, sizeof *worker);
    return rc;
}

/* Copies the driver's counters to the worker, and closes the driver. */
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

static void close_worker(edo__worker *worker)
{
    close_driver(worker);
    edo__heap_close(worker->cx.heap);
}

static void free_worker(edo__worker *worker)
{
    edo__histograms_free(worker->runtime->scales, worker->histograms);
    edo__free(worker, sizeof *worker);
}

void edo__workers_close(edo_runtime *runtime)
{
    edo__drivers_close(runtime);
    for (uint32_t i = 0; i < runtime->worker_total; i++)
        close_worker(runtime->workers[i]);
}

void edo__workers_free(edo_runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->worker_total; i++)
        free_worker(runtime->workers[i]);
}

int edo_worker_index(void)
{
    return edo__self.worker ? (int)edo__self.worker->index : -1;
}

/* Metrics. The functions read the counters of workers, registry, drivers, pools and tasks. */
#include <edo/metrics.h>

#include <string.h>

#include "runtime/pool/blocking.h"
#include "runtime/runtime.h"

/* Copies a struct to the caller. The caller may be compiled with another version of edo, in which
 * the struct is shorter or longer. Members that only the caller's struct has are set to 0. */
static void copy_out(void *ret, size_t ret_size, const void *ours, size_t our_size)
{
    size_t shared = ret_size < our_size ? ret_size : our_size;
    memcpy(ret, ours, shared);
    memset((char *)ret + shared, 0, ret_size - shared);
}

/* ---- a worker ---- */

/* Reads the counters of a worker's driver. Takes driver_lock, because another thread may be closing
 * the driver. */
static edo__io_counters io_of(edo__worker *worker)
{
    edo__io_counters io;
    edo__lock *lock = &worker->runtime->driver_lock;
    edo__lock_take(lock);
    edo__driver_counters_copy(&io, worker->driver ? &worker->driver->counters : &worker->past_io);
    edo__lock_give(lock);
    return io;
}

#define READ(name) .name = edo_load_figure(&counters->name),

static edo_worker_metrics read_worker(edo__worker *worker)
{
    const edo__counters *counters = &worker->counters;
    edo__io_counters io = io_of(worker);
    uint64_t parks = edo_load_figure(&counters->parks);
    return (edo_worker_metrics){ .thread_id = edo_load_figure(&worker->thread_id),
                                 .local_depth = edo_load_figure(&counters->local_depth) +
                                                edo__worker_length(worker),
                                 .mean_poll_time = edo_load_figure(&counters->mean_poll),
                                 .parks = parks / 2 + parks % 2,
                                 .park_unparks = parks,
                                 .fds_registered = io.registered,
                                 .fds_deregistered = io.deregistered,
                                 .ready_events = io.ready,
                                 .is_spare = worker->is_spare,
                                 EDO__COUNTS(READ) };
}

int edo__metrics_read_worker(edo_runtime *runtime, unsigned worker, edo_worker_metrics *ret_metrics,
                             size_t size)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    if (worker >= edo__worker_total(runtime)) return -EINVAL;
    edo_worker_metrics metrics = read_worker(runtime->workers[worker]);
    copy_out(ret_metrics, size, &metrics, sizeof metrics);
    return 0;
}

/* ---- the runtime ---- */

/* Members of edo_metrics that are sums of the same members of edo_worker_metrics. */
#define SUMS(_)                                                                                    \
    EDO__COUNTS(_)                                                                                 \
    _(local_depth) _(parks) _(fds_registered) _(fds_deregistered) _(ready_events)

#define ADD(name) sum->name += metrics.name;

/* Adds the metrics of a worker to a sum. The number of alive tasks is read before the number of
 * spawned tasks, so that the sum never has more alive tasks than spawned tasks. */
static void add_worker(edo_metrics *sum, edo__worker *worker)
{
    edo_worker_metrics metrics = read_worker(worker);
    sum->alive_tasks += edo__shard_count(&worker->shard);
    sum->spawned_tasks += edo_load_figure(&worker->shard.spawned);
    sum->inject_depth += edo__worker_untaken(worker);
    sum->remote_schedules += edo_load_figure(&worker->handed);
    SUMS(ADD)
}

static void add_pools(edo_metrics *sum, edo_runtime *runtime)
{
    edo_pool_stats stats;
    edo__blocking_read(runtime, &stats);
    sum->blocking_threads = stats.threads;
    sum->blocking_idle = stats.idle;
    sum->blocking_running = stats.running;
    sum->blocking_queued = stats.queued;
    sum->blocking_waiting = stats.waiting;
}

int edo__metrics_read(edo_runtime *runtime, edo_metrics *ret_metrics, size_t size)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    uint32_t workers = edo__worker_total(runtime);
    edo_metrics sum = { .workers = runtime->base.worker_count,
                        .spares = workers - runtime->base.worker_count };
    sum.inject_depth = edo_load_figure(&runtime->idle.injected.count);
    sum.remote_schedules = edo_load_figure(&runtime->foreign_pushes);
    for (uint32_t i = 0; i < workers; i++)
        add_worker(&sum, runtime->workers[i]);
    add_pools(&sum, runtime);
    copy_out(ret_metrics, size, &sum, sizeof sum);
    return 0;
}

/* ---- histograms ---- */

static const edo__scale *scale_of(const edo_runtime *runtime, edo_histogram histogram)
{
    return (unsigned)histogram < EDO__HISTOGRAMS ? &runtime->scales[histogram] : NULL;
}

uint32_t edo_histogram_buckets(const edo_runtime *runtime, edo_histogram histogram)
{
    const edo__scale *scale = scale_of(runtime, histogram);
    return scale ? scale->buckets : 0;
}

int edo_histogram_range(const edo_runtime *runtime, edo_histogram histogram, uint32_t bucket,
                        int64_t *ret_from, int64_t *ret_to)
{
    const edo__scale *scale = scale_of(runtime, histogram);
    if (!scale || bucket >= scale->buckets) return -EINVAL;
    *ret_from = edo__scale_start(scale, bucket);
    *ret_to = bucket + 1 < scale->buckets ? edo__scale_start(scale, bucket + 1) : INT64_MAX;
    return 0;
}

static void add_counts(const edo__worker *worker, edo_histogram histogram, uint64_t *counts,
                       uint32_t count)
{
    const edo_atomic(uint64_t) *values = worker->histograms[histogram];
    for (uint32_t i = 0; i < count; i++)
        counts[i] += edo_load_figure(&values[i]);
}

int edo_histogram_read(const edo_runtime *runtime, edo_histogram histogram, int worker,
                       uint64_t *ret_counts, uint32_t count)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    uint32_t workers = edo__worker_total(runtime),
             there = edo_histogram_buckets(runtime, histogram);
    if (worker < EDO_ALL_WORKERS || (worker >= 0 && (uint32_t)worker >= workers)) return -EINVAL;
    if (!there) return -ENODATA;
    uint32_t first = worker < 0 ? 0 : (uint32_t)worker, end = worker < 0 ? workers : first + 1;
    memset(ret_counts, 0, count * sizeof *ret_counts);
    for (uint32_t i = first; i < end; i++)
        add_counts(runtime->workers[i], histogram, ret_counts, count < there ? count : there);
    return 0;
}

/* ---- tasks ---- */

int edo__task_metrics_read(const edo_task *task, edo_task_metrics *ret_metrics, size_t size)
{
    if (!(task->head.flags & EDO__TASK_COUNTED)) return -ENODATA;
    const edo__task_counts *counts = edo__task_counts_of(task);
    edo_task_metrics metrics = { .polls = edo_load_figure(&counts->polls),
                                 .wakes = edo_load_figure(&counts->wakes),
                                 .busy = edo_load_figure(&counts->busy),
                                 .longest_poll = edo_load_figure(&counts->longest_poll),
                                 .scheduled = edo_load_figure(&counts->scheduled) };
    copy_out(ret_metrics, size, &metrics, sizeof metrics);
    return 0;
}

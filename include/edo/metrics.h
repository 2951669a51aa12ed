/* Metrics: counters and times of a runtime, its workers and its tasks.
 *
 *     edo_metrics m;
 *     if (edo_metrics_read(runtime, &m) == 0)
 *         printf("%" PRIu64 " tasks, busy for %" PRIu64 " ns\n", m.alive_tasks, m.busy);
 *
 * The counters are always on. Each worker counts in plain words of its own, at one or two
 * instructions per event. Once per turn the worker publishes its counts. A reading costs the
 * workers nothing. Until the runtime ends, counts only grow. A reading may miss the last events of
 * a worker: at most the polls of one turn (edo_config.event_interval), and the time of one turn.
 * The numbers of one reading do not belong to one instant, because events may happen during the
 * reading.
 *
 * Two measurements cost more, and are off unless edo_config.metrics turns them on. A histogram
 * reads the clock twice per poll (about 50 ns together). Counts of a task cost 48 to 96 bytes per
 * task, and also two readings of the clock per poll. A histogram of schedule latency turns on the
 * counts of all tasks, and reads the clock once more per wake. A task without counts pays one
 * branch per wake and one per poll.
 *
 * All durations are nanoseconds of the real clock, even under a test clock.
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS

/* ---- measurements in addition to the counters ---- */

typedef enum edo_histogram {
    EDO_POLL_TIME,        // duration of each poll of a task
    EDO_SCHEDULE_LATENCY, // time from a task's wake, spawn or yield until its poll begins
} edo_histogram;

typedef enum edo_histogram_scale {
    EDO_HISTOGRAM_OFF,
    EDO_HISTOGRAM_LINEAR, // buckets of the same width
    EDO_HISTOGRAM_LOG,    // buckets whose width grows with their values, so that the relative error
                          // is constant
} edo_histogram_scale;

/* The first bucket also counts smaller values, and the last bucket also counts greater values. A
 * histogram has at most 65536 buckets; each bucket takes 8 bytes per worker. A zeroed struct turns
 * the histogram off. */
typedef struct edo_histogram_config {
    edo_histogram_scale scale;
    uint32_t buckets; // linear: number of buckets; 0: 10. log: greatest number; 0: any
    int64_t width;    // linear: width of a bucket, ns; 0: 100 us
    int64_t min, max; // log: ns; values of the first and the last bucket; 0: 100 ns and 60 s
    uint32_t steps;   // log: buckets from one power of two to the next; 1, 2, 4, ... or 1024; 0: 4;
                      // the relative error is at most 1 / steps
    void *reserved[2];
} edo_histogram_config;

/* Type of edo_config.metrics. The struct is read only by edo_runtime_create(), which returns
 * -EINVAL for impossible buckets. */
typedef struct edo_metrics_config {
    edo_histogram_config poll_time, schedule_latency;
    bool tasks; // counts all tasks, not only those spawned with `metrics`
    void *reserved[4];
} edo_metrics_config;

/* ---- the runtime ---- */

/* Metrics of a runtime. Counts are sums over all workers, including spare ones. */
typedef struct edo_metrics {
    uint32_t workers; // number without the spare workers; 1 for a current-thread runtime
    uint32_t spares;  // threads made to help stuck workers; kept afterwards

    uint64_t spawned_tasks;
    uint64_t alive_tasks;  // tasks that have not ended
    uint64_t inject_depth; // tasks injected by other threads, not yet taken by a worker
    uint64_t local_depth;  // tasks in the workers' own queues

    uint64_t polls;
    uint64_t budget_yields;    // polls ended by the budget or the time slice
    uint64_t local_schedules;  // wakes and spawns of tasks by workers
    uint64_t remote_schedules; // wakes and spawns by other threads, or for another worker
    uint64_t steals;           // batches of tasks taken from another worker's queue
    uint64_t stolen;           // tasks in these batches
    uint64_t overflows;        // times a full queue moved its older half to the overflow list
    uint64_t parks;            // sleeps of workers
    uint64_t noops;            // sleeps after which the worker slept again without a poll
    uint64_t busy;             // nanoseconds in which workers were awake

    uint64_t fds_registered;   // epoll: descriptors; io_uring: listeners with a standing accept
    uint64_t fds_deregistered; // number of registrations that have ended
    uint64_t ready_events;     // epoll: events of descriptors; io_uring: completions

    uint32_t blocking_threads; // threads of the runtime's own pools, see edo_pool_stats
    uint32_t blocking_idle, blocking_running, blocking_queued, blocking_waiting;
} edo_metrics;

/* Reads the current numbers of a runtime.
 * Returns: 0; -ESTALE after fork().
 * Thread: any that holds the runtime or a reference, also after the runtime's end. */
static inline int edo_metrics_read(edo_runtime *runtime, edo_metrics *ret_metrics);

/* ---- a worker ---- */

typedef struct edo_worker_metrics {
    uint64_t thread_id;     // the system's thread id, as in top -H; 0: no thread yet
    uint64_t local_depth;   // tasks in the worker's queue, without the next-task slot
    uint64_t polls;         // polls of tasks
    int64_t mean_poll_time; // nanoseconds, over the last turns; 0 for a current-thread runtime
    uint64_t busy;          // nanoseconds in which the worker was awake
    uint64_t budget_yields, local_schedules, steals, stolen, overflows, noops; // as in edo_metrics
    uint64_t parks;                                                            // as in edo_metrics
    uint64_t park_unparks; // begun and ended sleeps; odd while the worker sleeps
    uint64_t fds_registered, fds_deregistered, ready_events; // of the worker's driver
    bool is_spare;
} edo_worker_metrics;

/* Reads the current numbers of one worker.
 * worker: 0 to workers + spares - 1, numbered as by edo_worker_index().
 * Returns: 0; -EINVAL: no such worker; -ESTALE after fork().
 * Thread: as edo_metrics_read(). */
static inline int edo_metrics_read_worker(edo_runtime *runtime, unsigned worker,
                                          edo_worker_metrics *ret_metrics);

/* ---- histograms ---- */

/* Number of buckets of a histogram; 0 when the histogram is off. Thread: any. */
EDO_API uint32_t edo_histogram_buckets(const edo_runtime *runtime, edo_histogram histogram);

/* Range of a bucket's values, in nanoseconds: at least *ret_from and below *ret_to. The last bucket
 * ends at INT64_MAX.
 * Returns: 0, or -EINVAL: no such bucket. Thread: any. */
EDO_API int edo_histogram_range(const edo_runtime *runtime, edo_histogram histogram,
                                uint32_t bucket, int64_t *ret_from, int64_t *ret_to);

enum { EDO_ALL_WORKERS = -1 };

/* Reads the number of values in each bucket, for one worker or for EDO_ALL_WORKERS.
 * ret_counts: array of `count` elements. Elements beyond the number of buckets are set to 0.
 * Returns: 0; -ENODATA: the histogram is off; -EINVAL: no such worker; -ESTALE after fork().
 * Thread: as edo_metrics_read(). */
EDO_API int edo_histogram_read(const edo_runtime *runtime, edo_histogram histogram, int worker,
                               uint64_t *ret_counts, uint32_t count);

/* ---- tasks ---- */

/* Metrics of a task. A task is counted if it was spawned with edo_spawn_options.metrics, or if its
 * runtime was made with edo_metrics_config.tasks. */
typedef struct edo_task_metrics {
    uint64_t polls;       // including the running one
    uint64_t wakes;       // including wakes of an already woken task, excluding yields
    int64_t busy;         // nanoseconds in polls that have ended
    int64_t longest_poll; // ns, of the polls that have ended
    int64_t scheduled;    // ns, summed: time from each wake, spawn or yield until the poll begins
} edo_task_metrics;

/* Reads the metrics of a task.
 * Returns: 0; -ENODATA: the task is not counted.
 * Thread: any that holds the handle, also after the task's end; the task itself. */
static inline int edo_task_metrics_read(const edo_task *task, edo_task_metrics *ret_metrics);

/* ---- called by the functions above; structs may grow at their ends ---- */

/* size: bytes of the caller's struct. Members that the library does not know are set to 0. */
EDO_API int edo__metrics_read(edo_runtime *runtime, edo_metrics *ret_metrics, size_t size);
EDO_API int edo__metrics_read_worker(edo_runtime *runtime, unsigned worker,
                                     edo_worker_metrics *ret_metrics, size_t size);
EDO_API int edo__task_metrics_read(const edo_task *task, edo_task_metrics *ret_metrics,
                                   size_t size);

static inline int edo_metrics_read(edo_runtime *runtime, edo_metrics *ret_metrics)
{
    return edo__metrics_read(runtime, ret_metrics, sizeof *ret_metrics);
}

static inline int edo_metrics_read_worker(edo_runtime *runtime, unsigned worker,
                                          edo_worker_metrics *ret_metrics)
{
    return edo__metrics_read_worker(runtime, worker, ret_metrics, sizeof *ret_metrics);
}

static inline int edo_task_metrics_read(const edo_task *task, edo_task_metrics *ret_metrics)
{
    return edo__task_metrics_read(task, ret_metrics, sizeof *ret_metrics);
}

EDO_END_DECLS

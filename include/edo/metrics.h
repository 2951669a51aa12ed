/* Metrics: counters and times of a runtime, its workers and its tasks.
 *
 *     edo_metrics m;
 *     if (edo_metrics_read(runtime, &m) == 0)
 *         printf("%" PRIu64 " tasks, busy for %" PRIu64 " ns\n", m.alive_tasks, m.busy);
 *
 * The counters are always there: each worker counts in plain words of its own, which cost an
 * instruction or two, and publishes them once per turn. Reading costs the workers nothing. Counts
 * only grow, until their runtime ends; those of a worker may be behind by the polls of one turn (at
 * most edo_config.event_interval), its times by one turn. Numbers that are read at once were not
 * taken at the same instant: they may differ by the events between.
 *
 * Two things cost more and are off unless edo_config.metrics asks for them. A histogram reads the
 * clock twice per poll (some 50 ns in all). The counts of a task take 48 to 96 bytes of it, and
 * those two readings for each of its polls; a histogram of schedule latency needs the counts of all
 * tasks, and one more reading for each wake. A task without counts pays one branch per wake and one
 * per poll.
 *
 * All durations are nanoseconds of the real clock, also under a test clock.
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS

/* ---- measurements beside the counters ---- */

typedef enum edo_histogram {
    EDO_POLL_TIME,        // of each poll of a task
    EDO_SCHEDULE_LATENCY, // from a task's wake, spawn or yield until its poll begins
} edo_histogram;

typedef enum edo_histogram_scale {
    EDO_HISTOGRAM_OFF,
    EDO_HISTOGRAM_LINEAR, // buckets of the same width
    EDO_HISTOGRAM_LOG,    // buckets that grow with their values: the relative error is the same
} edo_histogram_scale;

/* Values below the first bucket are counted in it, and those beyond the last in that. At most 65536
 * buckets, of 8 bytes per worker. Zeroed is off. */
typedef struct edo_histogram_config {
    edo_histogram_scale scale;
    uint32_t buckets; // linear: how many; 0: 10. log: how many there may be; 0: any number
    int64_t width;    // linear: of a bucket; 0: 100 us
    int64_t min, max; // log: ns of the least and the greatest bucket; 0: 100 ns, and 60 s
    uint32_t steps;   // log: buckets per power of two, which is 1/error: a power of two up to 1024;
                      // 0: 4
    void *reserved[2];
} edo_histogram_config;

/* edo_config.metrics. Read by edo_runtime_create(), which answers -EINVAL for buckets that cannot
 * be; not needed after it. */
typedef struct edo_metrics_config {
    edo_histogram_config poll_time, schedule_latency;
    bool tasks; // all tasks are counted, not only those that are spawned with `metrics`
    void *reserved[4];
} edo_metrics_config;

/* ---- the runtime ---- */

/* Counts are sums over all workers and spare ones. */
typedef struct edo_metrics {
    uint32_t workers; // that take part; 1 for a current-thread runtime
    uint32_t spares;  // threads that were made to help stuck ones, and stay

    uint64_t spawned_tasks;
    uint64_t alive_tasks;  // have not ended
    uint64_t inject_depth; // tasks injected by other threads that no worker has taken yet
    uint64_t local_depth;  // tasks in the workers' own queues

    uint64_t polls;
    uint64_t budget_yields;    // polls that ended because the budget or the time slice was used up
    uint64_t local_schedules;  // wakes and spawns of tasks by workers
    uint64_t remote_schedules; // and by other threads, or for tasks pinned to another worker
    uint64_t steals;           // times that a worker took tasks from another's queue
    uint64_t stolen;           // tasks taken so
    uint64_t overflows;        // times that a full queue moved its older half behind it
    uint64_t parks;            // times that a worker went to sleep
    uint64_t noops;            // sleeps after which it found nothing to poll before the next
    uint64_t busy;             // awake, nanoseconds

    uint64_t fds_registered;   // with epoll; with io_uring, listeners with a standing accept
    uint64_t fds_deregistered; // and no longer
    uint64_t ready_events;     // of descriptors by epoll; completions by io_uring

    uint32_t blocking_threads; // of the runtime's own pools, see edo_pool_stats
    uint32_t blocking_idle, blocking_running, blocking_queued, blocking_waiting;
} edo_metrics;

/* The current numbers of a runtime.
 * Returns: 0; -ESTALE after fork().
 * Thread: any that has the runtime or a reference to it, also after its end. */
static inline int edo_metrics_read(edo_runtime *runtime, edo_metrics *ret_metrics);

/* ---- a worker ---- */

typedef struct edo_worker_metrics {
    uint64_t thread_id;     // of the system, as in top -H; 0: no thread yet
    uint64_t local_depth;   // tasks in its queue, without the next-task slot
    uint64_t polls;         // of tasks
    int64_t mean_poll_time; // of its last turns, nanoseconds; 0 for a current-thread runtime
    uint64_t busy;          // awake, nanoseconds
    uint64_t budget_yields, local_schedules, steals, stolen, overflows, noops; // as above
    uint64_t parks;                                                            // as above
    uint64_t park_unparks; // sleeps and ends of sleeps: odd while it sleeps
    uint64_t fds_registered, fds_deregistered, ready_events; // of its driver, as above
    bool is_spare;
} edo_worker_metrics;

/* The same for one worker: 0 .. workers + spares - 1; those of edo_worker_index().
 * Returns: 0; -EINVAL: there is none of that number; -ESTALE after fork().
 * Thread: as edo_metrics_read(). */
static inline int edo_metrics_read_worker(edo_runtime *runtime, unsigned worker,
                                          edo_worker_metrics *ret_metrics);

/* ---- histograms ---- */

/* How many buckets a histogram has; 0: it is off. Thread: any. */
EDO_API uint32_t edo_histogram_buckets(const edo_runtime *runtime, edo_histogram histogram);

/* The values of a bucket: from *ret_from on and below *ret_to, in nanoseconds. The last one ends at
 * INT64_MAX. Returns: 0, or -EINVAL: there is no such bucket. Thread: any. */
EDO_API int edo_histogram_range(const edo_runtime *runtime, edo_histogram histogram,
                                uint32_t bucket, int64_t *ret_from, int64_t *ret_to);

enum { EDO_ALL_WORKERS = -1 };

/* Counts of values per bucket, of one worker or of EDO_ALL_WORKERS.
 * ret_counts: room for `count` buckets; those beyond the last one are set to 0.
 * Returns: 0; -ENODATA: it is off; -EINVAL: no such worker; -ESTALE after fork().
 * Thread: as edo_metrics_read(). */
EDO_API int edo_histogram_read(const edo_runtime *runtime, edo_histogram histogram, int worker,
                               uint64_t *ret_counts, uint32_t count);

/* ---- tasks ---- */

/* Of a task that was spawned with edo_spawn_options.metrics, or under edo_metrics_config.tasks. */
typedef struct edo_task_metrics {
    uint64_t polls;       // also the one that runs now
    uint64_t wakes;       // also those that came while it was woken already; yields are none
    int64_t busy;         // nanoseconds in polls that have ended
    int64_t longest_poll; // of them
    int64_t scheduled;    // nanoseconds between its wakes, spawn and yields, and its polls
} edo_task_metrics;

/* Returns: 0; -ENODATA: it is not counted.
 * Thread: any that holds the handle, also after the task's end; the task itself. */
static inline int edo_task_metrics_read(const edo_task *task, edo_task_metrics *ret_metrics);

/* ---- called by these: structs may grow at their ends ---- */

/* size: of the caller's struct. Members that the library does not know are set to 0. */
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

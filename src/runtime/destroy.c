/* The end of a runtime. First all tasks are cancelled. Tasks that have not ended after drain_limit
 * are aborted. Tasks that have still not ended after a further abort_limit are given up. */
#include "base/duration.h"
#include "runtime/drivers.h"
#include "runtime/inspect/maker.h"
#include "runtime/pool/blocking.h"
#include "runtime/registry.h"
#include "runtime/run.h"
#include "runtime/runtime.h"
#include "runtime/runtimes.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/threads.h"
#include "runtime/schedule/workers.h"
#include "task/handle.h"

/* Waits until a task ends on another thread, or until the deadline. Each task that ends changes
 * `end_count`. This function reads `end_count`, and then checks the registry. If a task ends after
 * the check, `end_count` no longer has the value that was read, so the futex does not sleep. */
static void wait_for_end(edo_runtime *runtime, int64_t deadline)
{
    uint32_t count = edo_load_acquire(&runtime->end_count);
    if (!edo__runtime_is_empty(runtime))
        edo__sys_futex_wait_until(&runtime->end_count, count, deadline);
}

/* Whether edo_run() has given up the root, and the root is the only remaining task. */
static bool is_root_left_alone(const edo_runtime *runtime)
{
    return runtime->is_root_lost && edo_runtime_task_count(runtime) == 1;
}

/* Runs the runtime until all tasks have ended, but at most for `limit` ns. The limit is in real
 * time, because a paused test clock may stand still. A current-thread runtime makes at least one
 * turn, so that tasks can end even if the process was stopped meanwhile. */
static void drain_until(edo_runtime *runtime, int64_t limit)
{
    int64_t deadline = edo__later(edo__sys_now(), limit), left = limit;
    while (left > 0 && !edo__runtime_is_empty(runtime) && !is_root_left_alone(runtime)) {
        if (runtime->has_threads)
            wait_for_end(runtime, deadline);
        else
            edo__turn_once(runtime->workers[0], left);
        left = deadline - edo__sys_now();
    }
}

/* Waits until other threads have finished their pushes. A push takes a few instructions. */
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
    edo__workers_close(runtime);
    edo__free_all_closed();
    edo_runtime_unref(runtime);
}

/* Closes the copy of a runtime in the child of a fork. The tasks belong to the parent, so their
 * copies are not freed. A copied task may still be woken later, for example by the close of a
 * stream. Such a wake must not unpark a worker, because the worker's driver is closed here. So this
 * function marks all workers as notified. A wake does not unpark a worker that is already
 * notified. */
static int destroy_inherited(edo_runtime *runtime)
{
    edo_store_relaxed(&runtime->is_closed, true);
    if (runtime->timer_fd >= 0) edo__sys_close(runtime->timer_fd);
    edo__drivers_close(runtime);
    for (uint32_t i = 0; i < runtime->worker_total; i++) {
        edo__worker *worker = runtime->workers[i];
        edo_store_relaxed(&worker->park, EDO__NOTIFIED_PARK);
        worker->driver->ops->close(worker->driver);
    }
    return 0;
}

/* Ends a runtime. If a task could not be ended, the runtime and its workers are not freed, because
 * that task may still use them. */
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
    edo__blocking_close(runtime, lost || !all_left);
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

/* The threads of a runtime with workers: start, loop and end. */
#include <stdio.h>

#include "runtime/schedule/threads.h"
#include "runtime/hooks.h"
#include "runtime/quit.h"
#include "runtime/runtimes.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/turn.h"

/* ---- the loop ---- */

static void settle_in(edo__worker *worker)
{
    const edo_config *config = &worker->runtime->config;
    char name[16]; // 16: size of a thread's name on Linux
    snprintf(name, sizeof name, "%.10s-%u", config->name, worker->index % 10000);
    edo__sys_thread_name(name);
    if (config->cpu_count && !worker->is_spare)
        edo__sys_thread_pin(config->cpus[worker->index % config->cpu_count]);
    edo__self = (struct edo__thread){ .runtime = worker->runtime, .worker = worker };
    edo_store_relaxed(&worker->thread_id, edo__sys_thread_id());
    edo__worker_begin(worker);
}

static void *run_worker(void *argument)
{
    edo__worker *worker = argument;
    edo_runtime *runtime = worker->runtime;
    settle_in(worker);
    edo__hooks_thread(runtime, true);
    while (!edo_load_relaxed(&runtime->is_stopping)) // relaxed: the join orders the end
        edo__worker_turn(worker);
    edo__hooks_thread(runtime, false);
    edo_store_relaxed(&worker->has_left, 1); // relaxed: the join orders the end
    edo__sys_futex_wake(&worker->has_left);
    return NULL;
}

int edo__worker_start(edo__worker *worker)
{
    int rc = edo__sys_thread_start(run_worker, worker, worker->runtime->config.stack_size,
                                   &worker->thread);
    worker->has_thread = rc == 0;
    return rc;
}

/* ---- start and stop ---- */

#define LEAVE_CHECK edo_ms(1)

/* The gate opens after the wakes, so that no worker that leaves the gate falls asleep. */
static void ask_to_leave(edo_runtime *runtime)
{
    edo__lock_take(&runtime->idle.lock); // no worker enters the list of sleepers from now on
    edo_store_relaxed(&runtime->is_stopping, true);
    edo__lock_give(&runtime->idle.lock);
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        edo__worker_notify(runtime->workers[i]);
    edo__baton_stop(runtime);
}

/* Waits until a worker's thread is about to end. A thread that is stuck in user code does not end.
 * So after the deadline, this function gives up if the worker is in a poll. The worker may begin
 * such a poll at any time during the wait, so the worker is checked once per LEAVE_CHECK. Returns:
 * whether the thread ends. */
static bool has_left_by(edo__worker *worker, int64_t deadline)
{
    while (!edo_load_relaxed(&worker->has_left)) {
        int64_t now = edo__sys_now();
        if (edo_load_figure(&worker->beat) % 2 && now >= deadline) return false;
        edo__sys_futex_wait_until(&worker->has_left, 0, now + LEAVE_CHECK);
    }
    return true;
}

static bool join_one(edo__worker *worker, int64_t deadline)
{
    if (!worker->has_thread) return true;
    bool left = has_left_by(worker, deadline);
    if (left)
        edo__sys_thread_join(worker->thread);
    else
        edo__sys_thread_detach(worker->thread);
    worker->has_thread = false;
    return left;
}

bool edo__threads_stop(edo_runtime *runtime, int64_t deadline)
{
    bool all = true;
    if (runtime->is_on_quit) edo__quit_leave();
    edo__monitor_stop(runtime); // no worker is added from now on
    ask_to_leave(runtime);
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (!join_one(runtime->workers[i], deadline)) all = false;
    return all;
}

int edo__threads_start(edo_runtime *runtime)
{
    int rc = edo__monitor_start(runtime); // first, because workers may need the monitor at once
    for (uint32_t i = 0; i < runtime->base.worker_count && rc == 0 && runtime->has_threads; i++)
        rc = edo__worker_start(runtime->workers[i]);
    if (rc == 0 && runtime->config.dump_on_quit) {
        rc = edo__quit_enter();
        runtime->is_on_quit = rc == 0;
    }
    if (rc == 0) return 0;
    edo__threads_stop(runtime, INT64_MAX);
    edo__monitor_free(runtime);
    return rc;
}

/* Functions that run a runtime from outside: single turns by the owner, turns inside a foreign
 * loop, and turns until a task has ended. */
#include "runtime/run.h"
#include "base/duration.h"
#include "runtime/runtime.h"
#include "runtime/schedule/turn.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"

/* ---- turns ---- */

int edo__runtime_check_owner(const edo_runtime *runtime)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    bool inside = runtime->has_threads && edo__worker_in(runtime);
    return runtime->turning || inside || edo__in_task() ? -EBUSY : 0;
}

static int check_turn(const edo_runtime *runtime)
{
    int rc = edo__runtime_check_owner(runtime);
    return rc == 0 && runtime->has_threads ? -EOPNOTSUPP : rc;
}

/* Returns: the moment of the next timer, in the time of the monotonic clock; EDO_NEVER if there is
 * no timer, or if a test clock is paused. */
static int64_t next_timer_of_system(const edo_runtime *runtime)
{
    int64_t next = edo__timers_next(runtime->workers[0]);
    if (next == EDO_NEVER || edo__clock_is_paused(runtime)) return EDO_NEVER;
    return edo__later(next, -runtime->clock.offset);
}

/* Prepares the runtime's descriptor for a foreign loop that sleeps on the descriptor between two
 * turns. This function marks the worker as parked, so that a wake makes the descriptor readable. If
 * tasks are already ready, or a wake has come before the mark, this function makes the descriptor
 * readable at once. */
static void arm_foreign_loop(edo_runtime *runtime, int more)
{
    edo__worker *worker = runtime->workers[0];
    edo__sys_timer_set(runtime->timer_fd, next_timer_of_system(runtime));
    uint32_t awake = EDO__AWAKE;
    bool parked = edo_cas_relaxed(&worker->park, &awake, EDO__PARKED);
    if (more || !parked) worker->driver->ops->unpark(worker->driver);
}

int edo__turn_once(edo__worker *worker, int64_t timeout)
{
    edo__worker_begin(worker);
    int more = edo__turn(worker, timeout);
    edo__worker_pause(worker);
    return more;
}

int edo_turn(edo_runtime *runtime, int64_t timeout)
{
    int rc = check_turn(runtime);
    if (rc < 0) return rc;
    int more = edo__turn_once(runtime->workers[0], timeout > 0 ? timeout : 0);
    if (runtime->timer_fd >= 0) arm_foreign_loop(runtime, more);
    return more;
}

edo_fd edo_runtime_fd(edo_runtime *runtime)
{
    if (runtime->has_threads) return -EOPNOTSUPP;
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    edo_driver *driver = runtime->workers[0]->driver;
    edo_fd fd = driver->ops->fd(driver);
    if (fd < 0 || runtime->timer_fd >= 0) return fd;
    int timer = edo__sys_timer_open();
    if (timer < 0) return timer;
    int rc = driver->ops->watch(driver, timer);
    if (rc < 0) {
        edo__sys_close(timer);
        return rc;
    }
    runtime->timer_fd = timer;
    arm_foreign_loop(runtime, 1);
    return fd;
}

/* ---- until a task has ended ---- */

/* Requeues KEPT tasks at the end of a run. After the run, the owner may inspect any task, but a
 * KEPT task cannot be inspected. So no task may remain KEPT. */
static void requeue_kept(edo__worker *worker)
{
    for (edo_task *task = worker->local.first; task; task = task->queue_next)
        if (edo_load_relaxed(&task->state) & EDO__RUNNING) edo__state_requeue(&task->state);
}

/* Finds the moment until which the caller may wait for the task. Without an interrupt, there is no
 * limit. After an interrupt, the task has drain_limit to end. When drain_limit has passed, this
 * function aborts the task, and the task has a further abort_limit to end. The limits are in real
 * time, as in a drain. `word` is a value read from waiter->word.
 * Returns: the moment; EDO_NEVER if there was no interrupt; 0 if both limits have passed, and the
 * caller must give up the task. */
static int64_t next_limit(edo__waiter *waiter, uint32_t word, edo_task *task)
{
    if (edo__likely(!(word & EDO__WAITER_INTERRUPTED))) return EDO_NEVER;
    const edo_config *config = &task->runtime->config;
    int64_t now = edo__sys_now();
    if (!waiter->deadline) waiter->deadline = edo__later(now, config->drain_limit);
    if (now < waiter->deadline) return waiter->deadline;
    if (waiter->has_aborted) return 0;
    waiter->has_aborted = true;
    edo_task_abort(task);
    return waiter->deadline = edo__later(now, config->abort_limit);
}

static int64_t time_until(int64_t limit)
{
    int64_t left = limit == EDO_NEVER ? EDO_NEVER : limit - edo__sys_now();
    return left > 0 ? left : 0;
}

static int turn_until(edo__worker *worker, edo_task *task, edo__waiter *waiter)
{
    int more = 1;
    edo__worker_begin(worker);
    worker->keeps_yielded = true;
    while (!edo__task_is_joinable(task)) {
        int64_t limit = next_limit(waiter, edo_load_relaxed(&waiter->word), task);
        more = limit ? edo__turn(worker, time_until(limit)) : -ETIMEDOUT;
        if (!limit) break;
    }
    worker->keeps_yielded = false;
    edo__worker_pause(worker);
    requeue_kept(worker);
    return more;
}

/* Wakes the waiter. The write to the word is relaxed, because the waiter afterwards reads the
 * task's state with acquire. */
static void wake_waiter(edo_user_wakeable *wakeable)
{
    edo__waiter *waiter = (edo__waiter *)(void *)wakeable;
    edo_or_relaxed(&waiter->word, EDO__WAITER_WOKEN);
    edo__sys_futex_wake(&waiter->word);
    edo_plain_read(&waiter->base); // tells the model checker that the waiter still exists
}

/* Sets a bit of the word. The write is relaxed, because the bit publishes no other memory. */
void edo__waiter_interrupt(edo__waiter *waiter)
{
    edo_or_relaxed(&waiter->word, EDO__WAITER_INTERRUPTED);
    edo__sys_futex_wake(&waiter->word);
}

/* Sleeps until the task has ended. The word is read before the limit is computed. An interrupt
 * after the read changes the word, so the futex does not sleep, and the limit is computed again.
 * Returns: 0; -ETIMEDOUT when the limits have passed. */
static int sleep_until_woken(edo__waiter *waiter, edo_task *task)
{
    for (;;) {
        uint32_t word = edo_load_relaxed(&waiter->word);
        if (word & EDO__WAITER_WOKEN) return 0;
        int64_t limit = next_limit(waiter, word, task);
        if (limit == EDO_NEVER)
            edo__sys_futex_wait(&waiter->word, word);
        else if (limit)
            edo__sys_futex_wait_until(&waiter->word, word, limit);
        else if (edo__state_unset_joiner(&task->state))
            return -ETIMEDOUT;
        else
            return 0; // the task ended before join_waker could be taken back
    }
}

/* Waits until the task has ended or the limits have passed. The waiter is on the caller's stack. So
 * this function must not return while the task's poller may use the waiter. The poller no longer
 * uses the waiter when the task is joinable, or when join_waker was taken back. */
static int wait_for(edo_task *task, edo__waiter *waiter)
{
    int rc = 0;
    uint32_t tries = 0;
    edo_user_wakeable_init(&waiter->base, wake_waiter);
    edo_plain_write(&task->join_waker);
    task->join_waker = &waiter->base.head;
    if (edo__state_set_joiner(&task->state)) rc = sleep_until_woken(waiter, task);
    while (rc == 0 && !edo__task_is_joinable(task))
        edo__sys_wait_briefly(&tries);
    edo_plain_write(&waiter->base); // tells the model checker that the waiter ends here
    return rc;
}

int edo__run_until(edo_runtime *runtime, edo_task *task, edo__waiter *waiter)
{
    if (!runtime->has_threads) return turn_until(runtime->workers[0], task, waiter);
    return wait_for(task, waiter);
}

int64_t edo__block_on(edo_runtime *runtime, const edo_site *site, const void *args)
{
    int rc = edo__runtime_check_owner(runtime);
    if (rc < 0) return rc;
    edo_task *root;
    rc = edo__spawn(&root, &(edo_spawn_options){ .runtime = runtime }, site, args);
    if (rc < 0) return rc;
    int more = edo__run_until(runtime, root, &(edo__waiter){ 0 });
    if (runtime->timer_fd >= 0) arm_foreign_loop(runtime, more);
    int64_t result = edo__task_result(root);
    edo_detach(root);
    return result;
}

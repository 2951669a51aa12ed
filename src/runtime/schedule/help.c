/* Help: a worker serves stuck workers. */
#include "runtime/schedule/help.h"
#include "runtime/schedule/work.h"
#include "runtime/time/timers.h"

enum { MOST_TURNS = 8 };

/* Turns the driver of a stuck worker until no event is left, but at most MOST_TURNS times. The
 * limit is needed for two reasons: the owner may return and wait for the lock, and the helper has
 * tasks of its own. */
static void turn_driver(const edo__worker *victim)
{
    edo_driver *driver = victim->driver;
    for (int i = 0; i < MOST_TURNS; i++)
        if (driver->ops->turn(driver, 0) < EDO__FULL_TURN) return;
}

/* Helps one stuck worker. The worker's thread may return from its poll at any moment. It then waits
 * until the helper has finished with the driver or the wheel. */
static void help(edo__worker *worker, edo__worker *victim)
{
    if (edo__lock_try(&victim->turn_lock)) {
        turn_driver(victim);
        edo__lock_give(&victim->turn_lock);
    }
    edo__fire_timers(worker, victim);
    edo__worker_rob(worker, victim);
}

void edo__worker_help(edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        edo__worker *other = runtime->workers[i];
        if (other != worker && edo__worker_is_stuck(other)) help(worker, other);
    }
    if (edo_load_relaxed(&runtime->idle.injected.count)) edo__worker_take_injected(worker);
}

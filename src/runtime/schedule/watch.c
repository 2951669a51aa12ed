/* The watcher: an idle worker that inspects the busy workers.
 *
 * The monitor finds a stuck worker only after 3 to 6 ms. Its inspections are rare, because each
 * inspection costs a wake of the monitor's thread. This delay is too long if polls of some
 * milliseconds are frequent: each such poll holds up the sockets and timers of one worker, while
 * another worker may be idle.
 *
 * So after recent long polls (watch_until), one idle worker becomes the watcher. The watcher sleeps
 * for short periods, and inspects the other workers between these periods. It marks a worker as
 * stuck if the worker is awake and its driver has had no turn for LONG_POLL. The watcher helps the
 * stuck workers in its next turn (edo__worker_help).
 *
 * Idle workers bear most of the cost. A busy worker has extra work only at the end of a long turn
 * (edo__watch_note_turn). After the time LATELY without long polls, no worker watches. So an idle
 * runtime has no timer running.
 *
 * Only one worker at a time watches, namely the worker that has set has_watcher. All atomic words
 * in this file are figures, and order nothing. A stale figure delays help, or causes help for a
 * worker that needs no help. */
#include "runtime/schedule/watch.h"
#include "base/duration.h"
#include "runtime/runtime.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/monitor.h"
#include "runtime/time/timers.h"

/* A worker is helped when its driver has had no turn for this time. This time is several times the
 * cost of help. */
#define LONG_POLL edo_us(100)

/* Time for which a watcher is active after a long poll. Ten long polls per second keep a watcher
 * active all the time. */
#define LATELY edo_ms(100)

/* Time between two inspections. With a shorter period, help would begin earlier, but each
 * inspection costs a wake of the thread. */
#define PERIOD edo_us(200)

/* Longest time between two inspections, reached after several inspections that led to no poll. */
#define MAX_PERIOD edo_ms(2)

/* Called at the end of a turn. If the turn was long, inspects the other workers. If there is no
 * watcher, also wakes a sleeping worker, which then becomes the watcher. The wake is necessary
 * because a worker reads watch_until only before its sleep, so a worker that already sleeps does
 * not see the new value. */
void edo__watch_note_turn(edo__worker *worker, int64_t duration, int64_t now)
{
    edo_runtime *runtime = worker->runtime;
    if (edo__likely(duration < EDO__LONG_TURN)) return;
    edo_store_figure(&runtime->watch_until, now + LATELY);
    edo__watch_inspect(worker, now); // the other workers may be in long polls
    if (!edo_load_relaxed(&runtime->has_watcher)) edo__idle_wake_one(runtime);
}

/* Time until the next timer of the other workers, at least PERIOD and at most MAX_PERIOD. Only
 * workers that are awake count. A worker that sleeps now wakes up for its timer, but a worker that
 * is awake may be stuck when its timer is due. A timer that is due in less than PERIOD needs no
 * watcher, because its owner or a helper serves it. */
static int64_t until_timers(const edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    int64_t now = edo__runtime_now(runtime), least = MAX_PERIOD;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        edo__worker *other = runtime->workers[i];
        if (other == worker || edo_load_relaxed(&other->park) == EDO__PARKED) continue;
        int64_t next = edo__timers_next(other);
        if (next < now + least) least = next - now;
    }
    return least < PERIOD ? PERIOD : least;
}

/* Time until the next inspection. While the watcher polls no tasks, the time doubles, up to
 * MAX_PERIOD. But it ends at the next timer of another worker (until_timers). So timers are served
 * in time. The first event of a socket that was quiet for long may be served late. The time is
 * always finite, because the monitor relies on the watcher. */
int64_t edo__watch_period(edo__worker *worker)
{
    bool is_in_vain = worker->watched_polls == worker->cx.polls;
    int64_t period = is_in_vain ? 2 * worker->watch_period : PERIOD, until = until_timers(worker);
    worker->watched_polls = worker->cx.polls;
    worker->watch_period = edo__clamp(period, PERIOD, MAX_PERIOD);
    return worker->watch_period < until ? worker->watch_period : until;
}

bool edo__watch_begin(edo__worker *worker, int64_t now)
{
    edo_runtime *runtime = worker->runtime;
    uint32_t none = 0;
    if (!edo__watch_is_close(runtime, now) && !edo_load_relaxed(&runtime->stuck_count))
        return false;
    return edo_cas_relaxed(&runtime->has_watcher, &none, 1);
}

void edo__watch_end(edo__worker *worker)
{
    edo_store_relaxed(&worker->runtime->has_watcher, 0);
}

/* Whether the worker's driver has had no turn for too long. There are three possible causes: one
 * long poll, many polls that were longer than before, or a thread that had no processor. */
static bool is_late(const edo__worker *worker, int64_t now)
{
    return edo_load_relaxed(&worker->park) != EDO__PARKED &&
           now - edo_load_figure(&worker->turned_at) >= LONG_POLL;
}

/* Marks late workers as stuck. `turns` is read before the other figures. If the turn ends between
 * these reads, the mark has the number of a turn that has ended. Such a mark does not count. */
void edo__watch_inspect(edo__worker *worker, int64_t now)
{
    const edo_runtime *runtime = worker->runtime;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        edo__worker *other = runtime->workers[i];
        uint64_t turns = edo_load_figure(&other->turns);
        if (other != worker && edo_load_relaxed(&other->thread_id) && is_late(other, now) &&
            edo__monitor_mark_long(other, turns))
            worker->owes_help = true;
    }
}

/* The baton: under a test clock the workers of a runtime run one at a time.
 *
 * A worker polls only while it holds the baton, and passes the baton at the end of its turn. In a
 * *lap*, each worker has one turn. The order of the turns is drawn from edo_config.seed. The clock
 * advances only between two laps. After an explicit advance, the clock makes one step after each
 * lap. An automatic advance requires two quiet laps. A lap is quiet if no task was ready, no poll
 * was made and no driver had an event.
 *
 * One quiet lap does not suffice, because an event may be posted late. The kernel completes an
 * io_uring operation on the thread that submitted the operation, when that thread turns its driver.
 * But the operation may belong to the ring of another worker, which may have had its turn in this
 * lap already. In one quiet lap, each thread turns its driver, so all such events are posted. The
 * second lap finds them. If the second lap is quiet, too, there was no such event.
 *
 * If the clock cannot advance after two quiet laps, all workers sleep in their drivers. The first
 * worker that wakes up wakes the other workers. Each worker then waits at the *gate* for its turn.
 * The next lap begins when all workers are at the gate.
 *
 * Laps do not wait for a stuck worker (edo__worker_is_stuck()). A worker in edo_block_in_place()
 * loses the baton at once. A worker that is stuck in a poll loses the baton after
 * edo__baton_patience(). While a stuck worker is outside the gate, the clock does not advance
 * automatically.
 *
 * The order is repeatable, because each lap depends only on the seed and on the earlier turns. Two
 * rules ensure this:
 * - After a lap in which no task was ready, the state of the random numbers is restored. The number
 *   of such laps depends on the speed of the machine, so these laps must not change the order of
 *   later laps.
 * - Only the first worker of a lap takes the tasks that plain threads have pushed. So the moment of
 *   a push within a lap has no effect.
 *
 * One lock guards all decisions. A push adds the task to a list of a worker. No push is lost,
 * because this worker has a turn in each lap, and takes the task then. If the worker is asleep or
 * about to sleep, the push notifies it (`park`). */
#pragma once

#include "runtime/runtime.h"

/* Waits for the worker's turn. Thread: the owner. Returns: true if the worker holds the baton;
 * false if all workers are to sleep, the clock is not paused, or the runtime is stopping. */
bool edo__baton_take(edo__worker *worker);

/* Ends the turn. `work` is the kind of work that the turn has found. Thread: the owner. Returns:
 * false if all workers are to sleep, or the clock is not paused. */
bool edo__baton_pass(edo__worker *worker, edo__work work);

/* Whether the worker may poll another task in this turn. Thread: the owner. */
bool edo__baton_is_held(edo__worker *worker);

/* If a stuck worker is still in the poll `beat`, takes the baton from the worker, and sends the
 * worker outside the gate. Laps do not wait for this worker until it has returned from the poll.
 * Thread: any. */
void edo__baton_revoke(edo__worker *worker, uint64_t beat);

/* Whether the worker may take tasks that plain threads have pushed. While the clock is paused, only
 * the first caller in each lap may take such tasks. Otherwise, every caller may take them. Thread:
 * the owner. */
bool edo__baton_admits(edo__worker *worker);

/* Opens the gate after the clock was resumed. Thread: any. */
void edo__baton_end(edo_runtime *runtime);

/* Opens the gate for good after `is_stopping` was set, even if a worker holds the baton. That
 * worker may be stuck in its poll, and the others must be able to leave. Thread: any. */
void edo__baton_stop(edo_runtime *runtime);

/* Time (ns) for which a poll may hold the baton before the monitor marks the worker as stuck.
 * EDO_NEVER: the worker waits for the baton. 0: the clock is not paused, and the monitor's usual
 * rule alone decides (monitor.c). Thread: any. */
int64_t edo__baton_patience(const edo__worker *worker);

/* Whether the worker holds the baton or waits for it. Thread: any. */
static inline bool edo__baton_is_at_gate(const edo__worker *worker)
{
    return edo_load_relaxed(&worker->gate) >= EDO__GATE_WAITS;
}

/* The baton: under a test clock the workers of a runtime run one at a time.
 *
 * A worker polls only while it holds the baton, and passes the baton at the end of its turn. In a
 * *lap* each worker has one turn; the order is drawn from edo_config.seed. The clock advances only
 * between two laps. After an explicit advance, one step follows each lap. An automatic advance
 * requires two quiet laps. A lap is quiet if no task was ready, no poll was made and no driver had
 * an event.
 *
 * One quiet lap is not enough. The kernel completes an io_uring operation on the thread that
 * submitted the operation, even if the ring belongs to another worker. So the driver's turn of one
 * worker may post an event to a worker that has had its turn in this lap. When the first quiet lap
 * ends, the driver of each thread has had a turn. So the second lap finds all such events.
 *
 * After two quiet laps without an advance of the clock, all workers sleep in their drivers. The
 * first worker that wakes up wakes the others. Each worker then waits at the *gate* for its turn.
 * The next lap begins when all workers are at the gate. Laps do not wait for a stuck worker
 * (edo__worker_is_stuck()). A stuck worker loses the baton: in edo_block_in_place() at once, in a
 * poll after edo__baton_patience(). The clock does not advance automatically until the worker
 * returns.
 *
 * Repeatable order. Each lap depends on the seed and on the earlier turns. A lap without a poll
 * restores the random numbers, because the number of such laps depends on speed. Only the first
 * worker of a lap takes the pushes of plain threads, so the moment of a push within a lap has no
 * effect.
 *
 * One lock guards all decisions. No push is lost: a push adds to the list of a worker, and each
 * worker has a turn in each lap. The push notifies a worker that is asleep or about to sleep
 * (park). */
#pragma once

#include "runtime/runtime.h"

/* Waits for the worker's turn. Thread: the owner. Returns: whether the worker holds the baton. If
 * false, all workers are to sleep, or the clock is not paused. */
bool edo__baton_take(edo__worker *worker);

/* Ends the turn. work: what the turn has done. Thread: the owner. Returns: false if all workers are
 * to sleep, or the clock is not paused. */
bool edo__baton_pass(edo__worker *worker, edo__work work);

/* Whether the worker may poll another task in this turn. Thread: the owner. */
bool edo__baton_is_held(edo__worker *worker);

/* Sends a worker that is marked as stuck outside the gate, if it is still in the poll `beat`, and
 * takes the baton from it. Until the worker returns, laps do not wait for it. Thread: any. */
void edo__baton_revoke(edo__worker *worker, uint64_t beat);

/* Leaves the gate at the end of the worker's thread, and never returns to it. Thread: the owner. */
void edo__baton_leave(edo__worker *worker);

/* Whether the worker may take tasks that plain threads have pushed. In each lap, only the first
 * caller may. Thread: the owner. */
bool edo__baton_admits(edo__worker *worker);

/* Opens the gate after the clock was resumed. Thread: any. */
void edo__baton_end(edo_runtime *runtime);

/* Length of a poll, in ns, after which the monitor may mark the worker as stuck; 0 while the clock
 * is not paused. Thread: any. */
int64_t edo__baton_patience(const edo__worker *worker);

/* Whether the worker holds the baton or waits for it. Thread: any. */
static inline bool edo__baton_is_at_gate(const edo__worker *worker)
{
    return edo_load_relaxed(&worker->gate) >= EDO__GATE_WAITS;
}

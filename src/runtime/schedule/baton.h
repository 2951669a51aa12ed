/* The baton: under a test clock the workers of a runtime run one at a time.
 *
 * A worker polls only while it holds the baton, and passes it on at the end of its turn. In a *lap*
 * each worker has one turn; the order is drawn from edo_config.seed. The clock moves between two laps
 * only. One step of it is due after each lap if it has been advanced. If it goes on by itself, the
 * laps before must have been quiet: no task was ready, no poll was made, no driver had an event.
 *
 * Two quiet laps are needed. The kernel completes an io_uring operation on the thread that submitted
 * it, also for the ring of another worker. So the look of one may bring an event to another that has
 * had its turn in this lap. After the first quiet lap every thread has looked.
 *
 * After two quiet laps in which the clock can't move, all sleep in their drivers. The first that
 * wakes up wakes the others, and the next lap begins when all of them are at the *gate*, where they
 * wait for their turns. A worker that is stuck (edo__worker_is_stuck()) is not waited for, and loses
 * the baton: at once in edo_block_in_place(), after edo__baton_patience() in a poll. While it is away
 * the clock does not go on by itself.
 *
 * Repeatable order. Each lap depends on the seed and on what the turns before have done. A lap without
 * a poll leaves the random numbers as they were, for the number of such laps depends on speed. What plain
 * threads push is taken by the first worker of a lap, so it does not matter when in a lap it came.
 *
 * All is decided under one lock. A push is not lost: it reaches the list of a worker, which has a
 * turn in each lap; and it notifies the worker that it finds asleep, or about to sleep (park). */
#pragma once

#include "runtime/runtime.h"

/* Waits for the worker's turn. Owner. Returns: whether it holds the baton. Else all are to sleep, or
 * the clock runs. */
bool edo__baton_take(edo__worker *worker);

/* Ends the turn, which has done `work`. Owner. Returns: false if all are to sleep, or the clock
 * runs. */
bool edo__baton_pass(edo__worker *worker, edo__work work);

/* Whether the worker may poll another task in this turn. Owner. */
bool edo__baton_is_held(edo__worker *worker);

/* Takes the baton from a worker that is marked as stuck, if it is still in the poll `beat`. Nobody waits
 * for it until it comes back. Any thread. */
void edo__baton_revoke(edo__worker *worker, uint64_t beat);

/* The thread of the worker ends. Owner. */
void edo__baton_leave(edo__worker *worker);

/* Whether the worker may take tasks that plain threads have pushed: the first to ask in each lap.
 * Owner. */
bool edo__baton_admits(edo__worker *worker);

/* The clock runs again: nobody waits at the gate any more. Any thread. */
void edo__baton_end(edo_runtime *runtime);

/* Nanoseconds of one poll after which the worker counts as stuck. Any thread. */
int64_t edo__baton_patience(const edo__worker *worker);

/* Whether the worker runs, or waits for its turn. Any thread. */
static inline bool edo__baton_is_at_gate(const edo__worker *worker)
{
    return edo_load_relaxed(&worker->gate) >= EDO__GATE_WAITS;
}

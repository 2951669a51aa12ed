/* Turns of the driver, and the sleep of a worker without ready tasks. Thread: the owner of the
 * worker. */
#pragma once

#include "runtime/runtime.h"

/* Turns the driver. While a helper turns the driver, the owner waits for the lock. The helper may
 * meanwhile consume the event of an unpark that was meant for the owner. So the owner reads `park`
 * under the lock, and does not sleep if it was notified. Returns: the number of events. */
int edo__turn_driver(edo__worker *worker, int64_t timeout);

/* Waits at the end of a turn of a current-thread runtime, at most `limit`. */
void edo__wait_alone(edo__worker *worker, int64_t limit);

/* Turns the driver, or sleeps. Before a sleep, searches the queues of the other workers. */
void edo__wait_among_others(edo__worker *worker);

/* Sleeps until an event, a timer or an unpark, unless there are tasks by now. */
void edo__worker_park(edo__worker *worker);

/* Searches for tasks. A spare worker searches only while a worker is stuck. Returns: whether the
 * worker has tasks after the search. */
bool edo__worker_try_search(edo__worker *worker);

/* Whether the worker has ready tasks, or its clock is being moved. */
bool edo__worker_has_work(const edo__worker *worker);

/* Adds the time since worker->awake_since to the busy time. Sets awake_since to `now`. */
void edo__worker_note_busy(edo__worker *worker, int64_t now);

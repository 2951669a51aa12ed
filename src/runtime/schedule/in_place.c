/* Runs blocking work on the thread of a worker. The worker first hands over its tasks, timers
 * and driver. */
#include <edo/blocking.h>

#include "runtime/runtime.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/monitor.h"

int64_t edo_block_in_place(int64_t (*fn)(void *), void *arg)
{
    edo__worker *worker = edo__in_task() ? edo__self.worker : NULL;
    if (!worker || !worker->is_shared) return fn(arg);
    struct edo__thread outer = edo__self;
    edo__self = (struct edo__thread){ // `fn` runs outside of the task and the worker
                                      .runtime = outer.runtime,
                                      .serves = outer.runtime,
                                      .on_stack = outer.on_stack
    };
    edo__monitor_hand_over(worker);
    edo__baton_revoke(worker, edo_load_figure(&worker->beat));
    int64_t result = fn(arg);
    edo__monitor_take_back(worker);
    edo__baton_take(worker); // waits only under a test clock
    edo__self = outer;
    return result;
}

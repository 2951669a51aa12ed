/* The time slice of a poll. */
#include "task/budget.h"

#include "base/duration.h"
#include "sys/sys.h"
#include "task/executor.h"

void edo__check_time_slice(edo_cx *cx)
{
    int64_t now = edo__sys_now(); // not the test clock: computing takes real time
    if (!cx->slice_end) {
        cx->slice_end = edo__later(now, edo__executor_of(cx->runtime)->time_slice);
    } else if (now >= cx->slice_end) {
        edo__spend_slice(cx);
    }
}

void edo__spend_slice(edo_cx *cx)
{
    cx->slice_end = EDO__SLICE_SPENT;
    if (cx->budget > 0) cx->budget = 0;      // a negative budget counts the overdraft
    cx->now = edo__runtime_now(cx->runtime); // a time limit may have passed since the last read
}

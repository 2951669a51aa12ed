/* Shared parts of the tests of locks and events: operations of one task that the test polls by
 * hand, in an order of its own, and tasks and threads that contend for a lock. */
#pragma once

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/edo.h>
#include <edo/test.h>

#include "base/atomic.h"

/* ---- by hand ---- */

enum { WAITS = 1000 }; // not a result of any operation

static inline int64_t step_op(edo_op *op, edo_cx *cx)
{
    return edo_poll_future(&op->base, cx) == EDO_PENDING ? WAITS : op->base.result;
}

/* Polls an operation. Its result, or WAITS. */
#define step(op) step_op((op), cx)

/* The same, after a cancellation. */
static inline int64_t step_cancelled(edo_op *op, edo_cx *cx)
{
    edo_cancel(&op->base);
    return step_op(op, cx);
}

#define cancel(op) step_cancelled((op), cx)

#define assert_waits(op)        assert_int_equal(step(op), WAITS)
#define assert_ends(op, result) assert_int_equal(step(op), (result))
#define assert_cancelled(op)    assert_int_equal(cancel(op), -ECANCELED)

/* Uses up the budget of this poll. */
#define spend_budget()                                                                             \
    do {                                                                                           \
        while (edo_cx_charge(cx))                                                                  \
            continue;                                                                              \
    } while (0)

/* Runs other tasks; with several workers until all of them wait. */
static inline edo_op settle(void)
{
    return test_workers() > 1 ? edo_sleep(1) : edo_yield();
}

/* ---- on other threads ---- */

/* Ends the process where cmocka's assertions do not work. */
static inline void insist_at(bool condition, const char *what, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d: %s\n", line, what);
    abort();
}
#define insist(condition) insist_at((condition), #condition, __LINE__)

/* ---- children that misuse something inside a task ---- */

#define in_task(fn)                                                                                \
    do {                                                                                           \
        edo_runtime *runtime_;                                                                     \
        insist(edo_runtime_create(NULL, &runtime_) == 0);                                          \
        edo_block_on(runtime_, fn);                                                                \
    } while (0)

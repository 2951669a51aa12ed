/* Scenarios under failure. A scenario is a plain function that uses one feature of edo from begin
 * to end. It returns 0 or the first error, and has then released everything. It runs in a child for
 * every request that can fail: once with that request failing, and once with that request and all
 * later ones failing.
 *
 * Each time: it must end, answer 0 or the errno of the failure, leave no memory, descriptor, thread
 * or mapping, and then work when it is run again and nothing fails.
 */
#pragma once

#include "support/support.h"

#include <errno.h>
#include <unistd.h>

#include <edo/edo.h>

#include "faults/shim.h"

typedef int64_t scenario_fn(void);

/* Runs one child per point. Prints the number of points. */
void sweep(const char *name, scenario_fn *fn);

/* Defines a test that sweeps the scenario: fault_test(name). */
#define fault_test(name)                                                                           \
    test(name)                                                                                     \
    {                                                                                              \
        sweep(#name, name);                                                                        \
    }

/* Runs an async function on a fresh runtime with the test clock, and destroys the runtime, which
 * must succeed. Returns: the function's result, or the error of the creation. */
#define on_runtime(...) sweep_on_runtime(edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))
int64_t sweep_on_runtime(const edo_site *site, const void *args);

/* The first failure of two results. */
static inline int64_t first_failure(int64_t first, int64_t second)
{
    return first < 0 ? first : second < 0 ? second : 0;
}

/* Joins tasks; some may be NULL. *ret_good: the number of results that are 0. Returns: `so_far` if
 * that is a failure, else the first failure. */
struct join_all {
    edo_frame();
    edo_args(edo_task **tasks; unsigned count; int64_t so_far; unsigned *ret_good;);
    unsigned i;
};

edo_async(join_all)
{
    edo_body {
        int64_t rc;
        *self->ret_good = 0;
        for (self->i = 0; self->i < self->count; self->i++) {
            if (!self->tasks[self->i]) continue;
            edo_await(rc, edo_join(self->tasks[self->i]));
            *self->ret_good += rc == 0;
            self->so_far = first_failure(self->so_far, rc);
        }
        edo_return(self->so_far);
    }
}

/* edo-test: once */
/* A worker that is about to sleep, while a helper still turns the worker's driver. The helper may
 * consume the event of the wake that was meant for the worker's sleep. */
#include "runtime/fixture.h"

#include <sched.h>

#include "runtime/runtime.h"
#include "runtime/own_driver.h"

enum { VICTIM = 1 };

static struct {
    edo_runtime *runtime;
    edo_atomic(bool) wanted; // request to hold the next turn by a helper
    edo_atomic(bool) begun;
    edo_atomic(bool) ended;
} world;

struct end {
    edo_frame();
    edo_args();
};

edo_async(end)
{
    edo_body {
        edo_store_release(&world.ended, true);
        edo_return(0);
    }
}

/* Wakes the driver's owner while the helper turns the driver. The owner returns from its task, and
 * is about to sleep. The monitor may wake the owner earlier, if the monitor counted the owner as
 * stuck. */
static void meet_owner(void)
{
    const edo_spawn_options options = { .runtime = world.runtime, .pinned = VICTIM + 1 };
    const edo__worker *owner = world.runtime->workers[VICTIM];
    edo_store_release(&world.begun, true);
    while (edo_load_acquire(&owner->park) == EDO__AWAKE)
        sched_yield();
    insist(edo_spawn_with(NULL, &options, end) == 0);
}

static int turn(edo_driver *driver, int64_t timeout)
{
    const edo__worker *here = edo__self.worker;
    bool helps = here->driver != driver && driver == world.runtime->workers[VICTIM]->driver;
    if (helps && edo_swap_acq_rel(&world.wanted, false)) meet_owner();
    return edo__epoll_driver.turn(driver, timeout);
}

static edo_driver_ops ops;

static int open_it(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                   const char **ret_reason)
{
    world.runtime = runtime;
    int rc = edo__epoll_driver.open(runtime, argument, ret_driver, ret_reason);
    if (rc == 0) (*ret_driver)->ops = &ops;
    return rc;
}

static int64_t wait_for_helper(void *arg)
{
    (void)arg;
    edo_store_release(&world.wanted, true);
    while (!edo_load_acquire(&world.begun))
        sched_yield();
    return 0;
}

struct block {
    edo_frame();
    edo_args();
};

edo_async(block)
{
    edo_body {
        edo_return(edo_block_in_place(wait_for_helper, NULL));
    }
}

clean_test(wake_is_not_slept_over)
{
    ops = edo__epoll_driver;
    ops.name = "helped";
    ops.open = open_it;
    ops.turn = turn;
    edo_runtime *runtime = make_runtime_on(&ops, (edo_config){ .workers = 2, .max_spare = -1 });
    const edo_spawn_options options = { .runtime = runtime, .pinned = VICTIM + 1 };
    assert_int_equal(edo_spawn_with(NULL, &options, block), 0);
    while (!edo_load_acquire(&world.ended)) // this thread makes no wake that would help the owner
        sched_yield();
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

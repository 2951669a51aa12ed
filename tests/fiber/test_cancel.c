/* Cancellation of fibers: the promises of async functions, for waits. */
#include "support/fibers.h"

static int64_t waits_long(void *arg)
{
    int64_t rc = edo_wait(edo_sleep(edo_s(1000)));
    *(int64_t *)arg = rc;
    return rc;
}

/* Lets the fiber begin to wait, then cancels it. */
static int64_t cancelled(int64_t (*fn)(void *arg), void *arg)
{
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, fn, arg), 0);
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
    edo_task_cancel(task);
    return edo_wait(edo_join(task));
}

fiber_test(the_wait_of_a_cancelled_fiber_answers)
{
    int64_t seen = 1, began = edo_now();
    assert_int_equal(cancelled(waits_long, &seen), -ECANCELED);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(edo_now() - began, edo_s(1));
}

static int64_t waits_again(void *arg)
{
    (void)arg;
    if (edo_fiber_is_cancelled()) return -EPROTO;
    if (edo_wait(edo_sleep(edo_s(1000))) != -ECANCELED) return -EPROTO;
    if (!edo_fiber_is_cancelled()) return -EPROTO;
    if (edo_wait(edo_sleep(0)) != -ECANCELED) return -EPROTO;
    return edo_wait(edo_yield()) == -ECANCELED ? 7 : -EPROTO;
}

fiber_test(each_further_wait_answers_the_same)
{
    assert_int_equal(cancelled(waits_again, NULL), 7);
}

static int64_t cleans_up(void *arg)
{
    int64_t *slept = arg, began;
    if (edo_wait(edo_sleep(edo_s(1000))) != -ECANCELED) return -EPROTO;
    edo_fiber_shield();
    if (edo_fiber_is_cancelled()) return -EPROTO;
    began = edo_now();
    int64_t rc = edo_wait(edo_sleep(edo_s(5)));
    *slept = edo_now() - began;
    return rc;
}

fiber_test(behind_a_shield_waits_work)
{
    int64_t slept = 0;
    assert_int_equal(cancelled(cleans_up, &slept), 0);
    assert_int_equal(slept, edo_s(5));
}

static int64_t is_aborted(void *arg)
{
    int *where = arg;
    edo_fiber_shield();
    *where = 1;
    return edo_wait(edo_sleep(edo_s(1000)));
}

fiber_test(an_abort_passes_a_shield)
{
    int where = 0;
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, is_aborted, &where), 0);
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
    edo_task_cancel(task);
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
    assert_false(edo_task_is_done(task));
    edo_task_abort(task);
    assert_int_equal(edo_wait(edo_join(task)), -ECANCELED);
    assert_int_equal(where, 1);
}

static int64_t owns_its_argument(void *arg)
{
    *(bool *)arg = true;
    return edo_wait(edo_sleep(0));
}

fiber_test(one_that_is_cancelled_before_it_began_runs_all_the_same)
{
    bool ran = false;
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, owns_its_argument, &ran), 0);
    edo_task_cancel(task);
    int64_t rc = edo_wait(edo_join(task));
    assert_true(rc == -ECANCELED || rc == 0); // on workers it may have ended before
    assert_true(ran);
}

static int64_t selects(void *arg)
{
    edo_op a = edo_sleep(edo_s(1000)), b = edo_sleep(edo_s(2000));
    (void)arg;
    return edo_wait_select(&a.base, &b.base);
}

fiber_test(a_select_that_is_cancelled_says_so)
{
    assert_int_equal(cancelled(selects, NULL), -ECANCELED);
}

static int64_t keeps_any(void *arg)
{
    edo_op slow EDO_ENDS = edo_sleep(edo_s(1000)), fast = edo_sleep(0);
    if (edo_wait_any(&slow.base, &fast.base) != 1) return -EPROTO;
    int64_t rc = edo_wait(edo_sleep(edo_s(500)));
    *(int64_t *)arg = slow.base.result;
    return rc;
}

fiber_test(what_any_keeps_is_cancelled_with_the_fiber)
{
    int64_t kept = 1;
    assert_int_equal(cancelled(keeps_any, &kept), -ECANCELED);
    assert_int_equal(kept, -ECANCELED);
}

/* ---- what a cancelled fiber holds, its function releases ---- */

struct holder {
    edo_mutex mutex;
    edo_io *near, *far;
};

static int64_t holds_both(void *arg)
{
    struct holder *it = arg;
    char byte;
    int64_t rc = edo_wait(edo_mutex_lock(&it->mutex));
    if (rc < 0) return rc;
    rc = edo_wait(edo_read(it->near, &byte, 1));
    edo_close(it->near);
    edo_mutex_unlock(&it->mutex);
    return rc;
}

fiber_test(a_lock_and_a_stream_are_released)
{
    struct holder it = { .near = NULL };
    char byte;
    assert_int_equal(edo_duplex(16, &it.near, &it.far), 0);
    assert_int_equal(cancelled(holds_both, &it), -ECANCELED);
    assert_int_equal(edo_mutex_try_lock(&it.mutex), 0);
    edo_mutex_unlock(&it.mutex);
    assert_int_equal(edo_wait(edo_read(it.far, &byte, 1)), 0); // the end
    edo_close(it.far);
    edo_mutex_deinit(&it.mutex);
}

/* ---- the end of the runtime ---- */

static bool has_ended;

static int64_t waits_for_drain(void *arg)
{
    (void)arg;
    has_ended = edo_wait(edo_sleep(edo_s(1000000))) == -ECANCELED;
    return 0;
}

static int64_t leaves_one(void *arg)
{
    (void)arg;
    int64_t rc = edo_fiber_go(waits_for_drain, NULL);
    return rc < 0 ? rc : edo_wait(edo_yield());
}

test(a_drain_ends_fibers_that_wait)
{
    edo_runtime *runtime;
    has_ended = false;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_fiber_block_on(runtime, leaves_one, NULL), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_true(has_ended);
}

/* ---- budget: a fiber that never waits long lets others run ---- */

static int64_t busy(void *arg)
{
    bool *others = arg;
    for (int i = 0; i < 100000 && !__atomic_load_n(others, __ATOMIC_ACQUIRE); i++)
        if (edo_wait(edo_sleep(0)) < 0) return -EPROTO;
    return __atomic_load_n(others, __ATOMIC_ACQUIRE) ? 0 : -ETIME;
}

static int64_t sets(void *arg)
{
    __atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
    return 0;
}

fiber_test(a_loop_of_ready_waits_lets_others_run)
{
    bool others = false;
    edo_task *first;
    assert_int_equal(edo_fiber_spawn(&first, NULL, busy, &others), 0);
    assert_int_equal(edo_fiber_go(sets, &others), 0);
    assert_int_equal(edo_wait(edo_join(first)), 0);
}

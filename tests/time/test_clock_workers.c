/* The test clock of a runtime with workers. */
#include "support/support.h"

#include <sched.h>
#include <stdatomic.h>

#include <edo/edo.h>

#include "runtime/runtime.h"

enum { ROUNDS = 20 };

static atomic_uint parks[2];     // of each worker
static atomic_uint parks_at_nap; // of worker 1, when it began the nap
static atomic_bool naps;

static void count_park(void *user, unsigned worker)
{
    (void)user;
    if (worker < 2) atomic_fetch_add(&parks[worker], 1);
}

struct nap {
    edo_frame();
    edo_args();
};

edo_async(nap)
{
    edo_body {
        int rc;
        atomic_store(&parks_at_nap, atomic_load(&parks[1]));
        atomic_store(&naps, true);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
}

static bool is_sleeper_about_to_park(void)
{
    return atomic_load(&naps) && atomic_load(&parks[1]) > atomic_load(&parks_at_nap);
}

/* On worker 0. */
struct resumes {
    edo_frame();
    edo_args();
    edo_task *nap;
    int round;
};

edo_async(resumes)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            atomic_store(&naps, false);
            rc = edo_spawn_on(&self->nap, 1, nap);
            if (rc < 0) edo_return(rc);
            while (!is_sleeper_about_to_park())
                edo_await(rc, edo_yield());
            rc = edo_clock_resume();
            if (rc == 0) edo_await(rc, edo_join(self->nap));
            if (rc == 0) rc = edo_clock_pause();
            if (rc < 0) edo_return(rc);
        }
        edo_return(0);
    }
}

struct root {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(root)
{
    edo_body {
        int rc;
        edo_clock_auto_advance(false);
        rc = edo_spawn_on(&self->task, 0, resumes);
        if (rc == 0) edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static void test_resume_wakes_who_sleeps(void **state)
{
    (void)state;
    edo_runtime *runtime;
    const edo_hooks hooks = { .park = count_park };
    const edo_config config = { .workers = 2, .test_clock = true, .hooks = &hooks };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, root), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a deadline that passes before its timer is armed ---- */

/* Goes to worker 1. In its first poll, which the timer is armed behind, worker 0 moves the clock to
 * the deadline, fires what is due, and goes to sleep. */
struct late {
    edo_future base;
    int64_t when;
};

static atomic_bool late_is_polled;

static bool is_asleep(unsigned worker)
{
    return edo_load_relaxed(&edo_current_runtime()->seats[worker]->park) == EDO__PARKED;
}

static edo_poll late_poll(edo_future *future, edo_cx *cx)
{
    const struct late *late = (struct late *)(void *)future;
    if (edo_now() >= late->when) return EDO_READY;
    edo_cx_deadline(cx, late->when);
    atomic_store(&late_is_polled, true);
    while (edo_now() < late->when || !is_asleep(0))
        sched_yield();
    return EDO_PENDING;
}

static const edo_future_ops late_ops = { .name = "late", .poll = late_poll };

struct await_late {
    edo_frame();
    edo_args();
    struct late late;
};

edo_async(await_late)
{
    edo_body {
        int rc;
        self->late = (struct late){ { .ops = &late_ops }, edo_now() + edo_s(1) };
        edo_await_on(rc, &self->late.base);
        edo_return(rc);
    }
}

/* On worker 0. The other one sleeps at first: else the wake for the spawn would be left, and end its
 * next sleep too. */
struct move_clock {
    edo_frame();
    edo_args();
    edo_task *late;
};

edo_async(move_clock)
{
    edo_body {
        int rc;
        while (!is_asleep(1))
            edo_await(rc, edo_yield());
        rc = edo_spawn_on(&self->late, 1, await_late);
        if (rc < 0) edo_return(rc);
        while (!atomic_load(&late_is_polled))
            edo_await(rc, edo_yield());
        rc = edo_clock_advance(edo_s(1));
        if (rc == 0) edo_await(rc, edo_join(self->late));
        edo_return(rc);
    }
}

struct late_root {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(late_root)
{
    edo_body {
        int rc;
        edo_clock_auto_advance(false);
        rc = edo_spawn_on(&self->task, 0, move_clock);
        if (rc == 0) edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static void test_timer_behind_the_clock_fires(void **state)
{
    (void)state;
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .max_spare = -1, .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, late_root), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_resume_wakes_who_sleeps),
                                        cmocka_unit_test(test_timer_behind_the_clock_fires) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

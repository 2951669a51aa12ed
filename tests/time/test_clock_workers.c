/* The test clock of a runtime with workers. */
#include "support/streams.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "runtime/time/timers.h"

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

test(resume_wakes_who_sleeps)
{
    edo_runtime *runtime;
    const edo_hooks hooks = { .park = count_park };
    const edo_config config = { .workers = 2, .test_clock = true, .hooks = &hooks };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, root), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a deadline that passes before its timer is armed ---- */

/* Runs on worker 1. The timer is armed after the first poll. During that poll worker 0 moves the
 * clock to the deadline, fires due timers, and goes to sleep. */
struct late {
    edo_future base;
    int64_t when;
};

static atomic_bool late_is_polled;

static bool is_asleep(unsigned worker)
{
    return edo_load_relaxed(&edo_current_runtime()->workers[worker]->park) == EDO__PARKED;
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

/* Runs on worker 0. The other worker must sleep first: otherwise the wake for the spawn would also
 * end its next sleep. */
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

test(timer_behind_the_clock_fires)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .max_spare = -1, .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, late_root), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- an event for a worker's driver, completed by another worker's thread ---- */

enum {
    CROWD = 100,
    COMERS = 300,
};

static edo_listener *listener;

/* Runs on worker 0, whose driver has the listener from then on. */
struct listens {
    edo_frame();
    edo_args();
    edo_io *conn;
};

edo_async(listens)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &listener));
        if (rc < 0) edo_return(rc);
        edo_await_for(rc, edo_ms(1), edo_accept(listener, &self->conn));
        edo_return(rc == -ETIMEDOUT ? 0 : rc);
    }
}

/* Runs on worker 1. Its accept goes to the driver of worker 0, which sleeps, so this thread submits
 * it. */
struct accepts {
    edo_frame();
    edo_args(int count;);
    edo_io *conn;
};

edo_async(accepts)
{
    edo_body {
        int rc = 0;
        while (rc == 0 && self->count-- > 0) {
            while (!is_asleep(0))
                edo_await(rc, edo_yield());
            edo_await(rc, edo_accept(listener, &self->conn));
            if (rc == 0) edo_close(self->conn);
        }
        edo_return(rc);
    }
}

/* On worker 2. */
struct connects {
    edo_frame();
    edo_args();
    edo_task *accepts;
    int clients[CROWD], i;
};

edo_async(connects)
{
    edo_body {
        int rc;
        for (int i = 0; i < CROWD; i++)
            self->clients[i] = connect_plainly(listener);
        edo_await(rc, edo_sleep(1));
        rc = edo_spawn_on(&self->accepts, 1, accepts, .count = CROWD);
        if (rc == 0) edo_await(rc, edo_join(self->accepts));
        for (int i = 0; i < CROWD; i++)
            close(self->clients[i]);
        for (self->i = 0; rc == 0 && self->i < COMERS; self->i++) {
            rc = edo_spawn_on(&self->accepts, 1, accepts, .count = 1);
            if (rc < 0) break;
            edo_await(rc, edo_sleep(1));
            self->clients[0] = connect_plainly(listener);
            edo_await_for(rc, 1, edo_join(self->accepts));
            close(self->clients[0]);
        }
        edo_return(rc);
    }
}

struct events_root {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(events_root)
{
    edo_body {
        int rc = edo_spawn_on(&self->task, 0, listens);
        if (rc == 0) edo_await(rc, edo_join(self->task));
        if (rc == 0) rc = edo_spawn_on(&self->task, 2, connects);
        if (rc == 0) edo_await(rc, edo_join(self->task));
        edo_listener_close(listener);
        edo_return(rc);
    }
}

/* A limit passes only when all connections have arrived. */
test(events_come_before_limits)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = 3, .max_spare = -1, .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, events_root), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- changes by a plain thread that has entered the runtime ---- */

struct long_nap {
    edo_frame();
    edo_args();
};

edo_async(long_nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_minutes(60)));
        edo_return(rc);
    }
}

static bool all_sleep(const edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (edo_load_relaxed(&runtime->workers[i]->park) != EDO__PARKED) return false;
    return true;
}

static int advance(bool unused)
{
    (void)unused;
    return edo_clock_advance(edo_minutes(60));
}

static int pause_clock(bool unused)
{
    (void)unused;
    return edo_clock_pause();
}

/* Only the change of the clock ends the nap: no other wake comes. */
static void expect_end_by(int (*change)(bool), bool starts_paused)
{
    edo_task *task;
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .max_spare = -1, .test_clock = starts_paused };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    edo_runtime *before = edo_runtime_enter(runtime);
    assert_int_equal(edo_clock_auto_advance(!starts_paused), 0);
    assert_int_equal(edo_spawn(&task, long_nap), 0);
    while (edo__timers_next(runtime->workers[0]) == EDO_NEVER &&
           edo__timers_next(runtime->workers[1]) == EDO_NEVER)
        sched_yield();
    while (!all_sleep(runtime))
        sched_yield();
    assert_int_equal(change(true), 0);
    while (!edo_task_is_done(task))
        sched_yield();
    edo_detach(task);
    edo_runtime_leave(before);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(pause_from_outside)
{
    expect_end_by(pause_clock, false);
}

test(auto_advance_from_outside)
{
    expect_end_by(edo_clock_auto_advance, true);
}

test(advance_from_outside)
{
    expect_end_by(advance, true);
}

/* The test clock of a runtime with workers. */
#include "support/streams.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <edo/blocking.h>

#include "runtime/runtime.h"
#include "runtime/time/timers.h"

enum { ROUNDS = 20 };

static atomic_bool naps;

struct nap {
    edo_frame();
    edo_args();
};

edo_async(nap)
{
    edo_body {
        int rc;
        atomic_store(&naps, true);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
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
            while (!atomic_load(&naps))
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

test(resume_releases_workers)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .test_clock = true };
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

/* A Unix socket has a connection in its queue when connect() returns. The handshake of TCP may end
 * later, and the test clock would not wait for it. */
static int listen_plainly(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un any = { .sun_family = AF_UNIX }; // only the family: an unused name
    assert_return_code(bind(fd, (struct sockaddr *)&any, sizeof any.sun_family), errno);
    assert_return_code(listen(fd, CROWD), errno);
    return fd;
}

static int connect_client_now(void)
{
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = getsockname(edo_listener_fd(listener), (struct sockaddr *)&name, &size);
    assert_return_code(rc, errno);
    assert_return_code(connect(client, (struct sockaddr *)&name, size), errno);
    return client;
}

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
        rc = edo_listener_from_fd(listen_plainly(), &listener);
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
            self->clients[i] = connect_client_now();
        edo_await(rc, edo_sleep(1));
        rc = edo_spawn_on(&self->accepts, 1, accepts, .count = CROWD);
        if (rc == 0) edo_await(rc, edo_join(self->accepts));
        for (int i = 0; i < CROWD; i++)
            close(self->clients[i]);
        for (self->i = 0; rc == 0 && self->i < COMERS; self->i++) {
            rc = edo_spawn_on(&self->accepts, 1, accepts, .count = 1);
            if (rc < 0) break;
            edo_await(rc, edo_sleep(1));
            self->clients[0] = connect_client_now();
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

/* ---- one at a time, in an order that the seed gives ---- */

enum { WORKERS = 4, WALKERS = 6, STEPS = 12, NOTES = WALKERS * STEPS * 2 };

/* Not atomic: its writer runs alone. */
static struct {
    struct note {
        char name;
        int worker;
        int64_t moment;
    } notes[NOTES];
    unsigned count;
    int64_t began;
    atomic_flag is_busy;
} record;

static void note(char name)
{
    assert_false(atomic_flag_test_and_set(&record.is_busy));
    record.notes[record.count++] = (struct note){ name, edo_worker_index(),
                                                  edo_now() - record.began };
    sched_yield();
    atomic_flag_clear(&record.is_busy);
}

struct leaf {
    edo_frame();
    edo_args(char name;);
};

edo_async(leaf)
{
    edo_body {
        note(self->name);
        edo_return(0);
    }
}

/* Yields, sleeps, and spawns a leaf, by turns. */
struct walker {
    edo_frame();
    edo_args(char name;);
    edo_task *leaf;
    unsigned i;
};

edo_async(walker)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; rc == 0 && self->i < STEPS; self->i++) {
            note(self->name);
            if (self->i % 3 == 0)
                edo_await(rc, edo_yield());
            else if (self->i % 3 == 1)
                edo_await(rc, edo_sleep(edo_us(1 + self->name % 2)));
            else if ((rc = edo_spawn(&self->leaf, leaf, .name = self->name)) == 0)
                edo_await(rc, edo_join(self->leaf));
        }
        edo_return(rc);
    }
}

struct walk {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(walk)
{
    edo_body {
        int rc;
        record.began = edo_now();
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < WALKERS; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, walker, .name = (char)('a' + i)), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static void walk_with(uint64_t seed)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = WORKERS,
                                .max_spare = -1,
                                .test_clock = true,
                                .time_slice = EDO_NEVER,
                                .seed = seed };
    memset(&record, 0, sizeof record);
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, walk), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(record.count, WALKERS * (STEPS + STEPS / 3));
}

static uint64_t trace_of(uint64_t seed)
{
    uint64_t trace = 0;
    walk_with(seed);
    for (unsigned i = 0; i < record.count; i++) {
        const struct note *note = &record.notes[i];
        trace = 31 * (31 * (31 * trace + (uint64_t)note->name) + (uint64_t)note->worker) +
                (uint64_t)note->moment;
    }
    return trace;
}

test(seed_gives_the_order)
{
    unsigned different = 0;
    int64_t end = rounds_end(5);
    uint64_t first = trace_of(1);
    for (unsigned i = 0; i == 0 || (i < 20 && !is_late(end)); i++)
        assert_int_equal(trace_of(1), first);
    for (uint64_t seed = 2; seed < 6; seed++)
        if (trace_of(seed) != first) different++;
    assert_true(different > 0);
}

/* ---- a worker that is away ---- */

static atomic_bool has_helped, has_overslept;

static int64_t wait_for_help(void *unused)
{
    (void)unused;
    while (!atomic_load(&has_helped))
        sched_yield();
    return 0;
}

struct helps {
    edo_frame();
    edo_args();
};

edo_async(helps)
{
    edo_body {
        atomic_store(&has_helped, true);
        edo_return(0);
    }
}

struct blocks {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(blocks)
{
    edo_body {
        int rc = edo_spawn_on(&self->task, 1 - (unsigned)edo_worker_index(), helps);
        if (rc < 0) edo_return(rc);
        edo_block_in_place(wait_for_help, NULL);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(blocking_in_place_passes_the_baton)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .max_spare = -1, .test_clock = true };
    atomic_store(&has_helped, false);
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, blocks), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct oversleeps {
    edo_frame();
    edo_args();
};

edo_async(oversleeps)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(1));
        atomic_store(&has_overslept, true);
        edo_return(rc);
    }
}

/* Until the other worker has found nothing more to do. */
static int64_t wait_for_sleep(void *other)
{
    while (edo_load_relaxed(&((edo__worker *)other)->park) != EDO__PARKED)
        sched_yield();
    assert_false(atomic_load(&has_overslept));
    return 0;
}

struct waits_for_sleep {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(waits_for_sleep)
{
    edo_body {
        int rc;
        unsigned other = 1 - (unsigned)edo_worker_index();
        rc = edo_spawn_on(&self->task, other, oversleeps);
        if (rc < 0) edo_return(rc);
        edo_block_in_place(wait_for_sleep, edo_current_runtime()->workers[other]);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(clock_waits_for_a_worker_in_place)
{
    edo_runtime *runtime;
    const edo_config config = { .workers = 2, .max_spare = -1, .test_clock = true };
    atomic_store(&has_overslept, false);
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, waits_for_sleep), 0);
    assert_true(atomic_load(&has_overslept));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

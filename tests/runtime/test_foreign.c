/* Wakes, spawns, cancels and joins from other threads, also while the runtime ends and after. */
#include "runtime/fixture.h"

#include <sched.h>
#include <semaphore.h>

#include "base/atomic.h"

enum { THREADS = 3 };

/* ---- no wake is lost: a task and a thread take turns ---- */

enum { ROUNDS = 1500, SECONDS = 5 };

static struct {
    edo_runtime *runtime;
    flag flags[ROUNDS];
    sem_t answered;
    unsigned dawdle; // yields of the processor before each wake
    unsigned rounds; // atomic: the thread makes fewer if they take long
} game;

struct play {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(play)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < edo_load_relaxed(&game.rounds) && rc == 0; self->i++) {
            edo_await_on(rc, &game.flags[self->i].base);
            sem_post(&game.answered);
        }
        edo_return(rc);
    }
}

static void turn_or_wake(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0) {
        insist(edo_block_on(game.runtime, play) == 0);
        insist(edo_runtime_destroy(game.runtime) == 0); // the owner ends the runtime
        return;
    }
    int64_t end = rounds_end(SECONDS);
    for (unsigned i = 0; i < edo_load_relaxed(&game.rounds); i++) {
        if (is_late(end)) edo_store_relaxed(&game.rounds, i + 1);
        for (unsigned j = 0; j < game.dawdle && i % 4 == 0; j++)
            sched_yield(); // so that some wakes find the runtime asleep, and others awake
        flag_set(&game.flags[i]);
        while (sem_wait(&game.answered) < 0)
            continue;
    }
}

static void play_game(unsigned dawdle)
{
    game.runtime = make_runtime();
    game.dawdle = dawdle;
    game.rounds = ROUNDS;
    for (unsigned i = 0; i < ROUNDS; i++)
        flag_init(&game.flags[i]);
    assert_int_equal(sem_init(&game.answered, 0, 0), 0);
    run_threads(2, turn_or_wake, NULL);
    sem_destroy(&game.answered);
}

clean_test(no_wake_is_lost)
{
    play_game(0);
    play_game(20);
}

/* ---- one task, woken by many at once ---- */

struct sink {
    edo_future base;
    edo_wakeable *waker; // atomic: counted, set in the first poll
    unsigned wanted;     // atomic: ready when it is 0
};

static edo_poll sink_poll(edo_future *future, edo_cx *cx)
{
    struct sink *self = (struct sink *)(void *)future;
    if (!__atomic_load_n(&self->waker, __ATOMIC_RELAXED))
        __atomic_store_n(&self->waker, edo_waker_ref(edo_cx_waker(cx)), __ATOMIC_RELEASE);
    bool ready = __atomic_load_n(&self->wanted, __ATOMIC_ACQUIRE) == 0;
    return ready && edo_cx_charge(cx) ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops sink_ops = { .name = "sink", .poll = sink_poll };
static struct sink sink;

struct wait_for_sink {
    edo_frame();
    edo_args();
};

edo_async(wait_for_sink)
{
    edo_body {
        int rc;
        edo_await_on(rc, &sink.base);
        edo_return(rc);
    }
}

enum { WAKES = 2000 };

static void wake_sink(unsigned index, void *arg)
{
    edo_wakeable *waker;
    if (index == 0) {
        insist(edo_block_on((edo_runtime *)arg, wait_for_sink) == 0);
        insist(edo_runtime_destroy(arg) == 0);
        return;
    }
    while (!(waker = __atomic_load_n(&sink.waker, __ATOMIC_ACQUIRE)))
        sched_yield();
    for (unsigned i = 0; i < WAKES; i++) {
        __atomic_sub_fetch(&sink.wanted, 1, __ATOMIC_RELEASE);
        edo_wake(waker); // the last wake, on any thread, must not be lost
    }
    edo_wake(waker); // perhaps after the task's end
}

clean_test(woken_by_many)
{
    edo_runtime *runtime = make_runtime();
    sink = (struct sink){ .base.ops = &sink_ops, .wanted = (THREADS - 1) * WAKES };
    run_threads(THREADS, wake_sink, runtime);
    edo_wake(sink.waker);
    edo_waker_unref(sink.waker);
}

/* ---- spawns ---- */

static unsigned spawned, refused, ran; // atomic

struct count {
    edo_frame();
    edo_args();
};

edo_async(count)
{
    edo_body {
        int rc;
        __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

enum { SPAWNS = 300 };

struct wait_for_count {
    edo_frame();
    edo_args(unsigned wanted;);
};

edo_async(wait_for_count)
{
    edo_body {
        int rc = 0;
        while (rc == 0 && __atomic_load_n(&ran, __ATOMIC_RELAXED) < self->wanted)
            edo_await(rc, edo_sleep(edo_us(10)));
        edo_return(rc);
    }
}

static void spawn_many(unsigned index, void *arg)
{
    edo_spawn_options options = { .runtime = arg };
    edo_task *task = NULL;
    if (index == 0) {
        unsigned wanted = (THREADS - 1) * SPAWNS;
        insist(edo_block_on((edo_runtime *)arg, wait_for_count, .wanted = wanted) == 0);
        insist(edo_runtime_destroy(arg) == 0);
        return;
    }
    for (unsigned i = 0; i < SPAWNS; i++) {
        insist(edo_spawn_with(i % 2 ? &task : NULL, &options, count) == 0);
        if (i % 2) edo_detach(task); // races with its poll
    }
}

clean_test(spawns)
{
    edo_runtime *runtime = make_runtime();
    ran = 0;
    run_threads(THREADS, spawn_many, runtime);
    assert_int_equal(ran, (THREADS - 1) * SPAWNS);
}

/* ---- spawns that race with the end: each task runs, or its spawn is refused ---- */

enum { CROWD = 50 };

static void spawn_until_refused(unsigned index, void *arg)
{
    edo_runtime *runtime = arg;
    edo_spawn_options options = { .runtime = runtime };
    if (index == 0) {
        while (__atomic_load_n(&spawned, __ATOMIC_RELAXED) < 20)
            insist(turn_runtime(runtime, edo_us(50)) >= 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    int rc;
    while ((rc = edo_spawn_with(NULL, &options, count)) == 0) {
        __atomic_add_fetch(&spawned, 1, __ATOMIC_RELAXED);
        while (__atomic_load_n(&spawned, __ATOMIC_RELAXED) >
               __atomic_load_n(&ran, __ATOMIC_RELAXED) + CROWD)
            sched_yield(); // each accepted task runs, also while the runtime ends
    }
    insist(rc == -ESHUTDOWN);
    __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
}

clean_test(spawns_that_race_with_the_end)
{
    for (int i = 0; i < 30; i++) {
        edo_runtime *runtime = edo_runtime_ref(make_runtime());
        spawned = refused = ran = 0;
        run_threads(THREADS, spawn_until_refused, runtime);
        assert_int_equal(refused, THREADS - 1);
        assert_int_equal(ran, spawned);
        edo_runtime_unref(runtime);
    }
}

/* ---- wakes, cancels and handles that race with the end ---- */

enum { VICTIMS = 24 };

static edo_task *victims[VICTIMS];
static edo_wakeable *wakers[VICTIMS];

static void meddle(unsigned index, void *arg)
{
    if (index == 0) {
        for (int i = 0; i < 3; i++)
            insist(turn_runtime((edo_runtime *)arg, 0) >= 0);
        insist(edo_runtime_destroy(arg) == 0);
        return;
    }
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = index; i < VICTIMS; i += THREADS - 1) {
            edo_wake(wakers[i]);
            if (round == 3 && i % 2) edo_task_cancel(victims[i]);
            if (round == 5 && i % 3) edo_task_abort(victims[i]);
            (void)edo_task_is_done(victims[i]);
            insist(edo_task_id(victims[i]) != 0);
        }
    }
}

clean_test(wakes_that_race_with_the_end)
{
    for (int round = 0; round < 30; round++) {
        edo_runtime *runtime = make_runtime();
        edo_spawn_options options = { .runtime = runtime };
        for (int i = 0; i < VICTIMS; i++) {
            int rc = i % 2 ? edo_spawn_with(&victims[i], &options, wait_forever)
                           : edo_spawn_with(&victims[i], &options, count);
            assert_int_equal(rc, 0);
            wakers[i] = edo_task_waker(victims[i]);
        }
        run_threads(THREADS, meddle, runtime);
        for (int i = 0; i < VICTIMS; i++) {
            assert_true(edo_task_is_done(victims[i]));
            edo_detach(victims[i]);
            edo_wake(wakers[i]); // after the end of all tasks
            edo_waker_unref(wakers[i]);
        }
    }
}

/* ---- joins from one runtime to the other ---- */

enum { JOINS = 200 };

static edo_task *targets[JOINS]; // atomic

struct join_them {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(join_them)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < JOINS; self->i++) {
            while (!__atomic_load_n(&targets[self->i], __ATOMIC_ACQUIRE)) {
                edo_await(rc, edo_yield());
                if (rc < 0) edo_return(rc);
            }
            edo_await(rc, edo_join(targets[self->i]));
            insist(rc == self->i);
        }
        edo_return(0);
    }
}

struct late_answer {
    edo_frame();
    edo_args(unsigned result;);
};

edo_async(late_answer)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        if (self->result % 5 == 0) edo_await(rc, edo_sleep(edo_us(50)));
        edo_return(self->result);
    }
}

struct make_targets {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(make_targets)
{
    edo_body {
        int rc;
        edo_task *task;
        for (self->i = 0; self->i < JOINS; self->i++) {
            insist(edo_spawn(&task, late_answer, .result = self->i) == 0);
            __atomic_store_n(&targets[self->i], task, __ATOMIC_RELEASE);
            edo_await(rc, edo_yield());
        }
        while (edo_runtime_task_count(edo_current_runtime()) > 1)
            edo_await(rc, edo_sleep(edo_us(20)));
        edo_return(0);
    }
}

static void join_across(unsigned index, void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    insist(create_runtime(NULL, &runtime) == 0);
    int64_t rc = index ? edo_block_on(runtime, make_targets) : edo_block_on(runtime, join_them);
    insist(rc == 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

clean_test(joins_across_runtimes)
{
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < JOINS; j++)
            targets[j] = NULL;
        run_threads(2, join_across, NULL);
    }
}

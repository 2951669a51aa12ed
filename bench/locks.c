/* Locks: eight tasks contend for one lock, and two tasks notify each other. The floor is the
 * same loop with two atomic operations on one word: the least that a lock needs. */
#include "bench.h"

enum { TASKS = 8, LOCKS = 1000000, HELD_LOCKS = 100000, PERMITS = 10, ROUNDS = 1000000 };

/* Each on a cache line of its own. */
#define LINE __attribute__((aligned(64)))

static struct {
    LINE edo_mutex mutex;
    LINE edo_rwlock rwlock;
    LINE edo_semaphore semaphore;
    LINE edo_notify here;
    LINE edo_notify there;
    LINE uint32_t floor;
    LINE int64_t total; // guarded by the mutex, or the rwlock
} world;

/* ---- the workers ---- */

struct locker {
    edo_frame();
    edo_args(int64_t count;);
    int64_t i;
};

edo_async(locker)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_lock(rc, &world.mutex);
            bench_require(rc, "lock");
            world.total++;
            edo_mutex_unlock(&world.mutex);
        }
        edo_return(0);
    }
}

struct holder {
    edo_frame();
    edo_args(int64_t count;);
    int64_t i;
};

edo_async(holder)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_lock(rc, &world.mutex);
            bench_require(rc, "lock");
            edo_await(rc, edo_yield());
            bench_require(rc, "yield");
            world.total++;
            edo_mutex_unlock(&world.mutex);
        }
        edo_return(0);
    }
}

struct acquirer {
    edo_frame();
    edo_args(int64_t count;);
    int64_t i;
};

edo_async(acquirer)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_acquire(rc, &world.semaphore, 1);
            bench_require(rc, "acquire");
            edo_semaphore_release(&world.semaphore, 1);
        }
        edo_return(0);
    }
}

struct reader {
    edo_frame();
    edo_args(int64_t count;);
    int64_t i, seen;
};

edo_async(reader)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            if (self->i % 10 == 0) {
                edo_write_lock(rc, &world.rwlock);
                bench_require(rc, "write");
                world.total++;
                edo_rwlock_unlock_write(&world.rwlock);
            } else {
                edo_read_lock(rc, &world.rwlock);
                bench_require(rc, "read");
                self->seen += *(volatile int64_t *)&world.total;
                edo_rwlock_unlock_read(&world.rwlock);
            }
        }
        edo_return(0);
    }
}

struct pairer {
    edo_frame();
    edo_args(int64_t count;);
    int64_t i;
};

edo_async(pairer)
{
    edo_body {
        for (self->i = 0; self->i < self->count; self->i++) {
            __atomic_fetch_add(&world.floor, 1, __ATOMIC_ACQUIRE);
            __atomic_fetch_sub(&world.floor, 1, __ATOMIC_RELEASE);
        }
        edo_return(0);
    }
}

struct notifier {
    edo_frame();
    edo_args(edo_notify *mine, *other; bool begins;);
    int64_t i;
};

edo_async(notifier)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            if (self->begins) edo_notify_one(self->other);
            edo_await_notified(rc, self->mine);
            bench_require(rc, "notified");
            if (!self->begins) edo_notify_one(self->other);
        }
        edo_return(0);
    }
}

/* ---- the root ---- */

typedef enum crowd_kind { LOCKER, HOLDER, ACQUIRER, READER, PAIRER, NOTIFIER } crowd_kind;

struct crowd {
    edo_frame();
    edo_args(crowd_kind kind;);
    edo_task *tasks[TASKS];
    int count, joined;
};

static int spawn(crowd_kind kind, int i, edo_task **ret_task)
{
    switch (kind) {
    case LOCKER: return edo_spawn(ret_task, locker, .count = LOCKS);
    case HOLDER: return edo_spawn(ret_task, holder, .count = HELD_LOCKS);
    case ACQUIRER: return edo_spawn(ret_task, acquirer, .count = LOCKS);
    case READER: return edo_spawn(ret_task, reader, .count = LOCKS);
    case PAIRER: return edo_spawn(ret_task, pairer, .count = LOCKS);
    default:
        return i == 0 ? edo_spawn(ret_task, notifier, &world.here, &world.there, true)
                      : edo_spawn(ret_task, notifier, &world.there, &world.here, false);
    }
}

edo_async(crowd)
{
    edo_body {
        int rc;
        self->count = self->kind == NOTIFIER ? 2 : TASKS;
        for (int i = 0; i < self->count; i++)
            bench_require(spawn(self->kind, i, &self->tasks[i]), "spawn");
        for (self->joined = 0; self->joined < self->count; self->joined++) {
            edo_await(rc, edo_join(self->tasks[self->joined]));
            bench_require(rc, "join");
        }
        edo_return(0);
    }
}

/* ops: number in all; writes: expected total. */
static void run(edo_runtime *runtime, crowd_kind kind, int64_t ops, int64_t writes,
                double *ret_value)
{
    world.total = 0;
    bench_require(edo_semaphore_init(&world.semaphore, PERMITS), "semaphore");
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, crowd, .kind = kind), "crowd");
    *ret_value = (double)(bench_now() - start) / (double)ops;
    bench_require(world.total == writes ? 0 : -EIO, "the total");
}

static void mutex_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, LOCKER, (int64_t)TASKS * LOCKS, (int64_t)TASKS * LOCKS, ret_value);
}

static void hold_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, HOLDER, (int64_t)TASKS * HELD_LOCKS, (int64_t)TASKS * HELD_LOCKS, ret_value);
}

static void semaphore_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, ACQUIRER, (int64_t)TASKS * LOCKS, 0, ret_value);
}

static void rwlock_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, READER, (int64_t)TASKS * LOCKS, (int64_t)TASKS * LOCKS / 10, ret_value);
}

static void floor_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, PAIRER, (int64_t)TASKS * LOCKS, 0, ret_value);
}

static void notify_once(edo_runtime *runtime, double *ret_value)
{
    run(runtime, NOTIFIER, ROUNDS, 0, ret_value);
}

static int repeat(edo_runtime *runtime, bench_once *once, const char *name, const char *unit)
{
    bench_repeat(runtime, once, &(bench_line){ name, unit }, 1);
    return 0;
}

int bench_mutex(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, mutex_once, "mutex", "ns/op");
}

int bench_mutex_hold_yield(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, hold_once, "mutex_hold_yield", "ns/op");
}

int bench_semaphore(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, semaphore_once, "semaphore", "ns/op");
}

int bench_rwlock(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, rwlock_once, "rwlock", "ns/op");
}

int bench_lock_floor(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, floor_once, "lock_floor", "ns/op");
}

int bench_notify_pingpong(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat(runtime, notify_once, "notify_pingpong", "ns/roundtrip");
}

/* stress_blocking - jobs on pools that come and go, from several runtimes at once.
 *
 * usage: stress_blocking [--seconds N] [--seed S]
 *
 * Each runtime runs on its own thread, generation after generation, and is destroyed when idle or
 * in the midst of work. Its tasks run jobs on its own pool, on a shared pool, and on a pool with
 * tiny limits; they await, spawn, wait for room, set time limits and are cancelled by other tasks.
 * Threads of the pools live only for a moment. Every job that began must end, and every task must
 * end with its job's result or a documented error; no memory may leak. An alarm finds hangs. */
#include "runtime/fixture.h"

#include "stress/options.h"

enum {
    RUNTIMES = 4,
    WORKERS = 12, // tasks of a generation
    STEPS = 25,   // per worker
    SPIN = 300,   // rounds of a long job
    GRACE = 60,   // seconds until a hang is reported
};

static struct {
    edo_pool *shared;
    int64_t stop_at;
    /* atomic */
    uint64_t begun, ended, answered, cancelled;
} world;

#define count(member) __atomic_add_fetch(&world.member, 1, __ATOMIC_RELAXED)

/* ---- jobs ---- */

enum { ANSWER = 1000 };

static int64_t job(void *arg)
{
    unsigned spin = (unsigned)(uintptr_t)arg;
    count(begun);
    for (volatile unsigned i = 0; i < spin; i++)
        continue;
    if (spin % 7 == 0) sched_yield();
    count(ended);
    return ANSWER + spin;
}

static void check(int64_t result, unsigned spin)
{
    if (result == ANSWER + spin)
        count(answered);
    else if (result == -ECANCELED || result == -ETIMEDOUT)
        count(cancelled);
    else
        insist(result == -ESHUTDOWN);
}

/* ---- workers ---- */

struct worker {
    edo_frame();
    edo_args(test_random random; edo_pool *own;);
    edo_pool *pool;
    edo_task *task;
    unsigned step, spin;
};

static void pick(struct worker *self)
{
    self->spin = below(&self->random, below(&self->random, 10) ? 10 : SPIN);
    edo_pool *const pools[] = { NULL, self->own, world.shared };
    self->pool = pools[below(&self->random, ARRAY_LENGTH(pools))];
}

edo_async(worker)
{
    edo_body {
        int64_t rc;
        for (self->step = 0; self->step < STEPS; self->step++) {
            pick(self);
            switch (below(&self->random, 5)) {
            case 0:
                edo_await(rc, edo_blocking_on(self->pool, job, (void *)(uintptr_t)self->spin));
                check(rc, self->spin);
                break;
            case 1:
                edo_await_for(rc, (int64_t)below(&self->random, 50000),
                              edo_blocking_on(self->pool, job, (void *)(uintptr_t)self->spin));
                check(rc, self->spin);
                break;
            case 2:
                edo_await(rc, edo_pool_room(world.shared));
                insist(rc == 0 || rc == -ECANCELED);
                break;
            case 3:
                rc = edo_spawn_blocking_with(NULL, NULL, self->pool, job,
                                             (void *)(uintptr_t)self->spin);
                insist(rc == 0 || rc == -ESHUTDOWN);
                break;
            default:
                rc = edo_spawn_blocking_with(&self->task, NULL, self->pool, job,
                                             (void *)(uintptr_t)self->spin);
                if (rc < 0) break;
                if (below(&self->random, 2)) edo_await(rc, edo_yield());
                if (below(&self->random, 2)) edo_task_cancel(self->task);
                edo_await(rc, edo_join(self->task));
                if (edo_op_progress(edo_last_op()))
                    check(rc, self->spin);
                else
                    edo_detach(self->task); // the join was cancelled
            }
        }
        edo_return(0);
    }
}

/* ---- generations ---- */

static void fill(edo_runtime *runtime, test_random *random)
{
    static const uint32_t threads[] = { 1, 2, 3, 0 };
    edo_spawn_options options = { .runtime = runtime };
    edo_pool_config config = { .name = "own",
                               .max_threads = threads[below(random, ARRAY_LENGTH(threads))],
                               .max_queue = 1 + below(random, 4),
                               .keep_alive = 1 + below(random, 20000) };
    edo_pool *own;
    insist(edo_runtime_add_pool(runtime, &config) == 0);
    insist(edo_runtime_pool(runtime, "own", &own) == 0);
    for (int i = 0; i < WORKERS; i++) {
        test_random stream = test_random_make(test_random_next(random));
        insist(edo_spawn_with(NULL, &options, worker, .random = stream, .own = own) == 0);
    }
}

static void live(unsigned index, void *arg)
{
    test_random random = test_random_make(index);
    (void)arg;
    while (edo_now() < world.stop_at) {
        edo_runtime *runtime;
        insist(edo_runtime_create(NULL, &runtime) == 0);
        fill(runtime, &random);
        unsigned turns = below(&random, 3) ? below(&random, 200) : UINT32_MAX;
        for (unsigned i = 0; i < turns && edo_runtime_task_count(runtime); i++)
            insist(edo_turn(runtime, edo_ms(1)) >= 0);
        insist(edo_runtime_destroy(runtime) == 0);
    }
}

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, NULL, NULL);
    expect_end_within(seconds + GRACE);
    test_allocator_install();
    edo_pool_config config = { .max_threads = 3, .max_queue = 5, .keep_alive = 1 };
    insist(edo_pool_create(&config, &world.shared) == 0);
    world.stop_at = edo_now() + edo_s(seconds);
    run_threads(RUNTIMES, live, NULL);
    edo_pool_destroy(world.shared);
    insist(world.begun == world.ended);
    insist(test_allocator_live_count() == 0);
    test_allocator_remove();
    printf("%llu jobs, %llu answers, %llu cancelled\n", (unsigned long long)world.ended,
           (unsigned long long)world.answered, (unsigned long long)world.cancelled);
    return 0;
}

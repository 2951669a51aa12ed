/* edo-test: ct, it makes its own workers. edo_runtime_destroy() where the runtime would wait for
 * its own caller: it answers -EBUSY, with no effect. */
#include "runtime/fixture.h"

#include <semaphore.h>

static int64_t destroy(void *arg)
{
    return edo_runtime_destroy(arg);
}

/* ---- in blocking jobs ---- */

struct blocks {
    edo_frame();
    edo_args(edo_pool *pool; edo_runtime *victim;);
};

edo_async(blocks)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_blocking_on(self->pool, destroy, self->victim));
        edo_return(rc);
    }
}

static edo_config config_of(int32_t workers)
{
    return (edo_config){ .workers = workers, .max_spare = -1, .drain_limit = edo_s(60) };
}

static void block_with(int32_t workers, edo_pool *pool)
{
    edo_config config = config_of(workers);
    edo_runtime *runtime = make_runtime_with(&config), *other = make_runtime();
    assert_int_equal(edo_block_on(runtime, blocks, .pool = pool, .victim = runtime), -EBUSY);
    assert_int_equal(edo_block_on(runtime, blocks, .pool = pool, .victim = other), 0);
    assert_int_equal(edo_block_on(runtime, answer, .result = 4), 4); // the runtime works as before
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(in_a_job)
{
    edo_pool *pool;
    assert_int_equal(edo_pool_create(NULL, &pool), 0);
    for (int32_t workers = 0; workers < 3; workers++) {
        block_with(workers, NULL);
        block_with(workers, pool); // a pool whose thread has served another runtime before
    }
    edo_pool_destroy(pool);
}

/* ---- in edo_block_in_place ---- */

struct in_place {
    edo_frame();
    edo_args(edo_runtime *victim;);
};

edo_async(in_place)
{
    edo_body {
        edo_return(edo_block_in_place(destroy, self->victim));
    }
}

clean_test(in_place)
{
    for (int32_t workers = 0; workers < 3; workers++) {
        edo_config config = config_of(workers);
        edo_runtime *runtime = make_runtime_with(&config);
        assert_int_equal(edo_block_on(runtime, in_place, .victim = runtime), -EBUSY);
        assert_int_equal(edo_block_on(runtime, answer, .result = 4), 4);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* ---- in hooks ---- */

static struct {
    edo_runtime *runtime;
    sem_t called, returned, answered;
    int rc;
} hooked;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        continue;
}

static void note_stall(void *user, const edo_stall *stall)
{
    (void)user;
    (void)stall;
    hooked.rc = edo_runtime_destroy(hooked.runtime);
    sem_post(&hooked.called);
}

static void note_spawn(void *user, const edo_task *task)
{
    (void)user;
    (void)task;
    hooked.rc = edo_runtime_destroy(hooked.runtime);
}

struct stalls {
    edo_frame();
    edo_args();
};

edo_async(stalls)
{
    edo_body {
        await(&hooked.called);
        edo_return(hooked.rc);
    }
}

clean_test(in_the_stall_hook)
{
    const edo_hooks hooks = { .stall = note_stall };
    for (int32_t workers = 0; workers < 2; workers++) {
        edo_config config = config_of(workers);
        config.hooks = &hooks;
        config.stall_limit = edo_ms(1);
        hooked.runtime = make_runtime_with(&config);
        sem_init(&hooked.called, 0, 0);
        assert_int_equal(edo_block_on(hooked.runtime, stalls), -EBUSY);
        assert_int_equal(edo_runtime_destroy(hooked.runtime), 0);
    }
}

/* Destroys the runtime from the stall hook. The stalled poll may have ended before. Then no thread
 * turns a current-thread runtime, and only the hook holds the runtime. */
static void note_stall_that_ends(void *user, const edo_stall *stall)
{
    (void)user;
    (void)stall;
    hooked.rc = 0;
    sem_post(&hooked.called);
    await(&hooked.returned);
    hooked.rc = edo_runtime_destroy(hooked.runtime);
    sem_post(&hooked.answered);
}

clean_test(in_the_stall_hook_between_turns)
{
    const edo_hooks hooks = { .stall = note_stall_that_ends };
    sem_init(&hooked.called, 0, 0);
    sem_init(&hooked.returned, 0, 0);
    sem_init(&hooked.answered, 0, 0);
    for (int32_t workers = 0; workers < 2; workers++) {
        edo_config config = config_of(workers);
        config.hooks = &hooks;
        config.stall_limit = edo_ms(1);
        hooked.runtime = make_runtime_with(&config);
        assert_int_equal(edo_block_on(hooked.runtime, stalls), 0);
        sem_post(&hooked.returned);
        await(&hooked.answered);
        assert_int_equal(hooked.rc, -EBUSY);
        assert_int_equal(edo_runtime_destroy(hooked.runtime), 0);
    }
}

clean_test(in_the_spawn_hook)
{
    const edo_hooks hooks = { .spawn = note_spawn };
    for (int32_t workers = 0; workers < 2; workers++) {
        edo_config config = config_of(workers);
        config.hooks = &hooks;
        hooked.runtime = make_runtime_with(&config);
        assert_int_equal(edo_block_on(hooked.runtime, answer, .result = 4), 4);
        assert_int_equal(hooked.rc, -EBUSY);
        assert_int_equal(edo_runtime_destroy(hooked.runtime), 0);
    }
}

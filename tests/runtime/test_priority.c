/* edo-test: ct, it makes its own workers. A SCHED_FIFO thread shares one processor with workers of
 * the normal class. The thread waits for the workers, so it must not prevent them from running. If
 * the thread spun, it would use up its real-time share, 0.95 s by default. So this test measures
 * processor time. */
#include "runtime/fixture.h"

#include <sched.h>
#include <time.h>

enum { ROUNDS = 4, SKIPPED = 77 };

#define MOST edo_ms(400) // of processor time, for all rounds

static void use_one_processor(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    int cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &set))
        cpu++;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0); // inherited by threads
}

static bool set_class(int class, int priority)
{
    return sched_setscheduler(0, class, &(struct sched_param){ .sched_priority = priority }) == 0;
}

static int64_t own_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return edo_s(now.tv_sec) + now.tv_nsec;
}

struct join {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(join)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static edo_runtime *make_workers(void)
{
    return make_runtime_with(&(edo_config){ .workers = 1, .max_spare = -1 });
}

clean_test(block_on)
{
    edo_runtime *runtime = make_workers();
    int64_t before = own_time();
    assert_true(set_class(SCHED_FIFO, 1));
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(edo_block_on(runtime, answer, .result = i), i);
    assert_true(set_class(SCHED_OTHER, 0));
    assert_true(own_time() - before < MOST);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(join_from_another_runtime)
{
    edo_runtime *runtime = make_workers(), *own = make_runtime();
    int64_t before = own_time();
    assert_true(set_class(SCHED_FIFO, 1));
    for (int i = 0; i < ROUNDS; i++) {
        edo_task *task;
        edo_spawn_options options = { .runtime = runtime };
        assert_int_equal(edo_spawn_with(&task, &options, answer, .result = i), 0);
        assert_int_equal(edo_block_on(own, join, .task = task), i);
    }
    assert_true(set_class(SCHED_OTHER, 0));
    assert_true(own_time() - before < MOST);
    assert_int_equal(edo_runtime_destroy(own), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(destroy)
{
    int64_t before = own_time();
    for (int i = 0; i < ROUNDS; i++) {
        edo_runtime *runtime = make_workers();
        assert_true(set_class(SCHED_FIFO, 1));
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_true(set_class(SCHED_OTHER, 0));
    }
    assert_true(own_time() - before < MOST);
}

int main(void)
{
    if (!set_class(SCHED_FIFO, 1)) return SKIPPED; // needs a privilege
    if (!set_class(SCHED_OTHER, 0)) return SKIPPED;
    use_one_processor();
    return run_all_tests();
}

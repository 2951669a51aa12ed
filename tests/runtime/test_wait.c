/* edo_wait(): operations from plain threads, each with a hidden runtime that ends with it. */
#include "runtime/fixture.h"

#include <sys/socket.h>

enum { THREADS = 4, ROUNDS = 50 };

/* ---- results ---- */

static void wait_for_each(unsigned index, void *arg)
{
    int pair[2];
    edo_io *io;
    char byte = 0, sent = (char)('a' + index);
    (void)arg;
    insist(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    insist(edo_io_from_fd(pair[0], &io) == 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t began = edo_now();
        insist(edo_wait(edo_sleep(edo_us(10))) == 0);
        insist(edo_now() - began >= edo_us(10));
        insist(edo_wait(edo_yield()) == 0);
        insist(write(pair[1], &sent, 1) == 1);
        insist(edo_wait(edo_read(io, &byte, 1)) == 1); // a buffer on the stack is well here
        insist(byte == sent);
    }
    close(pair[1]);
    insist(edo_wait(edo_read(io, &byte, 1)) == 0);
    insist(edo_wait(edo_read(io, &byte, 0)) == 0);
    insist(edo_wait(edo_wait_fd(-1, EDO_READABLE)) == -EBADF);
    insist(edo_wait(edo_join(NULL)) == -EINVAL);
    edo_close(io);
    insist(edo_current_runtime() == NULL);
}

static void test_from_several_threads(void **state)
{
    (void)state;
    run_threads(THREADS, wait_for_each, NULL);
}

/* ---- a task of a runtime that another thread turns ---- */

static edo_task *target;

struct short_nap {
    edo_frame();
    edo_args();
};

edo_async(short_nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc < 0 ? rc : 42);
    }
}

static void turn_or_join(unsigned index, void *arg)
{
    edo_runtime *runtime = arg;
    if (index) {
        insist(edo_wait(edo_join(target)) == 42);
        return;
    }
    while (edo_runtime_task_count(runtime))
        insist(turn_runtime(runtime, EDO_NEVER) >= 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

static void test_join(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        edo_runtime *runtime = make_runtime();
        edo_spawn_options options = { .runtime = runtime };
        assert_int_equal(edo_spawn_with(&target, &options, short_nap), 0);
        run_threads(2, turn_or_join, runtime);
    }
}

/* ---- between the turns of another runtime, on the same thread ---- */

static void wait_beside_a_runtime(unsigned index, void *arg)
{
    edo_runtime *runtime;
    (void)index;
    (void)arg;
    insist(create_runtime(NULL, &runtime) == 0);
    insist(edo_block_on(runtime, answer, 1) == 1);
    insist(edo_wait(edo_sleep(1)) == 0);
    insist(edo_block_on(runtime, answer, 2) == 2);
    insist(edo_runtime_destroy(runtime) == 0);
    insist(edo_wait(edo_sleep(1)) == 0);
}

static void test_beside_a_runtime(void **state)
{
    (void)state;
    run_threads(1, wait_beside_a_runtime, NULL);
}

/* ---- what can fail ---- */

static void wait_without_memory(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    int64_t rc = edo_wait(edo_sleep(0)); // a driver without memory may have been replaced
    insist(rc == 0 || (rc == -ENOMEM && test_allocator_has_failed()));
}

static void wait_on_a_thread(void *arg)
{
    run_threads(1, wait_without_memory, arg);
}

static void test_without_memory(void **state)
{
    (void)state;
    log_capture(); // a driver that has no memory is replaced
    assert_true(with_each_allocation_failing(wait_on_a_thread, NULL) >= 3);
    log_release();
}

static void wait_without_descriptors(void *arg)
{
    (void)arg;
    log_capture();
    allow_descriptors(0);
    assert_int_equal(edo_wait(edo_sleep(0)), -EMFILE);
    allow_all_descriptors();
    assert_int_equal(edo_wait(edo_sleep(0)), 0);
}

static void test_without_descriptors(void **state)
{
    (void)state;
    expect_success_in_child(wait_without_descriptors, NULL);
}

/* ---- misuse ---- */

struct waits_inside {
    edo_frame();
    edo_args();
};

edo_async(waits_inside)
{
    edo_body {
        edo_return(edo_wait(edo_sleep(0)));
    }
}

static void wait_inside(void *arg)
{
    (void)arg;
    edo_block_on(make_runtime(), waits_inside);
}

static void set_context_outside(void *arg)
{
    edo_context *context;
    (void)arg;
    if (edo_context_create(&(edo_context_values){ 0 }, &context) == 0) edo_set_context(context);
}

static void test_misuse(void **state)
{
    (void)state;
    expect_abort(
        wait_inside, NULL,
        "^edo: edo_wait: .*await \\[task 'waits_inside' #[0-9]+, spawned at .*:[0-9]+, in 'waits_inside' .*\\]$");
    expect_abort(set_context_outside, NULL, "^edo: edo_set_context: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(test_from_several_threads),      clean_test(test_join),
        clean_test(test_beside_a_runtime),          cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_without_descriptors), cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* edo_wait(): operations on plain threads, each with a hidden runtime that ends with the thread. */
#include "runtime/fixture.h"

#include <sys/socket.h>

#include "sys/sys.h"

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
        insist(edo_wait(edo_read(io, &byte, 1)) == 1); // a buffer on the stack is allowed here
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

clean_test(from_several_threads)
{
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

clean_test(join)
{
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

clean_test(beside_a_runtime)
{
    run_threads(1, wait_beside_a_runtime, NULL);
}

/* ---- failures ---- */

static void wait_without_memory(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    int64_t rc = edo_wait(edo_sleep(0)); // a driver that has no memory may have been replaced
    insist(rc == 0 || (rc == -ENOMEM && test_allocator_has_failed()));
}

static void wait_on_a_thread(void *arg)
{
    run_threads(1, wait_without_memory, arg);
}

test(without_memory)
{
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

test(without_descriptors)
{
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

test(misuse)
{
    expect_abort(
        wait_inside, NULL,
        "^edo: edo_wait: .*await the operation instead \\[task 'waits_inside' #[0-9]+, spawned at .*:[0-9]+, in 'waits_inside' .*\\]$");
    expect_abort(set_context_outside, NULL, "^edo: edo_set_context: ");
}

/* ---- a thread that has entered a runtime with a clock of its own ---- */

static void wait_with_clock(unsigned index, void *arg)
{
    edo_runtime *const *runtimes = arg;
    (void)index;
    for (int i = 0; i < 4; i++) { // back and forth between clocks that are hours apart
        edo_runtime *before = edo_runtime_enter(runtimes[i % 3]);
        int64_t began = edo__sys_now();
        insist(edo_wait(edo_sleep(edo_ms(1))) == 0);
        insist(edo_wait(edo_sleep_until(edo_now() + edo_ms(1))) == 0);
        insist(edo_wait(edo_sleep_until(edo_now())) == 0);
        insist(edo__sys_now() - began >= edo_ms(2));
        edo_runtime_leave(before);
        insist(edo_wait(edo_sleep(edo_ms(1))) == 0);
    }
}

struct advance {
    edo_frame();
    edo_args(int64_t duration;);
};

edo_async(advance)
{
    edo_body {
        int rc = edo_clock_advance(self->duration);
        if (rc == 0) edo_await(rc, edo_sleep(self->duration));
        edo_return(rc);
    }
}

clean_test(clock_of_an_entered_runtime)
{
    edo_runtime *runtimes[3];
    for (int i = 0; i < 3; i++) {
        runtimes[i] = make_runtime_with(&(edo_config){ .test_clock = true });
        assert_int_equal(edo_block_on(runtimes[i], advance, .duration = edo_minutes(90 * i)), 0);
    }
    run_threads(1, wait_with_clock, runtimes);
    for (int i = 0; i < 3; i++)
        assert_int_equal(edo_runtime_destroy(runtimes[i]), 0);
}

/* A task that an operation of edo_wait() has spawned. The task remains in the thread's hidden
 * runtime, whose clock jumps. */
struct marks_end {
    edo_frame();
    edo_args(bool *ret_ended;);
};

edo_async(marks_end)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1)));
        *self->ret_ended = true;
        edo_return(rc);
    }
}

static edo_poll spawn_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = (edo_op *)(void *)future;
    (void)cx;
    future->result = edo_go(marks_end, .ret_ended = op->data);
    return EDO_READY;
}

static void leave_behind(unsigned index, void *arg)
{
    static const edo_future_ops spawn_ops = { .name = "spawn", .poll = spawn_poll };
    static bool ended[3]; // the last element is written at the end of the thread
    (void)index;
    insist(edo_wait(edo__op(&spawn_ops, NULL, &ended[0], 0, 0)) == 0);
    edo_runtime *before = edo_runtime_enter(arg); // a runtime whose clock is ahead
    while (!ended[0])
        insist(edo_wait(edo_yield()) == 0);
    insist(edo_wait(edo__op(&spawn_ops, NULL, &ended[1], 0, 0)) == 0);
    while (!ended[1])
        insist(edo_wait(edo_yield()) == 0);
    insist(edo_wait(edo__op(&spawn_ops, NULL, &ended[2], 0, 0)) == 0);
    edo_runtime_leave(before);
    insist(edo_wait(edo_sleep(edo_ms(1))) == 0);
    insist(!ended[2]); // its deadline is hours away; the end of the thread cancels the task
}

clean_test(tasks_left_behind)
{
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    assert_int_equal(edo_block_on(runtime, advance, .duration = edo_minutes(90)), 0);
    run_threads(1, leave_behind, runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

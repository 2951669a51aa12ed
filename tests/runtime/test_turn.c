/* edo-test: ct. Turning a runtime by hand, and from a foreign loop that watches its descriptor. */
#include "runtime/fixture.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/own_driver.h"

static edo_task *spawn_answer(edo_runtime *runtime, int64_t result)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, answer, .result = result), 0);
    return task;
}

/* ---- edo_turn ---- */

clean_test(idle)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_turn(runtime, 0), 0);
    assert_int_equal(edo_turn(runtime, 1), 0);
    assert_int_equal(edo_turn(runtime, edo_ms(1)), 0);
    assert_int_equal(edo_turn(runtime, -1), 0); // as 0
    assert_int_equal(edo_turn(runtime, INT64_MIN), 0);
    assert_null(edo_current_runtime());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(runs_what_is_ready)
{
    enum { COUNT = 100 }; // more tasks than one turn runs
    edo_task *tasks[COUNT];
    edo_runtime *runtime = make_runtime();
    for (int i = 0; i < COUNT; i++)
        tasks[i] = spawn_answer(runtime, i);
    assert_int_equal(edo_runtime_task_count(runtime), COUNT);
    assert_int_equal(edo_turn(runtime, EDO_NEVER), 1);
    assert_in_range(edo_runtime_task_count(runtime), 1, COUNT - 1);
    while (edo_turn(runtime, 0) == 1)
        continue;
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_true(edo_task_is_done(tasks[i]));
        edo_detach(tasks[i]);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* A turn in which a task has ended does not wait. */
clean_test(end_of_a_task_ends_the_wait)
{
    edo_runtime *runtime = make_runtime();
    edo_task *task = spawn_answer(runtime, 0);
    while (!edo_task_is_done(task))
        assert_int_equal(edo_turn(runtime, EDO_NEVER), 0);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct nap {
    edo_frame();
    edo_args(int64_t duration;);
};

edo_async(nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        edo_return(rc);
    }
}

static edo_task *spawn_nap(edo_runtime *runtime, int64_t duration)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, nap, .duration = duration), 0);
    return task;
}

clean_test(waits_for_timers)
{
    edo_runtime *runtime = make_runtime();
    int64_t began = edo_now();
    edo_task *task = spawn_nap(runtime, edo_ms(3));
    while (!edo_task_is_done(task))
        assert_true(edo_turn(runtime, EDO_NEVER) >= 0);
    assert_true(edo_now() - began >= edo_ms(3));
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a turn within a turn ---- */

static const edo_driver_ops *epoll_ops;
static edo_driver_ops own_ops;
static int nested_turn, nested_destroy;
static bool has_nested;

static int nesting_turn(edo_driver *driver, int64_t timeout)
{
    nested_turn = edo_turn(driver->runtime, 0);
    nested_destroy = edo_runtime_destroy(driver->runtime);
    has_nested = true;
    return epoll_ops->turn(driver, timeout);
}

static int own_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                    const char **ret_reason)
{
    int rc = epoll_ops->open(runtime, argument, ret_driver, ret_reason);
    if (rc == 0) (*ret_driver)->ops = &own_ops;
    return rc;
}

clean_test(nested)
{
    epoll_ops = edo__driver_named("epoll");
    own_ops = *epoll_ops;
    own_ops.name = "own";
    own_ops.open = own_open;
    own_ops.turn = nesting_turn;
    edo_runtime *runtime = make_runtime_on(&own_ops, (edo_config){ 0 });
    assert_int_equal(edo_turn(runtime, 0), 0);
    assert_true(has_nested);
    assert_int_equal(nested_turn, -EBUSY);
    assert_int_equal(nested_destroy, -EBUSY);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a driver without a descriptor, or that watches no further ones ---- */

static int refuse_fd(edo_driver *driver)
{
    (void)driver;
    return -EOPNOTSUPP;
}

static int refuse_watch(edo_driver *driver, int fd)
{
    (void)driver;
    (void)fd;
    return -ENOMEM;
}

clean_test(refused_descriptor)
{
    epoll_ops = edo__driver_named("epoll");
    own_ops = *epoll_ops;
    own_ops.name = "own";
    own_ops.open = own_open;
    own_ops.watch = refuse_watch;
    edo_runtime *runtime = make_runtime_on(&own_ops, (edo_config){ 0 });
    size_t before = open_descriptors();
    assert_int_equal(edo_runtime_fd(runtime), -ENOMEM);
    assert_int_equal(open_descriptors(), before);
    own_ops.fd = refuse_fd;
    assert_int_equal(edo_runtime_fd(runtime), -EOPNOTSUPP);
    assert_int_equal(edo_block_on(runtime, answer, .result = 2), 2);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- the descriptor ---- */

static bool is_readable(int fd, int timeout)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = poll(&p, 1, timeout);
    assert_true(n >= 0);
    return n > 0;
}

/* Turns the runtime in the way of a foreign loop. */
static void turn_when_readable(edo_runtime *runtime, int fd)
{
    assert_true(is_readable(fd, -1));
    int more = edo_turn(runtime, 0);
    assert_true(more >= 0);
    if (more) assert_true(is_readable(fd, 0)); // level-triggered
}

static void turn_until_done(edo_runtime *runtime, int fd, edo_task *task)
{
    while (!edo_task_is_done(task))
        turn_when_readable(runtime, fd);
    edo_detach(task);
}

static void turn_until_idle(edo_runtime *runtime, int fd)
{
    while (is_readable(fd, 0))
        turn_when_readable(runtime, fd);
}

clean_test(descriptor_of_an_idle_runtime)
{
    edo_runtime *runtime = make_runtime();
    int fd = edo_runtime_fd(runtime);
    assert_true(fd >= 0);
    assert_int_equal(edo_runtime_fd(runtime), fd);
    turn_until_idle(runtime, fd);
    assert_false(is_readable(fd, 0));
    assert_int_equal(edo_turn(runtime, 0), 0);
    assert_false(is_readable(fd, 0));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(descriptor_tells_spawns)
{
    edo_runtime *runtime = make_runtime();
    edo_task *before = spawn_answer(runtime, 0);
    int fd = edo_runtime_fd(runtime);
    turn_until_done(runtime, fd, before);
    turn_until_idle(runtime, fd);
    turn_until_done(runtime, fd, spawn_answer(runtime, 0)); // from outside, on this thread
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(descriptor_tells_timers)
{
    edo_runtime *runtime = make_runtime();
    edo_task *before = spawn_nap(runtime, edo_ms(2)), *far_off;
    assert_true(edo_turn(runtime, 0) >= 0); // the deadline is set before the descriptor exists
    int fd = edo_runtime_fd(runtime);
    turn_until_done(runtime, fd, before);
    far_off = spawn_nap(runtime, edo_s(3600));
    turn_until_idle(runtime, fd);
    assert_false(edo_task_is_done(far_off));
    for (int i = 0; i < 5; i++)
        turn_until_done(runtime, fd, spawn_nap(runtime, edo_us(300)));
    edo_task_cancel(far_off); // from outside
    turn_until_done(runtime, fd, far_off);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Sleeps by a clock that was advanced and then resumed. The deadlines of this clock differ from the
 * system's deadlines. */
struct resumes_and_naps {
    edo_frame();
    edo_args();
};

edo_async(resumes_and_naps)
{
    edo_body {
        int rc;
        insist(edo_clock_advance(edo_s(3600)) == 0);
        insist(edo_clock_resume() == 0);
        edo_await(rc, edo_sleep(edo_ms(2)));
        edo_return(rc);
    }
}

clean_test(descriptor_and_the_test_clock)
{
    edo_task *task;
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .test_clock = true });
    edo_spawn_options options = { .runtime = runtime };
    int fd = edo_runtime_fd(runtime);
    assert_int_equal(edo_spawn_with(&task, &options, resumes_and_naps), 0);
    turn_until_done(runtime, fd, task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void set_flag(unsigned index, void *arg)
{
    (void)index;
    flag_set(arg);
}

static edo_task *spawn_waiter(edo_runtime *runtime, flag *f)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    flag_init(f);
    assert_int_equal(edo_spawn_with(&task, &options, wait_for_flag, .flag = f), 0);
    return task;
}

clean_test(descriptor_tells_wakes)
{
    flag f;
    edo_runtime *runtime = make_runtime();
    int fd = edo_runtime_fd(runtime);
    for (int i = 0; i < 20; i++) {
        edo_task *task = spawn_waiter(runtime, &f);
        turn_until_idle(runtime, fd);
        assert_false(edo_task_is_done(task));
        run_threads(1, set_flag, &f);
        turn_until_done(runtime, fd, task);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Number of wakes. They arrive at all moments, especially while the turn ends. */
enum { WAKES = 3000 };

static flag many[WAKES];

struct wait_for_many {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(wait_for_many)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < WAKES && rc == 0; self->i++)
            edo_await_on(rc, &many[self->i].base);
        edo_return(rc);
    }
}

static void *set_many(void *arg)
{
    for (unsigned i = 0; i < WAKES; i++)
        flag_set(&many[i]);
    return arg;
}

clean_test(descriptor_misses_no_wake)
{
    pthread_t thread;
    edo_task *task;
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    int fd = edo_runtime_fd(runtime);
    for (unsigned i = 0; i < WAKES; i++)
        flag_init(&many[i]);
    assert_int_equal(edo_spawn_with(&task, &options, wait_for_many), 0);
    assert_int_equal(pthread_create(&thread, NULL, set_many, NULL), 0);
    turn_until_done(runtime, fd, task);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct read_one {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(read_one)
{
    edo_body {
        int rc;
        edo_await(rc, edo_read(self->io, &self->byte, 1));
        edo_return(rc == 1 ? self->byte : rc);
    }
}

clean_test(descriptor_tells_input)
{
    int pair[2];
    edo_io *io;
    edo_task *task;
    edo_runtime *runtime = make_runtime();
    int fd = edo_runtime_fd(runtime);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(edo_io_from_fd(pair[0], &io), 0);
    for (char c = 'a'; c < 'z'; c++) {
        edo_spawn_options options = { .runtime = runtime };
        assert_int_equal(edo_spawn_with(&task, &options, read_one, .io = io), 0);
        turn_until_idle(runtime, fd);
        assert_false(edo_task_is_done(task));
        assert_int_equal(write(pair[1], &c, 1), 1);
        turn_until_done(runtime, fd, task);
    }
    edo_close(io);
    close(pair[1]);
    turn_until_idle(runtime, fd);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- edo_block_on in between ---- */

struct leave_others {
    edo_frame();
    edo_args(struct flag *flag; edo_task **tasks;);
};

enum { NAP_LEFT, WAITER_LEFT, READY_LEFT, LEFT };

edo_async(leave_others)
{
    edo_body {
        int rc = edo_spawn(&self->tasks[NAP_LEFT], nap, .duration = edo_ms(2));
        assert_int_equal(rc, 0);
        rc = edo_spawn(&self->tasks[WAITER_LEFT], wait_for_flag, .flag = self->flag);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_yield()); // both tasks wait
        rc = edo_spawn(&self->tasks[READY_LEFT], answer, 1);
        edo_return(rc);
    }
}

clean_test(descriptor_after_block_on)
{
    flag f;
    edo_task *tasks[LEFT];
    flag_init(&f);
    edo_runtime *runtime = make_runtime();
    int fd = edo_runtime_fd(runtime);
    turn_until_idle(runtime, fd);
    assert_int_equal(edo_block_on(runtime, leave_others, .flag = &f, .tasks = tasks), 0);
    turn_until_done(runtime, fd, tasks[READY_LEFT]);
    turn_until_done(runtime, fd, tasks[NAP_LEFT]);
    run_threads(1, set_flag, &f);
    turn_until_done(runtime, fd, tasks[WAITER_LEFT]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- without descriptors ---- */

static void ask_without_descriptors(void *arg)
{
    (void)arg;
    edo_runtime *runtime = make_runtime();
    size_t before = open_descriptors();
    allow_descriptors(0);
    assert_int_equal(edo_runtime_fd(runtime), -EMFILE);
    allow_all_descriptors();
    assert_int_equal(open_descriptors(), before);
    int fd = edo_runtime_fd(runtime);
    assert_true(fd >= 0);
    turn_until_done(runtime, fd, spawn_nap(runtime, edo_us(100)));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(no_descriptor)
{
    expect_success_in_child(ask_without_descriptors, NULL);
}

clean_test(negative_timeout_does_not_wait)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_turn(runtime, -1), 0);
    assert_int_equal(edo_turn(runtime, INT64_MIN), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a foreign loop that goes on ---- */

enum { LOOP_WAIT = 30000 }; // ms until a wait for the descriptor fails

static void turn_until_quiet(edo_runtime *runtime, int fd)
{
    while (edo_turn(runtime, 0) == 1 || is_readable(fd, 0))
        continue;
}

static edo_runtime *make_turned_by_a_loop(int *ret_fd)
{
    edo_runtime *runtime = make_runtime();
    *ret_fd = edo_runtime_fd(runtime);
    assert_true(*ret_fd >= 0);
    turn_until_quiet(runtime, *ret_fd);
    return runtime;
}

struct napper {
    edo_frame();
    edo_args(int64_t duration; bool *ret_woke;);
};

edo_async(napper)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        *self->ret_woke = rc == 0;
        edo_return(rc);
    }
}

/* Turns only when the descriptor is readable. */
static void loop_until(edo_runtime *runtime, int fd, const bool *done)
{
    while (!*done) {
        assert_true(is_readable(fd, LOOP_WAIT));
        edo_turn(runtime, 0);
    }
}

clean_test(loop_goes_on_after_block_on)
{
    int fd;
    bool first = false, second = false;
    edo_runtime *runtime = make_turned_by_a_loop(&fd);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(NULL, &options, napper, .duration = edo_ms(1), .ret_woke = &first), 0);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    loop_until(runtime, fd, &first); // readable by a timer, or by tasks left in the queue
    turn_until_quiet(runtime, fd);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    while (is_readable(fd, 0))
        edo_turn(runtime, 0);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    assert_int_equal(edo_spawn_with(NULL, &options, napper, .ret_woke = &second), 0);
    loop_until(runtime, fd, &second); // readable by a spawn outside of turns
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Advances the clock by an hour, and resumes it. */
struct shifter {
    edo_frame();
    edo_args();
};

edo_async(shifter)
{
    edo_body {
        edo_clock_pause();
        edo_clock_advance(edo_s(3600));
        edo_return(edo_clock_resume());
    }
}

clean_test(loop_with_a_shifted_clock)
{
    int fd;
    bool woke = false;
    edo_runtime *runtime = make_turned_by_a_loop(&fd);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_block_on(runtime, shifter), 0);
    assert_int_equal(
        edo_spawn_with(NULL, &options, napper, .duration = edo_ms(1), .ret_woke = &woke), 0);
    loop_until(runtime, fd, &woke);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

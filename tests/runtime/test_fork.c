/* edo-test: ct, because test_workers.c has the tests with workers. The calls that the child may
 * make after fork(). The parent is not affected. */
#include "runtime/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- a runtime with all kinds of objects, inherited by the child ---- */

static struct {
    edo_runtime *runtime;
    edo_io *io;
    int other; // other end of the pair
    edo_task *reader, *sleeper, *waiter;
    flag flag;
    size_t descriptors; // used by the runtime
} inherited;

struct read_one {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(read_one)
{
    edo_body {
        ssize_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        edo_return(n == 1 ? self->byte : n);
    }
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

static void make_inherited(void)
{
    int pair[2];
    edo_task **const reader = &inherited.reader;
    size_t before = open_descriptors();
    inherited.runtime = make_runtime();
    assert_true(edo_runtime_fd(inherited.runtime) >= 0); // with its timer
    inherited.descriptors = open_descriptors() - before;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(edo_io_from_fd(pair[0], &inherited.io), 0);
    inherited.other = pair[1];
    flag_init(&inherited.flag);
    edo_spawn_options options = { .runtime = inherited.runtime };
    assert_int_equal(edo_spawn_with(reader, &options, read_one, .io = inherited.io), 0);
    assert_int_equal(edo_spawn_with(&inherited.sleeper, &options, nap, edo_ms(5)), 0);
    assert_int_equal(
        edo_spawn_with(&inherited.waiter, &options, wait_for_flag, .flag = &inherited.flag), 0);
    for (int i = 0; i < 3; i++)
        assert_true(edo_turn(inherited.runtime, 0) >= 0); // all tasks wait now
}

/* Checks that the parent's runtime still works, and ends it. */
static void check_and_end(void)
{
    edo_runtime *runtime = inherited.runtime;
    assert_false(edo_task_is_done(inherited.reader));
    assert_int_equal(write(inherited.other, "x", 1), 1);
    assert_int_equal(edo_block_on(runtime, join, .task = inherited.reader), 'x');
    assert_int_equal(edo_block_on(runtime, join, .task = inherited.sleeper), 0);
    flag_set(&inherited.flag);
    assert_int_equal(edo_block_on(runtime, join, .task = inherited.waiter), 0);
    assert_int_equal(edo_block_on(runtime, answer, .result = 5), 5);
    edo_close(inherited.io);
    close(inherited.other);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void fork_beside(child_fn *child)
{
    make_inherited();
    expect_success_in_child(child, NULL);
    check_and_end();
}

/* ---- the child ---- */

static void use_inherited(void *arg)
{
    edo_runtime *runtime = inherited.runtime;
    edo_task *task = NULL;
    edo_spawn_options options = { .runtime = runtime };
    (void)arg;
    assert_int_equal(edo_turn(runtime, 0), -ESTALE);
    assert_int_equal(edo_turn(runtime, EDO_NEVER), -ESTALE);
    assert_int_equal(edo_runtime_fd(runtime), -ESTALE);
    assert_int_equal(edo_block_on(runtime, answer, .result = 0), -ESTALE);
    assert_int_equal(edo_spawn_with(&task, &options, answer, .result = 0), -ESTALE);
    assert_int_equal(edo_spawn_with(NULL, &options, answer, .result = 0), -ESTALE);
    assert_null(task);
}

clean_test(use_in_the_child)
{
    fork_beside(use_inherited);
}

static void destroy_inherited(void *arg)
{
    (void)arg;
    size_t before = open_descriptors();
    assert_int_equal(edo_runtime_destroy(inherited.runtime), 0);
    assert_int_equal(open_descriptors(), before - inherited.descriptors); // none opened
}

clean_test(destroy_in_the_child)
{
    fork_beside(destroy_inherited);
}

static void close_stream(void *arg)
{
    (void)arg;
    edo_close(inherited.io); // closes the child's descriptor
    close(inherited.other);
    assert_int_equal(edo_runtime_destroy(inherited.runtime), 0);
}

clean_test(close_in_the_child)
{
    fork_beside(close_stream);
}

/* Closes a stream after its runtime. The close must not access the runtime, or descriptors whose
 * numbers now belong to other files. */
static void close_stream_late(void *arg)
{
    int fds[8][2];
    char byte;
    (void)arg;
    assert_int_equal(edo_runtime_destroy(inherited.runtime), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) // reuse the closed numbers
        assert_int_equal(pipe2(fds[i], O_NONBLOCK), 0);
    edo_close(inherited.io);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        assert_int_equal(read(fds[i][0], &byte, 1), -1);
}

clean_test(close_in_the_child_after_destroy)
{
    fork_beside(close_stream_late);
}

/* ---- a runtime of the child's own ---- */

static void use_own(void)
{
    int pair[2];
    edo_io *io;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, answer, .result = 9), 9);
    assert_int_equal(edo_block_on(runtime, nap, .duration = edo_us(10)), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(edo_io_from_fd(pair[0], &io), 0);
    assert_int_equal(write(pair[1], "y", 1), 1);
    assert_int_equal(edo_block_on(runtime, read_one, .io = io), 'y');
    edo_close(io);
    close(pair[1]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void make_own(void *arg)
{
    (void)arg;
    use_own();
    assert_int_equal(edo_turn(inherited.runtime, 0), -ESTALE); // still
}

static void make_own_after_destroy(void *arg)
{
    destroy_inherited(arg);
    use_own();
}

clean_test(own_in_the_child)
{
    fork_beside(make_own);
    fork_beside(make_own_after_destroy);
}

static void make_grandchild(void *arg)
{
    edo_runtime *own = make_runtime();
    expect_success_in_child(make_own, arg);
    assert_int_equal(edo_block_on(own, answer, .result = 1), 1); // it works in the child
    assert_int_equal(edo_runtime_destroy(own), 0);
}

clean_test(grandchild)
{
    fork_beside(make_grandchild);
}

/* The child uses an inherited stream on its own runtime, while the stream is registered with the
 * parent's. */
static void take_stream_over(void *arg)
{
    edo_runtime *own = make_runtime();
    (void)arg;
    assert_int_equal(edo_runtime_destroy(inherited.runtime), 0);
    edo_close(inherited.io);
    assert_int_equal(edo_block_on(own, answer, .result = 1), 1);
    assert_int_equal(edo_runtime_destroy(own), 0);
}

clean_test(stream_taken_over)
{
    fork_beside(take_stream_over);
}

/* ---- from inside a task ---- */

struct forks {
    edo_frame();
    edo_args();
};

static void live_inside(void *arg)
{
    edo_task *task;
    (void)arg;
    assert_int_equal(edo_spawn(&task, answer, .result = 0),
                     -ESTALE); // the current runtime is the parent's
    use_own();
    assert_int_equal(edo_wait(edo_sleep(1)), 0);
    assert_int_equal(edo_runtime_destroy(inherited.runtime), 0);
}

edo_async(forks)
{
    edo_body {
        int rc;
        expect_success_in_child(live_inside, NULL);
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

clean_test(from_inside_a_task)
{
    make_inherited();
    assert_int_equal(edo_block_on(inherited.runtime, forks), 0);
    check_and_end();
}

/* ---- while another thread turns the runtime ---- */

static sem_t made, stop;

/* Creates, turns and destroys the runtime on one thread. */
static void *own_and_turn(void *arg)
{
    (void)arg;
    make_inherited();
    sem_post(&made);
    while (sem_trywait(&stop) < 0)
        insist(edo_turn(inherited.runtime, edo_ms(1)) >= 0);
    check_and_end();
    return NULL;
}

clean_test(while_another_thread_turns)
{
    pthread_t thread;
    assert_int_equal(sem_init(&made, 0, 0), 0);
    assert_int_equal(sem_init(&stop, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, own_and_turn, NULL), 0);
    while (sem_wait(&made) < 0)
        continue;
    for (int i = 0; i < 20; i++)
        expect_success_in_child(i % 2 ? destroy_inherited : close_stream, NULL);
    sem_post(&stop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sem_destroy(&made);
    sem_destroy(&stop);
}

/* ---- edo_wait ---- */

static void wait_in_child(void *arg)
{
    const size_t *before = arg;
    size_t inherited_count = open_descriptors();
    assert_int_equal(edo_wait(edo_sleep(1)), 0);
    assert_int_equal(open_descriptors(), inherited_count); // the parent's are closed
    assert_true(*before < inherited_count);
}

static void fork_a_waiter(unsigned index, void *arg)
{
    char text[1024];
    (void)index;
    insist(edo_wait(edo_sleep(1)) == 0); // from here on, this thread has a runtime for edo_wait()
    insist(run_in_child(wait_in_child, arg, text, sizeof text) == 0);
    insist(edo_wait(edo_sleep(1)) == 0);
}

clean_test(wait_in_the_child)
{
    size_t before = open_descriptors();
    run_threads(1, fork_a_waiter, &before);
}

/* ---- wakes in the child ---- */

static void cancel_inherited(void *arg)
{
    edo_task_cancel(arg);
}

static bool is_readable(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };
    return poll(&look, 1, 0) == 1;
}

/* The parent's runtime counts as asleep. A wake in the child must not make that runtime's
 * descriptor readable. */
clean_test(wakes_nobody)
{
    edo_task *task;
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, nap, EDO_NEVER), 0);
    int fd = edo_runtime_fd(runtime);
    assert_true(fd >= 0);
    while (is_readable(fd))
        assert_true(edo_turn(runtime, 0) >= 0);
    expect_success_in_child(cancel_inherited, task);
    assert_false(is_readable(fd));
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a fork inside of a task ---- */

static int run_in_forked_child(void)
{
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return 1;
    if (edo_block_on(runtime, answer, 3) != 3) return 2;
    if (edo_wait(edo_sleep(0)) != 0) return 3;
    return edo_runtime_destroy(runtime) == 0 ? 0 : 4;
}

struct forker {
    edo_frame();
    edo_args(int *ret_status;);
};

edo_async(forker)
{
    edo_body {
        pid_t child = quiet_fork();
        if (child == 0) _exit(run_in_forked_child());
        waitpid(child, self->ret_status, 0);
        edo_return(0);
    }
}

clean_test(child_of_a_fork_in_a_task_has_its_own)
{
    int status = -1;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, forker, .ret_status = &status), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

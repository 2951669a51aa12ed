/* edo-test: ct, it makes its own workers. Forks under load: the child closes what it has inherited,
 * whatever the parent's threads were doing to it. */
#include "runtime/fixture.h"

#include <sys/socket.h>
#include <sys/wait.h>

enum {
    PAIRS = 8,
    FORKS = 250,
    CHILD_PATIENCE = 30, // seconds, until one that hangs is ended
};

static struct {
    edo_runtime *runtime;
    edo_io *ends[PAIRS][2];
    edo_task *tasks[PAIRS][2];
    bool stops; // any thread
} load;

struct ball {
    edo_frame();
    edo_args(edo_io *io; bool serves;);
    char byte;
};

/* The ball goes to and fro until the server keeps it. */
edo_async(ball)
{
    edo_body {
        ssize_t n = 1;
        if (self->serves) edo_await(n, edo_write_all(self->io, "x", 1));
        while (n == 1) {
            edo_await(n, edo_read(self->io, &self->byte, 1));
            if (n != 1) break;
            if (self->serves && __atomic_load_n(&load.stops, __ATOMIC_RELAXED)) break;
            edo_await(n, edo_write_all(self->io, &self->byte, 1));
        }
        if (self->serves) edo_await(n, edo_shutdown_write(self->io));
        edo_return(n < 0 ? n : 0);
    }
}

static void start_load(void)
{
    load.runtime = make_runtime_with(&(edo_config){ .workers = 2, .max_spare = -1 });
    edo_spawn_options options = { .runtime = load.runtime };
    for (int i = 0; i < PAIRS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        for (int end = 0; end < 2; end++) {
            assert_int_equal(edo_io_from_fd(pair[end], &load.ends[i][end]), 0);
            assert_int_equal(edo_spawn_with(&load.tasks[i][end], &options, ball,
                                            .io = load.ends[i][end], .serves = end == 0),
                             0);
        }
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

static void close_streams(void)
{
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; end < 2; end++)
            edo_close(load.ends[i][end]);
}

static void end_load(void)
{
    __atomic_store_n(&load.stops, true, __ATOMIC_RELAXED);
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; end < 2; end++)
            assert_int_equal(edo_block_on(load.runtime, join, .task = load.tasks[i][end]), 0);
    close_streams();
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
    load.stops = false;
}

static void close_inherited(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    edo_task_cancel(load.tasks[0][0]);
    close_streams();
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
}

static void destroy_first(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
    close_streams();
}

/* A runtime of the child's own takes a place in the list that the parent's are in. */
static void make_own(void *arg)
{
    edo_runtime *own = make_runtime();
    assert_int_equal(edo_block_on(own, answer, .result = 3), 3);
    close_inherited(arg);
    assert_int_equal(edo_runtime_destroy(own), 0);
}

static void test_closing_under_load(void **state)
{
    static child_fn *const children[] = { close_inherited, destroy_first, make_own };
    (void)state;
    start_load();
    for (int i = 0; i < FORKS; i++) {
        int status = await_child(start_child(children[i % 3], NULL));
        if (status) fail_msg("child %d ended with status %#x", i, (unsigned)status);
    }
    end_load();
}

int main(void)
{
    const struct CMUnitTest tests[] = { clean_test(test_closing_under_load) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* edo_finish() and a peer that has sent much data. */
#include "support/streams.h"

#include <unistd.h>

/* Counts how often it runs. */
struct bystander {
    edo_frame();
    edo_args(unsigned *turns;);
};

edo_async(bystander)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_yield());
            if (rc < 0) break;
            ++*self->turns;
        }
        edo_return(0);
    }
}

struct finish_much {
    edo_frame();
    edo_args(unsigned *turns;);
    edo_io *io;
    edo_task *task;
    int peer;
};

edo_async(finish_much)
{
    edo_body {
        int rc;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        rc = edo_spawn_on(&self->task, 0, bystander, .turns = self->turns);
        assert_int_equal(rc, 0);
        assert_true(fd_fill(self->peer) >= 64 << 10);
        close(self->peer);
        edo_await(rc, edo_finish(self->io));
        assert_int_equal(rc, 0);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        edo_return(0);
    }
}

/* Dropped input uses the task's budget, so a task on the same worker runs meanwhile. */
test(others_run_while_input_is_dropped)
{
    unsigned turns = 0;
    edo_task *task;
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .budget = 2 }, &runtime), 0);
    edo_spawn_options options = { .runtime = runtime, .pinned = 1 };
    assert_int_equal(edo_spawn_with(&task, &options, finish_much, .turns = &turns), 0);
    assert_int_equal(edo_block_on(runtime, run_op, .op = edo_join(task)), 0);
    assert_true(turns >= 4);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* An edo_finish() whose limit passes while there is more input drops no more. */
struct finish_cancelled {
    edo_frame();
    edo_args();
    edo_io *io;
    int peer;
};

edo_async(finish_cancelled)
{
    edo_body {
        int rc;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        assert_true(fd_fill(self->peer) >= 64 << 10);
        close(self->peer);
        edo_await_for(rc, 0, edo_finish(self->io));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

test(limit_ends_it_between_two_drops)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .budget = 2, .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, finish_cancelled), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

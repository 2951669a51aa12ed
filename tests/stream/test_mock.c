/* Streams for tests of users: scripts, slow links. */
#include "support/streams.h"

#include <string.h>

#include <edo/mock.h>

enum { ROOM = 64 };

/* ---- scripts ---- */

async_test(a_script_is_followed,
    edo_mock *mock;
    edo_io *io;
    edo_slice slices[2];
    int64_t began;
    char in[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_mock_create("script", &self->mock, &self->io), 0);
        assert_int_equal(edo_mock_write(self->mock, "PING\n", 5), 0);
        assert_int_equal(edo_mock_wait(self->mock, edo_s(20)), 0);
        assert_int_equal(edo_mock_read(self->mock, "PONG\n", 5), 0);
        assert_int_equal(edo_mock_write_error(self->mock, -ENOSPC), 0);
        assert_int_equal(edo_mock_read_error(self->mock, -EIO), 0);
        assert_int_equal(edo_mock_write(self->mock, "abcd", 4), 0);
        assert_int_equal(edo_mock_read_error(self->mock, 1), -EINVAL);
        assert_int_equal(edo_mock_write_error(self->mock, 0), -EINVAL);
        assert_int_equal(edo_mock_left(self->mock), 6);
        edo_mock_destroy(self->mock);
        self->began = edo_now();
        edo_await_for(n, edo_s(1), edo_read(self->io, self->in, ROOM)); // a write comes first
        assert_int_equal(n, -ETIMEDOUT);
        edo_await(n, edo_write_all(self->io, "PING\n", 5));
        assert_int_equal(n, 5);
        edo_await(n, edo_read(self->io, self->in, 2));
        assert_int_equal(n, 2);
        assert_int_equal(edo_now() - self->began, edo_s(21));
        edo_await(n, edo_read(self->io, self->in + 2, ROOM));
        assert_int_equal(n, 3);
        assert_memory_equal(self->in, "PONG\n", 5);
        edo_await(n, edo_write_all(self->io, "x", 1));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_read(self->io, self->in, ROOM));
        assert_int_equal(n, -EIO);
        self->slices[0] = (edo_slice){ "ab", 2 };
        self->slices[1] = (edo_slice){ "cd", 2 };
        edo_await(n, edo_writev_all(self->io, self->slices, 2));
        assert_int_equal(n, 4);
        edo_await(n, edo_read(self->io, self->in, ROOM));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A handle adds steps while both sides wait. */
async_test(a_script_goes_on,
    edo_mock *mock;
    edo_io *io;
    edo_task *reader, *writer;
    char in[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_mock_create(NULL, &self->mock, &self->io), 0);
        n = edo_spawn(&self->reader, run_op, .op = edo_read_exact(self->io, self->in, 4));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->writer, run_op, .op = edo_write_all(self->io, "wxyz", 4));
        assert_int_equal(n, 0);
        settle();
        assert_int_equal(edo_mock_read(self->mock, "ab", 2), 0);
        assert_int_equal(edo_mock_write(self->mock, "wxy", 3), 0);
        settle();
        assert_int_equal(edo_mock_left(self->mock), 0);
        assert_int_equal(edo_mock_write(self->mock, "z", 1), 0);
        assert_int_equal(edo_mock_read(self->mock, "cd", 2), 0);
        edo_await(n, edo_join(self->writer));
        assert_int_equal(n, 4);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 4);
        assert_memory_equal(self->in, "abcd", 4);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, self->in, 4));
        assert_int_equal(n, 0);
        settle();
        edo_mock_destroy(self->mock);
        edo_mock_destroy(NULL);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_return(0);
    }
}

/* ---- what ends the process ---- */

typedef enum mistake { UNEXPECTED, OTHER_BYTES, NOT_DONE } mistake;

struct make_mistake {
    edo_frame();
    edo_args(mistake mistake;);
    edo_mock *mock;
    edo_io *io;
};

edo_async(make_mistake)
{
    edo_body {
        int64_t n;
        n = edo_mock_create("peer", &self->mock, &self->io);
        assert_int_equal(n, 0);
        if (self->mistake != UNEXPECTED) n = edo_mock_write(self->mock, "expected", 8);
        edo_mock_destroy(self->mock);
        if (self->mistake != NOT_DONE) edo_await(n, edo_write_all(self->io, "expect!", 7));
        edo_close(self->io);
        edo_return(n);
    }
}

static void run_mistake(void *arg)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, make_mistake, .mistake = *(mistake *)arg), 0);
}

test(what_is_not_in_the_script_ends_the_process)
{
    mistake mistakes[] = { UNEXPECTED, OTHER_BYTES, NOT_DONE };
    expect_abort(run_mistake, &mistakes[0], "edo_mock: 'peer': a write that is not expected");
    expect_abort(run_mistake, &mistakes[1], "edo_mock: 'peer': a write of other bytes");
    expect_abort(run_mistake, &mistakes[2], "edo_mock: 'peer': closed with 1 steps");
}

/* ---- links ---- */

async_test(a_link_has_delay_and_rate,
    edo_io *ends[2];
    edo_task *task;
    int64_t began;
    char in[2000];)
{
    edo_body {
        int64_t n;
        edo_test_link_config config = { .delay = edo_ms(50), .rate = 10000, .packet = 500 };
        assert_int_equal(edo_test_link(&config, &self->ends[0], &self->ends[1]), 0);
        self->began = edo_now();
        edo_await(n, edo_write_all(self->ends[0], self->in, 1000));
        assert_int_equal(n, 1000);
        assert_int_equal(edo_now(), self->began); // it is on its way
        edo_await(n, edo_read(self->ends[1], self->in, sizeof self->in));
        assert_int_equal(n, 500);
        assert_int_equal(edo_now() - self->began, edo_ms(100)); // 50 to send it, 50 of delay
        edo_await(n, edo_read(self->ends[1], self->in, sizeof self->in));
        assert_int_equal(n, 500);
        assert_int_equal(edo_now() - self->began, edo_ms(150));
        self->began = edo_now();
        edo_close(self->ends[0]);
        edo_await(n, edo_read(self->ends[1], self->in, sizeof self->in));
        assert_int_equal(n, 0);
        assert_int_equal(edo_now() - self->began, edo_ms(50)); // the end travels, too
        edo_await(n, edo_write(self->ends[1], "x", 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A lossy link is late, and the same for the same seed; it loses no byte. */
struct over_link {
    edo_frame(struct collect collect;);
    edo_args(uint64_t seed;);
    edo_io *ends[2];
    edo_task *task;
    int64_t began;
    char out[20000], in[20000];
};

edo_async(over_link)
{
    edo_body {
        int64_t n;
        edo_test_link_config config = { .delay = edo_ms(5),
                                        .jitter = edo_ms(3),
                                        .loss = 200000,
                                        .capacity = 3000,
                                        .seed = self->seed };
        assert_int_equal(edo_test_link(&config, &self->ends[0], &self->ends[1]), 0);
        fill_pattern(self->out, sizeof self->out, 1, 0);
        self->began = edo_now();
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->ends[0], self->out, sizeof self->out));
        assert_int_equal(n, 0);
        edo_call(n, collect, .io = self->ends[1], .buffer = self->in, .size = sizeof self->in);
        assert_int_equal(n, sizeof self->in);
        assert_true(is_pattern(self->in, sizeof self->in, 1, 0));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, sizeof self->out);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(edo_now() - self->began);
    }
}

async_test(a_lossy_link_is_late, edo_callees(struct over_link over_link;) int64_t first;)
{
    edo_body {
        int64_t n;
        edo_call(self->first, over_link, .seed = 7);
        assert_true(self->first > edo_ms(200));
        edo_call(n, over_link, .seed = 7);
        assert_int_equal(n, self->first);
        edo_call(n, over_link, .seed = 8);
        assert_int_not_equal(n, self->first);
        edo_return(0);
    }
}

async_test(a_link_breaks, edo_io *ends[2]; edo_task *task; char in[ROOM];)
{
    edo_body {
        int64_t n;
        edo_test_link_config config = { .breaks = 10 };
        assert_int_equal(edo_test_link(&config, &self->ends[0], &self->ends[1]), 0);
        edo_await(n, edo_write_all(self->ends[0], "0123456789", 10));
        assert_int_equal(n, 10);
        edo_await(n, edo_read_exact(self->ends[1], self->in, 10));
        assert_int_equal(n, 10);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->ends[1], self->in, 1));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_write(self->ends[0], "x", 1));
        assert_int_equal(n, -ECONNRESET);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECONNRESET);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_test_link_config bad = { .delay = -1 };
        assert_int_equal(edo_test_link(&bad, &self->ends[0], &self->ends[1]), -EINVAL);
        edo_return(0);
    }
}

/* ---- no memory ---- */

/* A link whose end cannot be sent breaks. */
static void make_once(void *arg)
{
    edo_mock *mock;
    edo_io *io, *other;
    (void)arg;
    if (edo_mock_create("mock", &mock, &io) == 0) {
        edo_mock_destroy(mock);
        edo_close(io);
    }
    if (edo_test_link(NULL, &io, &other) == 0) {
        edo_close(io);
        edo_close(other);
    }
}

test(no_memory)
{
    assert_int_equal(with_each_allocation_failing(make_once, NULL), 4);
}

/* edo-test: ct, it counts turns. Tasks that never wait do not keep other tasks and events from
 * being served. */
#include "runtime/fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "base/atomic.h"

enum { YIELDERS = 30 };

static uint64_t yields; // count for all yielders

struct yielder {
    edo_frame();
    edo_args();
};

edo_async(yielder)
{
    edo_body {
        int rc;
        do {
            yields++;
            edo_await(rc, edo_yield());
        } while (rc == 0);
        edo_return(rc);
    }
}

/* Awaits operations that are always ready. */
struct spinner {
    edo_frame();
    edo_args();
};

edo_async(spinner)
{
    edo_body {
        int rc;
        do {
            yields++;
            edo_await(rc, edo_sleep_until(0));
        } while (rc == 0 && !edo_is_cancelled());
        edo_return(rc);
    }
}

static void make_busy(bool spin)
{
    for (int i = 0; i < YIELDERS; i++)
        assert_int_equal(spin ? edo_go(spinner) : edo_go(yielder), 0);
}

/* ---- all kinds of events are served ---- */

struct served {
    edo_frame();
    edo_args(struct flag *flag; bool spin;);
    edo_io *io;
    int pair[2];
    edo_task *task;
    char byte;
    int64_t began;
    pthread_t thread;
};

static void *set_flag(void *arg)
{
    flag_set(arg);
    return NULL;
}

static pthread_t set_on_a_thread(flag *f)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_flag, f), 0);
    return thread;
}

edo_async(served)
{
    edo_body {
        int64_t rc;
        make_busy(self->spin);
        self->began = edo_now();
        edo_await(rc, edo_sleep(edo_us(500))); // a timer
        assert_int_equal(rc, 0);
        assert_true(edo_now() - self->began >= edo_us(500));
        self->thread = set_on_a_thread(self->flag); // a wake from another thread
        edo_await_on(rc, &self->flag->base);
        assert_int_equal(rc, 0);
        assert_int_equal(pthread_join(self->thread, NULL), 0); // the thread held the waker
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair), 0);
        assert_int_equal(edo_io_from_fd(self->pair[0], &self->io), 0);
        edo_await_for(rc, edo_us(100), edo_read(self->io, &self->byte, 1)); // a limit
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(write(self->pair[1], "x", 1), 1);
        edo_await(rc, edo_read(self->io, &self->byte, 1)); // input
        assert_int_equal(rc, 1);
        edo_close(self->io);
        close(self->pair[1]);
        edo_return(0);
    }
}

static void check_served(bool spin, uint32_t interval)
{
    flag f;
    flag_init(&f);
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .event_interval = interval });
    assert_int_equal(edo_block_on(runtime, served, .flag = &f, .spin = spin), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(all_are_served)
{
    check_served(false, 0);
    check_served(false, 1);
    check_served(true, 0);
    check_served(true, 1000);
}

/* ---- and soon ---- */

struct reader {
    edo_frame();
    edo_args(edo_io *io; uint64_t *ret_yields;);
    char byte;
};

edo_async(reader)
{
    edo_body {
        ssize_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        *self->ret_yields = yields;
        edo_return(n);
    }
}

struct served_soon {
    edo_frame();
    edo_args();
    edo_io *io;
    int pair[2];
    edo_task *task;
    uint64_t before, after;
    unsigned i;
};

enum { INTERVAL = 61, MANY = 4 * INTERVAL };

/* Counts the polls between an event and the poll of its task. These are at most: the rest of the
 * event interval, and the tasks that were queued before the turn of the driver. */
edo_async(served_soon)
{
    edo_body {
        int64_t rc;
        make_busy(false);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair), 0);
        assert_int_equal(edo_io_from_fd(self->pair[0], &self->io), 0);
        for (self->i = 0; self->i < 50; self->i++) {
            rc = edo_spawn(&self->task, reader, .io = self->io, .ret_yields = &self->after);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield());
            edo_await(rc, edo_yield()); // the served task waits after this
            self->before = yields;
            assert_int_equal(write(self->pair[1], "x", 1), 1);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 1);
            assert_in_range(self->after - self->before, 0, MANY);
        }
        edo_close(self->io);
        close(self->pair[1]);
        edo_return(0);
    }
}

clean_test(soon)
{
    edo_runtime *runtime = make_runtime();
    if (strcmp(edo_runtime_driver(runtime), "chaos") != 0) // chaos is late on purpose
        assert_int_equal(edo_block_on(runtime, served_soon), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- in the order of the queue ---- */

struct counted {
    edo_frame();
    edo_args(unsigned *count;);
};

edo_async(counted)
{
    edo_body {
        int rc;
        do {
            ++*self->count;
            edo_await(rc, edo_yield());
        } while (rc == 0);
        edo_return(rc);
    }
}

clean_test(yielding_is_round_robin)
{
    enum { TASKS = 100, TURNS = 50 };
    static unsigned counts[TASKS];
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(edo_spawn_with(NULL, &options, counted, .count = &counts[i]), 0);
    for (int i = 0; i < TURNS; i++)
        assert_int_equal(edo_turn(runtime, 0), 1);
    for (int i = 0; i < TASKS; i++)
        assert_in_range(counts[i], counts[0] - 1, counts[0] + 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- more tasks than the ring of a worker holds ---- */

enum { CROWD = 300 };

struct meets {
    edo_frame();
    edo_args(uint32_t *met;);
};

/* Yields until all others have begun. */
edo_async(meets)
{
    edo_body {
        int rc;
        edo_add_acq_rel(self->met, 1);
        while (edo_load_acquire(self->met) < CROWD)
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

struct all_meet {
    edo_frame();
    edo_args();
    edo_scope scope;
    uint32_t met;
};

edo_async(all_meet)
{
    edo_body {
        int rc;
        self->met = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (int i = 0; i < CROWD; i++)
            insist(edo_scope_spawn(&self->scope, meets, .met = &self->met) == 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* The test passes if it ends; otherwise it hangs. */
clean_test(behind_a_full_ring)
{
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .workers = 1, .max_spare = -1 });
    assert_int_equal(edo_block_on(runtime, all_meet), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

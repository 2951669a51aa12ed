/* The test clock: it stands still, is advanced, and advances by itself when the runtime is idle. */
#include "support/support.h"

#include <string.h>
#include <unistd.h>

#include <edo/edo.h>
#include <edo/test.h>

/* Notes its name and the moment, relative to the beginning of the test. */
static struct {
    char order[16];
    int64_t moments[16];
    size_t count;
    int64_t began;
} notes;

static void begin_notes(void)
{
    memset(&notes, 0, sizeof notes);
    notes.began = edo_now();
}

static void note(char name)
{
    notes.order[notes.count] = name;
    notes.moments[notes.count++] = edo_now() - notes.began;
}

struct sleeper {
    edo_frame();
    edo_args(char name; int64_t duration;);
};

edo_async(sleeper)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        note(self->name);
        edo_return(rc);
    }
}

/* ---- by itself ---- */

async_test(goes_on_when_idle, int64_t began; unsigned i;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_await(rc, edo_sleep(edo_s(3600)));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->began, edo_s(3600)); // exactly: nothing else passes
        for (self->i = 0; self->i < 200; self->i++) {           // more than one turn
            edo_await(rc, edo_yield());
            assert_int_equal(edo_now() - self->began, edo_s(3600)); // the clock stands still again
        }
        edo_await(rc, edo_sleep(1));
        assert_int_equal(edo_now() - self->began, edo_s(3600) + 1);
        edo_return(0);
    }
}

async_test(stands_while_busy, edo_task *task; int64_t began; unsigned i;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        rc = edo_spawn(&self->task, sleeper, .duration = 1);
        assert_int_equal(rc, 0);
        for (self->i = 0; self->i < 1000; self->i++) {
            edo_await(rc, edo_yield());
            assert_int_equal(edo_now(), self->began);
        }
        assert_false(edo_task_is_done(self->task));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(edo_now() - self->began, 1);
        edo_return(rc);
    }
}

async_test(in_order, edo_scope scope;)
{
    edo_body {
        int rc;
        begin_notes();
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeper, .name = 'c', .duration = edo_s(30)),
                         0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeper, .name = 'a', .duration = edo_us(1)),
                         0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, sleeper, .name = 'd', .duration = edo_s(86400)), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeper, .name = 'b', .duration = edo_us(2)),
                         0); // the same tick
        edo_await(rc, edo_scope_join(&self->scope));
        assert_string_equal(notes.order, "abcd");
        assert_int_equal(notes.moments[0], edo_us(1));
        assert_int_equal(notes.moments[1], edo_us(2));
        assert_int_equal(notes.moments[2], edo_s(30));
        assert_int_equal(notes.moments[3], edo_s(86400));
        edo_return(rc);
    }
}

/* ---- advanced ---- */

async_test(advanced_over_several, edo_task *a, *b, *c;)
{
    edo_body {
        int rc;
        begin_notes();
        edo_clock_auto_advance(false);
        assert_int_equal(edo_spawn(&self->a, sleeper, .name = 'a', .duration = edo_ms(10)), 0);
        assert_int_equal(edo_spawn(&self->b, sleeper, .name = 'b', .duration = edo_ms(20)), 0);
        assert_int_equal(edo_spawn(&self->c, sleeper, .name = 'c', .duration = edo_ms(30)), 0);
        edo_await(rc, edo_yield()); // they sleep
        assert_int_equal(edo_clock_advance(edo_ms(25)), 0);
        edo_await(rc, edo_join(self->b));
        assert_true(edo_task_is_done(self->a));
        assert_string_equal(notes.order, "ab");
        assert_int_equal(notes.moments[0], edo_ms(10)); // each timer fires at its own moment
        assert_int_equal(notes.moments[1], edo_ms(20));
        edo_await(rc, edo_join(self->a));
        edo_await(rc, edo_sleep_until(notes.began + edo_ms(25)));
        assert_int_equal(edo_now() - notes.began, edo_ms(25));
        assert_false(edo_task_is_done(self->c));
        assert_int_equal(edo_clock_advance(edo_ms(2)), 0); // two that add up to the third moment
        assert_int_equal(edo_clock_advance(edo_ms(3)), 0);
        edo_await(rc, edo_join(self->c));
        assert_int_equal(notes.moments[2], edo_ms(30));
        edo_return(rc);
    }
}

struct periodic {
    edo_frame();
    edo_args(unsigned *ticks;);
};

edo_async(periodic)
{
    edo_body {
        int rc;
        do {
            edo_await(rc, edo_sleep(edo_ms(1)));
            if (rc == 0) ++*self->ticks;
        } while (rc == 0);
        edo_return(rc);
    }
}

async_test(advanced_past_a_period, unsigned ticks; edo_task *task;)
{
    edo_body {
        int rc;
        begin_notes();
        self->ticks = 0;
        edo_clock_auto_advance(false);
        assert_int_equal(edo_spawn(&self->task, periodic, .ticks = &self->ticks), 0);
        edo_await(rc, edo_yield());
        edo_clock_advance(edo_ms(10));
        edo_await(rc, edo_sleep_until(notes.began + edo_ms(10)));
        edo_await(rc, edo_yield()); // the tenth task may run after this one
        assert_int_equal(self->ticks, 10);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

async_test(advanced_too_far, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, sleeper, .name = 'a', .duration = edo_s(100)), 0);
        edo_await(rc, edo_sleep(1)); // until the other task sleeps as well
        edo_clock_auto_advance(false);
        assert_int_equal(edo_clock_advance(EDO_NEVER - 1), 0);
        assert_int_equal(edo_clock_advance(EDO_NEVER - 1), 0); // saturates
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep_until(EDO_NEVER - 1));
        assert_true(edo_now() >= EDO_NEVER - 1);
        edo_return(rc);
    }
}

/* ---- paused and resumed ---- */

async_test(paused_and_resumed, int64_t stood; edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_clock_pause(), -EALREADY);
        assert_int_equal(edo_clock_advance(-1), -EINVAL);
        assert_int_equal(edo_clock_advance(0), 0);
        edo_await(rc, edo_sleep(edo_s(86400)));
        self->stood = edo_now();
        assert_int_equal(edo_spawn(&self->task, sleeper, .name = 'a', .duration = edo_ms(2)), 0);
        edo_await(rc, edo_yield());
        assert_int_equal(edo_now(), self->stood);

        assert_int_equal(edo_clock_resume(), 0);
        assert_int_equal(edo_clock_resume(), -EALREADY);
        assert_int_equal(edo_clock_advance(1), -EINVAL);
        assert_in_range(edo_now(), self->stood,
                        self->stood + edo_s(60)); // goes on from where the clock stood
        edo_await(rc, edo_join(self->task));
        assert_true(edo_now() >= self->stood + edo_ms(2));

        self->stood = edo_now();
        assert_int_equal(edo_clock_pause(), 0);
        assert_true(edo_now() >= self->stood);
        self->stood = edo_now();
        edo_await(rc, edo_yield());
        assert_int_equal(edo_now(), self->stood);
        edo_await(rc, edo_sleep(edo_s(3600)));
        assert_int_equal(edo_now(), self->stood + edo_s(3600));
        edo_return(rc);
    }
}

/* A resume does not lose an advance that is still in progress. */
async_test(resumed_while_advancing, int64_t began;)
{
    edo_body {
        self->began = edo_now();
        edo_clock_advance(edo_s(100));
        edo_clock_resume();
        assert_true(edo_now() >= self->began + edo_s(100));
        edo_return(0);
    }
}

/* ---- without auto-advance nothing passes ---- */

struct clock_stands {
    edo_frame();
    edo_args();
};

edo_async(clock_stands)
{
    edo_body {
        int rc;
        edo_clock_auto_advance(false);
        edo_await(rc, edo_sleep(1));
        edo_return(rc);
    }
}

test(no_auto_advance)
{
    edo_runtime *runtime;
    edo_task *task;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, clock_stands), 0);
    for (unsigned i = 0; i < 10; i++)
        turn_runtime(runtime, edo_us(100));
    while (test_workers() && turn_runtime(runtime, 0))
        continue;
    assert_int_equal(turn_runtime(runtime, 0), 0);
    assert_false(edo_task_is_done(task));
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- limits ---- */

async_test(limited, int64_t began;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_await_for(rc, edo_ms(10), edo_sleep(edo_s(3600)));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->began, edo_ms(10));
        edo_await_for(rc, edo_ms(10), edo_sleep(edo_ms(9)));
        assert_int_equal(rc, 0);
        edo_await_for(rc, edo_ms(10),
                      edo_sleep(edo_ms(10))); // limit and sleep end at once: the sleep wins
        assert_int_equal(rc, 0);
        edo_await_for(rc, 0, edo_sleep(0)); // ready at once wins over a limit that has passed
        assert_int_equal(rc, 0);
        edo_await_for(rc, -1, edo_sleep_until(0));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->began, edo_ms(29));
        edo_await_for(rc, 0, edo_sleep(1));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await_for(rc, INT64_MIN, edo_sleep(1));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->began, edo_ms(29)); // no time was needed for that
        edo_await_for(rc, EDO_NEVER, edo_sleep(edo_s(86400)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct inner_limit {
    edo_frame();
    edo_args(int64_t limit; int *ret_rc;);
};

edo_async(inner_limit)
{
    edo_body {
        int rc;
        edo_await_for(rc, self->limit, edo_sleep(edo_s(3600)));
        *self->ret_rc = rc;
        edo_return(rc);
    }
}

async_test(nested_limits, edo_callees(struct inner_limit inner;) int inner_rc; int64_t began;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_call_for(rc, edo_ms(5), inner_limit, .limit = edo_ms(50), .ret_rc = &self->inner_rc);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->inner_rc,
                         -ECANCELED); // the outer limit is a plain cancellation here
        assert_int_equal(edo_now() - self->began, edo_ms(5));
        edo_call_for(rc, edo_ms(50), inner_limit, .limit = edo_ms(5), .ret_rc = &self->inner_rc);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->inner_rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->began, edo_ms(10));
        edo_return(0);
    }
}

/* ---- moments that have passed need no time and no turn ---- */

struct bystander {
    edo_frame();
    edo_args(bool *ret_ran;);
};

edo_async(bystander)
{
    edo_body {
        *self->ret_ran = true;
        edo_return(0);
    }
}

static const int64_t passed[] = { 0, -1, INT64_MIN, INT64_MIN + 1, -1000000 };

current_thread_only("the other is not to run meanwhile")
async_test(passed_moments, bool ran; unsigned i;)
{
    edo_body {
        int rc;
        self->ran = false;
        assert_int_equal(edo_go(bystander, .ret_ran = &self->ran), 0);
        for (self->i = 0; self->i < ARRAY_LENGTH(passed); self->i++) {
            edo_await(rc, edo_sleep(passed[self->i]));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_sleep_until(passed[self->i]));
            assert_int_equal(rc, 0);
        }
        edo_await(rc, edo_sleep_until(edo_now()));
        assert_int_equal(rc, 0);
        assert_false(self->ran);
        edo_return(0);
    }
}

/* ---- a user's future may ask for any moment ---- */

struct asks_for {
    edo_future base;
    int64_t when;
    unsigned polls;
};

static edo_poll asks_for_poll(edo_future *future, edo_cx *cx)
{
    struct asks_for *self = (struct asks_for *)(void *)future;
    if (self->polls++ > 0 && edo_cx_charge(cx)) return EDO_READY;
    edo_cx_deadline(cx, self->when);
    return EDO_PENDING;
}

static const edo_future_ops asks_for_ops = { .name = "asks_for", .poll = asks_for_poll };

async_test(any_moment, struct asks_for future; int64_t began; unsigned i;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        for (self->i = 0; self->i < ARRAY_LENGTH(passed); self->i++) {
            self->future = (struct asks_for){ .base.ops = &asks_for_ops, .when = passed[self->i] };
            edo_await_on(rc, &self->future.base);
        }
        assert_int_equal(edo_now(), self->began);
        edo_return(0);
    }
}

/* ---- ready I/O is served before a distant deadline ---- */

struct limited_read {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(limited_read)
{
    edo_body {
        int rc;
        edo_await_for(rc, edo_s(3600), edo_read(self->io, &self->byte, 1));
        edo_return(rc);
    }
}

async_test(ready_input,
    edo_callees(struct limited_read a;)
    int fds[2];
    edo_io *io;
    edo_task *task;
    int64_t began;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        assert_int_equal(pipe(self->fds), 0);
        assert_int_equal(edo_io_from_fd(self->fds[0], &self->io), 0);
        assert_int_equal(write(self->fds[1], "x", 1), 1);
        edo_call(rc, limited_read, .io = self->io); // at once
        assert_int_equal(rc, 1);
        assert_int_equal(edo_spawn(&self->task, limited_read, .io = self->io), 0);
        edo_await(rc, edo_yield()); // waits now
        assert_int_equal(write(self->fds[1], "x", 1), 1);
        edo_await(rc, edo_join(self->task)); // idle, except for the input
        assert_int_equal(rc, 1);
        assert_int_equal(edo_now(), self->began);
        edo_close(self->io);
        close(self->fds[1]);
        edo_return(0);
    }
}

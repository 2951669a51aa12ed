/* Events, manual and automatic. */
#include "sync/steps.h"

#include <edo/events.h>

static void assert_state(const edo_event *event, uint32_t word)
{
    assert_int_equal(event->word, word);
    assert_int_equal(event->lock, 0);
    assert_null(event->waiters);
}

enum { SET = EDO__EVENT_SET, AUTOMATIC = EDO__EVENT_AUTOMATIC };

#define CROWD                                                                                      \
    edo_event event;                                                                               \
    edo_op a, b, c;
#define begin_crowd(...)                                                                           \
    do {                                                                                           \
        self->event = (edo_event)__VA_ARGS__;                                                      \
        self->a = edo_event_wait(&self->event);                                                    \
        self->b = edo_event_wait(&self->event);                                                    \
        self->c = edo_event_wait(&self->event);                                                    \
        assert_waits(&self->a);                                                                    \
        assert_waits(&self->b);                                                                    \
        assert_waits(&self->c);                                                                    \
    } while (0)

test(a_manual_one_is_set_until_it_is_reset)
{
    edo_event event = EDO_EVENT_INIT;
    assert_int_equal(edo_event_try_wait(&event), -EAGAIN);
    for (int i = 0; i < 3; i++) {
        assert_false(edo_event_is_set(&event));
        edo_event_set(&event);
        edo_event_set(&event);
        assert_true(edo_event_is_set(&event));
        assert_int_equal(edo_event_try_wait(&event), 0);
        assert_int_equal(edo_event_try_wait(&event), 0);
        edo_event_reset(&event);
        edo_event_reset(&event);
        assert_int_equal(edo_event_try_wait(&event), -EAGAIN);
    }
    assert_state(&event, 0);
    edo_event_deinit(&event);
    assert_true(sizeof event <= 16);
}

test(an_automatic_one_lets_one_through)
{
    edo_event event = EDO_AUTOMATIC_EVENT_INIT;
    assert_int_equal(edo_event_try_wait(&event), -EAGAIN);
    edo_event_set(&event);
    edo_event_set(&event);
    assert_true(edo_event_is_set(&event));
    assert_int_equal(edo_event_try_wait(&event), 0);
    assert_int_equal(edo_event_try_wait(&event), -EAGAIN);
    edo_event_set(&event);
    edo_event_reset(&event);
    assert_int_equal(edo_event_try_wait(&event), -EAGAIN);
    assert_state(&event, AUTOMATIC);
}

async_test(a_manual_one_lets_all_through, CROWD edo_op late;)
{
    edo_body {
        begin_crowd(EDO_EVENT_INIT);
        edo_event_set(&self->event);
        self->late = edo_event_wait(&self->event);
        assert_ends(&self->late, 0);
        edo_event_reset(&self->event);
        self->late = edo_event_wait(&self->event);
        assert_waits(&self->late);
        assert_ends(&self->c, 0); // admitted before the reset
        assert_ends(&self->a, 0);
        assert_ends(&self->b, 0);
        assert_cancelled(&self->late);
        assert_state(&self->event, 0);
        edo_return(0);
    }
}

async_test(an_automatic_one_lets_the_first_through, CROWD)
{
    edo_body {
        begin_crowd(EDO_AUTOMATIC_EVENT_INIT);
        edo_event_set(&self->event);
        assert_false(edo_event_is_set(&self->event)); // granted to the first waiter
        assert_int_equal(edo_event_try_wait(&self->event), -EAGAIN);
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        edo_event_set(&self->event);
        edo_event_set(&self->event);
        assert_ends(&self->c, 0);
        assert_ends(&self->b, 0);
        assert_state(&self->event, AUTOMATIC);
        edo_return(0);
    }
}

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        begin_crowd(EDO_EVENT_INIT);
        assert_cancelled(&self->b);
        assert_cancelled(&self->a);
        assert_cancelled(&self->c);
        assert_state(&self->event, 0);
        begin_crowd(EDO_AUTOMATIC_EVENT_INIT);
        assert_cancelled(&self->c);
        assert_cancelled(&self->a);
        assert_cancelled(&self->b);
        assert_state(&self->event, AUTOMATIC);
        edo_return(0);
    }
}

async_test(one_that_was_let_through_and_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        begin_crowd(EDO_AUTOMATIC_EVENT_INIT);
        edo_event_set(&self->event);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0);
        edo_event_set(&self->event);
        assert_cancelled(&self->c); // no waiter remains
        assert_state(&self->event, AUTOMATIC | SET);
        edo_return(0);
    }
}

async_test(of_a_manual_one_nothing_is_passed_on, CROWD)
{
    edo_body {
        begin_crowd(EDO_EVENT_INIT);
        edo_event_set(&self->event);
        edo_event_reset(&self->event);
        assert_cancelled(&self->a);
        assert_state(&self->event, 0);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        edo_return(0);
    }
}

async_test(a_limit_leaves_no_trace, edo_event event;)
{
    edo_body {
        int rc;
        self->event = (edo_event)EDO_EVENT_INIT;
        edo_await_for(rc, edo_ms(3), edo_event_wait(&self->event));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_state(&self->event, 0);
        edo_event_set(&self->event);
        edo_await_for(rc, 0, edo_event_wait(&self->event));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

enum { ROUNDS = 500 };

struct pair {
    edo_event here, there;
};

struct side {
    edo_frame();
    edo_args(edo_event *mine, *other; bool begins;);
    int i;
};

edo_async(side)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            if (self->begins) edo_event_set(self->other);
            edo_await(rc, edo_event_wait(self->mine));
            assert_int_equal(rc, 0);
            if (!self->begins) edo_event_set(self->other);
        }
        edo_return(0);
    }
}

static void take_turns(unsigned index, void *arg)
{
    struct pair *pair = arg;
    if (index == 0) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, side, &pair->here, &pair->there, true) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        insist(edo_wait(edo_event_wait(&pair->there)) == 0);
        edo_event_set(&pair->here);
    }
}

test(a_task_and_a_thread_in_turns)
{
    struct pair pair = { EDO_AUTOMATIC_EVENT_INIT, EDO_AUTOMATIC_EVENT_INIT };
    run_threads(2, take_turns, &pair);
    assert_state(&pair.here, AUTOMATIC);
    assert_state(&pair.there, AUTOMATIC);
}

struct ends_a_waited_one {
    edo_frame();
    edo_args();
    edo_event event;
    edo_op op;
};

edo_async(ends_a_waited_one)
{
    edo_body {
        self->event = (edo_event)EDO_EVENT_INIT;
        self->op = edo_event_wait(&self->event);
        assert_waits(&self->op);
        edo_event_deinit(&self->event);
        edo_return(0);
    }
}

static void end_a_waited_one(void *arg)
{
    (void)arg;
    in_task(ends_a_waited_one);
}

test(misuse_is_named)
{
    expect_abort(end_a_waited_one, NULL, "edo_event_deinit: waiters remain in its queue");
}

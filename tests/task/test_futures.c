/* A user's own futures: a struct that begins with an edo_future, and a poll function. */
#include "task/probe.h"

/* ---- a leaf ---- */

static struct gate static_gate;

async_test(awaited_on_wherever_it_lies, struct gate mine, *elsewhere;)
{
    edo_body {
        int64_t value;
        self->mine = gate_make();
        static_gate = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->mine, .value = 1), 0);
        edo_await_on(value, &self->mine.base);
        assert_int_equal(value, 1);
        assert_int_equal(edo_go(opener, .gate = &static_gate, .value = 2), 0);
        edo_await_on(value, &static_gate.base);
        assert_int_equal(value, 2);
        edo_return(0);
    }
}

async_test(awaited_on_again_it_answers_the_same_at_once, struct gate gate;)
{
    edo_body {
        int64_t value;
        self->gate = gate_make_open(3);
        edo_await_on(value, &self->gate.base);
        gate_open(&self->gate, 4);
        edo_await_on(value, &self->gate.base);
        assert_int_equal(value, 3);
        assert_int_equal(self->gate.polls, 1);
        edo_return(0);
    }
}

async_test(an_operation_may_be_a_member_of_the_frame, edo_op first, second; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        self->first = edo_sleep(edo_ms(1));
        self->second = edo_sleep(edo_ms(2));
        edo_await_on(rc, &self->second.base);
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(2));
        edo_await_on(rc, &self->first.base);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(its_states_are_new_waiting_done, struct gate gate;)
{
    edo_body {
        self->gate = gate_make();
        assert_int_equal(self->gate.base.state, EDO_NEW);
        assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.base.state, EDO_WAITING);
        gate_open(&self->gate, 6);
        assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_READY);
        assert_int_equal(self->gate.base.state, EDO_DONE);
        assert_int_equal(self->gate.base.result, 6);
        edo_return(0);
    }
}

async_test(a_poll_without_a_wake_changes_nothing, struct gate gate; int i;)
{
    edo_body {
        self->gate = gate_make();
        for (self->i = 0; self->i < 5; self->i++)
            assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.polls, 5);
        edo_return(0);
    }
}

/* ---- the context of a poll ---- */

/* Ready in its n-th poll; requests each poll itself. */
struct countdown {
    edo_future base;
    int left;
};

static edo_poll countdown_poll(edo_future *future, edo_cx *cx)
{
    struct countdown *countdown = (struct countdown *)(void *)future;
    if (--countdown->left > 0) {
        edo_wake(edo_cx_waker(cx));
        return EDO_PENDING;
    }
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    future->result = 0;
    return EDO_READY;
}

static const edo_future_ops countdown_ops = { .name = "countdown", .poll = countdown_poll };

async_test(it_may_wake_its_task_while_it_is_polled, struct countdown countdown;)
{
    edo_body {
        int rc;
        self->countdown = (struct countdown){ .base.ops = &countdown_ops, .left = 1000 };
        edo_await_on(rc, &self->countdown.base);
        assert_int_equal(self->countdown.left, 0);
        edo_return(rc);
    }
}

/* Ready at a moment, without an edo_sleep. */
struct alarm {
    edo_future base;
    int64_t when;
    int polls;
};

static edo_poll alarm_poll(edo_future *future, edo_cx *cx)
{
    struct alarm *alarm = (struct alarm *)(void *)future;
    alarm->polls++;
    if (edo_now() < alarm->when && edo_cx_fate(cx) == EDO_LIVE) {
        edo_cx_deadline(cx, alarm->when);
        return EDO_PENDING;
    }
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    future->result = edo_now() < alarm->when ? -ECANCELED : 0;
    return EDO_READY;
}

static const edo_future_ops alarm_ops = { .name = "alarm", .poll = alarm_poll };

async_test(it_may_ask_for_a_poll_at_a_moment, struct alarm alarm;)
{
    edo_body {
        int rc;
        self->alarm = (struct alarm){ .base.ops = &alarm_ops, .when = edo_now() + edo_s(5) };
        edo_await_on(rc, &self->alarm.base);
        assert_int_equal(edo_now(), self->alarm.when);
        assert_in_range(self->alarm.polls, 2, 4); // the wheel may fire once in between
        edo_return(rc);
    }
}

async_test(it_sees_the_fate_of_who_polls_it, struct gate gate; struct passer child;)
{
    edo_body {
        self->gate = gate_make_stubborn();
        edo_init(&self->child, passer, .gate = &self->gate);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.fate, EDO_LIVE);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.fate, EDO_CANCELLED);
        edo_abort(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.fate, EDO_ABORTED);
        gate_open(&self->gate, 9);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_READY);
        assert_int_equal(self->child.base.result, 9);
        edo_return(0);
    }
}

/* ---- a combinator ---- */

/* The sum of two futures. */
struct both {
    edo_future base;
    edo_future *first, *second;
};

static edo_poll both_poll(edo_future *future, edo_cx *cx)
{
    struct both *both = (struct both *)(void *)future;
    edo_poll first = edo_poll_future(both->first, cx);
    edo_poll second = edo_poll_future(both->second, cx);
    if (first == EDO_PENDING || second == EDO_PENDING) return EDO_PENDING;
    future->result = both->first->result + both->second->result;
    return EDO_READY;
}

static const edo_future_ops both_ops = { .name = "both", .poll = both_poll };

async_test(it_may_poll_others, struct gate a, b; struct both both;)
{
    edo_body {
        int64_t sum;
        self->a = gate_make();
        self->b = gate_make();
        self->both = (struct both){ { .ops = &both_ops }, &self->a.base, &self->b.base };
        assert_int_equal(edo_go(opener, .gate = &self->a, .value = 1, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->b, .value = 2, .after = 2), 0);
        edo_await_on(sum, &self->both.base);
        assert_int_equal(sum, 3);
        edo_return(0);
    }
}

async_test(its_cancellation_reaches_those_that_it_polls, struct gate a, b; struct both both;)
{
    edo_body {
        self->a = gate_make();
        self->b = gate_make();
        self->both = (struct both){ { .ops = &both_ops }, &self->a.base, &self->b.base };
        assert_int_equal(edo_poll_future(&self->both.base, cx), EDO_PENDING);
        edo_cancel(&self->both.base);
        assert_int_equal(edo_poll_future(&self->both.base, cx), EDO_READY);
        assert_int_equal(self->a.base.result, -ECANCELED);
        assert_int_equal(self->b.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* ---- hands off ---- */

static edo_poll inquisitive_poll(edo_future *future, edo_cx *cx)
{
    future->result = edo_current_task() && edo_current_runtime() && edo_cx_waker(cx) ? 0 : -EINVAL;
    return EDO_READY;
}

static const edo_future_ops inquisitive_ops = { .name = "inquisitive", .poll = inquisitive_poll };

async_test(it_may_ask_where_it_runs, edo_future future;)
{
    edo_body {
        int rc;
        self->future = (edo_future){ .ops = &inquisitive_ops };
        edo_await_on(rc, &self->future);
        edo_return(rc);
    }
}

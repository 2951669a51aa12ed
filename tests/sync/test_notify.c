/* Notify: one, the last, all; the permit; notifications passed on by cancelled waiters. */
#include "sync/steps.h"

#include <sched.h>

#include <edo/notify.h>

static void assert_state(const edo_notify *notify, bool permit)
{
    assert_int_equal(notify->permit, permit);
    assert_int_equal(notify->lock, 0);
    assert_null(notify->waiters);
}

#define CROWD                                                                                      \
    edo_notify notify;                                                                             \
    edo_op a, b, c;
#define begin_crowd()                                                                              \
    do {                                                                                           \
        self->notify = (edo_notify)EDO_NOTIFY_INIT;                                                \
        self->a = edo_notified(&self->notify);                                                     \
        self->b = edo_notified(&self->notify);                                                     \
        self->c = edo_notified(&self->notify);                                                     \
        assert_waits(&self->a);                                                                    \
        assert_waits(&self->b);                                                                    \
        assert_waits(&self->c);                                                                    \
    } while (0)

/* ---- the permit ---- */

test(all_zero_has_no_permit)
{
    edo_notify notify = EDO_NOTIFY_INIT, zero;
    memset(&zero, 0, sizeof zero);
    assert_memory_equal(&notify, &zero, sizeof zero);
    assert_true(sizeof notify <= 24);
    assert_int_equal(edo_try_notified(&notify), -EAGAIN);
    edo_notify_deinit(&notify);
}

test(a_notification_is_kept_but_only_one)
{
    edo_notify notify = EDO_NOTIFY_INIT;
    edo_notify_one(&notify);
    assert_int_equal(edo_try_notified(&notify), 0);
    assert_int_equal(edo_try_notified(&notify), -EAGAIN);
    edo_notify_one(&notify);
    edo_notify_last(&notify);
    edo_notify_one(&notify);
    assert_int_equal(edo_try_notified(&notify), 0);
    assert_int_equal(edo_try_notified(&notify), -EAGAIN);
    assert_state(&notify, false);
}

test(a_notification_of_all_is_not_kept)
{
    edo_notify notify = EDO_NOTIFY_INIT;
    edo_notify_waiters(&notify);
    assert_int_equal(edo_try_notified(&notify), -EAGAIN);
    edo_notify_one(&notify);
    edo_notify_waiters(&notify); // and takes none
    assert_int_equal(edo_try_notified(&notify), 0);
    assert_state(&notify, false);
}

static void notified_once(unsigned index, void *arg)
{
    (void)index;
    edo_notify_one(arg);
    insist(edo_wait(edo_notified(arg)) == 0);
}

test(a_plain_thread_waits_by_edo_wait)
{
    edo_notify notify = EDO_NOTIFY_INIT;
    run_threads(1, notified_once, &notify);
    assert_state(&notify, false);
}

async_test(a_permit_is_taken_at_once, edo_notify notify; edo_op a, b;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        edo_notify_one(&self->notify);
        self->a = edo_notified(&self->notify);
        self->b = edo_notified(&self->notify);
        assert_state(&self->notify, true); // inert
        assert_ends(&self->b, 0);
        assert_waits(&self->a);
        edo_notify_one(&self->notify);
        assert_ends(&self->a, 0);
        edo_notify_one(&self->notify);
        edo_await_notified(rc, &self->notify);
        assert_int_equal(rc, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* ---- one, the last ---- */

async_test(one_is_the_first_that_waits, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        assert_waits(&self->b);
        assert_waits(&self->c);
        assert_ends(&self->a, 0);
        edo_notify_one(&self->notify);
        assert_waits(&self->c);
        assert_ends(&self->b, 0);
        edo_notify_one(&self->notify);
        assert_ends(&self->c, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(the_last_is_the_last_that_came, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_last(&self->notify);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_ends(&self->c, 0);
        edo_notify_last(&self->notify);
        assert_waits(&self->a);
        assert_ends(&self->b, 0);
        edo_notify_last(&self->notify);
        assert_ends(&self->a, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(two_notifications_before_any_runs_reach_two, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        edo_notify_one(&self->notify);
        assert_ends(&self->b, 0);
        assert_ends(&self->a, 0);
        assert_waits(&self->c);
        edo_notify_last(&self->notify);
        edo_notify_one(&self->notify); // no waiter: stored
        assert_ends(&self->c, 0);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(a_new_waiter_does_not_take_what_another_was_given, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        edo_notify_one(&self->notify);
        edo_notify_one(&self->notify);
        assert_int_equal(edo_try_notified(&self->notify), -EAGAIN);
        self->late = edo_notified(&self->notify);
        assert_waits(&self->late);
        assert_ends(&self->a, 0);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_cancelled(&self->late);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* ---- all ---- */

async_test(all_that_wait_are_notified, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_waiters(&self->notify);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_ends(&self->a, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(all_that_were_made_before_are_notified_and_none_after,
    edo_notify notify;
    edo_op early, later;)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->early = edo_notified(&self->notify); // not polled
        edo_notify_waiters(&self->notify);
        self->later = edo_notified(&self->notify);
        assert_waits(&self->later);
        assert_ends(&self->early, 0);
        assert_waits(&self->later);
        edo_notify_waiters(&self->notify);
        assert_ends(&self->later, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(one_that_was_reached_by_all_leaves_the_permit, edo_notify notify; edo_op early;)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->early = edo_notified(&self->notify);
        edo_notify_waiters(&self->notify);
        edo_notify_one(&self->notify);
        assert_ends(&self->early, 0);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(one_that_waits_again_is_not_reached_twice, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_waiters(&self->notify);
        assert_ends(&self->a, 0);
        self->a = edo_notified(&self->notify);
        assert_waits(&self->a);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_waits(&self->a);
        assert_cancelled(&self->a);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

enum { AGAIN = 100 };

struct again {
    edo_frame();
    edo_args(edo_notify *notify; unsigned *count;);
};

edo_async(again)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_notified(self->notify));
            if (rc < 0) edo_return(rc);
            edo_add_relaxed(self->count, 1);
        }
    }
}

async_test(a_hundred_that_wait_again_are_woken_once_each,
    edo_notify notify;
    edo_scope scope;
    unsigned count;
    int i;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->count = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_IGNORE);
        for (int i = 0; i < AGAIN; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, again, &self->notify, &self->count), 0);
        edo_await(rc, edo_sleep(1)); // all wait
        for (self->i = 1; self->i <= 10; self->i++) {
            edo_notify_waiters(&self->notify);
            edo_await(rc, edo_sleep(1));
            assert_int_equal(edo_load_relaxed(&self->count), AGAIN * (unsigned)self->i);
        }
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->b);
        assert_cancelled(&self->a);
        assert_cancelled(&self->c);
        assert_state(&self->notify, false);
        edo_notify_one(&self->notify);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(a_chosen_one_that_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0);
        assert_waits(&self->c);
        assert_cancelled(&self->c);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(the_last_one_passes_it_to_the_last_of_the_others, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_last(&self->notify);
        assert_cancelled(&self->c);
        assert_waits(&self->a);
        assert_ends(&self->b, 0);
        edo_notify_last(&self->notify);
        assert_cancelled(&self->a);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(a_chosen_one_that_is_cancelled_leaves_the_permit, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        edo_notify_one(&self->notify);
        assert_int_equal(edo_try_notified(&self->notify), -EAGAIN);
        assert_cancelled(&self->a);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(one_that_all_reached_passes_nothing_on, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        edo_notify_waiters(&self->notify);
        self->late = edo_notified(&self->notify);
        assert_waits(&self->late);
        assert_cancelled(&self->a);
        assert_waits(&self->late);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_cancelled(&self->late);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(one_that_was_never_polled_takes_nothing_along, edo_notify notify; edo_op op;)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->op = edo_notified(&self->notify);
        edo_notify_one(&self->notify);
        assert_cancelled(&self->op);
        assert_state(&self->notify, true);
        self->op = edo_notified(&self->notify);
        spend_budget();
        assert_waits(&self->op); // without budget: not a waiter
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(a_limit_leaves_no_trace_in_the_queue, edo_notify notify; edo_limit limit;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        edo_await_for(rc, edo_ms(5), edo_notified(&self->notify));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_state(&self->notify, false);
        edo_notify_one(&self->notify);
        edo_await_for(rc, 0, edo_notified(&self->notify));
        assert_int_equal(rc, 0);
        edo_notify_one(&self->notify);
        edo_within(&self->limit, edo_ms(5)) {
            edo_await_void(edo_sleep(edo_ms(9)));
            edo_await_notified(rc, &self->notify);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

struct late {
    edo_frame();
    edo_args(edo_notify *notify; bool spends;);
};

edo_async(late)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        if (self->spends) spend_budget();
        edo_await_notified(rc, self->notify);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_notified(self->notify));
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_await_notified(rc, self->notify);
        edo_return(rc);
    }
}

async_test(in_a_cancelled_function_nothing_is_taken, edo_notify notify; edo_task *task; int i;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        for (self->i = 0; self->i < 2; self->i++) {
            edo_notify_one(&self->notify);
            assert_int_equal(edo_spawn(&self->task, late, &self->notify, self->i), 0);
            edo_await(rc, settle());
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* ---- more of the rules ---- */

test(two_of_them_are_apart)
{
    edo_notify first = EDO_NOTIFY_INIT, second = EDO_NOTIFY_INIT;
    edo_notify_one(&first);
    edo_notify_waiters(&second);
    assert_int_equal(edo_try_notified(&second), -EAGAIN);
    assert_int_equal(edo_try_notified(&first), 0);
    assert_state(&first, false);
    assert_state(&second, false);
}

async_test(the_first_and_the_last_leave_the_middle, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        edo_notify_last(&self->notify);
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        assert_ends(&self->c, 0);
        assert_waits(&self->b);
        assert_cancelled(&self->b);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(a_cancelled_one_in_the_middle_keeps_the_order_of_the_others, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->b);
        edo_notify_one(&self->notify);
        assert_waits(&self->c);
        edo_notify_one(&self->notify);
        assert_ends(&self->c, 0);
        assert_ends(&self->a, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(a_notification_stays_with_its_waiter_until_it_runs, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        edo_notify_one(&self->notify); // a has its own: this one is kept
        edo_notify_waiters(&self->notify);
        assert_state(&self->notify, true);
        assert_ends(&self->a, 0);
        assert_state(&self->notify, true);
        edo_return(0);
    }
}

async_test(what_was_passed_on_is_passed_on_again, CROWD)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        assert_cancelled(&self->a);
        assert_cancelled(&self->b);
        assert_ends(&self->c, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* A waiter that was chosen before the notification of all still passes its own one on. */
async_test(one_that_was_chosen_before_all_passes_its_own_on, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        edo_notify_one(&self->notify);
        edo_notify_waiters(&self->notify);
        self->late = edo_notified(&self->notify);
        assert_waits(&self->late);
        assert_cancelled(&self->a);
        assert_ends(&self->late, 0);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* Two were chosen, both are cancelled, and one permit is kept. */
async_test(two_that_are_passed_to_nobody_are_one_permit, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->c);
        edo_notify_one(&self->notify);
        edo_notify_one(&self->notify);
        assert_cancelled(&self->a);
        assert_cancelled(&self->b);
        assert_int_equal(edo_try_notified(&self->notify), 0);
        assert_int_equal(edo_try_notified(&self->notify), -EAGAIN);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(all_that_were_notified_before_it_was_made_are_nothing_to_it, edo_notify notify; edo_op op;)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        for (int i = 0; i < 1000; i++)
            edo_notify_waiters(&self->notify);
        self->op = edo_notified(&self->notify);
        assert_waits(&self->op);
        edo_notify_one(&self->notify);
        assert_ends(&self->op, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

/* All, while it has no budget: it takes no part, and is notified all the same. */
async_test(all_reach_one_that_had_no_budget, edo_notify notify; edo_op op;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->op = edo_notified(&self->notify);
        spend_budget();
        assert_waits(&self->op);
        edo_notify_waiters(&self->notify);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, 0);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

async_test(a_select_takes_one_permit_of_two,
    edo_notify first, second;
    edo_op a, b;
    int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 20; self->round++) {
            self->first = self->second = (edo_notify)EDO_NOTIFY_INIT;
            edo_notify_one(&self->first);
            edo_notify_one(&self->second);
            self->a = edo_notified(&self->first);
            self->b = edo_notified(&self->second);
            edo_select(rc, &self->a.base, &self->b.base);
            assert_state(&self->first, rc == 1);
            assert_state(&self->second, rc == 0);
        }
        edo_return(0);
    }
}

enum { CROWDED = 50 };

allocator_fixture()
    async_test(waiters_need_no_memory_and_half_of_them_are_reached_by_half,
    edo_notify notify;
    edo_op ops[CROWDED];
    uint64_t calls;)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->calls = test_allocator_calls();
        test_allocator_fail_from(1);
        for (int i = 0; i < CROWDED; i++) {
            self->ops[i] = edo_notified(&self->notify);
            assert_waits(&self->ops[i]);
        }
        for (int i = 0; i < CROWDED / 2; i++)
            edo_notify_one(&self->notify);
        for (int i = CROWDED / 2; i < CROWDED; i++)
            assert_waits(&self->ops[i]);
        edo_notify_waiters(&self->notify);
        for (int i = 0; i < CROWDED; i++)
            assert_ends(&self->ops[i], 0);
        test_allocator_fail_from(0);
        assert_int_equal(test_allocator_calls(), self->calls);
        assert_state(&self->notify, false);
        edo_return(0);
    }
}

struct made {
    edo_notify notify;
    unsigned count; // operations that were made
    int value;      // written before the notification
};

static void wait_or_notify_all(unsigned index, void *arg)
{
    struct made *made = arg;
    if (index == 0) {
        while (edo_load_relaxed(&made->count) < 3)
            sched_yield();
        made->value = 5;
        edo_notify_waiters(&made->notify);
        return;
    }
    edo_op op = edo_notified(&made->notify);
    edo_add_relaxed(&made->count, 1);
    insist(edo_wait_on(&op.base) == 0);
    insist(made->value == 5);
}

/* However far each has come: it was made before. */
test(all_plain_threads_that_have_made_one_are_notified)
{
    for (int i = 0; i < 100; i++) {
        struct made made = { .notify = EDO_NOTIFY_INIT };
        run_threads(4, wait_or_notify_all, &made);
        assert_state(&made.notify, false);
    }
}

static void hand_over(unsigned index, void *arg)
{
    struct made *made = arg;
    if (index == 0) {
        made->value = 7;
        edo_notify_last(&made->notify);
    } else {
        insist(edo_wait(edo_notified(&made->notify)) == 0);
        insist(made->value == 7);
    }
}

test(what_came_before_a_notification_is_seen_behind_it)
{
    for (int i = 0; i < 200; i++) {
        struct made made = { .notify = EDO_NOTIFY_INIT };
        run_threads(2, hand_over, &made);
        assert_state(&made.notify, false);
    }
}

/* ---- all orders of a few steps, against a model ---- */

enum { OPS = 2, STEPS = 6 };

/* Steps of each operation: DROP, POLL; both make the operation if there is none. */
enum { DROP, POLL, PER_OP, ONE = PER_OP * OPS, LAST, ALL, ACTIONS };
enum { ORDERS = ACTIONS * ACTIONS * ACTIONS * ACTIONS * ACTIONS * ACTIONS };

/* State of an operation of the model. */
struct expected {
    enum { NONE, MADE, QUEUED, CHOSEN, REACHED } state;
    bool by_last;
    unsigned place; // in the queue
};

struct orders {
    edo_frame();
    edo_args();
    edo_notify notify;
    edo_op ops[OPS];
    struct expected expected[OPS];
    bool permit;
    unsigned places, code;
};

static struct expected *pick(struct orders *self, bool last)
{
    struct expected *best = NULL;
    for (int i = 0; i < OPS; i++) {
        struct expected *e = &self->expected[i];
        if (e->state != QUEUED) continue;
        if (!best || (e->place > best->place) == last) best = e;
    }
    return best;
}

static void expect_one(struct orders *self, bool last)
{
    struct expected *e = pick(self, last);
    if (!e) {
        self->permit = true;
        return;
    }
    e->state = CHOSEN;
    e->by_last = last;
}

static void expect_poll(struct orders *self, int i, edo_cx *cx)
{
    struct expected *e = &self->expected[i];
    bool takes = e->state == MADE && self->permit;
    if (takes) self->permit = false;
    bool ends = takes || e->state == CHOSEN || e->state == REACHED;
    assert_int_equal(step(&self->ops[i]), ends ? 0 : WAITS);
    if (ends) {
        e->state = NONE;
    } else if (e->state == MADE) {
        e->state = QUEUED;
        e->place = ++self->places;
    }
}

static void expect_drop(struct orders *self, int i, edo_cx *cx)
{
    struct expected *e = &self->expected[i];
    bool passes = e->state == CHOSEN;
    assert_int_equal(cancel(&self->ops[i]), -ECANCELED);
    e->state = NONE;
    if (passes) expect_one(self, e->by_last);
}

static void act(struct orders *self, unsigned action, edo_cx *cx)
{
    int i = (int)(action / PER_OP);
    if (action == ONE) {
        edo_notify_one(&self->notify);
        expect_one(self, false);
    } else if (action == LAST) {
        edo_notify_last(&self->notify);
        expect_one(self, true);
    } else if (action == ALL) {
        edo_notify_waiters(&self->notify);
        for (int k = 0; k < OPS; k++)
            if (self->expected[k].state == MADE || self->expected[k].state == QUEUED)
                self->expected[k].state = REACHED;
    } else if (self->expected[i].state == NONE) {
        self->ops[i] = edo_notified(&self->notify);
        self->expected[i].state = MADE;
    } else if (action % PER_OP == DROP) {
        expect_drop(self, i, cx);
    } else {
        expect_poll(self, i, cx);
    }
}

static void run_order(struct orders *self, unsigned code, edo_cx *cx)
{
    self->notify = (edo_notify)EDO_NOTIFY_INIT;
    memset(self->expected, 0, sizeof self->expected);
    self->permit = false;
    self->places = 0;
    for (int i = 0; i < STEPS; i++, code /= ACTIONS)
        act(self, code % ACTIONS, cx);
    for (int i = 0; i < OPS; i++)
        if (self->expected[i].state != NONE) expect_drop(self, i, cx);
    assert_state(&self->notify, self->permit);
}

edo_async(orders)
{
    edo_body {
        for (self->code = 0; self->code < ORDERS; self->code++) {
            run_order(self, self->code, cx);
            edo_await_void(edo_yield()); // a new budget
        }
        edo_return(0);
    }
}

current_thread_only("one task takes all steps")
test(all_orders_of_six_steps)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, orders), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- many ---- */

enum { ROUNDS = 500, THREADS = 4 };

struct pair {
    edo_notify here, there;
};

struct side {
    edo_frame();
    edo_args(edo_notify *mine, *other; bool begins;);
    int i;
};

edo_async(side)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            if (self->begins) edo_notify_one(self->other);
            edo_await_notified(rc, self->mine);
            assert_int_equal(rc, 0);
            if (!self->begins) edo_notify_one(self->other);
        }
        edo_return(0);
    }
}

async_test(two_tasks_in_turns, struct pair pair; edo_scope scope;)
{
    edo_body {
        int rc;
        self->pair = (struct pair){ EDO_NOTIFY_INIT, EDO_NOTIFY_INIT };
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, side, &self->pair.here, &self->pair.there, true), 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, side, &self->pair.there, &self->pair.here, false), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_state(&self->pair.here, false);
        assert_state(&self->pair.there, false);
        edo_return(0);
    }
}

/* Waits from before its test of the condition on, although it goes on after the test. */
struct registers {
    edo_frame();
    edo_args(edo_notify *notify; edo_barrier *tested;);
    edo_op notified, now;
};

edo_async(registers)
{
    edo_body {
        int rc, which;
        self->notified = edo_notified(self->notify);
        self->now = edo_sleep(0);
        edo_any(which, &self->notified.base, &self->now.base);
        assert_int_equal(which, 1);
        edo_await(rc, edo_barrier_wait(self->tested)); // the condition does not hold
        assert_true(rc >= 0);
        edo_await_on(rc, &self->notified.base);
        edo_return(rc);
    }
}

async_test(one_that_waits_before_its_test_misses_none_of_two, edo_notify notify;
           edo_barrier tested; edo_scope scope; int i;)
{
    edo_body {
        int rc;
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->tested = (edo_barrier)EDO_BARRIER_INIT(3);
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (self->i = 0; self->i < 2; self->i++) {
            rc = edo_scope_spawn(&self->scope, registers, &self->notify, &self->tested);
            assert_int_equal(rc, 0);
        }
        edo_await(rc, settle()); // so that this task comes last, and notifies before they go on
        edo_await(rc, edo_barrier_wait(&self->tested));
        assert_true(rc >= 0);
        edo_notify_one(&self->notify);
        edo_notify_one(&self->notify);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_state(&self->notify, false);
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
        insist(edo_wait(edo_notified(&pair->there)) == 0);
        edo_notify_one(&pair->here);
    }
}

test(a_task_and_a_thread_in_turns)
{
    struct pair pair = { EDO_NOTIFY_INIT, EDO_NOTIFY_INIT };
    run_threads(2, take_turns, &pair);
    assert_state(&pair.here, false);
    assert_state(&pair.there, false);
}

static void take_turns_in_runtimes(unsigned index, void *arg)
{
    struct pair *pair = arg;
    edo_notify *mine = index ? &pair->there : &pair->here;
    edo_notify *other = index ? &pair->here : &pair->there;
    edo_runtime *runtime;
    insist(create_runtime(NULL, &runtime) == 0);
    insist(edo_block_on(runtime, side, mine, other, index == 0) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

test(tasks_of_two_runtimes_in_turns)
{
    struct pair pair = { EDO_NOTIFY_INIT, EDO_NOTIFY_INIT };
    run_threads(2, take_turns_in_runtimes, &pair);
    assert_state(&pair.here, false);
    assert_state(&pair.there, false);
}

/* Tokens: each is taken by one waiter, also when most waiters are cancelled. */
struct tokens {
    edo_notify notify;
    int made, taken;
};

struct taker {
    edo_frame();
    edo_args(struct tokens *tokens; uint64_t seed;);
    test_random random;
};

static bool take(int *count)
{
    int left = edo_load_relaxed(count);
    while (left > 0)
        if (edo_cas_relaxed(count, &left, left - 1)) return true;
    return false;
}

edo_async(taker)
{
    edo_body {
        int rc;
        self->random = test_random_make(self->seed);
        while (edo_load_relaxed(&self->tokens->taken) < ROUNDS) {
            while (take(&self->tokens->made)) {
                if (edo_add_relaxed(&self->tokens->taken, 1) + 1 == ROUNDS)
                    edo_notify_waiters(&self->tokens->notify);
                edo_await_void(edo_yield());
            }
            edo_await_for(rc, 1 + (int64_t)test_random_below(&self->random, 3),
                          edo_notified(&self->tokens->notify));
            if (rc == 0 || rc == -ETIMEDOUT) continue;
            edo_return(rc);
        }
        edo_return(0);
    }
}

async_test(limits_at_random_lose_nothing, struct tokens tokens; edo_scope scope; int i;)
{
    edo_body {
        int rc;
        self->tokens = (struct tokens){ EDO_NOTIFY_INIT, 0, 0 };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < 4; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, taker, &self->tokens, (uint64_t)self->i),
                             0);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            edo_add_relaxed(&self->tokens.made, 1);
            edo_notify_one(&self->tokens.notify);
            edo_await(rc, edo_yield());
        }
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->tokens.taken, ROUNDS);
        assert_null(self->tokens.notify.waiters);
        edo_return(0);
    }
}

/* ---- misuse ---- */

struct ends_a_waited_one {
    edo_frame();
    edo_args();
    edo_notify notify;
    edo_op op;
};

edo_async(ends_a_waited_one)
{
    edo_body {
        self->notify = (edo_notify)EDO_NOTIFY_INIT;
        self->op = edo_notified(&self->notify);
        assert_waits(&self->op);
        edo_notify_deinit(&self->notify);
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
    expect_abort(end_a_waited_one, NULL, "edo_notify_deinit: waiters remain in its queue");
}

/* Rule 9: futures kept by edo_any() go on. */
#include "task/probe.h"

/* ---- the first ---- */

async_test(the_first_is_told_and_the_rest_are_kept, struct gate gates[3];)
{
    edo_body {
        int which;
        for (int i = 0; i < 3; i++)
            self->gates[i] = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->gates[1], .value = 5, .after = 1), 0);
        edo_any(which, &self->gates[0].base, &self->gates[1].base, &self->gates[2].base);
        assert_int_equal(which, 1);
        assert_int_equal(self->gates[1].base.result, 5);
        for (int i = 0; i < 3; i += 2) {
            assert_int_equal(self->gates[i].base.state, EDO_WAITING);
            assert_int_equal(self->gates[i].base.fate, EDO_LIVE);
        }
        gate_open(&self->gates[2], 6);
        edo_any(which, &self->gates[0].base, &self->gates[2].base);
        assert_int_equal(which, 1);
        assert_int_equal(self->gates[2].base.result, 6);
        gate_open(&self->gates[0], 7);
        edo_await_on(which, &self->gates[0].base);
        assert_int_equal(which, 7);
        edo_return(0);
    }
}

async_test(those_that_are_ready_together_have_all_ended, struct gate a, b;)
{
    edo_body {
        int which;
        self->a = gate_make_open(1);
        self->b = gate_make_open(2);
        edo_any(which, &self->a.base, &self->b.base);
        assert_in_range(which, 0, 1);
        assert_int_equal(self->a.base.result, 1);
        assert_int_equal(self->b.base.result, 2);
        assert_null(self->edo_head.kept);
        edo_return(0);
    }
}

/* ---- kept futures go on ---- */

async_test(what_is_kept_ends_while_its_function_waits_elsewhere,
    edo_callees(struct passer passer;)
    struct gate first, kept, other;
    struct passer child;
    unsigned ended;)
{
    edo_body {
        int64_t result;
        self->first = gate_make_open(0);
        self->kept = gate_make();
        self->other = gate_make();
        self->ended = 0;
        edo_init(&self->child, passer, .gate = &self->kept, .ended = &self->ended);
        edo_any(result, &self->first.base, &self->child.base);
        assert_int_equal(edo_go(opener, .gate = &self->kept, .value = 3, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->other, .value = 4, .after = 5), 0);
        edo_call(result, passer, .gate = &self->other);
        assert_int_equal(result, 4);
        assert_int_equal(self->ended, 1);
        assert_int_equal(self->child.base.result, 3);
        assert_null(self->edo_head.kept);
        edo_return(0);
    }
}

/* Two gates open while the function waits for one of them. The kept one is polled first, so it has
 * ended when the function goes on. */
struct opens_both {
    edo_frame();
    edo_args(struct gate *a, *b;);
};

edo_async(opens_both)
{
    edo_body {
        int rc;
        edo_await(rc, settle());
        gate_open(self->a, 1);
        gate_open(self->b, 2);
        edo_return(0);
    }
}

async_test(what_is_kept_is_polled_first, struct gate first, kept, awaited;)
{
    edo_body {
        int64_t result;
        self->first = gate_make_open(0);
        self->kept = gate_make();
        self->awaited = gate_make();
        edo_any(result, &self->first.base, &self->kept.base);
        assert_int_equal(edo_go(opens_both, .a = &self->kept, .b = &self->awaited), 0);
        edo_await_on(result, &self->awaited.base);
        assert_int_equal(result, 2);
        assert_int_equal(self->kept.base.state, EDO_DONE);
        assert_int_equal(self->kept.base.result, 1);
        edo_return(0);
    }
}

/* Kept futures with deadlines of several kinds, all before that of the awaited one. */
struct limited_sleeper {
    edo_frame();
    edo_args(int64_t limit; int64_t *ended_at;);
};

edo_async(limited_sleeper)
{
    edo_body {
        int rc;
        edo_await_for(rc, self->limit, edo_sleep(edo_s(60)));
        *self->ended_at = edo_now();
        edo_return(rc);
    }
}

async_test(limits_of_what_is_kept_fire,
    struct gate first;
    struct limited_sleeper limited;
    edo_op sleep;
    int64_t start, ended_at;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        self->first = gate_make_open(0);
        self->sleep = edo_sleep(edo_ms(20));
        edo_init(&self->limited, limited_sleeper, .limit = edo_ms(10), .ended_at = &self->ended_at);
        edo_any(rc, &self->first.base, &self->limited.base, &self->sleep.base);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(edo_ms(50)));
        assert_int_equal(self->limited.base.result, -ETIMEDOUT);
        assert_int_equal(self->ended_at - self->start, edo_ms(10));
        assert_int_equal(self->sleep.base.state, EDO_DONE);
        assert_int_equal(self->sleep.base.result, 0);
        edo_return(0);
    }
}

async_test(a_loop_keeps_a_branch_with_a_limit,
    struct limited_sleeper limited;
    edo_op tick;
    int64_t start, ended_at;
    int ticks;)
{
    edo_body {
        int which;
        self->start = edo_now();
        self->ticks = 0;
        edo_init(&self->limited, limited_sleeper, .limit = edo_ms(35), .ended_at = &self->ended_at);
        for (;;) {
            self->tick = edo_sleep(edo_ms(10));
            edo_any(which, &self->limited.base, &self->tick.base);
            if (which == 0) break;
            self->ticks++;
        }
        assert_int_equal(self->ticks, 3);
        assert_int_equal(self->limited.base.result, -ETIMEDOUT);
        assert_int_equal(self->ended_at - self->start, edo_ms(35));
        edo_return(0);
    }
}

/* ---- awaiting a kept future ---- */

async_test(what_is_kept_may_be_awaited_again, struct gate first, a, b, c; int64_t start;)
{
    edo_body {
        int64_t result;
        self->first = gate_make_open(0);
        self->a = gate_make();
        self->b = gate_make();
        self->c = gate_make();
        edo_any(result, &self->first.base, &self->a.base, &self->b.base, &self->c.base);
        assert_int_equal(edo_go(opener, .gate = &self->b, .value = 2, .after = 1), 0);
        edo_await_on(result, &self->b.base); // from the middle of the list
        assert_int_equal(result, 2);
        edo_await_on(result, &self->b.base); // no longer kept
        assert_int_equal(result, 2);
        gate_open(&self->c, 3);
        edo_all(&self->c.base);
        assert_int_equal(self->c.base.result, 3);
        self->first = gate_make_open(0);
        edo_select_biased(result, &self->first.base, &self->a.base);
        assert_int_equal(self->a.base.result, -ECANCELED);
        assert_null(self->edo_head.kept);
        edo_return(0);
    }
}

async_test(what_ended_meanwhile_wins_at_once, struct gate first, kept, never;)
{
    edo_body {
        int64_t result;
        self->first = gate_make_open(0);
        self->kept = gate_make();
        self->never = gate_make();
        edo_any(result, &self->first.base, &self->kept.base);
        gate_open(&self->kept, 5);
        edo_await(result, settle());
        assert_int_equal(self->kept.base.state, EDO_DONE);
        edo_any(result, &self->never.base, &self->kept.base);
        assert_int_equal(result, 1);
        assert_int_equal(self->kept.base.result, 5);
        edo_return(0);
    }
}

async_test(what_is_kept_may_be_cancelled, struct gate first, kept;)
{
    edo_body {
        int rc;
        self->first = gate_make_open(0);
        self->kept = gate_make();
        edo_any(rc, &self->first.base, &self->kept.base);
        edo_cancel(&self->kept.base);
        edo_await(rc, settle());
        assert_int_equal(rc, 0);
        assert_int_equal(self->kept.base.state, EDO_DONE);
        assert_int_equal(self->kept.base.result, -ECANCELED);
        edo_return(0);
    }
}

struct thief {
    edo_frame();
    edo_args(edo_future *future;);
};

edo_async(thief)
{
    edo_body {
        int64_t result;
        edo_await_on(result, self->future);
        edo_return(result);
    }
}

struct gives_away_what_it_keeps {
    edo_frame(struct thief thief;);
    edo_args();
    struct gate first, kept;
};

edo_async(gives_away_what_it_keeps)
{
    edo_body {
        int64_t result;
        self->first = gate_make_open(0);
        self->kept = gate_make();
        edo_any(result, &self->first.base, &self->kept.base);
        edo_call(result, thief, .future = &self->kept.base);
        edo_return(result);
    }
}

static void run_thief(void *arg)
{
    (void)arg;
    edo_run(gives_away_what_it_keeps);
}

test(what_another_function_keeps_aborts)
{
    expect_abort(run_thief, NULL, "gate: kept by the edo_any of another function");
}

/* ---- cancellation ---- */

struct keeps_and_waits {
    edo_frame();
    edo_args(struct gate *kept; bool shield;);
    struct gate first;
};

edo_async(keeps_and_waits)
{
    edo_body {
        int rc;
        self->first = gate_make_open(0);
        edo_any(rc, &self->first.base, &self->kept->base);
        if (self->shield) edo_shield();
        edo_await(rc, edo_sleep(edo_s(1)));
        edo_return(rc);
    }
}

/* ---- kept futures that are overwritten, copied or moved ---- */

enum harm {
    ANEW,
    ANEW_AND_WAITS,
    ANEW_AND_RETURNS,
    ANEW_FUNCTION,
    COPY,
    COPY_FUNCTION,
    MOVE,
    HARMS
};

struct harms_what_it_keeps {
    edo_frame();
    edo_args(enum harm harm;);
    struct gate first, gate;
    edo_op kept, copy;
    struct passer function, moved;
};

edo_async(harms_what_it_keeps)
{
    edo_body {
        int rc;
        self->first = gate_make_open(0);
        self->gate = gate_make();
        self->kept = edo_sleep(edo_s(1));
        edo_init(&self->function, passer, .gate = &self->gate);
        edo_any(rc, &self->first.base, &self->kept.base, &self->function.base);
        self->first = gate_make_open(0);
        if (self->harm < ANEW_FUNCTION) self->kept = edo_sleep(edo_s(1));
        if (self->harm == ANEW) edo_any(rc, &self->first.base, &self->kept.base);
        if (self->harm == ANEW_AND_RETURNS) edo_return(0);
        if (self->harm == ANEW_FUNCTION) {
            edo_init(&self->function, passer, .gate = &self->gate);
            edo_select(rc, &self->function.base, &self->first.base);
        }
        self->copy = self->kept;
        self->moved = self->function;
        if (self->harm == COPY) edo_await_on(rc, &self->copy.base);
        if (self->harm == COPY_FUNCTION) edo_any(rc, &self->first.base, &self->moved.base);
        memset(&self->first, 0, sizeof self->first);
        self->kept = self->copy;
        if (self->harm == MOVE) memmove(&self->kept, &self->function, sizeof self->kept);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
}

static void run_harm(void *arg)
{
    edo_run(harms_what_it_keeps, .harm = *(enum harm *)arg);
}

test(what_is_kept_must_stay_what_and_where_it_is)
{
    static const char *const lines[HARMS] = {
        [ANEW] = "^edo: edo_sleep: rebuilt while edo_any keeps .*harms_what_it_keeps' at",
        [ANEW_AND_WAITS] = "^edo: edo_sleep: rebuilt while edo_any keeps ",
        [ANEW_AND_RETURNS] = "^edo: edo_sleep: rebuilt while edo_any keeps ",
        [ANEW_FUNCTION] = "^edo: passer: rebuilt while edo_any keeps ",
        [COPY] = "^edo: edo_sleep: moved or copied while edo_any kept it .*at ",
        [COPY_FUNCTION] = "^edo: passer: moved or copied while edo_any kept it ",
        [MOVE] = "^edo: passer: moved or copied while edo_any kept it ",
    };
    for (enum harm harm = 0; harm < HARMS; harm++)
        expect_abort(run_harm, &harm, lines[harm]);
}

async_test(what_is_kept_sees_the_cancellation, struct gate kept; struct keeps_and_waits child;)
{
    edo_body {
        self->kept = gate_make();
        edo_init(&self->child, keeps_and_waits, .kept = &self->kept);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, -ECANCELED);
        assert_int_equal(self->kept.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* A kept future that was polled before the shield is not covered. */
async_test(a_shield_does_not_cover_what_is_kept, struct gate kept; struct keeps_and_waits child;)
{
    edo_body {
        self->kept = gate_make();
        edo_init(&self->child, keeps_and_waits, .kept = &self->kept, .shield = true);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->kept.base.result, -ECANCELED);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, 0);
        edo_return(0);
    }
}

struct chooses_any {
    edo_frame();
    edo_args(edo_future *a, *b;);
};

edo_async(chooses_any)
{
    edo_body {
        int which;
        edo_any(which, self->a, self->b);
        edo_return(which);
    }
}

async_test(cancelled_with_all_it_answers_so, struct gate a, b, stubborn; struct chooses_any child;)
{
    edo_body {
        self->a = gate_make();
        self->b = gate_make();
        edo_init(&self->child, chooses_any, .a = &self->a.base, .b = &self->b.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, -ECANCELED);
        self->a = gate_make();
        self->stubborn = gate_make_stubborn();
        edo_init(&self->child, chooses_any, .a = &self->a.base, .b = &self->stubborn.base);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        gate_open(&self->stubborn, 3);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, 1);
        edo_return(0);
    }
}

/* ---- the end of the function ---- */

struct returns_early {
    edo_frame();
    edo_args(edo_future *a, *b;);
    struct gate first;
};

edo_async(returns_early)
{
    edo_body {
        int which;
        self->first = gate_make_open(0);
        edo_any(which, &self->first.base, self->a, self->b);
        edo_return(77);
    }
}

async_test(what_is_kept_has_ended_when_its_function_has,
    edo_callees(struct returns_early returns_early;)
    struct gate kept, work, cleanup;
    struct cleaner cleaner;
    edo_task *task;
    unsigned ended;)
{
    edo_body {
        int result;
        self->kept = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->cleaner, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        assert_int_equal(edo_go(opener, .gate = &self->cleanup, .after = 4), 0);
        edo_call(result, returns_early, .a = &self->kept.base, .b = &self->cleaner.base);
        assert_int_equal(result, 77); // the function's result, although it ended later
        assert_int_equal(self->ended, 1);
        assert_int_equal(self->kept.base.result, -ECANCELED);
        assert_int_equal(self->cleaner.base.result, -ECANCELED);
        edo_return(0);
    }
}

async_test(an_abort_ends_what_a_returned_function_keeps,
    struct gate kept, work, cleanup;
    struct cleaner cleaner;
    struct returns_early child;
    unsigned ended;)
{
    edo_body {
        self->kept = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->cleaner, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        edo_init(&self->child, returns_early, .a = &self->kept.base, .b = &self->cleaner.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->child.base.state, EDO_ENDING);
        edo_cancel(&self->child.base); // no effect: already cancelled by the return
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_abort(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_READY);
        assert_int_equal(self->child.base.result, 77);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

async_test(a_task_ends_with_what_it_keeps,
    struct gate kept, work, cleanup;
    struct cleaner cleaner;
    edo_task *task;
    unsigned ended;)
{
    edo_body {
        int64_t result;
        self->kept = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->cleaner, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        assert_int_equal(
            edo_spawn(&self->task, returns_early, .a = &self->kept.base, .b = &self->cleaner.base),
            0);
        edo_await(result, settle());
        assert_false(edo_task_is_done(self->task));
        gate_open(&self->cleanup, 0);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 77);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

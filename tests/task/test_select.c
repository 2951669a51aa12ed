/* Rule 5, edo_select: one wins, the rest are cancelled and have ended when it returns. */
#include "task/probe.h"

/* ---- the winner ---- */

async_test(the_winner_is_told_by_its_position, struct gate gates[4]; int i, round;)
{
    edo_body {
        int which;
        for (self->round = 0; self->round < 8; self->round++) {
            for (int k = 0; k < 4; k++)
                self->gates[k] = gate_make();
            self->i = self->round % 4;
            assert_int_equal(edo_go(opener, .gate = &self->gates[self->i], .value = 50 + self->i),
                             0);
            if (self->round < 4)
                edo_select(which, &self->gates[0].base, &self->gates[1].base, &self->gates[2].base,
                           &self->gates[3].base);
            else
                edo_select_biased(which, &self->gates[0].base, &self->gates[1].base,
                                  &self->gates[2].base, &self->gates[3].base);
            assert_int_equal(which, self->i);
            for (int k = 0; k < 4; k++) {
                assert_int_equal(self->gates[k].base.state, EDO_DONE);
                assert_int_equal(self->gates[k].base.result, k == which ? 50 + k : -ECANCELED);
            }
        }
        edo_return(0);
    }
}

async_test(a_failure_wins_as_well, struct gate a, b;)
{
    edo_body {
        int which;
        self->a = gate_make();
        self->b = gate_make_open(-EIO);
        edo_select(which, &self->a.base, &self->b.base);
        assert_int_equal(which, 1);
        assert_int_equal(self->b.base.result, -EIO);
        edo_return(0);
    }
}

/* The function was not cancelled, so a child's -ECANCELED is a result like any other. */
async_test(an_answer_of_cancelled_wins_too, struct gate a, b;)
{
    edo_body {
        int which;
        self->a = gate_make();
        self->b = gate_make_open(-ECANCELED);
        edo_select(which, &self->a.base, &self->b.base);
        assert_int_equal(which, 1);
        edo_return(0);
    }
}

async_test(a_select_of_one_is_an_await, struct gate gate;)
{
    edo_body {
        int which;
        self->gate = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->gate, .value = 2, .after = 1), 0);
        edo_select(which, &self->gate.base);
        assert_int_equal(which, 0);
        assert_int_equal(self->gate.base.result, 2);
        edo_return(0);
    }
}

async_test(the_first_of_two_deadlines_wins, edo_op late, early; int64_t start;)
{
    edo_body {
        int which;
        self->start = edo_now();
        self->late = edo_sleep(edo_ms(30));
        self->early = edo_sleep(edo_ms(10));
        edo_select(which, &self->late.base, &self->early.base);
        assert_int_equal(which, 1);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        assert_int_equal(self->late.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* ---- the losers ---- */

async_test(losers_have_ended_their_clean_up,
    struct gate signal, work, cleanup;
    struct cleaner loser;
    unsigned ended;)
{
    edo_body {
        int which;
        self->signal = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->loser, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        assert_int_equal(edo_go(opener, .gate = &self->signal, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->cleanup, .after = 5), 0);
        edo_select(which, &self->loser.base, &self->signal.base);
        assert_int_equal(which, 1);
        assert_int_equal(self->ended, 1);
        assert_int_equal(self->loser.base.state, EDO_DONE);
        assert_int_equal(self->loser.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* A loser that was cancelled too late keeps its result. */
async_test(a_loser_that_finished_anyway_shows_its_result, struct gate signal, stubborn;)
{
    edo_body {
        int which;
        self->signal = gate_make();
        self->stubborn = gate_make_stubborn();
        assert_int_equal(edo_go(opener, .gate = &self->signal, .value = 1, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->stubborn, .value = 64, .after = 4), 0);
        edo_select(which, &self->signal.base, &self->stubborn.base);
        assert_int_equal(which, 0);
        assert_int_equal(self->signal.base.result, 1);
        assert_int_equal(self->stubborn.base.result, 64);
        edo_return(0);
    }
}

/* The first winner stays the winner, whatever the losers answer. */
async_test(losers_that_finish_do_not_win, struct gate gates[3];)
{
    edo_body {
        int which;
        self->gates[0] = gate_make_stubborn();
        self->gates[1] = gate_make();
        self->gates[2] = gate_make_stubborn();
        assert_int_equal(edo_go(opener, .gate = &self->gates[1], .value = 1, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->gates[2], .value = 2, .after = 3), 0);
        assert_int_equal(edo_go(opener, .gate = &self->gates[0], .value = 0, .after = 5), 0);
        edo_select(which, &self->gates[0].base, &self->gates[1].base, &self->gates[2].base);
        assert_int_equal(which, 1);
        edo_return(0);
    }
}

/* ---- messages ---- */

async_test(of_two_messages_that_are_ready_one_is_taken,
    int first, second, round;
    struct receive a, b;)
{
    edo_body {
        int which;
        for (self->round = 0; self->round < 100; self->round++) {
            self->first = self->second = 1;
            self->a = receive_make(&self->first);
            self->b = receive_make(&self->second);
            if (self->round % 2)
                edo_select(which, &self->a.base, &self->b.base);
            else
                edo_select_biased(which, &self->a.base, &self->b.base);
            assert_int_equal(self->first, which != 0);
            assert_int_equal(self->second, which != 1);
        }
        edo_return(0);
    }
}

/* ---- functions that have not begun when another has won ---- */

struct counts_its_run {
    edo_frame();
    edo_args(int *runs;);
};

edo_async(counts_its_run)
{
    edo_body {
        int rc;
        ++*self->runs;
        edo_await(rc, edo_sleep(edo_s(1)));
        edo_return(rc);
    }
}

async_test(a_function_that_had_not_begun_runs_as_cancelled,
    struct gate open;
    struct counts_its_run child;
    int runs;
    int64_t start;)
{
    edo_body {
        int which;
        self->runs = 0;
        self->start = edo_now();
        self->open = gate_make_open(0);
        edo_init(&self->child, counts_its_run, .runs = &self->runs);
        edo_select_biased(which, &self->open.base, &self->child.base);
        assert_int_equal(which, 0);
        assert_int_equal(self->runs, 1);
        assert_int_equal(self->child.base.result, -ECANCELED);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

/* ---- the order ---- */

async_test(biased_goes_from_left_to_right, struct gate gates[3]; int round;)
{
    edo_body {
        int which;
        for (self->round = 0; self->round < 50; self->round++) {
            self->gates[0] = gate_make();
            self->gates[1] = gate_make_open(1);
            self->gates[2] = gate_make_open(2);
            edo_select_biased(which, &self->gates[0].base, &self->gates[1].base,
                              &self->gates[2].base);
            assert_int_equal(which, 1);
            self->gates[0] = gate_make_open(0);
            self->gates[1] = gate_make_open(1);
            edo_select_biased(which, &self->gates[0].base, &self->gates[1].base);
            assert_int_equal(which, 0);
        }
        edo_return(0);
    }
}

enum { CHOICES = 4, DRAWS = 4000 };

struct draw {
    edo_frame();
    edo_args(unsigned *counts; unsigned char *sequence;);
    struct gate gates[CHOICES];
    int round;
};

edo_async(draw)
{
    edo_body {
        int which;
        for (self->round = 0; self->round < DRAWS; self->round++) {
            for (int k = 0; k < CHOICES; k++)
                self->gates[k] = gate_make_open(k);
            edo_select(which, &self->gates[0].base, &self->gates[1].base, &self->gates[2].base,
                       &self->gates[3].base);
            self->counts[which]++;
            self->sequence[self->round] = (unsigned char)which;
        }
        edo_return(0);
    }
}

static void draw_with_seed(uint64_t seed, unsigned *counts, unsigned char *sequence)
{
    edo_runtime *runtime;
    memset(counts, 0, CHOICES * sizeof *counts);
    assert_int_equal(
        create_runtime(&(edo_config){ .seed = seed, .time_slice = EDO_NEVER }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, draw, .counts = counts, .sequence = sequence), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Standard deviation of a count: sqrt(4000 x 1/4 x 3/4) = 27; six of them each way. */
test(each_of_those_that_are_ready_wins_as_often)
{
    unsigned counts[CHOICES];
    unsigned char sequence[DRAWS];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        draw_with_seed(seed * 0x9e3779b97f4a7c15, counts, sequence);
        for (int i = 0; i < CHOICES; i++)
            assert_in_range(counts[i], DRAWS / CHOICES - 164, DRAWS / CHOICES + 164);
    }
}

current_thread_only("each worker draws for itself")
test(the_seed_decides_the_choices)
{
    unsigned counts[CHOICES];
    unsigned char first[DRAWS], same[DRAWS], other[DRAWS];
    draw_with_seed(12345, counts, first);
    draw_with_seed(12345, counts, same);
    draw_with_seed(54321, counts, other);
    assert_memory_equal(first, same, DRAWS);
    assert_memory_not_equal(first, other, DRAWS);
}

/* ---- under a cancelled function ---- */

struct selects {
    edo_frame();
    edo_args(edo_future *a, *b; int *which;);
};

edo_async(selects)
{
    edo_body {
        edo_select(*self->which, self->a, self->b);
        edo_return(*self->which);
    }
}

async_test(cancelled_with_all_its_children_it_answers_so,
    struct gate a, b;
    struct selects child;
    int which;)
{
    edo_body {
        self->a = gate_make();
        self->b = gate_make();
        edo_init(&self->child, selects, .a = &self->a.base, .b = &self->b.base,
                 .which = &self->which);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->which, -ECANCELED);
        assert_int_equal(self->a.base.result, -ECANCELED);
        assert_int_equal(self->b.base.result, -ECANCELED);
        edo_return(0);
    }
}

async_test(cancelled_but_for_one_that_one_wins,
    struct gate a, stubborn;
    struct selects child;
    int which, round;)
{
    edo_body {
        for (self->round = 0; self->round < 20; self->round++) {
            self->a = gate_make();
            self->stubborn = gate_make_stubborn();
            edo_init(&self->child, selects, .a = &self->a.base, .b = &self->stubborn.base,
                     .which = &self->which);
            assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
            edo_cancel(&self->child.base);
            assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
            gate_open(&self->stubborn, self->round % 2 ? 12 : -EIO);
            edo_all(&self->child.base);
            assert_int_equal(self->which, 1);
        }
        edo_return(0);
    }
}

async_test(cancelled_while_the_losers_clean_up,
    struct gate signal, work, cleanup;
    struct cleaner loser;
    struct selects child;
    unsigned ended;
    int which;)
{
    edo_body {
        self->signal = gate_make_open(3);
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->loser, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        edo_init(&self->child, selects, .a = &self->loser.base, .b = &self->signal.base,
                 .which = &self->which);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->cleanup.base.state, EDO_WAITING);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->cleanup.fate, EDO_LIVE); // held off by the shield
        gate_open(&self->cleanup, 0);
        edo_all(&self->child.base);
        assert_int_equal(self->which, 1); // the winner won before
        assert_int_equal(self->ended, 1);
        assert_int_equal(self->loser.base.result, -ECANCELED);
        edo_return(0);
    }
}

struct selects_in_clean_up {
    edo_frame();
    edo_args();
    edo_op early, late;
};

edo_async(selects_in_clean_up)
{
    edo_body {
        int which;
        edo_await(which, edo_sleep(edo_s(1))); // cancelled here
        edo_shield();
        self->early = edo_sleep(edo_ms(1));
        self->late = edo_sleep(edo_ms(2));
        edo_select(which, &self->late.base, &self->early.base);
        edo_return(which);
    }
}

async_test(behind_a_shield_it_waits_as_usual, edo_task *task;)
{
    edo_body {
        int which;
        assert_int_equal(edo_spawn(&self->task, selects_in_clean_up), 0);
        edo_await(which, settle());
        edo_task_cancel(self->task);
        edo_await(which, edo_join(self->task));
        assert_int_equal(which, 1);
        edo_return(0);
    }
}

/* ---- nested, in loops ---- */

async_test(the_cancellation_goes_through_nested_selects,
    struct gate a, b, signal;
    struct selects child;
    int which;)
{
    edo_body {
        int which;
        self->a = gate_make();
        self->b = gate_make();
        self->signal = gate_make();
        edo_init(&self->child, selects, .a = &self->a.base, .b = &self->b.base,
                 .which = &self->which);
        assert_int_equal(edo_go(opener, .gate = &self->signal, .after = 2), 0);
        edo_select(which, &self->signal.base, &self->child.base);
        assert_int_equal(which, 0);
        assert_int_equal(self->which, -ECANCELED);
        edo_return(0);
    }
}

async_test(a_select_in_a_loop_builds_its_children_anew, edo_op tick, end; int ticks; int64_t until;)
{
    edo_body {
        int which;
        self->until = edo_now() + edo_ms(105);
        self->ticks = 0;
        for (;;) {
            self->tick = edo_sleep(edo_ms(10));
            self->end = edo_sleep_until(self->until);
            edo_select(which, &self->tick.base, &self->end.base);
            if (which == 1) break;
            self->ticks++;
        }
        assert_int_equal(self->ticks, 10);
        assert_int_equal(edo_now(), self->until);
        edo_return(0);
    }
}

/* Rule 4: awaits work anywhere in a body, and resume where they waited. Every await here is pending
 * at least once, so the body is left and entered again there. */
#include "support/far.h"
#include "task/probe.h"

/* Waits, then answers its argument. */
struct give {
    edo_frame();
    edo_args(int value;);
};

edo_async(give)
{
    edo_body {
        int rc;
        edo_await(rc, settle());
        edo_return(self->value);
    }
}

/* ---- switch ---- */

struct in_a_switch {
    edo_frame(struct give give;);
    edo_args(int which;);
    int path;
};

edo_async(in_a_switch)
{
    edo_body {
        int value;
        self->path = 0;
        switch (self->which) {
        case 0:
            edo_call(value, give, .value = 1);
            self->path = self->path * 10 + value;
            break;
        case 1:
            edo_call(value, give, .value = 2);
            self->path = self->path * 10 + value;
            __attribute__((fallthrough));
        case 2:
            edo_call(value, give, .value = 3);
            self->path = self->path * 10 + value;
            switch (value) {
            case 3:
                edo_call(value, give, .value = 4);
                self->path = self->path * 10 + value;
                break;
            default: edo_return(-EPROTO);
            }
            break;
        default: edo_call(value, give, .value = 9); edo_return(value);
        }
        edo_return(self->path);
    }
}

async_test(an_await_stands_in_a_switch, edo_callees(struct in_a_switch in_a_switch;))
{
    edo_body {
        int path;
        edo_call(path, in_a_switch, .which = 0);
        assert_int_equal(path, 1);
        edo_call(path, in_a_switch, .which = 1);
        assert_int_equal(path, 234);
        edo_call(path, in_a_switch, .which = 2);
        assert_int_equal(path, 34);
        edo_call(path, in_a_switch, .which = 3);
        assert_int_equal(path, 9);
        edo_return(0);
    }
}

/* A switch that jumps into the middle of a loop (Duff's device). */
async_test(a_switch_jumps_into_a_loop_of_awaits, edo_callees(struct give give;) int left, sum;)
{
    edo_body {
        int value;
        self->sum = 0;
        self->left = 7;
        switch (self->left % 3) {
            do {
            case 0:
                edo_call(value, give, .value = 1);
                self->sum += value;
                __attribute__((fallthrough));
            case 2:
                edo_call(value, give, .value = 1);
                self->sum += value;
                __attribute__((fallthrough));
            case 1:
                edo_call(value, give, .value = 1);
                self->sum += value;
                self->left -= 3;
            } while (self->left > 0);
        }
        assert_int_equal(self->sum, 7);
        edo_return(0);
    }
}

/* ---- loops ---- */

async_test(awaits_stand_in_nested_loops, edo_callees(struct give give;) int i, j, sum;)
{
    edo_body {
        int value;
        self->sum = 0;
        for (self->i = 0; self->i < 10; self->i++) {
            self->j = 0;
            while (true) {
                if (++self->j > self->i) break;
                edo_call(value, give, .value = self->j);
                if (value % 2) continue;
                self->sum += value;
            }
            edo_call(value, give, .value = 100);
            self->sum += value;
        }
        assert_int_equal(self->sum, 1000 + 2 * 8 + 4 * 6 + 6 * 4 + 8 * 2);
        edo_return(0);
    }
}

async_test(an_await_stands_in_a_do_while, edo_callees(struct give give;) int count;)
{
    edo_body {
        int value;
        self->count = 0;
        do
            edo_call(value, give, .value = ++self->count);
        while (value < 5);
        assert_int_equal(self->count, 5);
        edo_return(0);
    }
}

async_test(a_goto_leads_across_awaits, edo_callees(struct give give;) int rounds;)
{
    edo_body {
        int value;
        self->rounds = 0;
again:
        edo_call(value, give, .value = ++self->rounds);
        if (value < 3) goto again;
        if (value == 3) goto out;
        edo_return(-EPROTO);
out:
        edo_call(value, give, .value = 0);
        assert_int_equal(self->rounds, 3);
        edo_return(value);
    }
}

/* ---- short forms ---- */

async_test(an_await_is_one_statement, edo_callees(struct give give;) int i;)
{
    edo_body {
        int value;
        for (self->i = 0; self->i < 3; self->i++) {
            if (self->i == 0)
                edo_call(value, give, .value = 10);
            else if (self->i == 1)
                edo_await(value, settle());
            else
                edo_call(value, give, .value = 12);
            assert_int_equal(value, self->i == 1 ? 0 : 10 + self->i);
        }
        edo_return(0);
    }
}

#define CALL_AND_ADD(n)                                                                            \
    edo_call(value, give, .value = (n));                                                           \
    self->sum += value;

async_test(several_awaits_stand_on_one_line, edo_callees(struct give give;) int sum;)
{
    edo_body {
        int value;
        self->sum = 0;
        // clang-format off
        edo_call(value, give, .value = 1); self->sum += value; edo_call(value, give, .value = 2);
        // clang-format on
        self->sum += value;
        CALL_AND_ADD(3) CALL_AND_ADD(4) CALL_AND_ADD(5) assert_int_equal(self->sum, 15);
        edo_return(0);
    }
}

#define STEP     CALL_AND_ADD(1)
#define TEN      STEP STEP STEP STEP STEP STEP STEP STEP STEP STEP
#define HUNDRED  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

async_test(a_body_has_a_thousand_awaits, edo_callees(struct give give;) int sum;)
{
    edo_body {
        int value;
        self->sum = 0;
        THOUSAND
        assert_int_equal(self->sum, 1000);
        edo_return(0);
    }
}

async_test(results_go_to_any_place,
    edo_callees(struct give give;)
    int array[4], i;
    struct { int64_t member;
    } inner;)
{
    edo_body {
        for (self->i = 0; self->i < 4; self->i++)
            edo_call(self->array[self->i], give, .value = self->i * self->i);
        assert_int_equal(self->array[3], 9);
        edo_call(self->inner.member, give, .value = 5);
        assert_int_equal(self->inner.member, 5);
        edo_return(0);
    }
}

/* Several calls of one function at once: each has its own place in the body. */
async_test(each_frame_has_its_own_place_in_the_body, struct in_a_switch calls[4]; int i;)
{
    edo_body {
        for (int i = 0; i < 4; i++)
            edo_init(&self->calls[i], in_a_switch, .which = i);
        edo_all(&self->calls[0].base, &self->calls[1].base, &self->calls[2].base,
                &self->calls[3].base);
        assert_int_equal(self->calls[0].base.result, 1);
        assert_int_equal(self->calls[1].base.result, 234);
        assert_int_equal(self->calls[2].base.result, 34);
        assert_int_equal(self->calls[3].base.result, 9);
        edo_return(0);
    }
}

/* ---- across files ---- */

async_test(a_function_is_called_from_another_file,
    edo_callees(struct far_sum far_sum;)
    struct far_sum child;
    edo_task *task;)
{
    edo_body {
        int sum;
        edo_call(sum, far_sum, .first = 1, .second = 2);
        assert_int_equal(sum, 3);
        edo_call_boxed(sum, far_sum, .first = 3, .second = 4);
        assert_int_equal(sum, 7);
        edo_init(&self->child, far_sum, .first = 5);
        edo_await_on(sum, &self->child.base);
        assert_int_equal(sum, 5);
        assert_int_equal(edo_spawn(&self->task, far_sum, .second = 6), 0);
        edo_await(sum, edo_join(self->task));
        assert_int_equal(sum, 6);
        edo_return(0);
    }
}

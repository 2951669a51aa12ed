/* edo_all_of() and its variants: arrays of frames or operations. */
#include "task/probe.h"

#include <stdlib.h>

enum { MANY = 20 };

async_test(all_of_an_array_end, struct member members[MANY]; int64_t start; int count;)
{
    edo_body {
        for (self->count = 0; self->count <= MANY; self->count++) {
            self->start = edo_now();
            for (int i = 0; i < self->count; i++)
                edo_init(&self->members[i], member, .duration = edo_ms(i), .answer = i);
            edo_all_of(self->members, (size_t)self->count);
            for (int i = 0; i < self->count; i++)
                assert_int_equal(self->members[i].base.result, i);
            assert_int_equal(edo_now() - self->start, edo_ms(self->count ? self->count - 1 : 0));
        }
        edo_return(0);
    }
}

async_test(the_first_failure_ends_the_rest,
    struct member *members; // on the heap as well
    int i;)
{
    edo_body {
        int rc;
        self->members = malloc(MANY * sizeof *self->members);
        assert_non_null(self->members);
        for (int i = 0; i < MANY; i++)
            edo_init(&self->members[i], member, .duration = edo_ms(10 + abs(7 - i)),
                     .answer = -100 - i);
        edo_try_all_of(rc, self->members, MANY);
        assert_int_equal(rc, -107);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(self->members[i].base.result, i == 7 ? -107 : -ECANCELED);
        free(self->members);
        edo_try_all_of(rc, self->members, 0);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(the_first_of_an_array_wins, edo_op sleeps[MANY]; int first;)
{
    edo_body {
        int which;
        for (self->first = 0; self->first < MANY; self->first++) {
            for (int i = 0; i < MANY; i++)
                self->sleeps[i] = edo_sleep(edo_ms(10 + abs(self->first - i)));
            if (self->first % 2)
                edo_select_of(which, self->sleeps, MANY);
            else
                edo_select_biased_of(which, self->sleeps, MANY);
            assert_int_equal(which, self->first);
            for (int i = 0; i < MANY; i++)
                assert_int_equal(self->sleeps[i].base.result, i == which ? 0 : -ECANCELED);
        }
        edo_select_of(which, self->sleeps, 0);
        assert_int_equal(which, -EINVAL);
        edo_select_biased_of(which, self->sleeps, 0);
        assert_int_equal(which, -EINVAL);
        edo_any_of(which, self->sleeps, 0);
        assert_int_equal(which, -EINVAL);
        edo_return(0);
    }
}

/* Each round waits for the remaining ones: the last replaces the winner. */
async_test(any_of_an_array_keeps_the_rest, edo_op sleeps[4]; int64_t start; int round;)
{
    edo_body {
        int which;
        self->start = edo_now();
        for (int i = 0; i < 4; i++)
            self->sleeps[i] = edo_sleep(edo_ms(40 - 10 * i));
        for (self->round = 1; self->round <= 4; self->round++) {
            edo_any_of(which, self->sleeps, (size_t)(5 - self->round));
            assert_int_equal(which, 4 - self->round);
            assert_int_equal(edo_now() - self->start, edo_ms(10 * self->round));
        }
        assert_null(self->edo_head.kept);
        edo_return(0);
    }
}

struct waits_for_an_array {
    edo_frame();
    edo_args(int how; unsigned *ended;);
    struct member members[MANY];
};

edo_async(waits_for_an_array)
{
    edo_body {
        int rc;
        for (int i = 0; i < MANY; i++)
            edo_init(&self->members[i], member, .duration = edo_ms(10), .ended = self->ended);
        switch (self->how) {
        case 0:
            edo_all_of(self->members, MANY);
            rc = (int)self->members[0].base.result;
            break;
        case 1: edo_try_all_of(rc, self->members, MANY); break;
        case 2: edo_select_of(rc, self->members, MANY); break;
        default: edo_any_of(rc, self->members, MANY); break;
        }
        edo_return(rc);
    }
}

async_test(cancelled_all_of_an_array_end, edo_task *task; unsigned ended; int how;)
{
    edo_body {
        int rc;
        for (self->how = 0; self->how < 4; self->how++) {
            self->ended = 0;
            rc = edo_spawn(&self->task, waits_for_an_array, .how = self->how,
                           .ended = &self->ended);
            assert_int_equal(rc, 0);
            edo_await_void(edo_sleep(edo_ms(5)));
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, -ECANCELED);
            assert_int_equal(self->ended, MANY);
        }
        edo_return(0);
    }
}

struct array_on_the_stack {
    edo_frame();
    edo_args();
};

edo_async(array_on_the_stack)
{
    edo_body {
        edo_op sleeps[2] = { edo_sleep(1), edo_sleep(1) };
        // edo-lint: allow(edo-local-address) this is what aborts
        edo_all_of(sleeps, 2);
        edo_return(0);
    }
}

static void run_on_the_stack(void *arg)
{
    (void)arg;
    exit(edo_run(array_on_the_stack));
}

test(an_array_on_the_stack_aborts)
{
    expect_abort(run_on_the_stack, NULL, "edo_sleep.*: .*future");
}

/* Rule 8, for abort lines: they name the innermost running function and its await. */
#include "task/probe.h"

#include <edo/runtime.h>

/* File of the awaits below. */
static const char *const file = "test_places.c";

static void expect_place(child_fn *run, const char *function, unsigned line)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "task 'root' #[0-9]+, spawned at .*, in '%s' at .*%s:%u\\]$",
             function, file, line);
    expect_abort(run, NULL, pattern);
}

/* ---- in a constructor ---- */

enum { MISUSE_LINE = __LINE__ + 13 };

struct misuses {
    edo_frame();
    edo_args(bool waits;);
};

edo_async(misuses)
{
    edo_body {
        int rc;
        bool local;
        if (self->waits) edo_await(rc, edo_yield());
        edo_await(rc, edo_blocking(NULL, &local)); // edo-lint: allow(edo-local-address) it aborts
        edo_return(rc);
    }
}

struct calls_boxed {
    edo_frame();
    edo_args(bool waits;);
};

edo_async(calls_boxed)
{
    edo_body {
        int rc;
        edo_call_boxed(rc, misuses, .waits = self->waits);
        edo_return(rc);
    }
}

enum how { ALONE, FIRST, LAST, KEPT };

/* Beside siblings that wait, or that were not polled yet. */
struct root {
    edo_frame(struct calls_boxed calls_boxed;);
    edo_args(enum how how; bool waits;);
    struct gate gates[2];
    struct passer before, after;
    struct calls_boxed branch;
    edo_op tick;
};

edo_async(root)
{
    edo_body {
        int rc;
        self->gates[0] = gate_make();
        self->gates[1] = gate_make();
        edo_init(&self->before, passer, .gate = &self->gates[0]);
        edo_init(&self->after, passer, .gate = &self->gates[1]);
        edo_init(&self->branch, calls_boxed, .waits = self->waits);
        self->tick = edo_sleep(0);
        if (self->how == ALONE) edo_call(rc, calls_boxed, .waits = self->waits);
        if (self->how == FIRST) edo_all(&self->branch.base, &self->before.base, &self->after.base);
        if (self->how == LAST) edo_all(&self->before.base, &self->after.base, &self->branch.base);
        edo_any(rc, &self->tick.base, &self->branch.base, &self->before.base);
        edo_await(rc, edo_sleep(1));
        edo_return(rc);
    }
}

static enum how how;
static bool waits;

static void run_root(void *arg)
{
    (void)arg;
    edo_run(root, .how = how, .waits = waits);
}

test(an_abort_of_a_constructor_names_the_innermost_await)
{
    for (how = ALONE; how <= KEPT; how++)
        for (int i = 0; i < 2; i++) {
            waits = i;
            expect_place(run_root, "misuses", MISUSE_LINE);
        }
}

/* ---- in an operation's poll ---- */

static edo_poll misuse_poll(edo_future *future, edo_cx *cx)
{
    (void)future;
    (void)cx;
    edo_run(misuses); // edo_run() inside a task
    return EDO_PENDING;
}

static const edo_future_ops misuse_ops = { .name = "misuse", .poll = misuse_poll };

enum { POLL_LINE = __LINE__ + 13 };

struct polls_misuse {
    edo_frame();
    edo_args();
    edo_op op;
};

edo_async(polls_misuse)
{
    edo_body {
        int rc;
        self->op.base = (edo_future){ .ops = &misuse_ops };
        edo_await_on(rc, &self->op.base);
        edo_return(rc);
    }
}

struct waits_beside {
    edo_frame();
    edo_args();
    struct gate gate;
    struct passer passer;
    struct polls_misuse misuse;
};

edo_async(waits_beside)
{
    edo_body {
        self->gate = gate_make();
        edo_init(&self->passer, passer, .gate = &self->gate);
        edo_init(&self->misuse, polls_misuse);
        edo_all(&self->passer.base, &self->misuse.base);
        edo_return(0);
    }
}

static void run_polls(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_spawn_options named = { .runtime = runtime, .name = "root" };
    assert_int_equal(edo_spawn_with(NULL, &named, waits_beside), 0);
    edo_block_on(runtime, passer, .gate = &(struct gate){ .base.ops = &gate_ops }); // for ever
}

test(an_abort_in_a_poll_names_the_await_too)
{
    expect_place(run_polls, "polls_misuse", POLL_LINE);
}

/* ---- before any await ---- */

struct hasty {
    edo_frame();
    edo_args();
};

edo_async(hasty)
{
    edo_body {
        edo_return(edo_run(misuses));
    }
}

static void run_hasty(void *arg)
{
    (void)arg;
    edo_run(hasty);
}

test(before_the_first_await_there_is_no_line)
{
    expect_abort(run_hasty, NULL, "in 'hasty' \\(.*test_places.c\\) before its first await\\]$");
}

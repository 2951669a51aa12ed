/* stress_fiber - fibers that do everything at once, on workers.
 *
 * usage: stress_fiber [--seconds N] [--seed S]
 *
 * Each generation is a runtime with one to four workers, or a current-thread one. Its fibers sleep,
 * yield, select, keep, set limits, call async functions, spawn, join, cancel and abort, open scopes
 * and hide behind shields, deep in calls and shallow; each checks its own locals, errno and values.
 * In the end every function has ended, and each result is one that may be. */
#include "stress/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

enum { FIBERS = 40, STEPS = 20, DEPTH = 3, GRACE = 60, MARKS = 16 };

static uint64_t begun, ended;
static uint32_t key;

static void insist_at(bool holds, const char *what, int line)
{
    if (holds) return;
    fprintf(stderr, "stress_fiber.c:%d: %s\n", line, what);
    abort();
}
#define insist(condition) insist_at((condition), #condition, __LINE__)

static __attribute__((noinline)) void set_errno(int error)
{
    __asm__ volatile("");
    errno = error;
}

static __attribute__((noinline)) int get_errno(void)
{
    __asm__ volatile("");
    return errno;
}

static bool is_end(int64_t rc)
{
    return rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT;
}

/* ---- what a fiber does ---- */

struct nap {
    edo_frame();
    edo_args(int64_t time;);
};

edo_async(nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_await(rc, edo_sleep(self->time));
        edo_return(rc);
    }
}

static int64_t brief(test_random *random)
{
    return edo_us(below(random, 300));
}

/* Waits at the bottom of some calls, and checks what lies in them. */
static __attribute__((noinline)) void wait_deep(test_random *random, unsigned depth)
{
    uint64_t marks[MARKS];
    for (unsigned i = 0; i < MARKS; i++)
        marks[i] = depth * MARKS + i;
    if (depth) {
        wait_deep(random, depth - 1);
    } else {
        set_errno((int)marks[0] + 1000);
        insist(is_end(edo_wait(edo_sleep(brief(random)))));
        insist(get_errno() == (int)marks[0] + 1000);
    }
    for (unsigned i = 0; i < MARKS; i++)
        insist(marks[i] == depth * MARKS + i);
}

static void select_some(test_random *random)
{
    struct nap third;
    edo_op first = edo_sleep(brief(random)), second = edo_sleep(brief(random));
    edo_init(&third, nap, .time = brief(random));
    int64_t which = edo_wait_select(&first.base, &second.base, &third.base);
    insist((which >= 0 && which <= 2) || (which < 0 && is_end(which)));
}

static void keep_some(test_random *random)
{
    edo_op first EDO_ENDS = edo_sleep(brief(random)), second EDO_ENDS = edo_sleep(brief(random));
    int64_t which = edo_wait_any(&first.base, &second.base);
    insist(which == 0 || which == 1 || (which < 0 && is_end(which)));
    if (below(random, 2)) insist(is_end(edo_wait(edo_yield())));
}

static void limit_some(test_random *random)
{
    edo_wait_within(brief(random))
    {
        wait_deep(random, below(random, 10));
        if (below(random, 2)) return;
        insist(is_end(edo_wait_for(brief(random), edo_sleep(brief(random)))));
    }
}

struct actor {
    uint64_t seed;
    unsigned depth;
};

static int64_t actor_fiber(void *arg);

static int spawn_member(edo_scope *scope, struct actor *child);

static void have_family(test_random *random, unsigned depth)
{
    edo_fiber_scope(scope, below(random, 2) ? EDO_SCOPE_FAIL_FAST : EDO_SCOPE_IGNORE);
    for (unsigned i = 1 + below(random, 3); i; i--) {
        struct actor child = { test_random_next(random), depth - 1 };
        spawn_member(&scope, &child);
    }
    if (below(random, 3) == 0) edo_scope_cancel(&scope);
    int64_t rc = edo_wait(edo_scope_join(&scope));
    insist(is_end(rc) || rc == -EIO);
}

static int spawn_child(edo_task **ret_task, const struct actor *child);

static void have_child(test_random *random, unsigned depth)
{
    edo_task *task;
    struct actor child = { test_random_next(random), depth - 1 };
    if (spawn_child(&task, &child) < 0) return;
    insist(is_end(edo_wait(edo_sleep(brief(random)))));
    unsigned choice = below(random, 4);
    if (choice == 0) edo_task_cancel(task);
    if (choice == 1) edo_task_abort(task);
    edo_op join = edo_join(task);
    int64_t rc = edo_wait_on(&join.base);
    insist(is_end(rc) || rc == -EIO);
    if (!edo_op_progress(&join)) edo_detach(task); // it was this fiber that was cancelled
}

static void act(test_random *random, unsigned depth)
{
    switch (below(random, depth ? 8 : 6)) {
    case 0: insist(is_end(edo_wait(edo_yield()))); break;
    case 1: wait_deep(random, below(random, 40)); break;
    case 2: select_some(random); break;
    case 3: keep_some(random); break;
    case 4: limit_some(random); break;
    case 5: insist(is_end(edo_wait_call_for(brief(random), nap, .time = brief(random)))); break;
    case 6: have_family(random, depth); break;
    default: have_child(random, depth);
    }
}

edo_fiber(actor)
{
    test_random random = { self->seed };
    edo_fiber_set(key, self);
    for (unsigned left = 1 + below(&random, STEPS); left; left--) {
        act(&random, self->depth);
        insist(edo_fiber_get(key) == self);
        if (edo_fiber_is_cancelled()) break;
    }
    if (below(&random, 3) == 0) {
        edo_fiber_shield();
        insist(is_end(edo_wait(edo_sleep(brief(&random)))));
    }
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    return below(&random, 10) ? 0 : -EIO;
}

static int note(int rc)
{
    if (rc == 0) __atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
    return rc;
}

static int spawn_member(edo_scope *scope, struct actor *child)
{
    return note(edo_fiber_scope_spawn_args(scope, NULL, actor, child->seed, child->depth));
}

static int spawn_child(edo_task **ret_task, const struct actor *child)
{
    return note(edo_fiber_spawn_args(ret_task, NULL, actor, child->seed, child->depth));
}

/* ---- generations ---- */

struct root {
    test_random *random;
    bool calm;
};

static int64_t root(void *arg)
{
    struct root *self = arg;
    edo_fiber_scope(scope, EDO_SCOPE_IGNORE);
    for (int i = 0; i < FIBERS; i++) {
        struct actor child = { test_random_next(self->random), DEPTH };
        insist((self->calm ? spawn_member(&scope, &child) : spawn_child(NULL, &child)) == 0);
    }
    return edo_wait(edo_scope_join(&scope));
}

static void live_one_generation(test_random *random)
{
    edo_runtime *runtime;
    edo_config config = { .workers = (int32_t)below(random, 5) };
    struct root it = { random, below(random, 2) };
    insist(edo_runtime_create(&config, &runtime) == 0);
    insist(edo_fiber_block_on(runtime, root, &it) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
    insist(begun == ended);
}

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, NULL, NULL), generations = 0;
    test_random random = test_random_make(0);
    insist(edo_fiber_key_create(&key) == 0);
    int64_t end = edo_now() + edo_s(seconds);
    while (edo_now() < end) {
        expect_end_within(GRACE);
        live_one_generation(&random);
        generations++;
    }
    printf("%u generations, %llu fibers\n", generations, (unsigned long long)ended);
    return 0;
}

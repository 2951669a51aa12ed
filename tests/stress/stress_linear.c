/* stress_linear - histories of locks and channels are those of sequential objects.
 *
 * usage: stress_linear [--seconds N] [--seed S]
 *
 * Round by round, tasks on two workers and plain threads make a few random calls on a fresh object, some
 * with limits, and stamp them; then the main thread makes the last ones, alone. The history must be
 * one of the object's specification (support/linear.h). A history that is not is printed. A lost wake
 * is a hang, which an alarm finds. */
#include "stress/linear.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "stress/linear_locks.h"

#if __has_include(<edo/channels.h>)
#include "stress/linear_channels.h"
#endif

enum { WORKERS = 2, GRACE = 60, LONGEST_LIMIT = 60000 }; // of a call with a limit, in ns

typedef struct actor {
    unsigned number;
    test_random random;
    unsigned count;
    linear_call calls[CALLS_EACH + 1]; // the last one may be to give back what is held
} actor;

static struct {
    const subject *subject;
    round_rules rules;
    actor actors[ACTORS];
    linear_call last[MOST_FINAL];
    unsigned last_count;
    uint64_t stamp; // atomic
    pthread_barrier_t begin, end;
    bool is_over; // guarded by the barriers
} world;

static uint64_t stamp(void)
{
    return edo_add_acq_rel(&world.stamp, 1);
}

/* ---- an actor's calls ---- */

/* Returns: the next one, or NULL. What a call has taken is given back although all are made. */
static linear_call *next_call(actor *a)
{
    if (a->count > CALLS_EACH) return NULL;
    const linear_call *last = a->count ? &a->calls[a->count - 1] : NULL;
    round_rules rules = world.rules;
    rules.is_last = a->count == CALLS_EACH;
    linear_call *call = &a->calls[a->count];
    *call = (linear_call){ .actor = a->number, .lenient = world.rules.waits };
    if (!world.subject->plan(&a->random, &rules, last, call)) return NULL;
    a->count++;
    return call;
}

static void finish(linear_call *call, int64_t result)
{
    call->result = result;
    call->end = stamp();
}

/* A call with a limit: a time, or until the task has its next turn, by which others may have granted
 * what it asks for. */
struct limited_call {
    edo_frame();
    edo_args(linear_call *call; test_random *random;);
    edo_op op, turn;
};

edo_async(limited_call)
{
    edo_body {
        int64_t rc;
        self->op = world.subject->begin(self->call);
        if (one_in(self->random, 2)) {
            edo_await_for(rc, below(self->random, LONGEST_LIMIT), self->op);
            edo_return(rc);
        }
        self->turn = edo_yield();
        edo_select(rc, &self->op.base, &self->turn.base);
        rc = self->op.base.result;
        edo_return(rc == -ECANCELED ? -ETIMEDOUT : rc);
    }
}

struct act {
    edo_frame(struct limited_call limited_call;);
    edo_args(actor *actor;);
    linear_call *call;
    edo_op op;
};

edo_async(act)
{
    edo_body {
        int64_t rc;
        while ((self->call = next_call(self->actor))) {
            self->call->begin = stamp();
            self->op = world.subject->begin(self->call);
            self->call->limited |= self->op.base.ops && world.rules.limits;
            if (!self->op.base.ops)
                rc = world.subject->now(self->call);
            else if (self->call->limited)
                edo_call(rc, limited_call, self->call, &self->actor->random);
            else
                edo_await(rc, self->op);
            finish(self->call, rc);
            if (one_in(&self->actor->random, 4)) {
                edo_await(rc, edo_yield());
                insist(rc == 0);
            }
        }
        edo_return(0);
    }
}

static void act_on_thread(actor *a)
{
    for (linear_call *call; (call = next_call(a));) {
        call->begin = stamp();
        edo_op op = world.subject->begin(call);
        finish(call, op.base.ops ? edo_wait(op) : world.subject->now(call));
    }
}

static void *run_thread(void *actor_)
{
    for (;;) {
        pthread_barrier_wait(&world.begin);
        if (world.is_over) return NULL;
        act_on_thread(actor_);
        pthread_barrier_wait(&world.end);
    }
}

struct crowd {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(crowd)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < TASKS; i++)
            insist(edo_scope_spawn(&self->scope, act, &world.actors[i]) == 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* ---- rounds ---- */

static void end_round(void)
{
    const subject *s = world.subject;
    world.last_count = 0;
    while (s->end && world.last_count < MOST_FINAL) {
        linear_call *call = &world.last[world.last_count];
        *call = (linear_call){ .actor = FINAL };
        if (!s->end(world.last_count, world.last_count ? call - 1 : NULL, call)) break;
        call->begin = stamp();
        finish(call, s->now(call));
        world.last_count++;
    }
    s->tear_down();
}

static size_t add_seconds(linear_call *history, size_t count)
{
    size_t all = count;
    for (size_t i = 0; i < count && world.subject->second; i++) {
        insist(all < LINEAR_CALLS);
        all += world.subject->second(&history[i], &history[all]);
    }
    return all;
}

static void check_round(uint64_t number)
{
    linear_call history[LINEAR_CALLS];
    size_t count = 0;
    for (unsigned i = 0; i < ACTORS; i++) {
        memcpy(history + count, world.actors[i].calls, world.actors[i].count * sizeof *history);
        count += world.actors[i].count;
    }
    memcpy(history + count, world.last, world.last_count * sizeof *history);
    count = add_seconds(history, count + world.last_count);
    if (linear_check(&world.subject->spec, history, count)) return;
    fprintf(stderr, "round %" PRIu64 ", waits %d, limits %d\n", number, world.rules.waits,
            world.rules.limits);
    linear_print(&world.subject->spec, history, count);
    abort();
}

static void play_round(edo_runtime *runtime, uint64_t number, const subject *s)
{
    test_random random = test_random_make(number * ACTORS);
    world.subject = s;
    world.stamp = 1;
    world.rules.waits = !one_in(&random, 3);
    world.rules.limits = world.rules.waits && one_in(&random, 2);
    for (unsigned i = 0; i < ACTORS; i++)
        world.actors[i] = (actor){ .number = i, .random = test_random_make(number * ACTORS + i) };
    s->set_up(&random);
    pthread_barrier_wait(&world.begin);
    insist(edo_block_on(runtime, crowd) == 0);
    pthread_barrier_wait(&world.end);
    end_round();
    check_round(number);
}

static const subject *subject_of(uint64_t round)
{
    size_t count = ARRAY_LENGTH(lock_subjects);
#if __has_include(<edo/channels.h>)
    count += ARRAY_LENGTH(channel_subjects);
    if (round % count >= ARRAY_LENGTH(lock_subjects))
        return &channel_subjects[round % count - ARRAY_LENGTH(lock_subjects)];
#endif
    return &lock_subjects[round % count];
}

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, NULL, NULL);
    expect_end_within(seconds + GRACE);
    edo_runtime *runtime;
    pthread_t threads[THREADS];
    insist(edo_runtime_create(&(edo_config){ .workers = WORKERS }, &runtime) == 0);
    insist(pthread_barrier_init(&world.begin, NULL, THREADS + 1) == 0);
    insist(pthread_barrier_init(&world.end, NULL, THREADS + 1) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        insist(pthread_create(&threads[i], NULL, run_thread, &world.actors[TASKS + i]) == 0);
    int64_t stop_at = edo_now() + edo_s(seconds);
    uint64_t rounds = 0;
    for (; edo_now() < stop_at; rounds++)
        play_round(runtime, rounds, subject_of(rounds));
    world.is_over = true;
    pthread_barrier_wait(&world.begin);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    insist(edo_runtime_destroy(runtime) == 0);
    printf("%" PRIu64 " histories\n", rounds);
    return 0;
}

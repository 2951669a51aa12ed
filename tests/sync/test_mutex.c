/* Mutexes: exclusion, the order of service, cancellation at every point, misuse. */
#include "sync/steps.h"

static edo_mutex shared = EDO_MUTEX_INIT; // for tests that leave it free

static void assert_untouched(const edo_mutex *mutex)
{
    assert_int_equal(mutex->word, 0);
    assert_int_equal(mutex->lock, 0);
    assert_null(mutex->waiters);
}

/* ---- free and locked ---- */

test(all_zero_is_a_free_one)
{
    edo_mutex mutex = EDO_MUTEX_INIT, zero;
    memset(&zero, 0, sizeof zero);
    assert_memory_equal(&mutex, &zero, sizeof mutex);
    assert_true(sizeof(edo_mutex) <= 16);
}

test(try_lock)
{
    edo_mutex mutex = EDO_MUTEX_INIT;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edo_mutex_try_lock(&mutex), 0);
        edo_mutex_unlock(&mutex);
    }
    assert_untouched(&mutex);
    edo_mutex_deinit(&mutex);
}

static void lock_once(unsigned index, void *arg)
{
    (void)index;
    insist(edo_wait(edo_mutex_lock(arg)) == 0);
    insist(edo_mutex_try_lock(arg) == -EAGAIN);
    edo_mutex_unlock(arg);
}

test(a_plain_thread_waits_by_edo_wait)
{
    run_threads(1, lock_once, &shared);
    assert_untouched(&shared);
}

async_test(a_free_one_is_taken_at_once, edo_mutex mutex; edo_op lock;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->lock = edo_mutex_lock(&self->mutex);
        assert_ends(&self->lock, 0);
        edo_mutex_unlock(&self->mutex);
        edo_lock(rc, &self->mutex);
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_await(rc, edo_mutex_lock(&self->mutex));
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(nothing_is_done_before_the_first_poll, edo_mutex mutex; edo_op lock;)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->lock = edo_mutex_lock(&self->mutex);
        assert_untouched(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

/* ---- the order of service ---- */

/* Four requests for a mutex that the test holds. */
#define CROWD                                                                                      \
    edo_mutex mutex;                                                                               \
    edo_op a, b, c;
#define begin_crowd()                                                                              \
    do {                                                                                           \
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;                                                   \
        self->a = edo_mutex_lock(&self->mutex);                                                    \
        self->b = edo_mutex_lock(&self->mutex);                                                    \
        self->c = edo_mutex_lock(&self->mutex);                                                    \
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);                                     \
        assert_waits(&self->a);                                                                    \
        assert_waits(&self->b);                                                                    \
        assert_waits(&self->c);                                                                    \
    } while (0)

/* The second waiter has the mutex, and the third one is next. */
#define expect_b_then_c()                                                                          \
    do {                                                                                           \
        assert_ends(&self->b, 0);                                                                  \
        assert_waits(&self->c);                                                                    \
        edo_mutex_unlock(&self->mutex);                                                            \
        assert_ends(&self->c, 0);                                                                  \
        edo_mutex_unlock(&self->mutex);                                                            \
        assert_untouched(&self->mutex);                                                            \
    } while (0)

async_test(waiters_come_in_the_order_of_their_first_polls, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->c);
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        assert_waits(&self->b);
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->c);
        expect_b_then_c();
        edo_return(0);
    }
}

async_test(a_waiter_is_overtaken_by_one_that_runs, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0); // a was woken, not polled yet
        assert_waits(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), -EAGAIN); // handed over
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(while_one_is_on_its_way_no_other_is_woken, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
            edo_mutex_unlock(&self->mutex);
        }
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        edo_mutex_unlock(&self->mutex);
        expect_b_then_c();
        edo_return(0);
    }
}

async_test(one_that_was_overtaken_keeps_its_place, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        assert_waits(&self->a);
        edo_mutex_unlock(&self->mutex); // handed over to a, not to b
        assert_waits(&self->b);
        assert_waits(&self->c);
        assert_ends(&self->a, 0);
        edo_mutex_unlock(&self->mutex);
        expect_b_then_c();
        edo_return(0);
    }
}

async_test(a_new_request_may_overtake_and_then_another_one_may_not, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        self->late = edo_mutex_lock(&self->mutex);
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->late, 0);
        assert_waits(&self->a);
        edo_mutex_unlock(&self->mutex);
        self->late = edo_mutex_lock(&self->mutex);
        assert_waits(&self->late);
        assert_ends(&self->a, 0);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->late, 0);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->b); // in the middle
        assert_cancelled(&self->c); // at the end
        assert_cancelled(&self->a); // alone
        assert_int_equal(self->mutex.word, EDO__MUTEX_LOCKED);
        assert_null(self->mutex.waiters);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(a_cancelled_head_leaves_the_next_in_its_place, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->c);
        expect_b_then_c();
        edo_return(0);
    }
}

async_test(one_that_was_woken_and_is_cancelled_passes_the_wake_on, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->c); // woken, and the last
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(one_that_was_handed_it_and_is_cancelled_hands_it_on, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        assert_waits(&self->a);
        edo_mutex_unlock(&self->mutex); // a holds it, and was not polled yet
        assert_int_equal(edo_mutex_try_lock(&self->mutex), -EAGAIN);
        assert_cancelled(&self->a);
        expect_b_then_c();
        edo_return(0);
    }
}

async_test(one_that_was_woken_and_is_cancelled_while_another_has_it, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        assert_cancelled(&self->a);
        assert_waits(&self->b);
        edo_mutex_unlock(&self->mutex); // wakes the next
        assert_ends(&self->b, 0);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(one_that_was_overtaken_is_cancelled, CROWD)
{
    edo_body {
        begin_crowd();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        assert_waits(&self->a);
        assert_cancelled(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0); // b was only woken
        assert_waits(&self->b);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(without_budget_a_free_one_is_not_taken, edo_mutex mutex; edo_op lock;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->lock = edo_mutex_lock(&self->mutex);
        spend_budget();
        assert_waits(&self->lock);
        assert_untouched(&self->mutex);
        edo_await_on(rc, &self->lock.base);
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

/* ---- in a cancelled function ---- */

struct late_locker {
    edo_frame();
    edo_args(edo_mutex *mutex; bool spends, shields;);
    int rc;
};

edo_async(late_locker)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        assert_int_equal(rc, -ECANCELED);
        if (self->spends) spend_budget();
        if (self->shields) edo_shield();
        edo_lock(rc, self->mutex);
        if (rc == 0) edo_mutex_unlock(self->mutex);
        self->rc = rc;
        edo_await(rc, edo_mutex_lock(self->mutex));
        if (rc == 0) edo_mutex_unlock(self->mutex);
        assert_int_equal(rc, self->rc);
        edo_return(rc);
    }
}

static const struct {
    bool spends, shields;
    int result;
} late[] = {
    { false, false, -ECANCELED }, { true, false, -ECANCELED }, { false, true, 0 }, { true, true, 0 }
};

async_test(a_cancelled_function_locks_nothing_unless_it_is_shielded,
    edo_mutex mutex;
    edo_task *task;
    size_t i;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        for (self->i = 0; self->i < ARRAY_LENGTH(late); self->i++) {
            assert_int_equal(edo_spawn(&self->task, late_locker, .mutex = &self->mutex,
                                       .spends = late[self->i].spends,
                                       .shields = late[self->i].shields),
                             0);
            edo_await(rc, settle());
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, late[self->i].result);
            assert_untouched(&self->mutex);
        }
        edo_return(0);
    }
}

/* ---- limits ---- */

async_test(a_limit_leaves_no_trace_in_the_queue, edo_mutex mutex; int64_t began;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        edo_await_for(rc, edo_ms(10), edo_mutex_lock(&self->mutex));
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_await_for(rc, 0, edo_mutex_lock(&self->mutex)); // a free lock wins
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

struct holder {
    edo_frame();
    edo_args(edo_mutex *mutex; int64_t time;);
};

edo_async(holder)
{
    edo_body {
        int rc;
        edo_lock(rc, self->mutex);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(self->time));
        edo_mutex_unlock(self->mutex);
        edo_return(0);
    }
}

async_test(a_limit_that_passes, edo_mutex mutex; edo_task *task; edo_limit limit;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        assert_int_equal(edo_spawn(&self->task, holder, &self->mutex, edo_ms(100)), 0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_await_for(rc, edo_ms(10), edo_mutex_lock(&self->mutex));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->mutex.word, EDO__MUTEX_LOCKED);
        assert_null(self->mutex.waiters);
        edo_within(&self->limit, edo_ms(10)) {
            edo_lock(rc, &self->mutex);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_int_equal(self->mutex.word, EDO__MUTEX_LOCKED);
        edo_await_for(rc, edo_ms(100), edo_mutex_lock(&self->mutex));
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_await(rc, edo_join(self->task));
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

async_test(behind_a_limit_that_has_passed_nothing_is_locked, edo_mutex mutex; edo_limit limit;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        edo_within(&self->limit, edo_ms(1)) {
            edo_await(rc, edo_sleep(edo_ms(5)));
            assert_int_equal(rc, -ETIMEDOUT);
            edo_lock(rc, &self->mutex);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_untouched(&self->mutex);
        edo_lock(rc, &self->mutex);
        assert_int_equal(rc, 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

/* ---- many ---- */

enum { TASKS = 8, ROUNDS = 500, THREADS = 4 };

struct counting {
    edo_frame();
    edo_args(edo_mutex *mutex; int64_t *count; bool yields;);
    int64_t seen;
    int i;
};

edo_async(counting)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            edo_lock(rc, self->mutex);
            assert_int_equal(rc, 0);
            self->seen = *self->count;
            if (self->yields) edo_await(rc, edo_yield());
            *self->count = self->seen + 1;
            edo_mutex_unlock(self->mutex);
            if (self->i % 7 == 0) edo_await(rc, edo_yield());
        }
        edo_return(0);
    }
}

async_test(tasks_exclude_each_other,
    edo_mutex mutex;
    edo_scope scope;
    int64_t count;
    int i;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->count = 0;
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, counting, &self->mutex, &self->count,
                                             self->i % 2 == 0),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, TASKS * ROUNDS);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

struct mixed {
    edo_mutex mutex;
    int64_t count;
};

/* Two threads have runtimes of their own, the others are plain. */
static void meet(unsigned index, void *arg)
{
    struct mixed *mixed = arg;
    if (index < 2) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, counting, &mixed->mutex, &mixed->count, true) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        insist(edo_wait(edo_mutex_lock(&mixed->mutex)) == 0);
        mixed->count++;
        edo_mutex_unlock(&mixed->mutex);
    }
}

test(threads_and_runtimes_exclude_each_other)
{
    struct mixed mixed = { EDO_MUTEX_INIT, 0 };
    run_threads(THREADS, meet, &mixed);
    assert_int_equal(mixed.count, THREADS * ROUNDS);
    assert_untouched(&mixed.mutex);
}

/* ---- fairness ---- */

struct greedy {
    edo_frame();
    edo_args(edo_mutex *mutex; bool *stop; int *rounds;);
};

edo_async(greedy)
{
    edo_body {
        int rc;
        while (!edo_load_relaxed(self->stop)) {
            edo_lock(rc, self->mutex);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield());
            ++*self->rounds; // the mutex
            edo_mutex_unlock(self->mutex);
        }
        edo_return(0);
    }
}

async_test(who_holds_it_all_the_time_keeps_nobody_out,
    edo_mutex mutex;
    edo_scope scope;
    bool stop;
    int rounds, i, before;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->stop = false;
        self->rounds = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(
                edo_scope_spawn(&self->scope, greedy, &self->mutex, &self->stop, &self->rounds), 0);
        for (self->i = 0; self->i < 100; self->i++) {
            edo_lock(rc, &self->mutex);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield());
            edo_mutex_unlock(&self->mutex);
        }
        edo_store_relaxed(&self->stop, true);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

/* ---- cancelled at random ---- */

struct hasty {
    edo_frame();
    edo_args(edo_mutex *mutex; int64_t *count, *wanted; uint64_t seed;);
    test_random random;
    int i;
};

edo_async(hasty)
{
    edo_body {
        int rc;
        self->random = test_random_make(self->seed);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            edo_await_for(rc, (int64_t)test_random_below(&self->random, 4),
                          edo_mutex_lock(self->mutex));
            if (rc < 0) continue;
            if (test_random_below(&self->random, 2))
                edo_await_void(edo_sleep((int64_t)test_random_below(&self->random, 4)));
            else
                edo_await_void(edo_yield());
            ++*self->count;
            edo_mutex_unlock(self->mutex);
            edo_add_relaxed(self->wanted, 1);
        }
        edo_return(0);
    }
}

async_test(limits_at_random_lose_nothing,
    edo_mutex mutex;
    edo_scope scope;
    int64_t count, wanted;
    unsigned i;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->count = self->wanted = 0;
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, hasty, &self->mutex, &self->count,
                                             &self->wanted, self->i),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, self->wanted);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

/* ---- the last user frees it ---- */

struct counted {
    edo_mutex mutex;
    int references; // the mutex
};

struct last_frees {
    edo_frame();
    edo_args(struct counted *counted;);
    bool is_last;
};

edo_async(last_frees)
{
    edo_body {
        int rc;
        edo_await_for(rc, 1, edo_mutex_lock(&self->counted->mutex)); // some time out
        if (rc == 0) edo_mutex_unlock(&self->counted->mutex);
        edo_await(rc, edo_mutex_lock(&self->counted->mutex));
        assert_int_equal(rc, 0);
        self->is_last = --self->counted->references == 0;
        edo_mutex_unlock(&self->counted->mutex);
        if (self->is_last) {
            edo_mutex_deinit(&self->counted->mutex);
            memset(self->counted, 0xee, sizeof *self->counted);
            free(self->counted);
        }
        edo_return(0);
    }
}

async_test(the_last_one_that_unlocks_may_free_it, edo_scope scope; struct counted *counted; int i;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < 100; self->i++) {
            self->counted = malloc(sizeof *self->counted);
            *self->counted = (struct counted){ EDO_MUTEX_INIT, 4 };
            for (int i = 0; i < 4; i++)
                assert_int_equal(edo_scope_spawn(&self->scope, last_frees, self->counted), 0);
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

/* ---- memory ---- */

enum { CROWDED = 60 };

allocator_fixture()
    async_test(waiters_need_no_memory, edo_mutex mutex; edo_op ops[CROWDED]; uint64_t calls;)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->calls = test_allocator_calls();
        test_allocator_fail_from(1);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        for (int i = 0; i < CROWDED; i++) {
            self->ops[i] = edo_mutex_lock(&self->mutex);
            assert_waits(&self->ops[i]);
        }
        for (int i = 0; i < CROWDED; i++) {
            edo_mutex_unlock(&self->mutex);
            assert_ends(&self->ops[i], 0);
        }
        edo_mutex_unlock(&self->mutex);
        test_allocator_fail_from(0);
        assert_int_equal(test_allocator_calls(), self->calls);
        assert_untouched(&self->mutex);
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void unlock_a_free_one(void *arg)
{
    (void)arg;
    edo_mutex mutex = EDO_MUTEX_INIT;
    edo_mutex_unlock(&mutex);
}

static void end_a_locked_one(void *arg)
{
    (void)arg;
    edo_mutex mutex = EDO_MUTEX_INIT;
    insist(edo_mutex_try_lock(&mutex) == 0);
    edo_mutex_deinit(&mutex);
}

struct ends_a_waited_one {
    edo_frame();
    edo_args();
    edo_mutex mutex;
    edo_op lock;
};

edo_async(ends_a_waited_one)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->lock = edo_mutex_lock(&self->mutex);
        insist(edo_mutex_try_lock(&self->mutex) == 0);
        assert_waits(&self->lock);
        edo_mutex_deinit(&self->mutex);
        edo_return(0);
    }
}

static void end_a_waited_one(void *arg)
{
    (void)arg;
    in_task(ends_a_waited_one);
}

struct blocks {
    edo_frame();
    edo_args();
};

edo_async(blocks)
{
    edo_body {
        edo_return(edo_wait(edo_mutex_lock(&shared)));
    }
}

static void block_in_a_task(void *arg)
{
    (void)arg;
    in_task(blocks);
}

test(misuse_is_named)
{
    expect_abort(unlock_a_free_one, NULL, "edo_mutex_unlock: the mutex is not locked");
    expect_abort(end_a_locked_one, NULL, "edo_mutex_deinit: still in use");
    expect_abort(end_a_waited_one, NULL, "edo_mutex_deinit: waiters remain in its queue");
    expect_abort(block_in_a_task, NULL,
                 "edo_wait: called inside a task, whose thread it would block");
}

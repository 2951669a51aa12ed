/* Condition variables. */
#include "sync/steps.h"

#include <edo/condvar.h>

static void assert_untouched(const edo_condvar *condvar)
{
    assert_int_equal(condvar->word, 0);
    assert_int_equal(condvar->lock, 0);
    assert_null(condvar->waiters);
}

/* Three waiters; each locks before. */
#define CROWD                                                                                      \
    edo_mutex mutex;                                                                               \
    edo_condvar condvar;                                                                           \
    edo_op a, b, c;
#define begin_one(op)                                                                              \
    do {                                                                                           \
        *(op) = edo_condvar_wait(&self->condvar, &self->mutex);                                    \
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);                                     \
        assert_waits(op);                                                                          \
    } while (0)
#define begin_crowd()                                                                              \
    do {                                                                                           \
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;                                                   \
        self->condvar = (edo_condvar)EDO_CONDVAR_INIT;                                             \
        begin_one(&self->a);                                                                       \
        begin_one(&self->b);                                                                       \
        begin_one(&self->c);                                                                       \
    } while (0)
#define assert_locked() assert_int_equal(edo_mutex_try_lock(&self->mutex), -EAGAIN)
#define assert_unlocked()                                                                          \
    do {                                                                                           \
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);                                     \
        edo_mutex_unlock(&self->mutex);                                                            \
    } while (0)

async_test(the_mutex_is_free_during_the_wait_and_locked_after, CROWD)
{
    edo_body {
        begin_crowd();
        assert_unlocked();
        edo_condvar_signal(&self->condvar);
        assert_ends(&self->a, 0);
        assert_locked();
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->b);
        assert_unlocked();
        edo_condvar_broadcast(&self->condvar);
        assert_ends(&self->c, 0);
        assert_waits(&self->b); // for the mutex
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->b, 0);
        edo_mutex_unlock(&self->mutex);
        assert_unlocked();
        assert_untouched(&self->condvar);
        edo_condvar_deinit(&self->condvar);
        edo_mutex_deinit(&self->mutex);
        edo_return(0);
    }
}

async_test(a_signal_wakes_the_first, CROWD)
{
    edo_body {
        begin_crowd();
        edo_condvar_signal(&self->condvar);
        assert_waits(&self->b);
        assert_waits(&self->c);
        assert_ends(&self->a, 0);
        edo_mutex_unlock(&self->mutex);
        edo_condvar_signal(&self->condvar);
        assert_waits(&self->c);
        assert_ends(&self->b, 0);
        edo_mutex_unlock(&self->mutex);
        edo_condvar_signal(&self->condvar);
        assert_ends(&self->c, 0);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

async_test(a_signal_for_nobody_is_not_kept, CROWD)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->condvar = (edo_condvar)EDO_CONDVAR_INIT;
        edo_condvar_signal(&self->condvar);
        edo_condvar_broadcast(&self->condvar);
        begin_one(&self->a);
        assert_waits(&self->a);
        edo_condvar_signal(&self->condvar);
        assert_ends(&self->a, 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

async_test(one_that_is_cancelled_has_the_mutex, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->b);
        assert_locked();
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        assert_int_equal(cancel(&self->a), WAITS); // for the mutex
        assert_waits(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->a, -ECANCELED);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

async_test(one_that_was_signalled_and_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        begin_crowd();
        edo_condvar_signal(&self->condvar);
        assert_cancelled(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->c);
        assert_ends(&self->b, 0);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

async_test(a_broadcast_is_not_passed_on, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        edo_condvar_broadcast(&self->condvar);
        begin_one(&self->late);
        assert_cancelled(&self->a);
        edo_mutex_unlock(&self->mutex);
        assert_waits(&self->late);
        assert_ends(&self->b, 0);
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->c, 0);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->late);
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

async_test(one_that_waits_for_the_mutex_and_is_cancelled_was_signalled, CROWD)
{
    edo_body {
        begin_crowd();
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        edo_condvar_signal(&self->condvar);
        assert_waits(&self->a); // for the mutex
        assert_int_equal(cancel(&self->a), WAITS);
        edo_mutex_unlock(&self->mutex);
        assert_ends(&self->a, 0);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->b);
        edo_mutex_unlock(&self->mutex);
        assert_cancelled(&self->c);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

async_test(one_that_begins_too_late_keeps_the_mutex, CROWD)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->condvar = (edo_condvar)EDO_CONDVAR_INIT;
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        self->a = edo_condvar_wait(&self->condvar, &self->mutex);
        assert_cancelled(&self->a);
        assert_locked();
        self->a = edo_condvar_wait(&self->condvar, &self->mutex);
        spend_budget();
        assert_waits(&self->a);
        assert_locked();
        edo_await_void(edo_yield());
        assert_cancelled(&self->a);
        assert_locked();
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

async_test(a_limit_comes_back_with_the_mutex, CROWD)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->condvar = (edo_condvar)EDO_CONDVAR_INIT;
        edo_lock(rc, &self->mutex);
        edo_await_for(rc, edo_ms(2), edo_condvar_wait(&self->condvar, &self->mutex));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_locked();
        edo_mutex_unlock(&self->mutex);
        assert_untouched(&self->condvar);
        edo_return(0);
    }
}

/* ---- a queue of one ---- */

enum { ITEMS = 400, SIDES = 3 };

struct queue {
    edo_mutex mutex;
    edo_condvar filled, emptied;
    bool full;
    int item, taken, sum;
};

struct puts {
    edo_frame();
    edo_args(struct queue *queue;);
    int i;
};

edo_async(puts)
{
    edo_body {
        int rc;
        for (self->i = 1; self->i <= ITEMS; self->i++) {
            edo_lock(rc, &self->queue->mutex);
            while (self->queue->full) {
                edo_await_for(rc, 3, edo_condvar_wait(&self->queue->emptied, &self->queue->mutex));
                assert_true(rc == 0 || rc == -ETIMEDOUT);
            }
            self->queue->full = true;
            self->queue->item = self->i;
            edo_condvar_signal(&self->queue->filled);
            edo_mutex_unlock(&self->queue->mutex);
        }
        edo_return(0);
    }
}

struct takes {
    edo_frame();
    edo_args(struct queue *queue;);
    int i;
};

edo_async(takes)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ITEMS; self->i++) {
            edo_lock(rc, &self->queue->mutex);
            while (!self->queue->full) {
                edo_await(rc, edo_condvar_wait(&self->queue->filled, &self->queue->mutex));
                assert_int_equal(rc, 0);
            }
            self->queue->full = false;
            self->queue->sum += self->queue->item;
            self->queue->taken++;
            edo_mutex_unlock(&self->queue->mutex);
            edo_condvar_signal(&self->queue->emptied); // after the unlock suffices
        }
        edo_return(0);
    }
}

async_test(a_queue_between_tasks, struct queue queue; edo_scope scope; int i;)
{
    edo_body {
        int rc;
        self->queue = (struct queue){ .mutex = EDO_MUTEX_INIT };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < SIDES; self->i++) {
            assert_int_equal(edo_scope_spawn(&self->scope, puts, &self->queue), 0);
            assert_int_equal(edo_scope_spawn(&self->scope, takes, &self->queue), 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->queue.taken, SIDES * ITEMS);
        assert_int_equal(self->queue.sum, SIDES * ITEMS * (ITEMS + 1) / 2);
        assert_untouched(&self->queue.filled);
        assert_untouched(&self->queue.emptied);
        edo_return(0);
    }
}

static void put_and_take(unsigned index, void *arg)
{
    struct queue *queue = arg;
    if (index == 0) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, puts, queue) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (int i = 0; i < ITEMS; i++) {
        insist(edo_wait(edo_mutex_lock(&queue->mutex)) == 0);
        while (!queue->full)
            insist(edo_wait(edo_condvar_wait(&queue->filled, &queue->mutex)) == 0);
        queue->full = false;
        queue->sum += queue->item;
        edo_condvar_signal(&queue->emptied);
        edo_mutex_unlock(&queue->mutex);
    }
}

test(a_queue_between_a_task_and_a_thread)
{
    struct queue queue = { .mutex = EDO_MUTEX_INIT };
    run_threads(2, put_and_take, &queue);
    assert_int_equal(queue.sum, ITEMS * (ITEMS + 1) / 2);
}

/* ---- misuse ---- */

struct waits_unlocked {
    edo_frame();
    edo_args(bool ends;);
    edo_mutex mutex;
    edo_condvar condvar;
    edo_op op;
};

edo_async(waits_unlocked)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->condvar = (edo_condvar)EDO_CONDVAR_INIT;
        self->op = edo_condvar_wait(&self->condvar, &self->mutex);
        if (self->ends) insist(edo_mutex_try_lock(&self->mutex) == 0);
        step(&self->op);
        edo_condvar_deinit(&self->condvar);
        edo_return(0);
    }
}

static void wait_unlocked(void *arg)
{
    edo_runtime *runtime;
    insist(edo_runtime_create(NULL, &runtime) == 0);
    edo_block_on(runtime, waits_unlocked, .ends = arg != NULL);
}

test(misuse_is_named)
{
    expect_abort(wait_unlocked, NULL, "edo_mutex_unlock: the mutex is not locked");
    expect_abort(wait_unlocked, "", "edo_condvar_deinit: waiters remain in its queue");
}

/* Delay queues: order, changes, several takers, against a plain model. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <edo/edo.h>
#include <edo/test.h>

#include "base/atomic.h"
#include "support/streams.h"

async_test(by_moments, edo_delay_queue queue; edo_delay items[4]; edo_delay *item; int64_t start;
           int i;)
{
    edo_body {
        static const int64_t moments[] = { 300, 100, 200, 100 };
        static const int order[] = { 1, 3, 2, 0 }; // equal ones in the order of their insertion
        int rc;
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        memset(self->items, 0, sizeof self->items);
        self->start = edo_now();
        for (self->i = 0; self->i < 4; self->i++) {
            rc = edo_delay_queue_insert(&self->queue, &self->items[self->i],
                                        self->start + moments[self->i]);
            assert_int_equal(rc, 0);
        }
        assert_int_equal(edo_delay_queue_count(&self->queue), 4);
        assert_int_equal(edo_delay_queue_insert(&self->queue, &self->items[0], 0), -EBUSY);
        assert_int_equal(edo_try_delay_queue_next(&self->queue, &self->item), -EAGAIN);
        for (self->i = 0; self->i < 4; self->i++) {
            edo_await(rc, edo_delay_queue_next(&self->queue, &self->item));
            assert_int_equal(rc, 1);
            assert_ptr_equal(self->item, &self->items[order[self->i]]);
            assert_int_equal(edo_now() - self->start, moments[order[self->i]]);
        }
        assert_int_equal(edo_delay_queue_remove(&self->queue, self->item), -ENOENT);
        assert_int_equal(edo_delay_queue_reset(&self->queue, self->item, 0), -ENOENT);
        assert_null(edo_delay_queue_take(&self->queue));
        edo_delay_queue_deinit(&self->queue);
        edo_return(0);
    }
}

/* An earlier item, an earlier moment and a later moment reach a task that waits. */
async_test(changes_while_a_task_waits, edo_delay_queue queue; edo_delay a, b; edo_delay *item;
           edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        self->a = self->b = (edo_delay){ 0 };
        self->start = edo_now();
        rc = edo_spawn(&self->task, run_op, .op = edo_delay_queue_next(&self->queue, &self->item));
        assert_int_equal(rc, 0);
        settle();
        rc = edo_delay_queue_insert(&self->queue, &self->a, self->start + 1000);
        assert_int_equal(rc, 0);
        settle();
        rc = edo_delay_queue_insert(&self->queue, &self->b, self->start + 500);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        assert_ptr_equal(self->item, &self->b);
        assert_int_equal(edo_now(), self->start + 500);

        rc = edo_spawn(&self->task, run_op, .op = edo_delay_queue_next(&self->queue, &self->item));
        assert_int_equal(rc, 0);
        settle();
        assert_int_equal(edo_delay_queue_reset(&self->queue, &self->a, self->start + 2000), 0);
        edo_await(rc, edo_sleep_until(self->start + 1500));
        assert_false(edo_task_is_done(self->task));
        assert_int_equal(edo_delay_queue_reset(&self->queue, &self->a, self->start + 1600), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(edo_now(), self->start + 1600);
        assert_ptr_equal(self->item, &self->a);
        edo_delay_queue_deinit(&self->queue);
        edo_return(0);
    }
}

async_test(cancelled_and_closed, edo_delay_queue queue; edo_delay a; edo_delay *item;
           edo_task *tasks[2]; int64_t start; int i;)
{
    edo_body {
        int rc;
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        self->a = (edo_delay){ 0 };
        self->start = edo_now();
        rc = edo_delay_queue_insert(&self->queue, &self->a, self->start + 100);
        assert_int_equal(rc, 0);
        edo_await_for(rc, 10, edo_delay_queue_next(&self->queue, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_delay_queue_count(&self->queue), 1);
        for (self->i = 0; self->i < 2; self->i++) {
            rc = edo_spawn(&self->tasks[self->i], run_op,
                           .op = edo_delay_queue_next(&self->queue, &self->item));
            assert_int_equal(rc, 0);
        }
        settle();
        edo_delay_queue_close(&self->queue);
        edo_await(rc, edo_join(self->tasks[0]));
        self->i = rc;
        edo_await(rc, edo_join(self->tasks[1]));
        assert_int_equal(rc + self->i, 1); // one has the item, the other the end
        assert_ptr_equal(self->item, &self->a);
        assert_int_equal(edo_now(), self->start + 100);
        assert_int_equal(edo_delay_queue_insert(&self->queue, &self->a, 0), -ESHUTDOWN);
        assert_int_equal(edo_try_delay_queue_next(&self->queue, &self->item), 0);
        edo_delay_queue_deinit(&self->queue);
        edo_return(0);
    }
}

/* The removal of the last item of a closed queue ends the waits. */
async_test(removed_after_the_close, edo_delay_queue queue; edo_delay a; edo_delay *item;
           edo_task *task;)
{
    edo_body {
        int rc;
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        self->a = (edo_delay){ 0 };
        rc = edo_delay_queue_insert(&self->queue, &self->a, EDO_NEVER);
        assert_int_equal(rc, 0);
        rc = edo_spawn(&self->task, run_op, .op = edo_delay_queue_next(&self->queue, &self->item));
        assert_int_equal(rc, 0);
        settle();
        edo_delay_queue_close(&self->queue);
        settle();
        assert_false(edo_task_is_done(self->task));
        assert_int_equal(edo_delay_queue_remove(&self->queue, &self->a), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_delay_queue_deinit(&self->queue);
        edo_return(0);
    }
}

/* ---- against a model: an array that is searched ---- */

enum { ITEMS = 200, STEPS = 20000 };

typedef struct entry {
    edo_delay delay;
    int64_t when;
    uint64_t order;
    bool is_in;
} entry;

static entry *first_of(entry *entries)
{
    entry *first = NULL;
    for (entry *e = entries; e < entries + ITEMS; e++) {
        if (!e->is_in) continue;
        bool is_before = !first || e->when < first->when ||
                         (e->when == first->when && e->order < first->order);
        if (is_before) first = e;
    }
    return first;
}

test(bad_arguments)
{
    edo_delay_queue queue = EDO_DELAY_QUEUE_INIT;
    edo_delay item = { 0 }, *taken;
    assert_int_equal(edo_delay_queue_insert(NULL, &item, 1), -EINVAL);
    assert_int_equal(edo_delay_queue_insert(&queue, NULL, 1), -EINVAL);
    assert_int_equal(edo_delay_queue_remove(NULL, &item), -EINVAL);
    assert_int_equal(edo_delay_queue_reset(&queue, NULL, 1), -EINVAL);
    assert_int_equal(edo_try_delay_queue_next(NULL, &taken), -EINVAL);
    assert_int_equal(edo_wait(edo_delay_queue_next(NULL, &taken)), -EINVAL);
    assert_int_equal(edo_wait(edo_delay_queue_next(&queue, NULL)), -EINVAL);
}

test(against_a_model)
{
    static entry entries[ITEMS];
    edo_delay_queue queue = EDO_DELAY_QUEUE_INIT;
    test_random random = test_random_make(1);
    uint64_t order = 0;
    size_t count = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        entry *e = &entries[test_random_below(&random, ITEMS)];
        int64_t when = (int64_t)test_random_below(&random, 50);
        uint64_t what = test_random_below(&random, 6);
        if (what < 3) {
            int rc = edo_delay_queue_insert(&queue, &e->delay, when);
            assert_int_equal(rc, e->is_in ? -EBUSY : 0);
            if (rc < 0) continue;
            e->when = when;
            e->order = order++;
            e->is_in = true;
            count++;
        } else if (what == 3) {
            assert_int_equal(edo_delay_queue_remove(&queue, &e->delay), e->is_in ? 0 : -ENOENT);
            count -= e->is_in;
            e->is_in = false;
        } else if (what == 4) {
            int rc = edo_delay_queue_reset(&queue, &e->delay, when);
            assert_int_equal(rc, e->is_in ? 0 : -ENOENT);
            e->when = when;
            e->order = order++;
        } else {
            entry *first = first_of(entries);
            edo_delay *taken = edo_delay_queue_take(&queue);
            assert_ptr_equal(taken, first ? &first->delay : NULL);
            if (first) first->is_in = false;
            if (first) count--;
        }
        assert_int_equal(edo_delay_queue_count(&queue), count);
    }
    edo_delay_queue_deinit(&queue);
}

/* ---- several threads ---- */

enum { THREADS = 3, EACH = 500 };

static edo_delay_queue shared;

struct taker {
    edo_frame();
    edo_args(int count;);
    edo_delay *item;
    int taken;
};

edo_async(taker)
{
    edo_body {
        int rc;
        for (self->taken = 0;; self->taken++) {
            edo_await(rc, edo_delay_queue_next(&shared, &self->item));
            if (rc <= 0) break;
            if (self->item->when > edo_now()) edo_return(-EPROTO);
        }
        edo_return(rc < 0 ? rc : self->taken);
    }
}

static edo_delay all[THREADS][EACH];

static void insert_or_take(unsigned index, void *arg)
{
    int *taken = arg;
    if (index < THREADS) {
        for (int i = 0; i < EACH; i++)
            if (edo_delay_queue_insert(&shared, &all[index][i], edo_now() + i % 50 * 1000) < 0)
                abort();
        return;
    }
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) abort();
    *taken = (int)edo_block_on(runtime, taker, .count = THREADS * EACH);
    edo_runtime_destroy(runtime);
}

static void insert_all_and_close(unsigned index, void *arg)
{
    static edo_atomic(int) left = THREADS;
    insert_or_take(index, arg);
    if (index < THREADS && edo_sub_acq_rel(&left, 1) == 1) edo_delay_queue_close(&shared);
}

test(several_threads)
{
    int taken = 0;
    run_threads(THREADS + 1, insert_all_and_close, &taken);
    assert_int_equal(taken, THREADS * EACH);
    edo_delay_queue_deinit(&shared);
}

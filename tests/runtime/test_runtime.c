/* Making runtimes and running functions on them. */
#include "runtime/fixture.h"

#include <string.h>

/* ---- life ---- */

clean_test(make_and_end)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_null(edo_current_runtime());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_runtime_destroy(NULL), 0);
}

clean_test(reference_outlives_the_end)
{
    edo_runtime *runtime = make_runtime();
    const char *driver = edo_runtime_driver(runtime);
    assert_ptr_equal(edo_runtime_ref(runtime), runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_task *task = NULL;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, answer, 1), -ESHUTDOWN);
    assert_null(task);
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_string_equal(edo_runtime_driver(runtime), driver);
    edo_runtime_unref(runtime);
    edo_runtime_unref(NULL);
}

/* ---- edo_block_on ---- */

clean_test(results)
{
    static const int64_t results[] = { 0, 1, -1, -ECANCELED, INT64_MAX, INT64_MIN, 1LL << 40 };
    edo_runtime *runtime = make_runtime();
    for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
        assert_int_equal(edo_block_on(runtime, answer, .result = results[i]), results[i]);
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct look_around {
    edo_frame();
    edo_args(edo_runtime *runtime;);
};

edo_async(look_around)
{
    edo_body {
        assert_ptr_equal(edo_current_runtime(), self->runtime);
        assert_int_equal(edo_runtime_task_count(self->runtime), 1);
        assert_non_null(edo_current_task());
        /* Calls that turn the runtime answer -EBUSY inside its tasks. */
        assert_int_equal(edo_turn(self->runtime, 0), -EBUSY);
        assert_int_equal(edo_block_on(self->runtime, answer, 1), -EBUSY);
        assert_int_equal(edo_runtime_destroy(self->runtime), -EBUSY);
        edo_return(0);
    }
}

clean_test(inside_and_outside)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, look_around, .runtime = runtime), 0);
    assert_null(edo_current_runtime());
    assert_null(edo_current_task());
    assert_int_equal(edo_block_on(runtime, answer, .result = 3), 3); // the runtime still works
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct other_inside {
    edo_frame();
    edo_args(edo_runtime *other;);
};

edo_async(other_inside)
{
    edo_body {
        assert_int_equal(edo_turn(self->other, 0), -EBUSY);
        assert_int_equal(edo_block_on(self->other, answer, 1), -EBUSY);
        assert_int_equal(edo_runtime_destroy(self->other), -EBUSY);
        edo_return(0);
    }
}

clean_test(other_runtime_from_inside_a_task)
{
    edo_runtime *runtime = make_runtime(), *other = make_runtime();
    assert_int_equal(edo_block_on(runtime, other_inside, .other = other), 0);
    assert_int_equal(edo_runtime_destroy(other), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Other tasks do not run until the next turn. */
struct counter {
    edo_frame();
    edo_args(unsigned *count;);
};

edo_async(counter)
{
    edo_body {
        int rc;
        do {
            ++*self->count;
            edo_await(rc, edo_yield());
        } while (rc == 0);
        edo_return(rc);
    }
}

static edo_task *spawn_counter(edo_runtime *runtime, unsigned *count)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, counter, .count = count), 0);
    return task;
}

current_thread_only("nobody else turns it")
clean_test(others_wait_for_the_next_turn)
{
    unsigned count = 0;
    edo_runtime *runtime = make_runtime();
    edo_task *task = spawn_counter(runtime, &count);
    assert_int_equal(count, 0);
    assert_int_equal(edo_block_on(runtime, answer, .result = 0), 0);
    unsigned before = count;
    assert_int_equal(edo_runtime_task_count(runtime), 1);
    assert_int_equal(edo_block_on(runtime, answer, .result = 0), 0);
    assert_true(count > before);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(several_in_turn_on_one_thread)
{
    enum { COUNT = 8 };
    edo_runtime *runtimes[COUNT];
    for (int i = 0; i < COUNT; i++)
        runtimes[i] = make_runtime();
    for (int i = 0; i < 3 * COUNT; i++)
        assert_int_equal(edo_block_on(runtimes[i % COUNT], answer, .result = i), i);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(edo_runtime_destroy(runtimes[(i + 3) % COUNT]), 0);
}

/* ---- several at once, each on its thread ---- */

enum { THREADS = 4, ROUNDS = 20, CHILDREN = 20 };

struct family {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned i;
};

edo_async(family)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (self->i = 0; self->i < CHILDREN; self->i++) {
            rc = edo_scope_spawn(&self->scope, answer, .result = self->i);
            if (rc < 0) break;
            edo_await(rc, edo_sleep(edo_us(self->i)));
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static void live_on_a_thread(unsigned index, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, answer, .result = index) == index);
        insist(edo_block_on(runtime, family) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
    }
}

clean_test(several_at_once)
{
    run_threads(THREADS, live_on_a_thread, NULL);
}

/* ---- the owner may be another thread than the maker ---- */

static void turn_elsewhere(unsigned index, void *arg)
{
    (void)index;
    insist(edo_block_on((edo_runtime *)arg, family) == 0);
    insist(edo_runtime_destroy(arg) == 0);
}

clean_test(made_here_and_turned_there)
{
    run_threads(1, turn_elsewhere, make_runtime());
}

/* ---- ids ---- */

enum { IDS = 3000 };
static int64_t ids[THREADS][IDS];

struct collect_ids {
    edo_frame();
    edo_args(int64_t *ret_ids;);
};

edo_async(collect_ids)
{
    edo_body {
        edo_task *task;
        for (unsigned i = 0; i < IDS; i++) {
            insist(edo_spawn(&task, answer, .result = 0) == 0);
            self->ret_ids[i] = (int64_t)edo_task_id(task);
            edo_detach(task);
        }
        edo_return(0);
    }
}

static void collect_on_a_thread(unsigned index, void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    insist(create_runtime(NULL, &runtime) == 0);
    insist(edo_block_on(runtime, collect_ids, .ret_ids = ids[index]) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

clean_test(ids_are_unique)
{
    run_threads(THREADS, collect_on_a_thread, NULL);
    qsort(ids, THREADS * IDS, sizeof ids[0][0], compare_ids);
    for (size_t i = 1; i < THREADS * IDS; i++)
        assert_true((&ids[0][0])[i - 1] < (&ids[0][0])[i]);
}

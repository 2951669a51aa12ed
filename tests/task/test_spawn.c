/* Spawning: options and properties of a task, the order of tasks, and failures. */
#include "task/probe.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- properties of a task ---- */

struct nothing {
    edo_frame();
    edo_args();
};

edo_async(nothing)
{
    edo_body {
        edo_return(0);
    }
}

async_test(a_task_tells_name_site_and_user, edo_task *plain, *told; int line;)
{
    edo_body {
        int rc;
        static const char name[] = "a name of its own";
        edo_spawn_options options = { .name = name, .user = &self->line };
        self->line = __LINE__ + 1;
        assert_int_equal(edo_spawn(&self->plain, nothing), 0);
        assert_int_equal(edo_spawn_with(&self->told, &options, nothing), 0);
        assert_string_equal(edo_task_name(self->plain), "nothing");
        assert_null(edo_task_user(self->plain));
        assert_ptr_equal(edo_task_name(self->told), name); // not copied
        assert_ptr_equal(edo_task_user(self->told), &self->line);
        const edo_site *site = edo_task_site(self->plain);
        assert_int_equal(site->line, self->line);
        assert_non_null(strstr(site->file, "test_spawn.c"));
        assert_ptr_equal(site->ops, &nothing_async);
        edo_await(rc, edo_join(self->plain));
        edo_await(rc, edo_join(self->told));
        edo_return(rc);
    }
}

struct tells_itself {
    edo_frame();
    edo_args(uint64_t *ret_id; edo_runtime *runtime;);
};

edo_async(tells_itself)
{
    edo_body {
        *self->ret_id = edo_task_id(edo_current_task());
        edo_return(edo_current_runtime() == self->runtime ? 0 : -EPROTO);
    }
}

async_test(the_current_task_is_the_one_that_is_polled,
    edo_callees(struct tells_itself tells_itself;)
    edo_task *task;
    uint64_t mine, id, called;)
{
    edo_body {
        int rc;
        edo_runtime *runtime = edo_current_runtime();
        self->mine = edo_task_id(edo_current_task());
        assert_int_equal(edo_spawn(&self->task, tells_itself, .ret_id = &self->id, runtime), 0);
        edo_call(rc, tells_itself, .ret_id = &self->called, edo_current_runtime());
        assert_int_equal(rc, 0);
        assert_int_equal(self->called, self->mine);
        edo_await(rc, settle());
        assert_int_equal(self->id, edo_task_id(self->task));
        assert_int_not_equal(self->id, self->mine);
        assert_int_equal(edo_task_id(edo_current_task()), self->mine);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(outside_of_tasks_there_is_no_current_one)
{
    assert_null(edo_current_task());
    assert_null(edo_current_runtime());
}

/* ---- the order ---- */

struct notes {
    edo_frame();
    edo_args(int number; int *next;);
};

edo_async(notes)
{
    edo_body {
        edo_return(self->number == (*self->next)++ ? 0 : -EPROTO);
    }
}

current_thread_only("the order in one queue")
async_test(tasks_run_in_the_order_of_their_spawns, edo_scope scope; int next;)
{
    edo_body {
        int rc;
        self->next = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, notes, .number = i, .next = &self->next),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->next, 1000);
        edo_return(rc);
    }
}

/* ---- detached ---- */

async_test(detached_tasks_go_on_alone, struct gate gate; edo_task *task; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate, .ended = &self->ended),
                         0);
        edo_detach(self->task); // before it has begun
        edo_await(rc, settle());
        gate_open(&self->gate, 0);
        edo_await(rc, settle());
        assert_int_equal(self->ended, 1);
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate, .ended = &self->ended),
                         0);
        edo_await(rc, settle());
        edo_detach(self->task); // while it waits
        gate_open(&self->gate, 0);
        edo_await(rc, settle());
        assert_int_equal(self->ended, 2);
        self->gate = gate_make_open(0);
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate, .ended = &self->ended),
                         0);
        edo_await(rc, settle());
        assert_int_equal(self->ended, 3);
        edo_detach(self->task); // after its end
        edo_detach(NULL);
        self->gate = gate_make_open(0);
        assert_int_equal(edo_go(passer, .gate = &self->gate, .ended = &self->ended), 0);
        edo_await(rc, settle());
        assert_int_equal(self->ended, 4);
        edo_return(rc);
    }
}

/* ---- failures ---- */

test(outside_of_a_runtime_nothing_is_spawned)
{
    edo_task *task = (edo_task *)(uintptr_t)1;
    assert_int_equal(edo_go(nothing), -EINVAL);
    assert_int_equal(edo_spawn(&task, nothing), -EINVAL);
    assert_int_equal(edo_spawn_with(&task, &(edo_spawn_options){ .name = "x" }, nothing), -EINVAL);
    assert_ptr_equal(task, (edo_task *)(uintptr_t)1); // untouched
}

test(after_the_runtimes_end_nothing_is_spawned)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_runtime_ref(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, nothing), -ESHUTDOWN);
    edo_runtime_unref(runtime);
}

/* Functions free their argument, so a double free or a leak is detected. */
struct frees_small {
    edo_frame();
    edo_args(void *argument;);
};

edo_async(frees_small)
{
    edo_body {
        free(self->argument);
        edo_return(0);
    }
}

struct frees_large {
    edo_frame();
    edo_args(void *argument;);
    char room[8192];
};

edo_async(frees_large)
{
    edo_body {
        free(self->argument);
        edo_return(0);
    }
}

static void spawn_three(edo_runtime *runtime)
{
    edo_spawn_options plain = { .runtime = runtime };
    edo_spawn_options told = { .runtime = runtime, .name = "told" };
    void *a = malloc(1), *b = malloc(1), *c = malloc(1);
    edo_task *task = NULL;
    int rc = edo_spawn_with(NULL, &plain, frees_small, .argument = a);
    assert_true(rc == 0 || rc == -ENOMEM);
    if (rc < 0) free(a);
    rc = edo_spawn_with(NULL, &told, frees_large, .argument = b);
    assert_true(rc == 0 || rc == -ENOMEM);
    if (rc < 0) free(b);
    rc = edo_spawn_with(&task, &told, frees_small, .argument = c);
    assert_true(rc == 0 || rc == -ENOMEM);
    if (rc < 0) {
        assert_null(task);
        free(c);
    }
    edo_detach(task);
}

static void spawn_with_failures(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    int rc = create_runtime(NULL, &runtime);
    if (rc == -ENOMEM) return;
    assert_int_equal(rc, 0);
    spawn_three(runtime);
    while (edo_runtime_task_count(runtime))
        assert_true(turn_runtime(runtime, 0) >= 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(when_memory_is_out_the_arguments_stay_the_callers)
{
    assert_true(with_each_allocation_failing(spawn_with_failures, NULL) >= 4);
}

struct spawns_all_kinds {
    edo_frame();
    edo_args();
    edo_task *task;
    void *argument;
};

/* Inside a task: from the runtime's heap, which needs a slab. */
edo_async(spawns_all_kinds)
{
    edo_body {
        int64_t result;
        self->argument = malloc(1);
        result = edo_spawn(&self->task, frees_small, .argument = self->argument);
        if (result < 0) {
            free(self->argument);
            edo_return(result);
        }
        edo_await(result, edo_join(self->task));
        self->argument = malloc(1);
        result = edo_go(frees_large, .argument = self->argument);
        if (result < 0) free(self->argument);
        edo_return(result);
    }
}

static void run_with_failures(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t result = edo_block_on(runtime, spawns_all_kinds);
    assert_true(result == 0 || result == -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(a_task_survives_that_memory_is_out)
{
    assert_true(with_each_allocation_failing(run_with_failures, NULL) >= 4);
}

/* ---- many ---- */

enum { MANY = 20000 };

struct many {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
};

struct waits_its_turn {
    edo_frame();
    edo_args(unsigned *ended;);
};

edo_async(waits_its_turn)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_add_relaxed(self->ended, 1);
        edo_return(rc);
    }
}

edo_async(many)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, waits_its_turn, .ended = &self->ended),
                             0);
        edo_await(rc, settle());
        assert_int_equal(edo_runtime_task_count(edo_current_runtime()), MANY + 1);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->ended, MANY);
        edo_return(rc);
    }
}

test(thousands_of_tasks_leave_no_memory)
{
    edo_runtime *runtime;
    test_allocator_install();
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, many), 0);
    size_t after_first = edo_memory_in_use();
    assert_int_equal(edo_block_on(runtime, many), 0);
    if (!test_workers())                                      // each worker has a heap
        assert_in_range(edo_memory_in_use(), 0, after_first); // freed blocks are reused
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
}

/* ---- from other threads ---- */

enum { THREADS = 4, TASKS_PER_THREAD = 500, TASKS = THREADS * TASKS_PER_THREAD };

struct field {
    edo_runtime *runtime;
    uint64_t ids[TASKS];
    unsigned ran;
};

struct counts {
    edo_frame();
    edo_args(struct field *field; unsigned slot;);
};

edo_async(counts)
{
    edo_body {
        self->field->ids[self->slot] = edo_task_id(edo_current_task());
        __atomic_fetch_add(&self->field->ran, 1, __ATOMIC_RELAXED);
        edo_return(edo_current_runtime() == self->field->runtime ? 0 : -EPROTO);
    }
}

static void spawn_into_field(unsigned index, void *arg)
{
    struct field *field = arg;
    edo_spawn_options options = { .runtime = field->runtime };
    for (unsigned i = 0; i < TASKS_PER_THREAD; i++) {
        edo_task *task;
        unsigned slot = index * TASKS_PER_THREAD + i;
        if (edo_spawn_with(&task, &options, counts, .field = field, .slot = slot) < 0) abort();
        if (i % 2)
            edo_detach(task);
        else if (edo_wait(edo_join(task)) != 0)
            abort();
    }
}

static void *spawn_from_threads(void *arg)
{
    run_threads(THREADS, spawn_into_field, arg);
    return NULL;
}

struct waits_for_field {
    edo_frame();
    edo_args(struct field *field;);
};

edo_async(waits_for_field)
{
    edo_body {
        int rc;
        while (__atomic_load_n(&self->field->ran, __ATOMIC_RELAXED) < TASKS)
            edo_await(rc, edo_sleep(edo_us(100)));
        edo_return(0);
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

test(any_thread_may_spawn_and_ids_are_unique)
{
    static struct field field;
    pthread_t thread;
    assert_int_equal(create_runtime(NULL, &field.runtime), 0);
    assert_int_equal(pthread_create(&thread, NULL, spawn_from_threads, &field), 0);
    assert_int_equal(edo_block_on(field.runtime, waits_for_field, .field = &field), 0);
    while (edo_runtime_task_count(field.runtime) > 0)
        assert_true(turn_runtime(field.runtime, 0) >= 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(edo_runtime_destroy(field.runtime), 0);
    qsort(field.ids, TASKS, sizeof *field.ids, compare_ids);
    for (unsigned i = 1; i < TASKS; i++)
        assert_true(field.ids[i - 1] < field.ids[i]);
}

/* ---- onto another runtime ---- */

struct spawns_onto {
    edo_frame();
    edo_args(edo_runtime *other; uint64_t *ret_id; edo_task **ret_task;);
};

edo_async(spawns_onto)
{
    edo_body {
        edo_spawn_options options = { .runtime = self->other };
        edo_return(edo_spawn_with(self->ret_task, &options, tells_itself, .ret_id = self->ret_id,
                                  .runtime = self->other));
    }
}

test(a_task_may_spawn_onto_another_runtime)
{
    edo_runtime *here, *there;
    edo_task *task;
    uint64_t id = 0;
    assert_int_equal(create_runtime(NULL, &here), 0);
    assert_int_equal(create_runtime(NULL, &there), 0);
    assert_int_equal(
        edo_block_on(here, spawns_onto, .other = there, .ret_id = &id, .ret_task = &task), 0);
    if (!test_workers()) assert_int_equal(id, 0);
    while (!edo_task_is_done(task))
        assert_true(turn_runtime(there, 0) >= 0);
    assert_int_equal(id, edo_task_id(task));
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_int_equal(edo_runtime_destroy(here), 0);
    assert_int_equal(edo_runtime_destroy(there), 0);
}

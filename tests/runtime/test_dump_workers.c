/* edo-test: ct, because each test sets its number of workers.
 * Dumps of runtimes with workers: stuck workers, restless tasks, tasks that begin and end
 * meanwhile. */
#include "runtime/dumped.h"

#include <edo/dump.h>

#include "runtime/inspect/snapshot.h"

static edo_runtime *make_workers(int32_t workers)
{
    return make_runtime_with(&(edo_config){ .workers = workers, .stall_limit = EDO_NEVER });
}

struct joins {
    edo_frame();
    edo_args(edo_task **tasks; size_t count;);
    size_t i;
};

edo_async(joins)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < self->count; self->i++)
            edo_await(rc, edo_join(self->tasks[self->i]));
        edo_return(0);
    }
}

static void join_all(edo_runtime *runtime, edo_task **tasks, size_t count)
{
    assert_int_equal(edo_block_on(runtime, joins, .tasks = tasks, .count = count), 0);
}

static void count_line(void *context, const edo_trace_line *line)
{
    (void)line;
    ++*(unsigned *)context;
}

/* Returns when the task waits in an operation. */
static void await_wait(edo_task *task)
{
    for (unsigned lines = 0; lines < 2; sched_yield()) {
        lines = 0;
        edo_task_trace(task, count_line, &lines);
    }
}

/* ---- every task, once ---- */

enum { MANY = 3000 };

clean_test(each_of_many_is_there_once)
{
    static edo_task *tasks[MANY];
    static flag flags[MANY];
    char line[64];
    edo_runtime *runtime = make_runtime_with( // without helpers, which would count as workers
        &(edo_config){ .workers = 2, .stall_limit = EDO_NEVER, .max_spare = -1 });
    for (size_t i = 0; i < MANY; i++) {
        flag_init(&flags[i]);
        spawn_to(runtime, &tasks[i], outer, .flag = &flags[i]);
    }
    text t = dump_of(runtime);
    expect(&t, "; 2 workers, ", 1);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, " #%llu", (unsigned long long)edo_task_id(tasks[i]));
        insist(strstr(t.bytes, line) != NULL);
        flag_set(&flags[i]);
    }
    text_free(&t);
    join_all(runtime, tasks, MANY);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- stuck ---- */

clean_test(stuck_workers_are_no_hindrance)
{
    cell cells[2];
    flag f;
    edo_task *tasks[3];
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .workers = 2, .stall_limit = EDO_NEVER, .max_spare = -1 });
    flag_init(&f);
    for (int i = 0; i < 2; i++) {
        cell_init(&cells[i]);
        spawn_to(runtime, &tasks[i], stuck, .cell = &cells[i]);
    }
    for (int i = 0; i < 2; i++)
        wait_on(&cells[i].entered);
    spawn_to(runtime, &tasks[2], outer, .flag = &f);
    text t = whole_dump_of(runtime);
    expect(&t, "worker 0 runs task 'stuck' #", 1);
    expect(&t, "worker 1 runs task 'stuck' #", 1);
    expect(&t, "'stuck' #", 2);
    expect(&t, "\n  stuck (", 2);
    expect(&t, "\n  its thread is in\n", 2);
    expect(&t, "task 'outer' #", 1);
    expect(&t, " is ready, not polled yet, ", 1);
    text_free(&t);
    flag_set(&f);
    for (int i = 0; i < 2; i++)
        sem_post(&cells[i].let_go);
    join_all(runtime, tasks, 3);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct calls_stuck {
    edo_frame(struct stuck stuck;);
    edo_args(struct cell *cell;);
};

edo_async(calls_stuck)
{
    edo_body {
        int rc;
        edo_call(rc, stuck, .cell = self->cell);
        edo_return(rc);
    }
}

struct in_place {
    edo_frame();
    edo_args(struct cell *cell;);
};

edo_async(in_place)
{
    edo_body {
        edo_return(edo_block_in_place(stay, self->cell));
    }
}

clean_test(one_that_blocks_in_place_runs)
{
    cell c;
    edo_task *task;
    edo_runtime *runtime = make_workers(2);
    cell_init(&c);
    spawn_to(runtime, &task, in_place, .cell = &c);
    wait_on(&c.entered);
    text t = whole_dump_of(runtime);
    expect(&t, " runs task 'in_place' #", 1);
    expect(&t, "'in_place' #", 1);
    expect(&t, " stuck\n", 1); // the other worker may be behind, too
    text_free(&t);
    sem_post(&c.let_go);
    join_all(runtime, &task, 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct calls_in_place {
    edo_frame(struct in_place callee;);
    edo_args(struct cell *cell;);
};

edo_async(calls_in_place)
{
    edo_body {
        int rc;
        edo_call(rc, in_place, .cell = self->cell);
        edo_return(rc);
    }
}

/* Expects both frames of a poll in progress; in a first poll they are EDO_NEW. */
static void expect_both_frames(edo_runtime *runtime, cell *c, const char *inner_name)
{
    char line[64];
    wait_on(&c->entered);
    text t = whole_dump_of(runtime);
    snprintf(line, sizeof line, "\n  calls_%s (", inner_name);
    expect(&t, line, 1);
    snprintf(line, sizeof line, "\n    %s (", inner_name);
    expect(&t, line, 1);
    text_free(&t);
    sem_post(&c->let_go);
}

clean_test(all_frames_that_run_are_shown)
{
    cell cells[2];
    edo_task *tasks[2];
    edo_runtime *runtime = make_workers(2);
    for (int i = 0; i < 2; i++)
        cell_init(&cells[i]);
    spawn_to(runtime, &tasks[0], calls_stuck, .cell = &cells[0]);
    expect_both_frames(runtime, &cells[0], "stuck");
    spawn_to(runtime, &tasks[1], calls_in_place, .cell = &cells[1]);
    expect_both_frames(runtime, &cells[1], "in_place");
    join_all(runtime, tasks, 2);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct stage {
    edo_runtime *runtime;
    cell cell;
};

/* A current-thread runtime whose thread is stuck; another thread makes the dump. */
static void *turn_stuck(void *argument)
{
    struct stage *s = argument;
    s->runtime = make_runtime();
    spawn_to(s->runtime, NULL, wait_forever); // polled first
    insist(edo_block_on(s->runtime, stuck, .cell = &s->cell) == 0);
    insist(edo_runtime_destroy(s->runtime) == 0);
    return NULL;
}

clean_test(a_thread_without_workers_answers_too)
{
    struct stage s;
    pthread_t thread;
    cell_init(&s.cell);
    assert_int_equal(pthread_create(&thread, NULL, turn_stuck, &s), 0);
    wait_on(&s.cell.entered);
    text t = whole_dump_of(s.runtime);
    expect(&t, "worker 0 runs task 'stuck' #", 1);
    expect(&t, "task 'wait_forever' #", 1);
    expect(&t, "\n    edo_sleep\n", 1);
    text_free(&t);
    sem_post(&s.cell.let_go);
    pthread_join(thread, NULL);
}

static void *note_thread(void *argument)
{
    *(uint32_t *)argument = edo__sys_thread_id();
    return NULL;
}

clean_test(a_thread_that_has_ended_does_not_answer)
{
    pthread_t thread;
    edo__worker worker = { 0 };
    edo__snapshot snapshot;
    assert_int_equal(edo__snapshot_take(&snapshot, &worker), -ESRCH);
    assert_int_equal(pthread_create(&thread, NULL, note_thread, &worker.thread_id), 0);
    pthread_join(thread, NULL);
    assert_true(worker.thread_id != 0 && worker.thread_id != edo__sys_thread_id());
    int rc = edo__snapshot_take(&snapshot, &worker);
    assert_true(rc == -ESRCH || rc == -ETIMEDOUT); // the thread may still be ending
}

/* ---- restless ---- */

struct yields {
    edo_frame();
    edo_args(bool *stops;);
};

edo_async(yields)
{
    edo_body {
        int rc;
        while (!__atomic_load_n(self->stops, __ATOMIC_RELAXED))
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

enum { RESTLESS = 20 };

/* Each task is named once, and eventually a task is inspected between two polls. */
clean_test(those_that_yield_hold_still)
{
    edo_task *tasks[RESTLESS];
    bool stops = false;
    edo_runtime *runtime = make_workers(2);
    for (int i = 0; i < RESTLESS; i++)
        spawn_to(runtime, &tasks[i], yields, .stops = &stops);
    for (size_t still = 0; still == 0;) {
        text t = dump_of(runtime);
        insist(count_of(&t, "yields' #") + count_of(&t, "task yields #") == RESTLESS);
        for (int i = 0; i < RESTLESS; i++)
            insist(!(edo_load_relaxed(&tasks[i]->state) & EDO__WANTED)); // WANTED was cleared
        still = count_of(&t, " is ready, last polled ");
        text_free(&t);
    }
    __atomic_store_n(&stops, true, __ATOMIC_RELAXED);
    join_all(runtime, tasks, RESTLESS);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- while tasks come and go ---- */

/* A short task. Its name is freed with the task. */
struct brief {
    edo_frame();
    edo_args();
};

edo_async(brief)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_await(rc, edo_sleep(edo_us(50)));
        edo_return(rc);
    }
}

enum { BRIEF = 30 };

struct churns {
    edo_frame();
    edo_args(bool *stops;);
    edo_task *tasks[BRIEF];
    char *names[BRIEF];
    int i;
};

edo_async(churns)
{
    edo_body {
        int rc;
        while (!__atomic_load_n(self->stops, __ATOMIC_RELAXED)) {
            for (self->i = 0; self->i < BRIEF; self->i++) {
                self->names[self->i] = strdup("brief one");
                edo_spawn_options options = { .name = self->names[self->i] };
                insist(edo_spawn_with(&self->tasks[self->i], &options, brief) == 0);
            }
            for (self->i = 0; self->i < BRIEF; self->i++) {
                edo_await(rc, edo_join(self->tasks[self->i]));
                free(self->names[self->i]);
            }
        }
        edo_return(0);
    }
}

enum { DUMPERS = 3, DUMPS = 25 };

static void dump_often(unsigned index, void *arg)
{
    (void)index;
    for (int i = 0; i < DUMPS; i++) {
        text t = dump_of(arg);
        insist(count_of(&t, "churns") >= 1);
        text_free(&t);
    }
}

clean_test(several_at_once_while_tasks_come_and_go)
{
    enum { CHURNS = 3 };
    bool stops = false;
    edo_task *tasks[CHURNS];
    edo_runtime *runtime = make_workers(2);
    for (int i = 0; i < CHURNS; i++)
        spawn_to(runtime, &tasks[i], churns, .stops = &stops);
    run_threads(DUMPERS, dump_often, runtime);
    __atomic_store_n(&stops, true, __ATOMIC_RELAXED);
    join_all(runtime, tasks, CHURNS);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct dumps_itself {
    edo_frame();
    edo_args();
};

edo_async(dumps_itself)
{
    edo_body {
        int rc;
        for (int i = 0; i < DUMPS; i++) {
            text t = dump_of(edo_current_runtime());
            insist(count_of(&t, "runs task 'dumps_itself' #") >= 1);
            text_free(&t);
        }
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

clean_test(tasks_dump_each_other)
{
    edo_task *tasks[3];
    edo_runtime *runtime = make_workers(2);
    for (int i = 0; i < 3; i++)
        spawn_to(runtime, &tasks[i], dumps_itself);
    join_all(runtime, tasks, 3);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- while the runtime ends ---- */

struct ending {
    edo_runtime *runtime;
    bool over;
    sem_t begun;
};

static void *dump_until_over(void *argument)
{
    struct ending *e = argument;
    do {
        text t = dump_of(e->runtime);
        text_free(&t);
        sem_post(&e->begun);
    } while (!__atomic_load_n(&e->over, __ATOMIC_ACQUIRE));
    edo_runtime_unref(e->runtime);
    return NULL;
}

static void end_under_dumps(int32_t workers)
{
    pthread_t thread;
    edo_runtime *runtime = make_workers(workers);
    struct ending e = { .runtime = edo_runtime_ref(runtime) };
    sem_init(&e.begun, 0, 0);
    for (int i = 0; i < BRIEF; i++) {
        spawn_to(runtime, NULL, wait_forever);
        spawn_to(runtime, NULL, brief);
    }
    assert_int_equal(pthread_create(&thread, NULL, dump_until_over, &e), 0);
    wait_on(&e.begun);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    __atomic_store_n(&e.over, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
}

clean_test(a_runtime_ends_under_dumps)
{
    for (int32_t workers = 0; workers < 4; workers++)
        for (int i = 0; i < 5; i++)
            end_under_dumps(workers);
}

/* ---- out of memory ---- */

clean_test(without_memory_workers_are_told_as_well)
{
    cell c;
    flag f;
    edo_task *tasks[101];
    edo_runtime *runtime = make_workers(2);
    cell_init(&c);
    flag_init(&f);
    for (int i = 0; i < 100; i++)
        spawn_to(runtime, &tasks[i], wait_forever);
    for (int i = 0; i < 100; i++)
        await_wait(tasks[i]);
    spawn_to(runtime, &tasks[100], stuck, .cell = &c);
    wait_on(&c.entered);
    test_allocator_fail_from(1);
    text t = text_make();
    do {
        t.used = 0;
        assert_int_equal(edo_dump(runtime, append, &t), -ENOMEM);
    } while (!is_whole(&t));
    test_allocator_fail_from(0);
    expect(&t, "task 'wait_forever' #", 0);
    expect(&t, " runs task 'stuck' #", 1);
    text_free(&t);
    sem_post(&c.let_go);
    for (int i = 0; i < 100; i++)
        edo_task_cancel(tasks[i]);
    join_all(runtime, tasks, 101);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* edo-test: ct. Dumps of a current-thread runtime: the lines for each task. */
#include "runtime/dumped.h"

#include <errno.h>

#include <edo/dump.h>

#include "runtime/runtime.h"

static void turn_all(edo_runtime *runtime)
{
    while (edo_turn(runtime, 0) > 0)
        continue;
}

/* ---- tasks that wait ---- */

clean_test(it_leads_to_the_leaf)
{
    flag f;
    char where[64];
    flag_init(&f);
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .name = "shop" });
    spawn_to(runtime, NULL, outer, .flag = &f);
    turn_all(runtime);
    text t = dump_of(runtime);
    expect(&t, "runtime 'shop' on ", 1);
    expect(&t, ": 1 tasks; 1 thread, 0 of them asleep, 0 stuck\n", 1);
    expect(&t, "task 'outer' #", 1);
    expect(&t, " waits, last polled ", 1);
    expect(&t, " ms ago, spawned by it_leads_to_the_leaf_test at ", 1);
    expect(&t, "\n  outer (", 1);
    snprintf(where, sizeof where, "dumped.h:%d)\n      flag\n", inner_line);
    expect(&t, where, 1);
    expect(&t, "\n    inner (", 1);
    text_free(&t);
    flag_set(&f);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(it_tells_what_has_not_begun)
{
    flag f;
    flag_init(&f);
    edo_runtime *runtime = make_runtime();
    spawn_to(runtime, NULL, outer, .flag = &f);
    text t = dump_of(runtime);
    expect(&t, " is ready, not polled yet, spawned by ", 1);
    expect(&t, "\n  outer (", 1);
    expect(&t, "inner", 0);
    text_free(&t);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(it_tells_names_and_fates)
{
    edo_runtime *runtime = make_runtime();
    edo_task *tasks[2];
    static const char *const names[] = { "till", "ledger" };
    for (int i = 0; i < 2; i++) {
        edo_spawn_options options = { .runtime = runtime, .name = names[i] };
        assert_int_equal(edo_spawn_with(&tasks[i], &options, wait_forever), 0);
    }
    turn_all(runtime);
    edo_task_cancel(tasks[0]);
    edo_task_abort(tasks[1]);
    text t = dump_of(runtime);
    char line[64];
    snprintf(line, sizeof line, "task 'till' #%llu is ready, cancelled, ",
             (unsigned long long)edo_task_id(tasks[0]));
    expect(&t, line, 1);
    expect(&t, "task 'ledger' #", 1);
    expect(&t, " is ready, aborted, ", 1);
    text_free(&t);
    edo_detach(tasks[0]);
    edo_detach(tasks[1]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* The time since the last poll is measured by the runtime's clock. */
fixture(set_up, tear_down)
async_test(looks_at_another, flag flag; edo_task *task;)
{
    edo_body {
        int rc;
        flag_init(&self->flag);
        assert_int_equal(edo_spawn(&self->task, outer, .flag = &self->flag), 0);
        edo_await(rc, edo_yield());
        edo_await(rc, edo_sleep(edo_ms(1500)));
        text t = dump_of(edo_current_runtime());
        expect(&t, "worker 0 runs task 'looks_at_another' #", 1);
        expect(&t, "\n  looks_at_another (", 1);
        expect(&t, "\n  its thread is in\n    ", 1);
        expect(&t, "task 'outer' #", 1);
        expect(&t, " waits, last polled 1500 ms ago, ", 1);
        expect(&t, "looks_at_another' #", 1); // once, although the task is also in the registry
        assert_false(edo_current_task()->state & EDO__WANTED); // no inspection is requested
        text_free(&t);
        flag_set(&self->flag);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

/* ---- siblings, and depth ---- */

struct descend {
    edo_frame();
    edo_args(unsigned depth; struct flag *flag;);
};

edo_async(descend)
{
    edo_body {
        int rc;
        if (self->depth == 0)
            edo_await_on(rc, &self->flag->base);
        else
            edo_call_boxed(rc, descend, .depth = self->depth - 1, .flag = self->flag);
        edo_return(rc);
    }
}

enum { DEPTH = 300 };

clean_test(a_deep_one_is_whole)
{
    flag f;
    flag_init(&f);
    edo_runtime *runtime = make_runtime();
    spawn_to(runtime, NULL, descend, .depth = DEPTH, .flag = &f);
    turn_all(runtime);
    text t = dump_of(runtime);
    expect(&t, " descend (", DEPTH + 1);
    expect(&t, " flag\n", 1);
    expect(&t, " more\n", 0);
    text_free(&t);
    flag_set(&f);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- from a hook ---- */

static unsigned looks;

static void ignore_line(void *context, const edo_trace_line *line)
{
    (void)context;
    (void)line;
}

/* Inspects a task from the task's own hooks, where the task neither waits nor is KEPT. */
static void look_from_hook(void *user, const edo_task *task)
{
    (void)user;
    insist(edo_task_trace((edo_task *)task, ignore_line, NULL) == -EBUSY);
    looks++;
}

struct yields {
    edo_frame();
    edo_args();
    int i;
};

edo_async(yields)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 3; self->i++)
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

clean_test(the_task_in_hand_is_let_be)
{
    looks = 0;
    edo_hooks hooks = { .before_poll = look_from_hook,
                        .after_poll = look_from_hook,
                        .end = look_from_hook };
    edo_runtime *runtime = make_runtime_with(&(edo_config){ .hooks = &hooks });
    assert_int_equal(edo_block_on(runtime, yields), 0);
    assert_int_equal(looks, 2 * 4 + 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- without memory ---- */

enum { MANY = 500 };

clean_test(without_memory_it_says_so)
{
    edo_runtime *runtime = make_runtime();
    edo_task *tasks[MANY];
    for (size_t i = 0; i < MANY; i++)
        spawn_to(runtime, &tasks[i], wait_forever);
    turn_all(runtime);
    test_allocator_fail_from(1);
    text t = text_make();
    assert_int_equal(edo_dump(runtime, append, &t), -ENOMEM);
    test_allocator_fail_from(0);
    expect(&t, "task 'wait_forever' #", 0);
    text_free(&t);
    for (size_t i = 0; i < MANY; i++)
        edo_detach(tasks[i]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(without_memory_long_ones_are_cut_and_say_so)
{
    flag f;
    flag_init(&f);
    edo_runtime *runtime = make_runtime();
    spawn_to(runtime, NULL, descend, .depth = DEPTH, .flag = &f);
    turn_all(runtime);
    text t = text_make();
    test_allocator_fail_from(2); // the first allocation is the list of tasks
    assert_int_equal(edo_dump(runtime, append, &t), -ENOMEM);
    test_allocator_fail_from(0);
    size_t shown = count_of(&t, " descend ("), rest = DEPTH + 2 - shown; // and the flag
    char line[64];
    snprintf(line, sizeof line, "  ... and %zu more\n", rest);
    assert_in_range(shown, 1, DEPTH);
    expect(&t, line, 1);
    text_free(&t);
    flag_set(&f);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- output ---- */

clean_test(by_default_it_goes_to_the_log)
{
    edo_runtime *runtime = make_runtime();
    spawn_to(runtime, NULL, wait_forever);
    turn_all(runtime);
    log_capture();
    assert_int_equal(edo_dump(runtime, NULL, NULL), 0);
    assert_int_equal(log_lines("task 'wait_forever' #"), 1);
    assert_int_equal(log_lines("    edo_sleep"), 1);
    log_release();
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Turns the runtime and makes a dump, inside a dump. While text is written, every task may run and
 * no lock is held. */
static void turn_and_dump(void *context, const char *line)
{
    edo_runtime *runtime = context;
    insist(edo_turn(runtime, 0) >= 0);
    spawn_to(runtime, NULL, answer, .result = 0);
    if (strstr(line, "task 'wait_forever'")) {
        text t = dump_of(runtime);
        expect(&t, "task 'wait_forever' #", 1);
        text_free(&t);
    }
}

clean_test(the_writer_may_do_anything)
{
    edo_runtime *runtime = make_runtime();
    spawn_to(runtime, NULL, wait_forever);
    turn_all(runtime);
    assert_int_equal(edo_dump(runtime, turn_and_dump, runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- all runtimes ---- */

clean_test(all_runtimes_are_dumped)
{
    edo_runtime *first = make_runtime_with(&(edo_config){ .name = "first" });
    edo_runtime *second = make_runtime_with(&(edo_config){ .name = "second" });
    text t = text_make();
    assert_int_equal(edo_dump_all(append, &t), 0);
    const char *one = strstr(t.bytes, "runtime 'first' on "), *two = strstr(t.bytes, "'second' on");
    assert_non_null(one);
    assert_true(two > one);
    assert_int_equal(edo_runtime_destroy(first), 0);
    t.used = 0;
    assert_int_equal(edo_dump_all(append, &t), 0);
    expect(&t, "'first'", 0);
    expect(&t, "'second'", 1);
    assert_int_equal(edo_runtime_destroy(second), 0);
    text_free(&t);
}

static void fork_and_dump(void *arg)
{
    edo_runtime *runtime = arg;
    text t = text_make();
    insist(edo_dump(runtime, append, &t) == -ESTALE);
    insist(edo_dump_all(append, &t) == 0);
    insist(t.used == 0); // without the parent's runtimes
    edo_runtime *own = make_runtime_with(&(edo_config){ .name = "child" });
    insist(edo_dump_all(append, &t) == 0);
    expect(&t, "runtime 'child' on ", 1);
    insist(edo_runtime_destroy(own) == 0);
    text_free(&t);
}

clean_test(a_child_has_its_own)
{
    edo_runtime *runtime = make_runtime();
    expect_success_in_child(fork_and_dump, runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(a_reference_is_enough)
{
    edo_runtime *runtime = edo_runtime_ref(make_runtime());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    text t = dump_of(runtime);
    expect(&t, ": 0 tasks; ", 1);
    text_free(&t);
    edo_runtime_unref(runtime);
}

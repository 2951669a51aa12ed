/* Rule 8, backtraces: from a task through every frame and combinator to the leaves, also on another
 * thread. */
#include "task/probe.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "task/task.h"

/* ---- lines of a backtrace ---- */

static char text[TRACE_SIZE];

static const char *trace_of(edo_task *task)
{
    text[0] = '\0';
    assert_int_equal(edo_task_trace(task, append_trace_line, text), 0);
    return text;
}

static int sleep_line; // where `innermost` waits

struct innermost {
    edo_frame();
    edo_args();
};

edo_async(innermost)
{
    edo_body {
        int rc;
        sleep_line = __LINE__ + 1;
        edo_await(rc, edo_sleep(edo_s(1)));
        edo_return(rc);
    }
}

struct middle {
    edo_frame(struct innermost innermost;);
    edo_args();
};

edo_async(middle)
{
    edo_body {
        int rc;
        edo_call_for(rc, edo_s(2), innermost);
        edo_return(rc);
    }
}

struct outermost {
    edo_frame();
    edo_args();
};

edo_async(outermost)
{
    edo_body {
        int rc;
        edo_call_boxed(rc, middle);
        edo_return(rc);
    }
}

async_test(it_leads_through_frames_to_the_leaf, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, outermost), 0);
        edo_await(rc, settle());
        assert_string_equal(trace_of(self->task), "outermost\n"
                                                  " middle\n"
                                                  "  innermost\n"
                                                  "   edo_sleep\n");
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

one_worker_only("another one may run it meanwhile")
async_test(it_shows_what_has_not_begun, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, outermost), 0);
        assert_string_equal(trace_of(self->task), "outermost\n");
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static void check_place(void *context, const edo_trace_line *line)
{
    if (strcmp(line->name, "innermost") == 0) {
        assert_int_equal(line->line, sleep_line);
        assert_non_null(strstr(line->file, "test_trace.c"));
        ++*(int *)context;
    }
    if (strcmp(line->name, "edo_sleep") == 0) assert_int_equal(line->line, 0);
}

async_test(it_tells_file_and_line, edo_task *task; int found;)
{
    edo_body {
        int rc;
        self->found = 0;
        assert_int_equal(edo_spawn(&self->task, outermost), 0);
        edo_await(rc, settle());
        assert_int_equal(edo_task_trace(self->task, check_place, &self->found), 0);
        assert_int_equal(self->found, 1);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

/* ---- combinators ---- */

struct waits_for_three {
    edo_frame();
    edo_args(struct gate *a, *b, *c;);
    struct passer first, second;
};

edo_async(waits_for_three)
{
    edo_body {
        edo_init(&self->first, passer, .gate = self->a);
        edo_init(&self->second, passer, .gate = self->b);
        edo_all(&self->first.base, &self->second.base, &self->c->base);
        edo_return(0);
    }
}

async_test(it_shows_all_siblings_that_wait, struct gate a, b, c; edo_task *task;)
{
    edo_body {
        int rc;
        self->a = gate_make();
        self->b = gate_make();
        self->c = gate_make();
        assert_int_equal(
            edo_spawn(&self->task, waits_for_three, .a = &self->a, .b = &self->b, .c = &self->c),
            0);
        edo_await(rc, settle());
        assert_string_equal(trace_of(self->task), "waits_for_three\n"
                                                  " passer\n"
                                                  "  gate\n"
                                                  " passer\n"
                                                  "  gate\n"
                                                  " gate\n");
        gate_open(&self->b, 0);
        edo_await(rc, settle());
        assert_string_equal(trace_of(self->task), "waits_for_three\n"
                                                  " passer\n"
                                                  "  gate\n"
                                                  " gate\n");
        gate_open(&self->a, 0);
        gate_open(&self->c, 0);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

struct keeps {
    edo_frame(struct innermost innermost;);
    edo_args(struct gate *kept; struct gate *open;);
    edo_scope scope;
};

edo_async(keeps)
{
    edo_body {
        int which;
        edo_scope_open(&self->scope, 0);
        edo_any(which, &self->kept->base, &self->open->base);
        edo_call(which, innermost);
        edo_return(which);
    }
}

async_test(it_shows_what_is_kept, struct gate kept, open; edo_task *task;)
{
    edo_body {
        int rc;
        self->kept = gate_make_stubborn();
        self->open = gate_make_open(0);
        assert_int_equal(edo_spawn(&self->task, keeps, .kept = &self->kept, .open = &self->open),
                         0);
        edo_await(rc, settle());
        assert_string_equal(trace_of(self->task), "keeps\n"
                                                  " innermost\n"
                                                  "  edo_sleep\n"
                                                  " gate\n"
                                                  " scope\n");
        edo_await(rc, edo_sleep(edo_s(2)));
        assert_string_equal(trace_of(self->task),
                            "keeps\n" // has returned, and waits for this child
                            " gate\n");
        gate_open(&self->kept, 0);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

/* ---- futures ---- */

async_test(a_future_shows_itself_inside_its_task, struct gate gate; struct passer child;)
{
    edo_body {
        self->gate = gate_make();
        edo_init(&self->child, passer, .gate = &self->gate);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        text[0] = '\0';
        edo_future_trace(&self->child.base, append_trace_line, text);
        assert_string_equal(text, "passer\n gate\n");
        gate_open(&self->gate, 0);
        edo_all(&self->child.base);
        text[0] = '\0';
        edo_future_trace(&self->child.base, append_trace_line, text);
        assert_string_equal(text, "");
        edo_return(0);
    }
}

/* ---- tasks that cannot be inspected ---- */

static void ignore_line(void *context, const edo_trace_line *line)
{
    (void)context;
    (void)line;
}

static void look_again(void *context, const edo_trace_line *line)
{
    (void)line;
    assert_int_equal(edo_task_trace(context, ignore_line, NULL), -EBUSY);
}

async_test(one_looks_at_a_time, struct gate gate; edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        edo_await(rc, settle());
        assert_int_equal(edo_task_trace(self->task, look_again, self->task), 0);
        assert_int_equal(edo_task_trace(self->task, look_again, self->task), 0);
        gate_open(&self->gate, 0);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

async_test(a_task_that_runs_is_busy)
{
    edo_body {
        int rc = edo_task_trace(edo_current_task(), ignore_line, NULL);
        assert_int_equal(rc, -EBUSY);
        edo_return(0);
    }
}

async_test(a_task_that_has_ended_is_gone, struct gate gate; edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make_open(4);
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        edo_await(rc, settle());
        assert_int_equal(edo_task_trace(self->task, ignore_line, NULL), -ESRCH);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 4);
        edo_return(0);
    }
}

static void wake_it(void *context, const edo_trace_line *line)
{
    (void)line;
    gate_open(context, 8);
}

async_test(a_wake_meanwhile_is_not_lost, struct gate gate; edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        edo_await(rc, settle());
        assert_int_equal(edo_task_trace(self->task, wake_it, &self->gate), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 8);
        edo_return(0);
    }
}

/* The task already has a queue entry: a wake during the inspection must not make a second one. */
one_worker_only("another one may run it meanwhile")
async_test(a_queued_task_is_looked_at_and_runs_once, struct gate gate; edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make_open(3);
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        self->gate.waker = &self->task->head;
        assert_int_equal(edo_task_trace(self->task, wake_it, &self->gate), 0);
        edo_await(rc, settle());
        assert_int_equal(self->gate.polls, 1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 8);
        edo_return(0);
    }
}

/* A turn that pops a task during its inspection leaves the task in the queue. */
struct sets {
    edo_frame();
    edo_args(bool *flag;);
};

edo_async(sets)
{
    edo_body {
        *self->flag = true;
        edo_return(0);
    }
}

struct onlooker {
    edo_runtime *runtime;
    bool has_run;
};

static void turn_meanwhile(void *context, const edo_trace_line *line)
{
    struct onlooker *onlooker = context;
    (void)line;
    assert_int_equal(edo_turn(onlooker->runtime, 0), 1);
    assert_false(onlooker->has_run);
}

current_thread_only("it turns the runtime")
test(a_task_that_is_looked_at_does_not_run)
{
    struct onlooker onlooker = { 0 };
    edo_task *task;
    assert_int_equal(create_runtime(NULL, &onlooker.runtime), 0);
    edo_spawn_options options = { .runtime = onlooker.runtime };
    assert_int_equal(edo_spawn_with(&task, &options, sets, .flag = &onlooker.has_run), 0);
    assert_int_equal(edo_task_trace(task, turn_meanwhile, &onlooker), 0);
    assert_int_equal(edo_turn(onlooker.runtime, 0), 0);
    assert_true(onlooker.has_run);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(onlooker.runtime), 0);
}

/* ---- from another thread ---- */

/* A runtime on its own thread, with one task that another thread inspects. */
struct stage {
    edo_task *task;
    sem_t spawned, polled, looked; // each is posted once
    bool block_in_poll;
    unsigned turns; // of other tasks, since the inspection began
};

struct actor {
    edo_frame();
    edo_args(struct stage *stage;);
};

edo_async(actor)
{
    edo_body {
        int rc;
        if (self->stage->block_in_poll) {
            sem_post(&self->stage->polled);
            sem_wait(&self->stage->looked);
            edo_return(0);
        }
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

struct theatre {
    edo_frame();
    edo_args(struct stage *stage;);
};

/* Runs while the actor waits or is inspected. */
edo_async(theatre)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->stage->task, actor, .stage = self->stage), 0);
        sem_post(&self->stage->spawned);
        edo_await(rc, settle());
        if (!self->stage->block_in_poll) sem_post(&self->stage->polled);
        while (!edo_task_is_done(self->stage->task)) {
            __atomic_fetch_add(&self->stage->turns, 1, __ATOMIC_RELAXED);
            edo_await(rc, settle());
        }
        edo_await(rc, edo_join(self->stage->task));
        edo_return(0);
    }
}

static void *run_theatre(void *stage)
{
    return (void *)(intptr_t)edo_run_with(&(edo_config){ .ignore_signals = true }, theatre,
                                          .stage = stage);
}

static struct stage stage;

static pthread_t raise_curtain(bool block_in_poll)
{
    pthread_t thread;
    stage = (struct stage){ .block_in_poll = block_in_poll };
    sem_init(&stage.spawned, 0, 0);
    sem_init(&stage.polled, 0, 0);
    sem_init(&stage.looked, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_theatre, &stage), 0);
    sem_wait(&stage.spawned);
    sem_wait(&stage.polled);
    return thread;
}

static void close_curtain(pthread_t thread)
{
    void *status;
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_null(status);
}

static unsigned turns(void)
{
    return __atomic_load_n(&stage.turns, __ATOMIC_RELAXED);
}

/* Long enough for the runtime to pop the task from its queue several times. */
static void look_for_a_while(void *context, const edo_trace_line *line)
{
    enum { A_WHILE = 100 };
    append_trace_line(context, line);
    if (line->depth > 0) return;
    edo_task_cancel(stage.task); // wakes the task
    for (unsigned before = turns(); turns() - before < A_WHILE;)
        sched_yield();
    assert_false(edo_task_is_done(stage.task));
}

test(another_thread_looks_at_a_task_that_waits)
{
    pthread_t thread = raise_curtain(false);
    text[0] = '\0';
    int rc = edo_task_trace(stage.task, look_for_a_while, text);
    assert_int_equal(rc, 0);
    assert_string_equal(text, "actor\n edo_sleep\n");
    close_curtain(thread);
}

test(another_thread_cannot_look_at_a_task_that_runs)
{
    pthread_t thread = raise_curtain(true);
    assert_int_equal(edo_task_trace(stage.task, ignore_line, NULL), -EBUSY);
    sem_post(&stage.looked);
    close_curtain(thread);
}

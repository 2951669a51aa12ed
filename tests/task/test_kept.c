/* edo-test: once. A task that yields again and again can be woken, cancelled and inspected like any
 * other, although it stays RUNNING between its polls (KEPT; see task/state.h). */
#include "task/probe.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "task/task.h"

struct spinner {
    edo_frame();
    edo_args(bool *stop;);
};

edo_async(spinner)
{
    edo_body {
        int rc = 0;
        while (rc == 0 && !__atomic_load_n(self->stop, __ATOMIC_RELAXED))
            edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

static char text[TRACE_SIZE];

static int look(edo_task *task)
{
    text[0] = '\0';
    return edo_task_trace(task, append_trace_line, text);
}

/* ---- on its own thread ---- */

struct beside {
    edo_frame();
    edo_args();
    edo_task *task;
    bool stop;
    int round;
};

edo_async(beside)
{
    edo_body {
        int64_t rc;
        self->stop = false;
        assert_int_equal(edo_spawn(&self->task, spinner, .stop = &self->stop), 0);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_await(rc, edo_yield());
            if (self->round == 0) assert_true(self->task->state & EDO__RUNNING); // KEPT
            assert_int_equal(look(self->task), 0);
            assert_string_equal(text, "spinner\n edo_yield\n");
        }
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(another_task_looks_at_it)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, beside), -ECANCELED);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct brief {
    edo_frame();
    edo_args(edo_task **ret_task; bool *stop;);
};

edo_async(brief)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(self->ret_task, spinner, .stop = self->stop), 0);
        edo_await(rc, edo_yield());
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

test(its_owner_looks_at_it_between_turns)
{
    edo_runtime *runtime;
    edo_task *task;
    bool stop = false;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, brief, .ret_task = &task, .stop = &stop), 0);
    assert_int_equal(look(task), 0);
    assert_string_equal(text, "spinner\n edo_yield\n");
    edo_turn(runtime, 0);
    assert_int_equal(look(task), 0);
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* A wake of a KEPT task causes at most one more poll, and no second queue entry. */
struct waker {
    edo_frame();
    edo_args();
    edo_task *task;
    bool stop;
    int round;
};

edo_async(waker)
{
    edo_body {
        int64_t rc;
        self->stop = false;
        assert_int_equal(edo_spawn(&self->task, spinner, .stop = &self->stop), 0);
        for (self->round = 0; self->round < 100; self->round++) {
            edo_await(rc, edo_yield());
            edo_wake(&self->task->head);
            edo_wake(&self->task->head);
        }
        self->stop = true;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(it_is_woken)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, waker), 0);
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- from another thread ---- */

struct other {
    edo_task *task;
    sem_t spawned;
    bool stop;
};

struct show {
    edo_frame();
    edo_args(struct other *other;);
};

edo_async(show)
{
    edo_body {
        int64_t rc;
        assert_int_equal(edo_spawn(&self->other->task, spinner, .stop = &self->other->stop), 0);
        sem_post(&self->other->spawned);
        edo_await(rc, edo_join(self->other->task));
        edo_return(rc);
    }
}

static void *run_show(void *other)
{
    return (void *)(intptr_t)edo_run_with(&(edo_config){ .ignore_signals = true }, show,
                                          .other = other);
}

/* An inspection fails at first, but not for ever. */
test(another_thread_looks_at_it)
{
    struct other other = { .stop = false };
    pthread_t thread;
    void *status;
    sem_init(&other.spawned, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_show, &other), 0);
    sem_wait(&other.spawned);
    for (int looks = 0; looks < 100;) {
        int rc = look(other.task);
        if (rc == 0)
            looks++;
        else
            assert_int_equal(rc, -EBUSY);
        sched_yield();
    }
    __atomic_store_n(&other.stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_null(status);
}

static void *look_from_there(void *task)
{
    return (void *)(intptr_t)look(task);
}

static int look_from_another_thread(edo_task *task)
{
    pthread_t thread;
    void *rc;
    assert_int_equal(pthread_create(&thread, NULL, look_from_there, task), 0);
    assert_int_equal(pthread_join(thread, &rc), 0);
    return (int)(intptr_t)rc;
}

/* The spinner yields once per round. The thread of the failed inspection returns many rounds
 * later. */
struct latecomer {
    edo_frame();
    edo_args();
    edo_task *task;
    bool stop;
    int round;
};

edo_async(latecomer)
{
    edo_body {
        int64_t rc;
        self->stop = false;
        assert_int_equal(edo_spawn(&self->task, spinner, .stop = &self->stop), 0);
        edo_await(rc, edo_yield());
        assert_int_equal(look_from_another_thread(self->task), -EBUSY);
        for (self->round = 0; self->round < 10; self->round++) {
            edo_await(rc, edo_yield());
            assert_false(self->task->state & EDO__RUNNING); // requeued: not KEPT
        }
        assert_int_equal(look_from_another_thread(self->task), 0);
        assert_string_equal(text, "spinner\n edo_yield\n");
        edo_await(rc, edo_yield());
        assert_true(self->task->state & EDO__RUNNING); // KEPT again
        self->stop = true;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

test(it_waits_for_who_was_turned_away)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, latecomer), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

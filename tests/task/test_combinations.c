/* All combinations of: the handle, cancellation, abort, the function's behaviour, and the thread
 * that wakes the task. After each, the function has run to its end exactly once, and nothing
 * leaks. */
#include "task/probe.h"

#include <pthread.h>

enum handle { JOIN, DETACH_BEFORE, DETACH_AFTER, NO_HANDLE, HANDLES };

enum moment { NEVER, BEFORE_ITS_FIRST_POLL, WHILE_IT_WAITS, AFTER_ITS_END, MOMENTS };

enum body { ENDS_AT_ONCE, WAITS, CLEANS_UP, BODIES };

enum waker { OWN_THREAD, FOREIGN_THREAD, WAKERS };

struct combination {
    enum handle handle;
    enum moment cancel, abort;
    enum body body;
    enum waker waker;
};

/* ---- the function ---- */

/* State of one combination; any thread may set the flag. */
struct stage {
    int flag;
    int began, held, ended; // counts; `ended` is atomic
    int64_t result;
};

struct flag_wait {
    edo_future base;
    int *flag;
};

static edo_poll flag_poll(edo_future *future, edo_cx *cx)
{
    struct flag_wait *wait = (struct flag_wait *)(void *)future;
    bool set = __atomic_load_n(wait->flag, __ATOMIC_ACQUIRE);
    if (!set && edo_cx_fate(cx) == EDO_LIVE) return EDO_PENDING;
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    future->result = set ? 0 : -ECANCELED;
    return EDO_READY;
}

static const edo_future_ops flag_ops = { .name = "flag", .poll = flag_poll };

struct subject {
    edo_frame();
    edo_args(enum body body; struct stage *stage;);
    struct flag_wait wait;
    int64_t result;
};

edo_async(subject)
{
    edo_body {
        int rc;
        self->stage->began++;
        self->stage->held++;
        self->result = 0;
        if (self->body != ENDS_AT_ONCE) {
            self->wait = (struct flag_wait){ { .ops = &flag_ops }, &self->stage->flag };
            edo_await_on(self->result, &self->wait.base);
        }
        if (self->body == CLEANS_UP) {
            edo_shield();
            edo_await(rc, edo_sleep(edo_us(10)));
            edo_await(rc, settle());
        }
        self->stage->held--;
        self->stage->result = self->result;
        edo_add_release(&self->stage->ended, 1);
        edo_return(self->result);
    }
}

/* ---- the calls ---- */

struct messenger {
    struct stage *stage;
    edo_wakeable *waker;
};

static void *deliver(void *arg)
{
    struct messenger *messenger = arg;
    __atomic_store_n(&messenger->stage->flag, 1, __ATOMIC_RELEASE);
    edo_wake(messenger->waker);
    return NULL;
}

struct director {
    edo_frame();
    edo_args(const struct combination *c; struct stage *stage;);
    edo_task *task;
    edo_wakeable *waker; // counted: keeps the task's memory
    struct messenger messenger;
    pthread_t thread;
};

static void ask_for_the_end(const struct director *self, enum moment moment)
{
    if (self->c->cancel == moment) edo_task_cancel(self->task);
    if (self->c->abort == moment) edo_task_abort(self->task);
}

static void send_the_wake(struct director *self)
{
    self->messenger = (struct messenger){ self->stage, self->waker };
    if (self->c->waker == OWN_THREAD)
        deliver(&self->messenger);
    else
        assert_int_equal(pthread_create(&self->thread, NULL, deliver, &self->messenger), 0);
}

static bool is_ended(const struct director *self)
{
    if (self->c->handle == DETACH_BEFORE) return edo_load_acquire(&self->stage->ended);
    return edo_task_is_done(self->task);
}

edo_async(director)
{
    edo_body {
        int64_t result;
        assert_int_equal(edo_spawn(&self->task, subject, self->c->body, self->stage), 0);
        self->waker = edo_task_waker(self->task);
        ask_for_the_end(self, BEFORE_ITS_FIRST_POLL);
        if (self->c->handle == DETACH_BEFORE) edo_detach(self->task);
        edo_await(result, settle());
        ask_for_the_end(self, WHILE_IT_WAITS);
        edo_await(result, settle()); // a cancellation comes before the flag
        send_the_wake(self);
        while (!is_ended(self))
            edo_await(result, edo_sleep(edo_us(20)));
        ask_for_the_end(self, AFTER_ITS_END);
        if (self->c->waker == FOREIGN_THREAD) assert_int_equal(pthread_join(self->thread, NULL), 0);
        if (self->c->handle == DETACH_AFTER) edo_detach(self->task);
        if (self->c->handle == JOIN) {
            edo_await(result, edo_join(self->task));
            assert_int_equal(result, self->stage->result);
        }
        edo_wake(self->waker); // after the end
        edo_waker_unref(self->waker);
        edo_return(0);
    }
}

/* A task without a handle is woken only by the operation that it awaits. */
struct alone {
    edo_frame();
    edo_args(const struct combination *c; struct stage *stage;);
    struct messenger messenger;
    edo_user_wakeable nobody;
};

static void wake_nobody(edo_user_wakeable *wakeable)
{
    (void)wakeable;
}

edo_async(alone)
{
    edo_body {
        int rc;
        edo_user_wakeable_init(&self->nobody, wake_nobody);
        self->messenger = (struct messenger){ self->stage, &self->nobody.head };
        deliver(&self->messenger);
        assert_int_equal(edo_go(subject, self->c->body, self->stage), 0);
        while (!edo_load_acquire(&self->stage->ended))
            edo_await(rc, edo_sleep(edo_us(20)));
        edo_return(0);
    }
}

/* ---- the expected outcome ---- */

static bool comes_in_time(enum moment moment)
{
    return moment == BEFORE_ITS_FIRST_POLL || moment == WHILE_IT_WAITS;
}

static int64_t expected_result(const struct combination *c)
{
    if (c->body == ENDS_AT_ONCE || c->handle == NO_HANDLE) return 0;
    return comes_in_time(c->cancel) || comes_in_time(c->abort) ? -ECANCELED : 0;
}

static void run_combination(const struct combination *c)
{
    edo_runtime *runtime;
    struct stage stage = { 0 };
    test_allocator_install();
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    int64_t rc = c->handle == NO_HANDLE ? edo_block_on(runtime, alone, c, &stage)
                                        : edo_block_on(runtime, director, c, &stage);
    assert_int_equal(rc, 0);
    while (turn_runtime(runtime, 0)) // with workers, tasks that were not joined may still be ending
        continue;
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
    assert_int_equal(stage.began, 1);
    assert_int_equal(stage.ended, 1);
    assert_int_equal(stage.held, 0);
    assert_int_equal(stage.result, expected_result(c));
}

/* Whether a combination is possible: cancelling needs a handle, waking a waker. */
static bool makes_sense(const struct combination *c)
{
    enum moment last = c->cancel > c->abort ? c->cancel : c->abort;
    if (c->handle == DETACH_BEFORE && last > BEFORE_ITS_FIRST_POLL) return false;
    if (c->handle == NO_HANDLE && last != NEVER) return false;
    return c->handle != NO_HANDLE || c->waker == OWN_THREAD;
}

static struct combination combination_of(unsigned number)
{
    struct combination c;
    c.handle = number % HANDLES;
    number /= HANDLES;
    c.cancel = number % MOMENTS;
    number /= MOMENTS;
    c.abort = number % MOMENTS;
    number /= MOMENTS;
    c.body = number % BODIES;
    c.waker = number / BODIES;
    return c;
}

static struct combination current;
static bool is_under_way;

static int tell_where_it_failed(void **state)
{
    (void)state;
    if (is_under_way)
        print_error("handle %d, cancel %d, abort %d, body %d, waker %d\n", current.handle,
                    current.cancel, current.abort, current.body, current.waker);
    return 0;
}

fixture(NULL, tell_where_it_failed)
test(all_combinations)
{
    enum { COUNT = HANDLES * MOMENTS * MOMENTS * BODIES * WAKERS };
    for (unsigned number = 0; number < COUNT; number++) {
        current = combination_of(number);
        is_under_way = true;
        if (makes_sense(&current)) run_combination(&current);
        is_under_way = false;
    }
}

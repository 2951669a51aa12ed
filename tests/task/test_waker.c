/* Wakers: on any thread, also after the task's end; many wakes make one poll. */
#include "task/probe.h"

#include <pthread.h>

/* ---- a future that any thread may end ---- */

typedef struct signal_future {
    edo_future base;
    int64_t value; // not 0: ready
    unsigned polls;
} signal_future;

static edo_poll signal_poll(edo_future *future, edo_cx *cx)
{
    signal_future *s = (signal_future *)(void *)future;
    s->polls++;
    future->result = __atomic_load_n(&s->value, __ATOMIC_ACQUIRE);
    return future->result && edo_cx_charge(cx) ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops signal_ops = { .name = "signal", .poll = signal_poll };

static signal_future signal_make(void)
{
    return (signal_future){ .base.ops = &signal_ops };
}

static void signal_send(signal_future *s, edo_wakeable *waker, int64_t value)
{
    __atomic_store_n(&s->value, value, __ATOMIC_RELEASE);
    edo_wake(waker);
}

struct listens {
    edo_frame();
    edo_args(signal_future *signal; edo_wakeable **ret_waker;);
};

edo_async(listens)
{
    edo_body {
        int64_t value;
        if (self->ret_waker) *self->ret_waker = edo_waker_ref(edo_cx_waker(cx));
        edo_await_on(value, &self->signal->base);
        edo_return(value);
    }
}

/* ---- one poll for many wakes ---- */

one_worker_only("another one may poll it between two wakes")
async_test(many_wakes_make_one_poll, signal_future signal; edo_task *task;)
{
    edo_body {
        int rc;
        self->signal = signal_make();
        assert_int_equal(edo_spawn(&self->task, listens, .signal = &self->signal), 0);
        edo_wakeable *waker = edo_task_waker(self->task);
        for (int i = 0; i < 100; i++)
            edo_wake(waker); // queued already
        edo_waker_unref(waker);
        edo_await(rc, settle());
        assert_int_equal(self->signal.polls, 1);
        waker = edo_task_waker(self->task);
        for (int i = 0; i < 100; i++)
            edo_wake(waker);
        edo_waker_unref(waker);
        edo_await(rc, settle());
        edo_await(rc, settle());
        assert_int_equal(self->signal.polls, 2);
        waker = edo_task_waker(self->task);
        signal_send(&self->signal, waker, 5);
        edo_waker_unref(waker);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 5);
        assert_int_equal(self->signal.polls, 3);
        edo_return(0);
    }
}

struct wakes_itself {
    edo_frame();
    edo_args(signal_future *signal;);
};

edo_async(wakes_itself)
{
    edo_body {
        int64_t value;
        for (int i = 0; i < 10; i++)
            edo_wake(edo_cx_waker(cx));
        edo_await_on(value, &self->signal->base);
        edo_return(value);
    }
}

async_test(a_wake_while_it_runs_makes_one_more_poll, signal_future signal; edo_task *task; int i;)
{
    edo_body {
        int rc;
        self->signal = signal_make();
        assert_int_equal(edo_spawn(&self->task, wakes_itself, .signal = &self->signal), 0);
        for (self->i = 0; self->i < 5; self->i++)
            edo_await(rc, settle());
        assert_int_equal(self->signal.polls, 2);
        self->signal.value = 7;
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 7);
        edo_return(0);
    }
}

/* ---- spurious wakes ---- */

struct waits_many_ways {
    edo_frame(struct passer passer;);
    edo_args(struct gate *gate; edo_task *other;);
    edo_scope scope;
    edo_op sleep, join;
    int64_t start;
};

edo_async(waits_many_ways)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_await(rc, edo_sleep(edo_ms(10)));
        if (rc < 0 || edo_now() - self->start != edo_ms(10)) edo_return(-EPROTO);
        edo_await_for(rc, edo_ms(10), edo_sleep(edo_ms(20)));
        if (rc != -ETIMEDOUT || edo_now() - self->start != edo_ms(20)) edo_return(-EPROTO);
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, passer, .gate = self->gate);
        self->sleep = edo_sleep(edo_ms(10));
        self->join = edo_scope_join(&self->scope);
        edo_any(rc, &self->sleep.base, &self->join.base);
        if (rc != 0 || edo_now() - self->start != edo_ms(30)) edo_return(-EPROTO);
        gate_open(self->gate, 0);
        edo_await_on(rc, &self->join.base);
        edo_return(rc);
    }
}

/* Makes spurious wakes all the time. */
struct pesters {
    edo_frame();
    edo_args(edo_task *victim; unsigned *wakes;);
};

edo_async(pesters)
{
    edo_body {
        int rc;
        while (!edo_task_is_done(self->victim)) {
            edo_wakeable *waker = edo_task_waker(self->victim);
            edo_wake(waker);
            edo_waker_unref(waker);
            ++*self->wakes;
            edo_await(rc, edo_sleep(edo_us(100)));
        }
        edo_return(0);
    }
}

async_test(spurious_wakes_change_nothing, struct gate gate; edo_task *task, *other; unsigned wakes;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        self->wakes = 0;
        assert_int_equal(edo_spawn(&self->task, waits_many_ways, .gate = &self->gate), 0);
        assert_int_equal(edo_spawn(&self->other, pesters, .victim = self->task, &self->wakes), 0);
        edo_await(rc, edo_join(self->other));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        assert_true(self->wakes >= 300);
        edo_return(0);
    }
}

/* ---- from another thread ---- */

enum { ROUNDS = 2000 };

struct ping_pong {
    signal_future ping;
    edo_wakeable *waker;
    int64_t pong;
};

struct pings {
    edo_frame();
    edo_args(struct ping_pong *game;);
    int64_t round;
};

edo_async(pings)
{
    edo_body {
        int64_t value;
        for (self->round = 1; self->round <= ROUNDS; self->round++) {
            self->game->ping = signal_make();
            __atomic_store_n(&self->game->pong, self->round, __ATOMIC_RELEASE);
            edo_await_on(value, &self->game->ping.base);
            if (value != self->round) edo_return(-EPROTO);
        }
        edo_return(0);
    }
}

struct joins {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(joins)
{
    edo_body {
        int rc;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

/* Spins, so that the wakes find the task in every state: running, about to sleep, asleep. */
static void *pong(void *arg)
{
    struct ping_pong *game = arg;
    for (int64_t round = 1; round <= ROUNDS; round++) {
        while (__atomic_load_n(&game->pong, __ATOMIC_ACQUIRE) != round)
            continue;
        signal_send(&game->ping, game->waker, round);
    }
    return NULL;
}

test(a_wake_from_another_thread_is_never_lost)
{
    struct ping_pong game = { 0 };
    edo_runtime *runtime;
    edo_task *task;
    pthread_t thread;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, pings, .game = &game), 0);
    game.waker = edo_task_waker(task);
    assert_int_equal(pthread_create(&thread, NULL, pong, &game), 0);
    while (!edo_task_is_done(task))
        assert_true(turn_runtime(runtime, EDO_NEVER) >= 0);
    assert_int_equal(edo_block_on(runtime, joins, .task = task), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    edo_waker_unref(game.waker);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- after the end ---- */

async_test(a_counted_waker_may_be_woken_after_the_end,
    signal_future signal;
    edo_task *task;
    edo_wakeable *waker;)
{
    edo_body {
        int rc;
        self->signal = signal_make();
        self->signal.value = 3;
        assert_int_equal(
            edo_spawn(&self->task, listens, .signal = &self->signal, .ret_waker = &self->waker), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 3);
        edo_wake(self->waker);
        edo_waker_ref(self->waker);
        edo_wake(self->waker);
        edo_waker_unref(self->waker);
        edo_await(rc, settle());
        assert_int_equal(self->signal.polls, 1);
        edo_waker_unref(self->waker);
        edo_waker_unref(NULL);
        edo_return(0);
    }
}

test(the_last_waker_frees_the_task_even_after_its_runtime)
{
    edo_runtime *runtime;
    edo_wakeable *waker;
    signal_future signal = signal_make();
    signal.value = 1;
    test_allocator_install();
    for (int large = 0; large < 2; large++) {
        assert_int_equal(create_runtime(NULL, &runtime), 0);
        edo_spawn_options options = { .name = large ? "with extra" : NULL, .runtime = runtime };
        assert_int_equal(
            edo_spawn_with(NULL, &options, listens, .signal = &signal, .ret_waker = &waker), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_true(test_allocator_live_count() > 0);
        edo_wake(waker);
        edo_waker_unref(waker);
        assert_int_equal(test_allocator_live_count(), 0);
    }
    test_allocator_remove();
}

/* A task spawned inside a task lies in the worker's heap, which must then outlive its owner. */
struct leaves_a_waker {
    edo_frame();
    edo_args(signal_future *signal; edo_wakeable **ret_waker;);
};

edo_async(leaves_a_waker)
{
    edo_body {
        int rc;
        edo_await(rc, settle());
        edo_return(edo_go(listens, .signal = self->signal, .ret_waker = self->ret_waker));
    }
}

test(a_waker_keeps_its_block_of_a_closed_heap)
{
    edo_runtime *runtime;
    edo_wakeable *waker;
    signal_future signal = signal_make();
    signal.value = 1;
    test_allocator_install();
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, leaves_a_waker, .signal = &signal, .ret_waker = &waker),
                     0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_wake(waker);
    edo_waker_unref(waker);
    test_allocator_remove();
}

/* ---- threads that wake without end while tasks end ---- */

enum { WAKERS = 3, VICTIMS = 300 };

struct storm {
    edo_runtime *runtime;
    edo_wakeable *target; // counted; replaced by the owner under the lock
    pthread_mutex_t lock;
    int stop;
};

static edo_wakeable *take_target(struct storm *storm)
{
    pthread_mutex_lock(&storm->lock);
    edo_wakeable *target = storm->target ? edo_waker_ref(storm->target) : NULL;
    pthread_mutex_unlock(&storm->lock);
    return target;
}

static void set_target(struct storm *storm, edo_wakeable *target)
{
    pthread_mutex_lock(&storm->lock);
    edo_wakeable *old = storm->target;
    storm->target = target;
    pthread_mutex_unlock(&storm->lock);
    edo_waker_unref(old);
}

static void blow(unsigned index, void *arg)
{
    enum { WAKES = 20 };
    struct storm *storm = arg;
    (void)index;
    while (!__atomic_load_n(&storm->stop, __ATOMIC_ACQUIRE)) {
        edo_wakeable *target = take_target(storm);
        for (int i = 0; target && i < WAKES; i++)
            edo_wake(target);
        edo_waker_unref(target);
    }
}

static void *blow_all(void *arg)
{
    run_threads(WAKERS, blow, arg);
    return NULL;
}

struct victim {
    edo_frame();
    edo_args(int yields;);
};

edo_async(victim)
{
    edo_body {
        int rc;
        for (; self->yields > 0; self->yields--)
            edo_await(rc, settle());
        edo_return(0);
    }
}

struct victims {
    edo_frame();
    edo_args(struct storm *storm;);
    edo_task *task;
    int i;
};

edo_async(victims)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < VICTIMS; self->i++) {
            assert_int_equal(edo_spawn(&self->task, victim, .yields = self->i % 4), 0);
            set_target(self->storm, edo_task_waker(self->task));
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        set_target(self->storm, NULL);
        edo_return(0);
    }
}

test(wakes_may_come_while_tasks_end)
{
    struct storm storm = { .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t thread;
    test_allocator_install();
    assert_int_equal(create_runtime(NULL, &storm.runtime), 0);
    assert_int_equal(pthread_create(&thread, NULL, blow_all, &storm), 0);
    assert_int_equal(edo_block_on(storm.runtime, victims, .storm = &storm), 0);
    __atomic_store_n(&storm.stop, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(edo_runtime_destroy(storm.runtime), 0);
    test_allocator_remove();
}

/* ---- a user's own wakeable ---- */

struct post {
    edo_user_wakeable wakeable;
    int posts;
};

static void post_one(edo_user_wakeable *wakeable)
{
    ((struct post *)(void *)wakeable)->posts++;
}

test(a_users_wakeable_is_told_each_time)
{
    struct post post = { .posts = 0 };
    edo_user_wakeable_init(&post.wakeable, post_one);
    edo_wake(&post.wakeable.head);
    edo_wakeable *counted = edo_waker_ref(&post.wakeable.head);
    assert_ptr_equal(counted, &post.wakeable.head);
    edo_wake(counted);
    edo_waker_unref(counted);
    assert_int_equal(post.posts, 2);
}

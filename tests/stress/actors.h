/* Shared by stress_wake and stress_workers: actors, which do one random step after the other, on
 * several runtimes that come and go; their handles, which change owners; threads that interfere.
 * Each program adds further steps. */
#pragma once

#include "runtime/fixture.h"

#include <string.h>

#include "stress/options.h"

enum {
    RUNTIMES = 3,
    MEDDLERS = 2,
    THREADS = RUNTIMES + MEDDLERS,
    HANDLES = 16, // handles that all may take
    STEPS = 6,    // of an actor
    DEPTH = 2,    // nesting of actors that spawn actors
};

static struct {
    struct {
        pthread_mutex_t lock;
        edo_task *task;
    } handles[HANDLES];
    struct {
        pthread_mutex_t lock;
        edo_runtime *runtime; // counted; NULL: takes no spawns from outside
    } homes[RUNTIMES];
    /* atomic */
    int64_t alive; // functions that own their arguments
    uint64_t begun, generations, joined;
    unsigned running; // threads with runtimes
    int64_t stop_at;
} world;

#define count(place, n) __atomic_add_fetch(&(place), (n), __ATOMIC_RELAXED)
#define value(place)    __atomic_load_n(&(place), __ATOMIC_RELAXED)

/* ---- provided by the program ---- */

static int spawn_actor(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed);
static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed);
static void live_one_generation(unsigned index, test_random *random);
static void meddle(test_random *random);

/* ---- handles that change owners ---- */

static inline edo_task *swap_handle(test_random *random, edo_task *task)
{
    unsigned i = below(random, HANDLES);
    pthread_mutex_lock(&world.handles[i].lock);
    edo_task *old = world.handles[i].task;
    world.handles[i].task = task;
    pthread_mutex_unlock(&world.handles[i].lock);
    return old;
}

static inline void visit(void *context, const edo_trace_line *line)
{
    size_t *length = context;
    *length += strlen(line->name);
}

static inline void wake_task(edo_task *task)
{
    edo_wakeable *waker = edo_task_waker(task);
    edo_wake(waker);
    edo_waker_unref(waker);
}

static inline void meddle_with_handle(test_random *random)
{
    unsigned i = below(random, HANDLES);
    size_t length = 0;
    pthread_mutex_lock(&world.handles[i].lock);
    edo_task *task = world.handles[i].task;
    if (task) {
        switch (below(random, 6)) {
        case 0: edo_task_cancel(task); break;
        case 1: edo_task_abort(task); break;
        case 2:
        case 3: edo_task_trace(task, visit, &length); break;
        case 4: length = edo_task_is_done(task) + strlen(edo_task_name(task)); break;
        default: wake_task(task);
        }
    }
    pthread_mutex_unlock(&world.handles[i].lock);
}

/* ---- runtimes that take spawns from outside ---- */

static inline void publish(unsigned index, edo_runtime *runtime)
{
    pthread_mutex_lock(&world.homes[index].lock);
    edo_runtime *old = world.homes[index].runtime;
    world.homes[index].runtime = runtime ? edo_runtime_ref(runtime) : NULL;
    pthread_mutex_unlock(&world.homes[index].lock);
    edo_runtime_unref(old);
}

/* Returns: such a runtime, with a reference; or NULL. */
static inline edo_runtime *visit_home(test_random *random)
{
    unsigned i = below(random, RUNTIMES);
    pthread_mutex_lock(&world.homes[i].lock);
    edo_runtime *home = world.homes[i].runtime;
    if (home) edo_runtime_ref(home);
    pthread_mutex_unlock(&world.homes[i].lock);
    return home;
}

/* crowd: number of live functions beyond which no more are spawned, because a slow build could not
 * run them. */
static inline void spawn_abroad(test_random *random, int64_t crowd)
{
    edo_task *task = NULL;
    if (value(world.alive) > crowd) return;
    edo_runtime *home = visit_home(random);
    if (!home) return;
    bool handle = one_in(random, 2);
    int rc = spawn_actor(handle ? &task : NULL, home, 1, test_random_next(random));
    insist(rc == 0 || rc == -ESHUTDOWN);
    if (task) edo_detach(swap_handle(random, task));
    edo_runtime_unref(home);
}

/* ---- steps of an actor ---- */

#define step_args edo_args(test_random *random; unsigned depth;)

struct nap {
    edo_frame();
    step_args;
};

edo_async(nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(below(self->random, 300))));
        edo_return(rc);
    }
}

struct rest {
    edo_frame();
    step_args;
    unsigned left;
};

edo_async(rest)
{
    edo_body {
        int rc = 0;
        for (self->left = below(self->random, 6); self->left && rc == 0; self->left--)
            edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

struct choose {
    edo_frame();
    step_args;
    edo_op a, b;
};

edo_async(choose)
{
    edo_body {
        int rc;
        self->a = edo_sleep(edo_us(below(self->random, 200)));
        self->b = one_in(self->random, 2) ? edo_yield()
                                          : edo_sleep(edo_us(below(self->random, 200)));
        switch (below(self->random, 4)) {
        case 0: edo_select(rc, &self->a.base, &self->b.base); break;
        case 1: edo_try_all(rc, &self->a.base, &self->b.base); break;
        case 2:
            edo_any(rc, &self->a.base, &self->b.base);
            break; // the rest is cancelled at the end
        default: edo_await_for(rc, edo_us(below(self->random, 100)), self->a);
        }
        edo_return(rc < 0 ? rc : 0);
    }
}

/* A cancelled join leaves the handle with the actor. */
struct have_child {
    edo_frame();
    step_args;
    edo_task *task;
};

edo_async(have_child)
{
    edo_body {
        int64_t rc = spawn_actor(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        if (one_in(self->random, 3)) edo_await(rc, edo_yield());
        if (one_in(self->random, 4)) edo_task_cancel(self->task);
        if (one_in(self->random, 8)) edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
        edo_return(rc);
    }
}

/* With a limit, because two actors may wait for each other. */
struct swap_child {
    edo_frame();
    step_args;
    edo_task *task;
};

edo_async(swap_child)
{
    edo_body {
        int64_t rc = spawn_actor(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        self->task = swap_handle(self->random, self->task);
        if (!self->task) edo_return(0);
        edo_await_for(rc, edo_us(below(self->random, 1000)), edo_join(self->task));
        if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
        count(world.joined, 1);
        edo_return(rc);
    }
}

struct have_family {
    edo_frame();
    step_args;
    edo_scope scope;
    edo_member member;
    uint32_t flags;
};

edo_async(have_family)
{
    edo_body {
        int64_t rc;
        self->flags = below(self->random, 4); // any combination
        edo_scope_open(&self->scope, self->flags);
        for (unsigned i = below(self->random, 5); i > 0; i--) {
            rc = spawn_member(&self->scope, self->depth, test_random_next(self->random));
            if (rc < 0) break;
        }
        if (one_in(self->random, 4)) edo_scope_cancel(&self->scope);
        do {
            if (!(self->flags & EDO_SCOPE_RESULTS)) break;
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
        } while (rc == 1);
        edo_await(rc, edo_scope_join(&self->scope));
        insist(edo_scope_count(&self->scope) == 0);
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

/* ---- all threads ---- */

/* Threads with runtimes run one generation after the other; the other threads interfere
 * meanwhile. */
static inline void run_thread(unsigned index, void *arg)
{
    test_random random = test_random_make(index);
    (void)arg;
    if (index >= RUNTIMES) {
        while (__atomic_load_n(&world.running, __ATOMIC_ACQUIRE))
            meddle(&random);
        return;
    }
    while (edo_now() < world.stop_at) // the system's clock, because this thread is in no runtime
        live_one_generation(index, &random);
    __atomic_sub_fetch(&world.running, 1, __ATOMIC_RELEASE);
}

static inline void run_world(unsigned seconds)
{
    for (unsigned i = 0; i < HANDLES; i++)
        pthread_mutex_init(&world.handles[i].lock, NULL);
    for (unsigned i = 0; i < RUNTIMES; i++)
        pthread_mutex_init(&world.homes[i].lock, NULL);
    world.running = RUNTIMES;
    world.stop_at = edo_now() + edo_s(seconds);
    run_threads(THREADS, run_thread, NULL);
}

static inline void check_world(void)
{
    for (unsigned i = 0; i < HANDLES; i++) {
        insist(!world.handles[i].task || edo_task_is_done(world.handles[i].task));
        edo_detach(world.handles[i].task);
    }
    insist(world.alive == 0);
    insist(test_allocator_live_count() == 0);
}

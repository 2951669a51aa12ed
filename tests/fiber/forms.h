/* Tests of a rule in both forms. A rule NAME has an async function NAME with the argument
 * `world *w`, a fiber's function NAME_in_fiber, and one check of both:
 *
 *     in_both_forms(NAME) { edo_task *task = start(spawn, &w); ... } */
#pragma once

#include "support/fibers.h"

#include <string.h>

typedef edo_sender(int) number_sender;
typedef edo_receiver(int) number_receiver;

/* Objects that a subject shares with its check. */
typedef struct world {
    number_sender tx;
    number_receiver rx;
    edo_mutex mutex;
    edo_io *near, *far;
    edo_task *task;
    int64_t seen[3];
    int number, step;
    char bytes[16];
} world;

typedef int spawn_form(edo_task **ret_task, world *w);

#define in_both_forms(rule)                                                                        \
    static int spawn_##rule(edo_task **ret_task, world *w)                                         \
    {                                                                                              \
        return edo_spawn(ret_task, rule, .w = w);                                                  \
    }                                                                                              \
    static int spawn_fiber_##rule(edo_task **ret_task, world *w)                                   \
    {                                                                                              \
        return edo_fiber_spawn(ret_task, NULL, rule##_in_fiber, w);                                \
    }                                                                                              \
    static void check_##rule(spawn_form *spawn);                                                   \
    fiber_test(rule##_in_an_async_function)                                                        \
    {                                                                                              \
        check_##rule(spawn_##rule);                                                                \
    }                                                                                              \
    fiber_test(rule##_in_a_fiber)                                                                  \
    {                                                                                              \
        check_##rule(spawn_fiber_##rule);                                                          \
    }                                                                                              \
    static void check_##rule(spawn_form *spawn)

static inline void world_init(world *w)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(edo_mpsc_create(&w->tx, &w->rx, 4), 0);
    assert_int_equal(edo_duplex(64, &w->near, &w->far), 0);
}

static inline void world_deinit(world *w)
{
    edo_sender_close(&w->tx);
    edo_receiver_close(&w->rx);
    edo_close(w->near);
    edo_close(w->far);
    edo_mutex_deinit(&w->mutex);
}

/* All tasks wait when this returns: the test clock advances only then. */
static inline void let_all_wait(void)
{
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
}

/* Spawns the subject; it has come to its first wait. */
static inline edo_task *start(spawn_form *spawn, world *w)
{
    edo_task *task;
    assert_int_equal(spawn(&task, w), 0);
    let_all_wait();
    return task;
}

static inline int64_t cancel_and_join(edo_task *task)
{
    edo_task_cancel(task);
    return edo_wait(edo_join(task));
}

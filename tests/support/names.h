/* Host names for tests. While installed, the list of names replaces the system's look-ups. */
#pragma once

#include "support/streams.h"
#include "sys/sockets.h"

/* Installs an empty list of names. */
void names_install(void);

/* Removes the list; does not wait for held look-ups. */
void names_remove(void);

/* Adds an address of a host, for any service. */
void names_add(const char *host, const char *address);

/* Makes every further look-up fail with an error. 0: look-ups work again. */
void names_fail(int error);

/* Makes further look-ups wait until names_release(). */
void names_hold(void);
void names_release(void);

bool names_are_held(unsigned count); // whether at least `count` are held

/* Waits until `count` look-ups are held. The task must not end during the wait. */
#define names_await_held(task, count)                                                              \
    do {                                                                                           \
        int held_;                                                                                 \
        do                                                                                         \
            edo_await(held_, edo_yield());                                                         \
        while (held_ == 0 && !names_are_held(count) && !edo_task_is_done(task));                   \
        assert_true(names_are_held(count));                                                        \
    } while (0)

/* Number of look-ups since the installation, and the arguments of the last look-up. */
unsigned names_calls(void);
const char *names_last_host(void);
const char *names_last_service(void);
edo__family names_last_family(void);

/* The runtime's pool for look-ups. */
edo_pool *names_pool(void);

/* Waits until no thread of the pool is inside a look-up. */
#define names_settle()                                                                             \
    do {                                                                                           \
        int settled_;                                                                              \
        do                                                                                         \
            edo_await(settled_, edo_yield());                                                      \
        while (settled_ == 0 && names_running() > 0);                                              \
    } while (0)
unsigned names_running(void);

/* Waits until the look-up has ended, without a poll of the waiting task. So the task has not seen
 * the result. */
void names_await_end(void);

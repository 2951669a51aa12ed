/* Names for tests: while they are installed, look-ups ask here instead of the system. */
#pragma once

#include "support/streams.h"
#include "sys/sockets.h"

/* Nobody is known at first. */
void names_install(void);

/* Waits for no look-up that is still held. */
void names_remove(void);

/* One more address of a host, which is told whatever the service. */
void names_add(const char *host, const char *address);

/* From now on every look-up fails; 0: no more. */
void names_fail(int error);

/* From now on look-ups wait until names_release(). */
void names_hold(void);
void names_release(void);

bool names_are_held(unsigned count); // at least so many

/* Waits until so many are held; the task must not end meanwhile. */
#define names_await_held(task, count)                                                              \
    do {                                                                                           \
        int held_;                                                                                 \
        do                                                                                         \
            edo_await(held_, edo_yield());                                                         \
        while (held_ == 0 && !names_are_held(count) && !edo_task_is_done(task));                   \
        assert_true(names_are_held(count));                                                        \
    } while (0)

/* Look-ups that have begun since the installation, and what the last one was asked. */
unsigned names_calls(void);
const char *names_last_host(void);
const char *names_last_service(void);
edo__family names_last_family(void);

/* The runtime's pool for look-ups. */
edo_pool *names_pool(void);

/* Waits until none of its threads is inside of a look-up. */
#define names_settle()                                                                             \
    do {                                                                                           \
        int settled_;                                                                              \
        do                                                                                         \
            edo_await(settled_, edo_yield());                                                      \
        while (settled_ == 0 && names_running() > 0);                                              \
    } while (0)
unsigned names_running(void);

/* The same, while the task that looks up is not polled: its look-up has ended, and it has not seen
 * it. */
void names_await_end(void);

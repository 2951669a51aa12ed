/* The drivers of Linux. */
#pragma once

#include "driver/driver.h"

/* All that were built, ended by NULL. */
extern const edo_driver_ops *const edo__drivers[];

extern const edo_driver_ops edo__epoll_driver, edo__uring_driver;

/* Ends the process with one line: the call that waits, or that ends a wait, fails for good. Nobody
 * would ever wake up, or sleep, again. */
_Noreturn void edo__linux_wait_failed(const char *call, int error);

/* Adds one to an eventfd. Any thread; async-signal-safe. */
void edo__linux_event_set(int event);

/* Makes an eventfd, or a timer descriptor, unreadable if it is readable. */
void edo__linux_event_clear(int event);

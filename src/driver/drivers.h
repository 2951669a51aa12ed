/* The drivers of this build, by name. */
#pragma once

#include "driver/driver.h"

/* The driver for a runtime whose config names none, and the replacement for a driver that the
 * kernel refuses. */
#define EDO__DEFAULT_DRIVER  "epoll"
#define EDO__FALLBACK_DRIVER "epoll"

extern const edo_driver_ops edo__epoll_driver, edo__uring_driver;

/* The driver of that name, or NULL. */
const edo_driver_ops *edo__driver_named(const char *name);

/* Adds a driver under its name, for tests; only before main(). */
void edo__driver_register(const edo_driver_ops *ops);

/* The drivers of this build, by name. */
#pragma once

#include "driver/driver.h"

/* Which driver a runtime gets that names none, and which one replaces a driver that the kernel
 * refuses. */
#define EDO__DEFAULT_DRIVER  "epoll"
#define EDO__FALLBACK_DRIVER "epoll"

extern const edo_driver_ops edo__epoll_driver, edo__uring_driver;

/* The driver of that name, or NULL. */
const edo_driver_ops *edo__driver_named(const char *name);

/* Makes one more driver known by its name; before main() only. For tests. */
void edo__driver_register(const edo_driver_ops *ops);

/* The drivers of this build, by name. */
#pragma once

#include "driver/driver.h"

/* DEFAULT: the driver of a runtime whose config names none. FALLBACK: the driver that is used when
 * the kernel refuses the configured driver. */
#define EDO__DEFAULT_DRIVER  "epoll"
#define EDO__FALLBACK_DRIVER "epoll"

extern const edo_driver_ops edo__epoll_driver, edo__uring_driver;

/* Returns: the driver with this name, or NULL. */
const edo_driver_ops *edo__driver_named(const char *name);

/* Adds a driver, for tests. Called while no runtime is being created. */
void edo__driver_register(const edo_driver_ops *ops);

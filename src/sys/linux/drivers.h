/* The drivers of Linux. */
#pragma once

#include "sys/driver.h"

/* All that were built, ended by NULL. */
extern const edo_driver_ops *const edo__linux_drivers[];

extern const edo_driver_ops edo__epoll_driver, edo__uring_driver;

/* Runtimes on a driver of the test. */
#pragma once

#include <string.h>

#include "driver/drivers.h"
#include "runtime/fixture.h"

/* Makes a runtime on a driver of the test. The driver's name must be unique. */
static inline edo_runtime *make_runtime_on(const edo_driver_ops *ops, edo_config config)
{
    const edo_driver_ops *registered = edo__driver_named("chaos"); // one can be registered
    edo__driver_register(ops);
    config.driver = ops->name;
    edo_runtime *runtime = make_runtime_with(&config);
    edo__driver_register(registered);
    return runtime;
}

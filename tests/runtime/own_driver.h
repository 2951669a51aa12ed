/* Runtimes on a driver of the test's own. */
#pragma once

#include <string.h>

#include "driver/drivers.h"
#include "runtime/fixture.h"

/* Makes a runtime on that driver, whose name no other one has. */
static inline edo_runtime *make_runtime_on(const edo_driver_ops *ops, edo_config config)
{
    const edo_driver_ops *registered = edo__driver_named("chaos"); // there is room for one
    edo__driver_register(ops);
    config.driver = ops->name;
    edo_runtime *runtime = make_runtime_with(&config);
    edo__driver_register(registered);
    return runtime;
}

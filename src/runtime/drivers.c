/* The kind of driver of a runtime. edo_runtime_create() chooses the kind, and all workers use that
 * kind, including workers that are made later.
 *
 * The config names the kind. If the config names none, EDO_DRIVER names the kind. The system may
 * refuse a driver to one of the first workers. edo_runtime_create() then changes to the fallback
 * kind and makes all workers again. It cannot keep the workers that were already made, because a
 * driver of one kind cannot serve an operation that is parked with a driver of another kind. The
 * kind changes only inside edo_runtime_create(), before any thread of the runtime runs. If the
 * system later refuses a driver to a helper, the helper is not made, and the monitor tries again at
 * its next inspection.
 *
 * The first helper is needed when a worker is stuck, and the process may have no free descriptor at
 * that time. So edo_runtime_create() opens the driver of the first helper and keeps it. Three
 * parties write the runtime's members about drivers, one after the other: edo_runtime_create(), the
 * monitor's thread, and the release of the runtime. The start and the join of the monitor's thread
 * order these writes. */
#include <string.h>

#include "runtime/drivers.h"
#include "driver/drivers.h"
#include "runtime/runtime.h"

/* ---- the choice ---- */

static const edo_driver_ops *find(const char *name, size_t length)
{
    char text[32];
    if (length >= sizeof text) return NULL;
    memcpy(text, name, length);
    text[length] = '\0';
    return edo__driver_named(text);
}

static size_t size_of_argument(const edo_runtime *runtime)
{
    return runtime->driver_argument ? strlen(runtime->driver_argument) + 1 : 0;
}

static void forget_argument(edo_runtime *runtime)
{
    edo__free(runtime->driver_argument, size_of_argument(runtime));
    runtime->driver_argument = NULL;
}

/* Copies the driver's argument, because the memory of the config and the environment may change
 * after edo_runtime_create(). */
static int copy_argument(edo_runtime *runtime, const char *argument)
{
    size_t size = strlen(argument) + 1;
    runtime->driver_argument = edo__alloc(size);
    if (!runtime->driver_argument) return -ENOMEM;
    memcpy(runtime->driver_argument, argument, size);
    return 0;
}

int edo__drivers_choose(edo_runtime *runtime, const char *wanted)
{
    const edo_config *config = &runtime->config;
    const char *name = config->driver ? config->driver : wanted;
    if (!name || !*name) name = EDO__DEFAULT_DRIVER;
    const char *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : strlen(name);
    runtime->driver_ops = find(name, length);
    if (!runtime->driver_ops) return -EINVAL;
    return colon ? copy_argument(runtime, colon + 1) : 0;
}

bool edo__drivers_fall_back(edo_runtime *runtime)
{
    const edo_driver_ops *ops = runtime->driver_ops;
    if (!runtime->driver_refusal || !strcmp(ops->name, EDO__FALLBACK_DRIVER)) return false;
    edo__log(EDO_LOG_WARN, "%s: the %s driver is not available (%s); using %s",
             runtime->config.name, ops->name, runtime->driver_refusal, EDO__FALLBACK_DRIVER);
    forget_argument(runtime);
    runtime->driver_refusal = NULL;
    runtime->driver_ops = edo__driver_named(EDO__FALLBACK_DRIVER);
    return true;
}

/* ---- drivers ---- */

static int open_one(edo_runtime *runtime, edo_driver **ret_driver)
{
    const char *reason = "";
    int rc = runtime->driver_ops->open(runtime, runtime->driver_argument, ret_driver, &reason);
    if (rc < 0) runtime->driver_refusal = reason;
    return rc;
}

int edo__drivers_open(edo_runtime *runtime, edo_driver **ret_driver)
{
    edo_driver *kept = runtime->kept_driver;
    if (!kept) return open_one(runtime, ret_driver);
    runtime->kept_driver = NULL;
    *ret_driver = kept;
    return 0;
}

int edo__drivers_keep_one(edo_runtime *runtime)
{
    if (runtime->worker_limit == runtime->base.worker_count) return 0;
    return open_one(runtime, &runtime->kept_driver);
}

void edo__drivers_close(edo_runtime *runtime)
{
    edo_driver *kept = runtime->kept_driver;
    runtime->kept_driver = NULL;
    if (kept) kept->ops->close(kept);
}

void edo__drivers_free(edo_runtime *runtime)
{
    forget_argument(runtime);
}

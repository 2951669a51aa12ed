/* The driver of modelled runtimes: it only sleeps and is woken. */
#include "model/fake_sys.h"

#include "runtime/runtimes.h"

typedef struct fake_driver {
    edo_driver base;
    model_event unparked;
} fake_driver;

unsigned fake_unparks;

static int fake_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                     const char **ret_reason);

static void fake_close(edo_driver *driver)
{
    model_free(driver);
}

/* Without a timeout it takes what there is; otherwise it waits for an unpark. */
static int fake_turn(edo_driver *driver, int64_t timeout)
{
    fake_driver *fake = (fake_driver *)(void *)driver;
    if (timeout) model_wait(&fake->unparked);
    while (model_try_wait(&fake->unparked))
        continue;
    return 0;
}

static void fake_unpark(edo_driver *driver)
{
    fake_unparks++;
    model_post(&((fake_driver *)(void *)driver)->unparked);
}

enum { FAKE_FD = 100 };

static int fake_fd(edo_driver *driver)
{
    (void)driver;
    return FAKE_FD;
}

static int fake_watch(edo_driver *driver, int fd)
{
    (void)driver;
    (void)fd;
    return 0;
}

void fake_wait_readable(edo_runtime *runtime)
{
    model_event *unparked = &((fake_driver *)(void *)runtime->seats[0]->driver)->unparked;
    model_wait(unparked);
    model_post(unparked); // it stays readable until the turn
}

static const edo_driver_ops fake_ops = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .turn = fake_turn,
    .unpark = fake_unpark,
    .fd = fake_fd,
    .watch = fake_watch,
};

static int fake_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                     const char **ret_reason)
{
    (void)argument;
    (void)ret_reason;
    fake_driver *fake = model_alloc(sizeof *fake);
    *fake = (fake_driver){ .base = { .ops = &fake_ops, .runtime = runtime } };
    *ret_driver = &fake->base;
    return 0;
}

edo_runtime *fake_runtime_create(void)
{
    edo_runtime *runtime = NULL;
    fake_unparks = 0;
    fake_now = 0;
    edo_config config = { .driver_ops = &fake_ops,
                          .drain_limit = EDO_NEVER,
                          .abort_limit = EDO_NEVER };
    if (edo_runtime_create(&config, &runtime) < 0) model_fail("no runtime");
    return runtime;
}

/* ---- pools: these runtimes have none ---- */

void edo__blocking_close(edo_runtime *runtime)
{
    (void)runtime;
}

/* ---- dumps: nobody makes one ---- */

void edo__runtimes_add(edo_runtime *runtime)
{
    (void)runtime;
}

void edo__runtimes_remove(edo_runtime *runtime)
{
    (void)runtime;
}

/* Models play the parts of workers themselves. */
int edo__threads_start(edo_runtime *runtime)
{
    (void)runtime;
    return 0;
}

bool edo__threads_stop(edo_runtime *runtime, int64_t deadline)
{
    (void)runtime;
    (void)deadline;
    return true;
}

void edo__worker_help(edo__worker *worker)
{
    (void)worker;
}

void edo__monitor_note_awake(edo_runtime *runtime)
{
    (void)runtime;
}

void edo__monitor_free(edo_runtime *runtime)
{
    (void)runtime;
}

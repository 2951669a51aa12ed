/* The driver of modelled runtimes: it can only sleep and be woken. */
#include "model/fake_sys.h"

#include "base/duration.h"
#include "runtime/inspect/stall.h"
#include "runtime/inspect/dump.h"
#include "runtime/pool/blocking.h"
#include "runtime/quit.h"
#include "runtime/runtimes.h"
#include "runtime/schedule/help.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/threads.h"

typedef struct fake_driver {
    edo_driver base;
    model_event unparked;
    bool turning; // marked for the checker: one thread at a time
} fake_driver;

unsigned fake_unparks;
int fake_events;

static int fake_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                     const char **ret_reason);

static void fake_close(edo_driver *driver)
{
    model_free(driver);
}

static void sleep_until(fake_driver *fake, int64_t deadline)
{
    if (!model_wait_until(&fake->unparked, deadline) && fake_now < deadline) fake_now = deadline;
}

/* Without a timeout, takes a pending unpark; otherwise waits for one. */
static int fake_turn(edo_driver *driver, int64_t timeout)
{
    fake_driver *fake = (fake_driver *)(void *)driver;
    edo_plain_write(&fake->turning);
    if (timeout) sleep_until(fake, edo__later(fake_now, timeout));
    while (model_try_wait(&fake->unparked))
        continue;
    int count = fake_events < EDO__FULL_TURN ? fake_events : EDO__FULL_TURN;
    fake_events -= count;
    return count;
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
    model_event *unparked = &((fake_driver *)(void *)runtime->workers[0]->driver)->unparked;
    model_wait(unparked);
    model_post(unparked); // stays readable until the turn
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
    return fake_runtime_with(&(edo_config){ 0 });
}

edo_runtime *fake_runtime_with(const edo_config *options)
{
    edo_runtime *runtime = NULL;
    edo_config config = *options;
    fake_unparks = 0;
    fake_events = 0;
    fake_now = 0;
    fake_driver_ops = &fake_ops;
    if (!config.drain_limit) config.drain_limit = EDO_NEVER;
    if (!config.abort_limit) config.abort_limit = EDO_NEVER;
    if (edo_runtime_create(&config, &runtime) < 0) model_fail("no runtime");
    return runtime;
}

/* ---- functions that many models do not need; others link the real ones ---- */

#define WEAK __attribute__((weak))

WEAK void edo__blocking_close(edo_runtime *runtime, bool keeps)
{
    (void)keeps;
    (void)runtime;
}

/* ---- dumps: not used by models ---- */

WEAK void edo__dump_prepare(void) {}

WEAK void edo__runtimes_add(edo_runtime *runtime)
{
    (void)runtime;
}

WEAK void edo__runtimes_remove(edo_runtime *runtime)
{
    (void)runtime;
}

WEAK int edo__quit_enter(void)
{
    return 0;
}

WEAK void edo__quit_leave(void) {}

/* Models play the parts of workers themselves. */
WEAK int edo__threads_start(edo_runtime *runtime)
{
    (void)runtime;
    return 0;
}

WEAK bool edo__threads_stop(edo_runtime *runtime, int64_t deadline)
{
    (void)runtime;
    (void)deadline;
    return true;
}

WEAK void edo__worker_help(edo__worker *worker)
{
    (void)worker;
}

WEAK int edo__monitor_start(edo_runtime *runtime)
{
    (void)runtime;
    return 0;
}

WEAK void edo__monitor_stop(edo_runtime *runtime)
{
    (void)runtime;
}

WEAK void edo__monitor_note_awake(edo_runtime *runtime)
{
    (void)runtime;
}

WEAK void edo__monitor_hand_over(edo__worker *worker)
{
    (void)worker;
}

WEAK void edo__monitor_take_back(edo__worker *worker)
{
    (void)worker;
}

WEAK bool edo__monitor_mark_long(edo__worker *worker, uint64_t turns)
{
    (void)worker;
    (void)turns;
    return false;
}

WEAK void edo__monitor_unmark_long(edo__worker *worker)
{
    (void)worker;
}

WEAK void edo__monitor_free(edo_runtime *runtime)
{
    (void)runtime;
}

WEAK int64_t edo__stall_report(edo__worker *worker, int64_t duration)
{
    (void)worker;
    (void)duration;
    return EDO_NEVER;
}

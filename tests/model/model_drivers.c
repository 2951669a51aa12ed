/* One kind of driver per runtime. Whichever drivers the system refuses, and whenever a helper is
 * made, no operation is polled on another kind of driver than the one with which it waits.
 *
 * model-sources: @runtime time/sleep.c
 */
#include <string.h>

#include "model/fake_sys.h"

#include "driver/drivers.h"
#include "runtime/runtime.h"
#include "runtime/schedule/monitor.c"
#include "runtime/schedule/threads.h"

/* ---- two kinds: the first may be refused, the fallback never is ---- */

enum { RING, EPOLL, KINDS };

typedef struct kind {
    edo_driver_ops ops;
    unsigned open;
} kind;

static struct {
    edo_runtime *runtime;
    kind kinds[KINDS];
    unsigned refusals; // number of further refusals
} * s;

static int open_kind(kind *of, edo_runtime *runtime, edo_driver **ret_driver)
{
    edo_driver *driver = model_alloc(sizeof *driver);
    *driver = (edo_driver){ .ops = &of->ops, .runtime = runtime };
    of->open++;
    *ret_driver = driver;
    return 0;
}

static int open_ring(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                     const char **ret_reason)
{
    model_assert(!strcmp(argument, "key"));
    *ret_reason = "refused";
    if (!s->refusals || !model_choose(2)) return open_kind(&s->kinds[RING], runtime, ret_driver);
    s->refusals--;
    return -EPERM;
}

static int open_epoll(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    (void)ret_reason;
    model_assert(!argument);
    return open_kind(&s->kinds[EPOLL], runtime, ret_driver);
}

static void close_kind(edo_driver *driver)
{
    for (int i = 0; i < KINDS; i++)
        if (driver->ops == &s->kinds[i].ops) s->kinds[i].open--;
    model_free(driver);
}

static void unpark_nobody(edo_driver *driver)
{
    (void)driver;
}

const edo_driver_ops *edo__driver_named(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (!strcmp(s->kinds[i].ops.name, name)) return &s->kinds[i].ops;
    return NULL;
}

/* ---- runtimes; helpers have workers only ---- */

int edo__worker_start(edo__worker *worker)
{
    (void)worker;
    return -EAGAIN;
}

static void set_up(unsigned refusals, int32_t workers, int32_t max_spare)
{
    char driver[] = "ring:key";
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->kinds[RING].ops = (edo_driver_ops){ .name = "ring", .open = open_ring };
    s->kinds[EPOLL].ops = (edo_driver_ops){ .name = "epoll", .open = open_epoll };
    for (int i = 0; i < KINDS; i++) {
        s->kinds[i].ops.close = close_kind;
        s->kinds[i].ops.unpark = unpark_nobody;
    }
    s->refusals = refusals;
    edo_config config = { .driver = driver, .workers = workers, .max_spare = max_spare };
    model_assert(edo_runtime_create(&config, &s->runtime) == 0);
    memset(driver, '#', sizeof driver);
}

static void destroy(void)
{
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    for (int i = 0; i < KINDS; i++)
        model_assert(s->kinds[i].open == 0);
}

/* An operation that waits on the first worker's driver is polled wherever its task is. */
static void expect_one_kind(void)
{
    const edo_driver_ops *ops = s->runtime->workers[0]->driver->ops;
    model_assert(!strcmp(edo_runtime_driver(s->runtime), ops->name));
    for (uint32_t i = 0; i < edo__worker_total(s->runtime); i++)
        model_assert(s->runtime->workers[i]->driver->ops == ops);
}

MODEL(one_kind_at_create, "one refusal, at any driver of create, is one of all")
{
    set_up(2, 2, 2);
    bool refused = s->refusals < 2;
    expect_one_kind();
    model_assert(refused == (s->kinds[RING].open == 0));
    model_assert(s->kinds[RING].open + s->kinds[EPOLL].open == 3); // including the kept driver
    destroy();
}

THREAD(make_helpers)
{
    for (int i = 0; i < 3; i++)
        make_spare(s->runtime);
}

MODEL(one_kind_of_helpers,
      "a helper has the kind of the workers, which see it at once, or is not made")
{
    set_up(0, 1, 2);
    s->refusals = 2;
    int monitor = model_start(make_helpers, NULL);
    expect_one_kind();
    expect_one_kind();
    model_join(monitor);
    expect_one_kind();
    uint32_t made = edo__worker_total(s->runtime);
    model_assert(made == (s->refusals ? 3 : 2)); // the first helper gets the kept driver
    destroy();
}

MODEL(one_kind_after_fallback, "nor does a helper bring back what was refused at first")
{
    set_up(1, 1, 2);
    bool refused = !s->refusals;
    s->refusals = 1;
    int monitor = model_start(make_helpers, NULL);
    expect_one_kind();
    model_join(monitor);
    expect_one_kind();
    model_assert(!refused || edo__worker_total(s->runtime) == 3);
    destroy();
}

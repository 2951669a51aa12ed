#include "model/fake_sys.h"

#include <string.h>

#include "sys/sys.h"

/* ---- the system ---- */

int64_t edo__sys_now(void)
{
    return 0;
}

uint64_t edo__sys_random(void)
{
    return 1;
}

void edo__sys_futex_wait(uint32_t *word, uint32_t value)
{
    model_futex_wait(word, value, MODEL_HERE);
}

void edo__sys_futex_wake(uint32_t *word)
{
    model_futex_wake(word, MODEL_HERE);
}

void edo__sys_yield_thread(void)
{
    model_yield(MODEL_HERE);
}

uint32_t edo__sys_fork_generation(void)
{
    return 0;
}

void edo__sys_ignore_sigpipe(void) {}

int edo__sys_timer_open(void)
{
    return -EMFILE;
}

void edo__sys_timer_set(int fd, int64_t when)
{
    (void)fd;
    (void)when;
}

__attribute__((weak)) void edo__sys_close(int fd)
{
    (void)fd;
}

void *edo__sys_alloc(size_t size, size_t align)
{
    (void)align;
    return model_alloc(size);
}

const edo_driver_ops *edo__sys_driver(const char *name)
{
    (void)name;
    return NULL;
}

/* ---- memory: the hooks, without their count, which would order what is not ordered ---- */

void *edo__alloc_aligned(size_t size, size_t align)
{
    return model_alloc_aligned(size, align);
}

void edo__free_aligned(void *memory, size_t size, size_t align)
{
    (void)size;
    (void)align;
    model_free(memory);
}

void *edo__alloc(size_t size)
{
    return model_alloc(size);
}

void *edo__alloc_zeroed(size_t size)
{
    return memset(model_alloc(size), 0, size);
}

void edo__free(void *memory, size_t size)
{
    (void)size;
    model_free(memory);
}

const char *(*edo__describe_current)(char *buffer, size_t size);

void edo__log(edo_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

void edo__misuse(const char *call, const char *format, ...)
{
    model_fail("misuse: %s: %s", call, format);
}

/* ---- the driver ---- */

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
    return 0;
}

static void fake_unpark(edo_driver *driver)
{
    fake_unparks++;
    model_post(&((fake_driver *)(void *)driver)->unparked);
}

static const edo_driver_ops fake_ops = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .turn = fake_turn,
    .unpark = fake_unpark,
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
    edo_config config = { .driver_ops = &fake_ops,
                          .drain_limit = EDO_NEVER,
                          .abort_limit = EDO_NEVER };
    if (edo_runtime_create(&config, &runtime) < 0) model_fail("no runtime");
    return runtime;
}

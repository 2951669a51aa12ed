#include "model/fake_sys.h"

#include <string.h>

#include "sys/sys.h"

/* ---- the system ---- */

int64_t fake_now;

int64_t edo__sys_now(void)
{
    return fake_now;
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

/* Nobody's time is up: models end what they wait for. */
void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline)
{
    (void)deadline;
    model_futex_wait(word, value, MODEL_HERE);
}

__attribute__((weak)) edo__sys_thread edo__sys_thread_self(void)
{
    return (edo__sys_thread)model_self();
}

uint32_t edo__sys_cpu_count(void)
{
    return 2;
}

uint32_t edo__sys_thread_id(void)
{
    return 1;
}

void edo__sys_yield_thread(void)
{
    model_yield(MODEL_HERE);
}

uint32_t edo__sys_fork_generation(void)
{
    return 1;
}

void edo__sys_ignore_sigpipe(void) {}

int edo__sys_timer_open(void)
{
    return 101;
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

#include "model/fake_sys.h"

#include <string.h>

#include "sys/sockets.h"
#include "sys/sys.h"

#define WEAK __attribute__((weak)) // some models have their own

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

bool edo__sys_futex_wake(uint32_t *word)
{
    return model_futex_wake(word, MODEL_HERE);
}

bool edo__sys_futex_wake_all(uint32_t *word)
{
    return model_futex_wake_all(word, MODEL_HERE);
}

void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline)
{
    bool woken = model_futex_wait_until(word, value, deadline, MODEL_HERE);
    if (!woken && fake_now < deadline) fake_now = deadline;
}

/* ---- threads ---- */

typedef struct fake_thread {
    void *(*run)(void *);
    void *arg;
} fake_thread;

static void run_fake_thread(void *argument)
{
    const fake_thread *thread = argument;
    thread->run(thread->arg);
}

bool fake_no_threads;

WEAK int edo__sys_thread_start(void *(*run)(void *), void *arg, size_t stack_size,
                               edo__sys_thread *ret_thread)
{
    (void)stack_size;
    if (fake_no_threads) return -EAGAIN;
    fake_thread *thread = model_alloc_static(sizeof *thread);
    *thread = (fake_thread){ run, arg };
    *ret_thread = (edo__sys_thread)model_start(run_fake_thread, thread);
    return 0;
}

WEAK edo__sys_thread edo__sys_thread_self(void)
{
    return (edo__sys_thread)model_self();
}

WEAK void edo__sys_thread_join(edo__sys_thread thread)
{
    model_join((int)thread);
}

WEAK void edo__sys_thread_detach(edo__sys_thread thread)
{
    (void)thread;
}

WEAK void edo__sys_thread_name(const char *name)
{
    (void)name;
}

void edo__sys_thread_pin(int cpu)
{
    (void)cpu;
}

uint32_t edo__sys_cpu_count(void)
{
    return 2;
}

size_t edo__sys_stack_room(void)
{
    return SIZE_MAX;
}

uint32_t edo__sys_thread_id(void)
{
    return 1;
}

uint64_t fake_preemptions;

uint64_t edo__sys_preemptions(void)
{
    return fake_preemptions;
}

void edo__sys_wait_briefly(uint32_t *tries)
{
    (void)tries;
    model_yield(MODEL_HERE);
}

edo_atomic(uint32_t) edo__sys_forks = 1;

uint32_t edo__sys_fork_generation(void)
{
    return 1;
}

int edo__sys_timer_open(void)
{
    return 101;
}

int64_t fake_timer;

void edo__sys_timer_set(int fd, int64_t when)
{
    (void)fd;
    fake_timer = when;
}

WEAK void edo__sys_put_back_status(int fd)
{
    (void)fd;
}

WEAK void edo__terminals_restore(void) {}

WEAK void edo__sys_make_private(edo_fd fd, edo__file_kind kind)
{
    (void)fd;
    (void)kind;
}

WEAK void edo__sys_close(int fd)
{
    (void)fd;
}

void *edo__sys_alloc(size_t size, size_t align)
{
    (void)align;
    return model_alloc(size);
}

const edo_driver_ops *fake_driver_ops;

WEAK const edo_driver_ops *edo__driver_named(const char *name)
{
    (void)name;
    return fake_driver_ops;
}

/* ---- memory: the hooks, without their count, which would order unordered steps ---- */

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

WEAK void edo__log(edo_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

void edo__log_read_environment(void) {}

void edo__misuse(const char *call, const char *format, ...)
{
    model_fail("misuse: %s: %s", call, format);
}

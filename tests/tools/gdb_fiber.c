/* The program that test_gdb.sh inspects: a fiber waits in a function that it calls. */
#include <edo/edo.h>

static __attribute__((noinline)) int64_t waits_below(int depth)
{
    int64_t rc = depth ? waits_below(depth - 1) : edo_wait(edo_sleep(edo_s(1000))); // waits here
    return rc < 0 ? rc : rc + 1;
}

static int64_t parked(void *arg)
{
    return waits_below(*(int *)arg);
}

__attribute__((noinline)) void gdb_stop(void)
{
    __asm__ volatile("");
}

static int64_t stops(void *arg)
{
    edo_task *task;
    int rc = edo_fiber_spawn(&task, NULL, parked, arg);
    if (rc < 0) return rc;
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = (int)edo_wait(edo_yield());
    gdb_stop();
    edo_task_cancel(task);
    return edo_wait(edo_join(task)) == -ECANCELED ? 0 : -EPROTO;
}

int main(void)
{
    static int depth = 2;
    return edo_fiber_run(stops, &depth);
}

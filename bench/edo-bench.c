/* Measures edo: one workload per process, on one runtime.
 *
 *     edo-bench [ct|mtN] WORKLOAD [ARGUMENT...]
 *
 * ct: a current-thread runtime, which is the default; mtN: one with N workers. The runtime's driver
 * is the one that EDO_DRIVER names. Workloads are described in README.md beside this file. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { EXIT_USAGE = 2 };

static const struct workload {
    const char *name;
    bench_fn *run;
} workloads[] = {
    { "spawn_join", bench_spawn_join },
    { "yield_1", bench_yield_1 },
    { "yield_1000", bench_yield_1000 },
    { "timer_cancel", bench_timer_cancel },
    { "timer_random", bench_timer_random },
    { "mem_task", bench_mem_task },
    { "fiber_switch", bench_fiber_switch },
    { "fiber_spawn_join", bench_fiber_spawn_join },
    { "fiber_yield_1000", bench_fiber_yield_1000 },
    { "mem_fiber", bench_mem_fiber },
    { "spawn_blocking", bench_spawn_blocking },
    { "spawn_blocking_batch", bench_spawn_blocking_batch },
    { "mutex", bench_mutex },
    { "mutex_hold_yield", bench_mutex_hold_yield },
    { "semaphore", bench_semaphore },
    { "rwlock", bench_rwlock },
    { "lock_floor", bench_lock_floor },
    { "notify_pingpong", bench_notify_pingpong },
    { "mpsc_bounded_1p", bench_mpsc_bounded_1p },
    { "mpsc_bounded_4p", bench_mpsc_bounded_4p },
    { "mpsc_unbounded_1p", bench_mpsc_unbounded_1p },
    { "mpsc_unbounded_4p", bench_mpsc_unbounded_4p },
    { "oneshot_same", bench_oneshot_same },
    { "oneshot_pingpong", bench_oneshot_pingpong },
    { "broadcast_4rx", bench_broadcast_4rx },
    { "watch_4rx", bench_watch_4rx },
    { "watch_pingpong", bench_watch_pingpong },
    { "rt_spawn_many_local", bench_rt_spawn_many_local },
    { "rt_yield_many", bench_rt_yield_many },
    { "rt_ping_pong", bench_rt_ping_pong },
    { "rt_chained_spawn", bench_rt_chained_spawn },
    { "thread_mutex", bench_thread_mutex },
    { "thread_rwlock", bench_thread_rwlock },
    { "thread_cond", bench_thread_cond },
    { "stall_lateness", bench_stall_lateness },
    { "mixed", bench_mixed },
    { "saturate", bench_saturate },
    { "echo", bench_echo },
    { "unix_echo", bench_unix_echo },
    { "echo_fiber", bench_echo_fiber },
    { "memserver", bench_memserver },
    { "memserver_lent", bench_memserver_lent },
    { "proxy", bench_proxy },
    { "lines", bench_lines },
    { "udp_echo", bench_udp_echo },
};

static const struct workload *find(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
    return NULL;
}

static int usage(void)
{
    fprintf(stderr, "usage: edo-bench [ct|mtN] WORKLOAD [ARGUMENT...]\nworkloads:");
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    return EXIT_USAGE;
}

/* Returns: whether the word names a runtime. */
static bool read_runtime(const char *word, edo_config *config)
{
    if (strcmp(word, "ct") == 0) return true;
    if (strncmp(word, "mt", 2) != 0 || !isdigit((unsigned char)word[2])) return false;
    config->workers = (int32_t)strtol(word + 2, NULL, 10);
    return true;
}

static int run(const edo_config *config, const struct workload *workload, int argc, char **argv)
{
    edo_runtime *runtime;
    bench_require(edo_runtime_create(config, &runtime), "runtime");
    int status = workload->run(runtime, argc, argv);
    bench_require(edo_runtime_destroy(runtime), "end of the runtime");
    return status;
}

int main(int argc, char **argv)
{
    edo_config config = { .stall_limit = EDO_NEVER }; // some compute for long on purpose
    int at = argc > 1 && read_runtime(argv[1], &config) ? 2 : 1;
    if (at >= argc) return usage();
    const struct workload *workload = find(argv[at]);
    if (!workload) {
        fprintf(stderr, "unknown workload %s\n", argv[at]);
        return EXIT_USAGE;
    }
    return run(&config, workload, argc - at - 1, argv + at + 1);
}

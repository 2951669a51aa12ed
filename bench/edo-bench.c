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
    { "spawn_blocking", bench_spawn_blocking },
    { "spawn_blocking_batch", bench_spawn_blocking_batch },
    { "stall_lateness", bench_stall_lateness },
    { "mixed", bench_mixed },
    { "saturate", bench_saturate },
    { "echo", bench_echo },
    { "memserver", bench_memserver },
    { "memserver_lent", bench_memserver_lent },
    { "proxy", bench_proxy },
    { "lines", bench_lines },
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

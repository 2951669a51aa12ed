/* Repeating, medians, and what the system tells about this process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { DEFAULT_REPETITIONS = 5, MAX_REPETITIONS = 1000, MICROSECONDS = 1000000 };

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * BENCH_NANOSECONDS + now.tv_nsec;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / MICROSECONDS;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double bench_resident_bytes(void)
{
    unsigned long total, resident;
    FILE *file = fopen("/proc/self/statm", "re");
    bench_require(file ? 0 : -errno, "/proc/self/statm");
    int fields = fscanf(file, "%lu %lu", &total, &resident);
    fclose(file);
    bench_require(fields == 2 ? 0 : -EIO, "/proc/self/statm");
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

int64_t bench_require(int64_t rc, const char *what)
{
    if (rc >= 0) return rc;
    fprintf(stderr, "edo-bench: %s: %s\n", what, edo_strerror(rc));
    exit(EXIT_FAILURE);
}

void bench_print(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

static int repetitions(void)
{
    const char *text = getenv("REPS");
    if (!text || !*text) return DEFAULT_REPETITIONS;
    char *end;
    long count = strtol(text, &end, 10);
    bench_require(*end || count < 1 || count > MAX_REPETITIONS ? -EINVAL : 0, "REPS");
    return (int)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

void bench_repeat(edo_runtime *runtime, bench_once *once, const bench_line *lines, int count)
{
    static double values[BENCH_MAX_LINES][MAX_REPETITIONS];
    double measured[BENCH_MAX_LINES];
    int repeat = repetitions();
    once(runtime, measured); // warms up
    for (int i = 0; i < repeat; i++) {
        once(runtime, measured);
        for (int line = 0; line < count; line++)
            values[line][i] = measured[line];
    }
    for (int line = 0; line < count; line++)
        bench_print(lines[line].name, bench_median(values[line], repeat), lines[line].unit);
}

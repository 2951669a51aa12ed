/* What the workloads of edo-bench share.
 *
 * A workload is run once in a process, on a runtime that main() made. One that measures an
 * operation repeats itself: one repetition to warm up, then REPS of them (an environment variable,
 * default 5), on the same runtime; the median is printed as a line "NAME VALUE UNIT". The clock is
 * read around the work only. The work's root runs as a task, which is how edo_block_on() runs it.
 */
#pragma once

#include <stdint.h>

#include <edo/edo.h>

/* argc, argv: what follows the workload's name. Returns: the program's exit status. */
typedef int bench_fn(edo_runtime *runtime, int argc, char **argv);

bench_fn bench_spawn_join;
bench_fn bench_yield_1;
bench_fn bench_yield_1000;
bench_fn bench_timer_cancel;
bench_fn bench_timer_random;
bench_fn bench_mem_task;
bench_fn bench_spawn_blocking;
bench_fn bench_spawn_blocking_batch;
bench_fn bench_mutex;
bench_fn bench_mutex_hold_yield;
bench_fn bench_semaphore;
bench_fn bench_rwlock;
bench_fn bench_lock_floor;
bench_fn bench_notify_pingpong;
bench_fn bench_mpsc_bounded_1p;
bench_fn bench_mpsc_bounded_4p;
bench_fn bench_mpsc_unbounded_1p;
bench_fn bench_mpsc_unbounded_4p;
bench_fn bench_oneshot_same;
bench_fn bench_oneshot_pingpong;
bench_fn bench_broadcast_4rx;
bench_fn bench_watch_4rx;
bench_fn bench_watch_pingpong;
bench_fn bench_rt_spawn_many_local;
bench_fn bench_rt_yield_many;
bench_fn bench_rt_ping_pong;
bench_fn bench_rt_chained_spawn;
bench_fn bench_thread_mutex;
bench_fn bench_thread_rwlock;
bench_fn bench_thread_cond;
bench_fn bench_stall_lateness;
bench_fn bench_mixed;
bench_fn bench_saturate;
bench_fn bench_echo;
bench_fn bench_unix_echo;
bench_fn bench_memserver;
bench_fn bench_memserver_lent;
bench_fn bench_proxy;
bench_fn bench_fiber_switch;
bench_fn bench_fiber_spawn_join;
bench_fn bench_fiber_yield_1000;
bench_fn bench_mem_fiber;
bench_fn bench_echo_fiber;
bench_fn bench_lines;
bench_fn bench_udp_echo;

/* ---- repeating ---- */

enum { BENCH_MAX_LINES = 6 };

/* One printed line. */
typedef struct bench_line {
    const char *name, *unit;
} bench_line;

/* One repetition: writes a value per line. A failure ends the program, by bench_require(). */
typedef void bench_once(edo_runtime *runtime, double *ret_values);

/* Repeats and prints the median of each line, at most BENCH_MAX_LINES. */
void bench_repeat(edo_runtime *runtime, bench_once *once, const bench_line *lines, int count);

/* The upper one of two; sorts the values. */
double bench_median(double *values, int count);

void bench_print(const char *name, double value, const char *unit);

/* Ends the program with a line on stderr unless rc >= 0. Returns: rc. */
int64_t bench_require(int64_t rc, const char *what);

/* ---- measuring ---- */

enum { BENCH_NANOSECONDS = 1000000000, BENCH_NANOSECONDS_PER_MS = 1000000 };

int64_t bench_now(void);        // nanoseconds of the monotonic clock
double bench_cpu_seconds(void); // of this process, user and system
double bench_resident_bytes(void);

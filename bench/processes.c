/* Processes, signals, intervals. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { SPAWNS = 300, AT_ONCE = 1000, SIGNALS = 200000, INTERVALS = 1000000, SECONDS = 4 };

#define PROGRAM "/bin/true"

/* ---- spawn and wait ---- */

struct spawner {
    edo_frame();
    edo_args(int count;);
    edo_command command;
    edo_process *process;
    int i;
};

edo_async(spawner)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            self->command = (edo_command){ .program = PROGRAM };
            bench_require(edo_command_spawn(&self->command, &self->process), "spawn");
            edo_await(rc, edo_process_wait(self->process, NULL));
            bench_require(rc, "wait");
            edo_process_close(self->process);
        }
        edo_return(0);
    }
}

static void spawn_plainly(int count)
{
    char *const argv[] = { (char[]){ PROGRAM }, NULL };
    for (int i = 0; i < count; i++) {
        pid_t pid;
        bench_require(-posix_spawn(&pid, PROGRAM, NULL, NULL, argv, environ), "posix_spawn");
        bench_require(waitpid(pid, NULL, 0), "waitpid");
    }
}

/* Both in turns, so that other load on the machine meets both. */
static void spawn_once(edo_runtime *runtime, double *ret_values)
{
    int64_t ours = 0, plain = 0;
    for (int i = 0; i < 10; i++) {
        int64_t began = bench_now();
        bench_require(edo_block_on(runtime, spawner, .count = SPAWNS / 10), "spawner");
        int64_t middle = bench_now();
        spawn_plainly(SPAWNS / 10);
        ours += middle - began;
        plain += bench_now() - middle;
    }
    ret_values[0] = (double)ours / SPAWNS / 1000;
    ret_values[1] = (double)plain / SPAWNS / 1000;
    ret_values[2] = (double)ours / (double)plain;
}

int bench_process_spawn(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "process_spawn", "us" },
                                        { "posix_spawn", "us" },
                                        { "process_spawn_ratio", "" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, spawn_once, lines, 3);
    return 0;
}

/* ---- many at once ---- */

struct crowd {
    edo_frame();
    edo_args(edo_process **processes;);
    edo_command command;
    int i;
};

edo_async(crowd)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < AT_ONCE; self->i++) {
            self->command = (edo_command){ .program = PROGRAM };
            bench_require(edo_command_spawn(&self->command, &self->processes[self->i]), "spawn");
        }
        for (self->i = 0; self->i < AT_ONCE; self->i++) {
            edo_await(rc, edo_process_wait(self->processes[self->i], NULL));
            bench_require(rc, "wait");
            edo_process_close(self->processes[self->i]);
        }
        edo_return(0);
    }
}

static void crowd_once(edo_runtime *runtime, double *ret_values)
{
    static edo_process *processes[AT_ONCE];
    siginfo_t info;
    int64_t began = bench_now();
    bench_require(edo_block_on(runtime, crowd, .processes = processes), "crowd");
    ret_values[0] = (double)(bench_now() - began) / AT_ONCE / 1000;
    ret_values[1] = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; // a child is left
}

int bench_process_many(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "process_many", "us" }, { "process_many_left", "" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, crowd_once, lines, 2);
    return 0;
}

/* ---- signals ---- */

static void send_signals(void)
{
    for (int i = 1; i < SIGNALS; i++)
        kill(getppid(), SIGUSR1);
    kill(getppid(), SIGUSR2); // the last: no event of SIGUSR1 may be missing when it is taken
    _exit(0);
}

struct receiver {
    edo_frame();
    edo_args(edo_signal *signal, *last; int64_t *count;);
};

edo_async(receiver)
{
    edo_body {
        int rc;
        while (edo_try_signal_next(self->last, NULL) == -EAGAIN) {
            edo_await_for(rc, edo_ms(10), edo_signal_next(self->signal, NULL));
            if (rc == 1) ++*self->count;
        }
        edo_return(0);
    }
}

/* A child sends 200,000 signals. Each event stands for one or more of them. */
static void signals_once(edo_runtime *runtime, double *ret_values)
{
    edo_signal *signal, *last;
    int64_t count = 0, began = bench_now();
    bench_require(edo_signal_open(SIGUSR1, &signal), "signal");
    bench_require(edo_signal_open(SIGUSR2, &last), "signal");
    pid_t child = fork();
    if (child == 0) send_signals();
    bench_require(edo_block_on(runtime, receiver, .signal = signal, .last = last, .count = &count),
                  "receiver");
    waitpid(child, NULL, 0);
    ret_values[0] = (double)(bench_now() - began) / SIGNALS;
    ret_values[1] = (double)count;
    edo_signal_close(signal);
    edo_signal_close(last);
}

int bench_signals(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "signals", "ns" }, { "signals_events", "events" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, signals_once, lines, 2);
    return 0;
}

/* ---- intervals ---- */

struct ticker {
    edo_frame();
    edo_args(int64_t first, end; int64_t *ticks;);
    edo_interval interval;
};

edo_async(ticker)
{
    edo_body {
        int rc;
        edo_interval_init_at(&self->interval, self->first, edo_s(1), EDO_MISSED_BURST);
        while (self->interval.next < self->end) {
            edo_await(rc, edo_interval_next(&self->interval, NULL));
            if (rc < 0) edo_return(rc);
            ++*self->ticks;
        }
        edo_return(0);
    }
}

struct tickers {
    edo_frame();
    edo_args(int64_t count; int64_t *ticks;);
    edo_scope scope;
    int64_t start, i;
};

/* The ticks are spread evenly over the second. */
edo_async(tickers)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, 0);
        self->start = edo_now() + edo_s(1);
        for (self->i = 0; self->i < self->count; self->i++) {
            rc = edo_scope_spawn(&self->scope, ticker,
                                 .first = self->start + self->i * edo_s(1) / self->count,
                                 .end = self->start + edo_s(SECONDS), .ticks = self->ticks);
            bench_require(rc, "spawn");
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* For current-thread runtimes: the count of ticks is not shared. */
int bench_intervals(edo_runtime *runtime, int argc, char **argv)
{
    int64_t ticks = 0, count = argc > 0 ? atoll(argv[0]) : INTERVALS;
    double cpu = bench_cpu_seconds();
    bench_require(edo_block_on(runtime, tickers, .count = count, .ticks = &ticks), "tickers");
    cpu = bench_cpu_seconds() - cpu;
    bench_print("intervals_tick", cpu * BENCH_NANOSECONDS / (double)ticks, "ns");
    bench_print("intervals_cpu", cpu / SECONDS * 100, "% of a processor");
    return 0;
}

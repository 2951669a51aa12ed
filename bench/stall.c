/* How late others are served while every worker computes.
 *
 * In each round the workers sleep first, and the monitor too. Then a task on each of them spins for
 * SPIN without an await; all that is measured falls due right at the beginning, when nobody has
 * noticed. The thread that runs main() is the client, for it is none of the runtime's. */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { ROUNDS = 20, MAX_ROUNDS = 1000, MAX_WORKERS = 64 };

enum {
    SETTLE_MS = 50,      // until the monitor sleeps, too
    PATIENCE_MS = 10000, // with an echo
};

#define SPIN edo_ms(500)
#define LEAD edo_ms(5) // from the set of the timer to its deadline: all spin by then

enum kind { ECHO, TIMER, QUEUED, SLOT, KINDS };

static const char *const names[KINDS][2] = {
    [ECHO] = { "stall_echo", "stall_echo_worst" },
    [TIMER] = { "stall_timer", "stall_timer_worst" },
    [QUEUED] = { "stall_queued", "stall_queued_worst" },
    [SLOT] = { "stall_slot", "stall_slot_worst" },
};

/* What a round tells: QUEUED and SLOT once per worker, the others once. */
typedef struct stall_round {
    unsigned workers;
    atomic_uint spinning;
    atomic_bool is_timer_set;
    double late[KINDS][MAX_WORKERS]; // milliseconds
} stall_round;

static double ms_since(int64_t moment)
{
    return (double)(bench_now() - moment) / BENCH_NANOSECONDS_PER_MS;
}

/* ---- what waits ---- */

/* Its socket is looked after by the worker that polls it before the round. */
struct stall_echo {
    edo_frame();
    edo_args(edo_io *conn;);
    char byte;
};

edo_async(stall_echo)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->conn, &self->byte, 1));
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(n);
    }
}

struct stall_sleeper {
    edo_frame();
    edo_args(stall_round *round;);
    int64_t deadline;
};

edo_async(stall_sleeper)
{
    edo_body {
        int rc;
        self->deadline = edo_now() + LEAD;
        atomic_store(&self->round->is_timer_set, true);
        edo_await(rc, edo_sleep_until(self->deadline));
        self->round->late[TIMER][0] = ms_since(self->deadline);
        edo_return(rc);
    }
}

struct stall_ready {
    edo_frame();
    edo_args(double *late; int64_t since;);
};

edo_async(stall_ready)
{
    edo_body {
        *self->late = ms_since(self->since);
        edo_return(0);
    }
}

/* ---- what keeps it waiting ---- */

struct stall_spinner {
    edo_frame();
    edo_args(stall_round *round; unsigned index;);
    edo_task *ready[2];
    int64_t begin;
    int joined;
};

/* The last task spawned is in the next-task slot, and puts the one before it into the queue. */
static void spawn_ready(struct stall_spinner *self)
{
    static const enum kind kinds[] = { QUEUED, SLOT };
    for (int i = 0; i < 2; i++)
        bench_require(edo_spawn(&self->ready[i], stall_ready, .since = self->begin,
                                .late = &self->round->late[kinds[i]][self->index]),
                      "spawn");
}

static void spin(struct stall_spinner *self)
{
    atomic_fetch_add(&self->round->spinning, 1);
    while (atomic_load(&self->round->spinning) < self->round->workers)
        continue;
    self->begin = bench_now();
    spawn_ready(self);
    while (bench_now() - self->begin < SPIN)
        continue;
}

edo_async(stall_spinner)
{
    edo_body {
        int rc;
        spin(self);
        for (self->joined = 0; self->joined < 2; self->joined++) {
            edo_await(rc, edo_join(self->ready[self->joined]));
            bench_require(rc, "ready task");
        }
        edo_return(0);
    }
}

/* ---- rounds ---- */

static void measure_echo(int client, stall_round *round)
{
    char byte = 'e';
    int64_t sent = bench_now();
    bench_require(write(client, &byte, 1) == 1 ? 0 : -EIO, "write");
    struct pollfd fd = { .fd = client, .events = POLLIN };
    bench_require(poll(&fd, 1, PATIENCE_MS) == 1 ? 0 : -ETIMEDOUT, "echo");
    bench_require(read(client, &byte, 1) == 1 ? 0 : -EIO, "read");
    round->late[ECHO][0] = ms_since(sent);
}

/* Returns: the client's end of a stream on which a task answers. */
static int start_echo(void)
{
    int fds[2];
    edo_io *conn;
    bench_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair");
    bench_require(edo_io_from_fd(fds[1], &conn), "stream");
    bench_require(edo_go(stall_echo, .conn = conn), "spawn");
    return fds[0];
}

static void run_round(stall_round *round)
{
    edo_task *sleeper, *spinners[MAX_WORKERS];
    poll(NULL, 0, SETTLE_MS); // helpers have gone to sleep: it is a worker's socket
    int client = start_echo();
    poll(NULL, 0, SETTLE_MS); // all sleep
    bench_require(edo_spawn_with(&sleeper, NULL, stall_sleeper, .round = round), "spawn");
    while (!atomic_load(&round->is_timer_set))
        continue;
    for (unsigned i = 0; i < round->workers; i++)
        bench_require(edo_spawn_on(&spinners[i], i, stall_spinner, .round = round, .index = i),
                      "spawn");
    while (atomic_load(&round->spinning) < round->workers)
        continue;
    measure_echo(client, round);
    for (unsigned i = 0; i < round->workers; i++)
        bench_require(edo_wait(edo_join(spinners[i])), "spinner");
    bench_require(edo_wait(edo_join(sleeper)), "sleeper");
    close(client);
}

static void print(const stall_round *rounds, int count, enum kind kind)
{
    static double values[MAX_ROUNDS * MAX_WORKERS];
    unsigned per_round = kind == QUEUED || kind == SLOT ? rounds->workers : 1;
    int length = 0;
    for (int i = 0; i < count; i++)
        for (unsigned worker = 0; worker < per_round; worker++)
            values[length++] = rounds[i].late[kind][worker];
    bench_print(names[kind][0], bench_median(values, length), "ms");
    bench_print(names[kind][1], values[length - 1], "ms"); // the median has sorted them
}

static void run_rounds(edo_runtime *runtime, stall_round *rounds, int count)
{
    edo_runtime *before = edo_runtime_enter(runtime);
    for (int i = 0; i < count; i++) {
        rounds[i].workers = edo_runtime_workers(runtime);
        run_round(&rounds[i]);
    }
    edo_runtime_leave(before);
}

int bench_stall_lateness(edo_runtime *runtime, int argc, char **argv)
{
    int count = argc ? atoi(argv[0]) : ROUNDS;
    bench_require(argc > 1 || count < 1 || count > MAX_ROUNDS ? -EINVAL : 0,
                  "usage: stall_lateness [ROUNDS]");
    unsigned workers = edo_runtime_workers(runtime);
    bench_require(workers < 1 || workers > MAX_WORKERS ? -EINVAL : 0,
                  "stall_lateness: needs workers (mtN)");
    stall_round *rounds = calloc((size_t)count, sizeof *rounds);
    bench_require(rounds ? 0 : -ENOMEM, "rounds");
    run_rounds(runtime, rounds, count);
    for (enum kind kind = ECHO; kind < KINDS; kind++)
        print(rounds, count, kind);
    free(rounds);
    return 0;
}

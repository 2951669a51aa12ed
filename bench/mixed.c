/* Tails: how late a timer and an echo are while others compute.
 *
 * Two tasks are measured: one that is due every millisecond, and one that answers a client, which is
 * a process of its own with one request per millisecond by turns on CONNECTIONS connections. Beside
 * them is the load: many short jobs with a long one now and then (mixed), or tasks that compute for
 * a fixed time per poll and yield in between (saturate). SECS (an environment variable, default 8)
 * is how long it takes; the first second is not counted.
 *
 * A client that runs at a real-time priority has one more than the workers: they do not stop. */
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum {
    DEFAULT_SECONDS = 8,
    CONNECTIONS = 8,
    MESSAGE = 64,         // bytes
    MAX_SAMPLES = 100000, // a hundred seconds of them
    GENERATORS = 64,      // of jobs
    RATE = 50000,         // jobs per second, of all generators
    LONG_ONE_IN = 1000,   // of the jobs
    PATIENCE_MS = 60000,  // of the client, with one answer
};

#define SHORT_JOB edo_us(1)
#define LONG_JOB  edo_ms(3)
#define PERIOD    edo_ms(1)   // of timer and client
#define LAG       edo_ms(200) // behind which a generator leaves jobs out

/* Latenesses in microseconds; shared with the client. */
typedef struct samples {
    int count;
    double values[MAX_SAMPLES];
} samples;

typedef struct tail_load {
    int64_t from, to; // what is counted, in nanoseconds of the monotonic clock
    atomic_bool stops;
    samples timer, echo;
} tail_load;

static void add(tail_load *load, samples *to, int64_t now, int64_t lateness)
{
    if (now >= load->from && now < load->to && to->count < MAX_SAMPLES)
        to->values[to->count++] = (double)lateness / (double)edo_us(1);
}

static void spin(int64_t duration)
{
    int64_t end = bench_now() + duration;
    while (bench_now() < end)
        continue;
}

/* ---- what is measured ---- */

struct ticker {
    edo_frame();
    edo_args(tail_load *load;);
    int64_t next;
};

edo_async(ticker)
{
    edo_body {
        int rc;
        self->next = edo_now();
        while (bench_now() < self->load->to) {
            self->next += PERIOD;
            edo_await(rc, edo_sleep_until(self->next));
            if (rc < 0) break;
            add(self->load, &self->load->timer, bench_now(), edo_now() - self->next);
        }
        atomic_store(&self->load->stops, true);
        edo_return(0);
    }
}

struct answer {
    edo_frame();
    edo_args(edo_io *conn;);
    char message[MESSAGE];
};

edo_async(answer)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->conn, self->message, MESSAGE));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->conn, self->message, (size_t)n));
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(0);
    }
}

struct mixed_server {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    int left;
};

edo_async(mixed_server)
{
    edo_body {
        int rc;
        for (self->left = CONNECTIONS; self->left > 0; self->left--) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc < 0) break;
            edo_tcp_set_nodelay(self->conn, true);
            bench_require(edo_go(answer, .conn = self->conn), "spawn");
        }
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- the client, in a process of its own ---- */

static void rise(void)
{
    struct sched_param priority;
    int policy = sched_getscheduler(0);
    if (policy != SCHED_FIFO && policy != SCHED_RR) return;
    sched_getparam(0, &priority);
    priority.sched_priority++;
    sched_setscheduler(0, policy, &priority);
}

static int connect_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) _exit(EXIT_FAILURE);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void sleep_until(int64_t moment)
{
    struct timespec until = { moment / BENCH_NANOSECONDS, moment % BENCH_NANOSECONDS };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static _Noreturn void run_client(tail_load *load, int port)
{
    int fds[CONNECTIONS];
    char message[MESSAGE] = { 0 };
    rise();
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = connect_to(port);
    int64_t next = bench_now();
    for (unsigned turn = 0; bench_now() < load->to; turn++) {
        next += PERIOD;
        sleep_until(next);
        int64_t sent = bench_now();
        int fd = fds[turn % CONNECTIONS];
        if (write(fd, message, MESSAGE) != MESSAGE) _exit(EXIT_FAILURE);
        if (recv(fd, message, MESSAGE, MSG_WAITALL) != MESSAGE) _exit(EXIT_FAILURE);
        int64_t now = bench_now();
        add(load, &load->echo, sent, now - sent);
        if (now > next + PERIOD) next = now;
    }
    _exit(EXIT_SUCCESS);
}

static pid_t start_client(tail_load *load, edo_listener *listener)
{
    char address[EDO_ADDRESS_SIZE];
    bench_require(edo_listener_address(listener, address, sizeof address), "address");
    int port = atoi(strrchr(address, ':') + 1);
    pid_t pid = fork();
    if (pid == 0) run_client(load, port);
    return (pid_t)bench_require(pid < 0 ? -errno : pid, "fork");
}

/* ---- one run ---- */

static int64_t seconds(void)
{
    const char *text = getenv("SECS");
    int count = text ? atoi(text) : DEFAULT_SECONDS;
    bench_require(count < 2 ? -EINVAL : 0, "SECS");
    return edo_s(count);
}

/* It stays: the load's tasks read it until they end. */
static tail_load *make_load(void)
{
    tail_load *load = mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                           -1, 0);
    bench_require(load == MAP_FAILED ? -ENOMEM : 0, "samples");
    int64_t now = bench_now();
    load->from = now + edo_s(1);
    load->to = now + seconds();
    return load;
}

static void print_part(const samples *of, const char *name, const char *part, int per_thousand)
{
    char line[32];
    int at = (int)((int64_t)of->count * per_thousand / 1000);
    snprintf(line, sizeof line, "%s_%s", name, part);
    bench_print(line, of->values[at < of->count ? at : of->count - 1], "us");
}

static void print(samples *of, const char *name)
{
    bench_require(of->count ? 0 : -ENODATA, name);
    bench_median(of->values, of->count); // sorts
    print_part(of, name, "p50", 500);
    print_part(of, name, "p99", 990);
    print_part(of, name, "p999", 999);
    print_part(of, name, "max", 1000);
}

/* spawn_load: spawns the tasks that compute, which end when load->stops is set. */
static int run(edo_runtime *runtime, void (*spawn_load)(tail_load *load))
{
    edo_listener *listener;
    tail_load *load = make_load();
    edo_runtime *before = edo_runtime_enter(runtime);
    edo_task *ticks;
    int status;
    bench_require(edo_wait(edo_tcp_listen("127.0.0.1:0", &listener)), "listen");
    pid_t client = start_client(load, listener);
    bench_require(edo_go(mixed_server, .listener = listener), "spawn");
    bench_require(edo_spawn(&ticks, ticker, .load = load), "spawn");
    spawn_load(load);
    bench_require(edo_wait(edo_join(ticks)), "timer");
    edo_runtime_leave(before);
    bench_require(waitpid(client, &status, 0) == client && status == 0 ? 0 : -EIO, "client");
    print(&load->timer, "timer");
    print(&load->echo, "echo");
    return 0;
}

/* ---- many short jobs, and a long one now and then ---- */

enum { WARM_UP = 64 }; // steps, until close seeds have come apart

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

struct generator {
    edo_frame();
    edo_args(tail_load *load; uint64_t random;);
    int64_t next;
};

/* Exponentially distributed: so all generators together are as random as many clients. */
static int64_t pause_of(struct generator *self)
{
    double uniform = (next_random(&self->random) + 1.0) / (UINT32_MAX + 2.0);
    return (int64_t)(-log(uniform) * BENCH_NANOSECONDS * GENERATORS / RATE);
}

edo_async(generator)
{
    edo_body {
        int rc;
        for (int i = 0; i < WARM_UP; i++)
            next_random(&self->random);
        self->next = edo_now();
        while (!atomic_load(&self->load->stops)) {
            self->next += pause_of(self);
            edo_await(rc, edo_sleep_until(self->next));
            if (rc < 0) break;
            spin(next_random(&self->random) % LONG_ONE_IN ? SHORT_JOB : LONG_JOB);
            if (edo_now() > self->next + LAG) self->next = edo_now();
        }
        edo_return(0);
    }
}

static void spawn_generators(tail_load *load)
{
    for (uint64_t i = 0; i < GENERATORS; i++)
        bench_require(edo_go(generator, .load = load, .random = 0x9E3779B97F4A7C15 * (i + 1)),
                      "spawn");
}

int bench_mixed(edo_runtime *runtime, int argc, char **argv)
{
    (void)argv;
    bench_require(argc ? -EINVAL : 0, "usage: mixed");
    return run(runtime, spawn_generators);
}

/* ---- tasks that compute, or block, and yield in between ---- */

static struct {
    int tasks;
    int64_t per_poll;
    bool blocks;
} saturation;

struct hog {
    edo_frame();
    edo_args(tail_load *load;);
};

static void keep_busy(void)
{
    if (saturation.blocks)
        sleep_until(bench_now() + saturation.per_poll);
    else
        spin(saturation.per_poll);
}

edo_async(hog)
{
    edo_body {
        int rc;
        while (!atomic_load(&self->load->stops)) {
            keep_busy();
            edo_await(rc, edo_yield());
            if (rc < 0) break;
        }
        edo_return(0);
    }
}

static void spawn_hogs(tail_load *load)
{
    for (int i = 0; i < saturation.tasks; i++)
        bench_require(edo_go(hog, .load = load), "spawn");
}

int bench_saturate(edo_runtime *runtime, int argc, char **argv)
{
    bool blocks = argc == 3 && strcmp(argv[2], "block") == 0;
    int tasks = argc >= 2 ? atoi(argv[0]) : 0, microseconds = argc >= 2 ? atoi(argv[1]) : 0;
    bench_require(tasks < 1 || microseconds < 1 || argc > 2 + blocks ? -EINVAL : 0,
                  "usage: saturate TASKS MICROSECONDS [block]");
    saturation.tasks = tasks;
    saturation.per_poll = edo_us(microseconds);
    saturation.blocks = blocks;
    return run(runtime, spawn_hogs);
}

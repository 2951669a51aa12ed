/* A load for echo servers of UDP, on the loopback: keeps a number of datagrams on their way, checks
 * each answer, and tells the processor time of the server per answer.
 *
 *     udp-load PORT PID SECONDS [WINDOW [SIZE [TRAIN [merge]]]]    64 datagrams of 64 bytes are the
 *                                                                  default
 *
 * The load is sent by batches, so that it costs less than the server. TRAIN: the kernel gets so many
 * datagrams as one buffer and cuts it (GSO), as a peer with many datagrams does. They reach the server
 * together, so its batches are full; without, each one wakes a server that waits. merge: the kernel may
 * merge answers that come together (GRO). Datagrams that got lost are sent anew after 100 ms without an
 * answer. */
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 256, MOST_BYTES = 65535, DECIMAL = 10, BUFFER = 1 << 20, LOST_US = 100000 };

#define NANOSECONDS 1e9

static char out_bytes[MOST][MOST_BYTES], in_bytes[MOST][MOST_BYTES];
static struct iovec out_vectors[MOST], in_vectors[MOST];
static struct mmsghdr out[MOST], in[MOST];

static int require(int rc, const char *what)
{
    if (rc >= 0) return rc;
    perror(what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / NANOSECONDS;
}

/* Seconds of the processor that all threads of a process have used. */
static double cpu_of(const char *pid)
{
    char path[64];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%.16s/task", pid);
    DIR *tasks = opendir(path);
    require(tasks ? 0 : -1, path);
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.') continue; // "..": the first thread once more
        char file[96];
        unsigned long long ns = 0;
        snprintf(file, sizeof file, "%s/%.16s/schedstat", path, task->d_name);
        FILE *stat = fopen(file, "re");
        if (!stat) continue;
        if (fscanf(stat, "%llu", &ns) == 1) sum += (double)ns / NANOSECONDS;
        fclose(stat);
    }
    closedir(tasks);
    return sum;
}

static int open_client(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_usec = LOST_US };
    int fd = require(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    require(connect(fd, (const struct sockaddr *)&to, sizeof to), "connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ BUFFER }, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

typedef struct load {
    int fd;
    unsigned window, train; // datagrams on their way; datagrams per buffer
    size_t size;
    bool merges;
} load;

static void prepare(const load *self)
{
    for (unsigned i = 0; i < MOST; i++) {
        memset(out_bytes[i], 'x', self->train * self->size);
        out_vectors[i] = (struct iovec){ out_bytes[i], self->train * self->size };
        in_vectors[i] = (struct iovec){ in_bytes[i], MOST_BYTES };
        out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_vectors[i], .msg_iovlen = 1 };
        in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_vectors[i], .msg_iovlen = 1 };
    }
    if (self->merges)
        require(setsockopt(self->fd, IPPROTO_UDP, UDP_GRO, &(int){ 1 }, sizeof(int)), "UDP_GRO");
    if (self->train > 1)
        require(
            setsockopt(self->fd, IPPROTO_UDP, UDP_SEGMENT, &(int){ (int)self->size }, sizeof(int)),
            "UDP_SEGMENT");
}

/* Sends datagrams, as whole trains. Returns: number of datagrams that remain to be sent. */
static unsigned send_some(const load *self, unsigned credit)
{
    unsigned count = credit / self->train;
    if (count > MOST) count = MOST;
    for (unsigned sent = 0; sent < count;) {
        int n = sendmmsg(self->fd, out + sent, count - sent, 0);
        if (n > 0) sent += (unsigned)n;
    }
    return credit - count * self->train;
}

/* Returns: number of datagrams in a message of answers. */
static unsigned check(const load *self, unsigned at)
{
    size_t bytes = in[at].msg_len;
    bool good = bytes && bytes % self->size == 0;
    for (size_t i = 0; good && i < bytes; i++)
        good = in_bytes[at][i] == 'x';
    if (good) return (unsigned)(bytes / self->size);
    fprintf(stderr, "udp-load: a wrong answer of %zu bytes\n", bytes);
    exit(EXIT_FAILURE);
}

/* Returns: number of answers; 0 if none came in time. */
static unsigned receive(const load *self)
{
    unsigned answers = 0;
    int n = recvmmsg(self->fd, in, MOST, MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
        answers += check(self, (unsigned)i);
    return answers;
}

/* Keeps the window full until the time is over. Returns: number of answers. */
static uint64_t run(const load *self, double seconds)
{
    uint64_t answers = 0;
    double end = now() + seconds;
    unsigned credit = self->window;
    while (now() < end) {
        credit = send_some(self, credit);
        unsigned n = receive(self);
        answers += n;
        credit = n ? credit + n : self->window;
    }
    while (receive(self))
        continue;
    return answers;
}

static unsigned number(int argc, char **argv, int at, unsigned otherwise)
{
    return argc > at ? (unsigned)strtoul(argv[at], NULL, DECIMAL) : otherwise;
}

int main(int argc, char **argv)
{
    load self = { .window = number(argc, argv, 4, 64),
                  .size = number(argc, argv, 5, 64),
                  .train = number(argc, argv, 6, 1) };
    self.merges = argc > 7 && !strcmp(argv[7], "merge");
    bool good = argc > 3 && self.size && self.train && self.window >= self.train &&
                self.window <= MOST && self.size * self.train <= MOST_BYTES;
    if (!good) {
        fprintf(stderr, "usage: udp-load PORT PID SECONDS [WINDOW [SIZE [TRAIN [merge]]]]\n");
        return EXIT_FAILURE;
    }
    double seconds = strtod(argv[3], NULL);
    self.fd = open_client((uint16_t)strtoul(argv[1], NULL, DECIMAL));
    prepare(&self);
    run(&self, seconds / 4); // warms up
    double before = cpu_of(argv[2]);
    uint64_t answers = run(&self, seconds);
    double used = cpu_of(argv[2]) - before;
    if (!answers) {
        fprintf(stderr, "udp-load: no answer\n");
        return EXIT_FAILURE;
    }
    printf("udp_rate %.0f 1/s\nudp_cpu %.3f us\n", (double)answers / seconds,
           used * 1e6 / (double)answers);
    return 0;
}

/* A load for echo servers of UDP, on the loopback: keeps a number of datagrams on their way, checks
 * each answer, and tells the processor time of the server per answer.
 *
 *     udp-load PORT PID SECONDS [WINDOW [SIZE]]    64 datagrams of 64 bytes are the default
 *
 * The load is sent by batches, so that it costs less than the server. Datagrams that got lost are
 * sent anew after 100 ms without an answer. */
#include <dirent.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, MOST_BYTES = 1472, DECIMAL = 10, BUFFER = 1 << 20, LOST_US = 100000 };

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

static void prepare(unsigned window, size_t size)
{
    for (unsigned i = 0; i < window; i++) {
        memset(out_bytes[i], 'x', size);
        out_vectors[i] = (struct iovec){ out_bytes[i], size };
        in_vectors[i] = (struct iovec){ in_bytes[i], MOST_BYTES };
        out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_vectors[i], .msg_iovlen = 1 };
        in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_vectors[i], .msg_iovlen = 1 };
    }
}

static void send_all(int fd, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int n = sendmmsg(fd, out + sent, count - sent, 0);
        if (n > 0) sent += (unsigned)n;
    }
}

static void check(int count, size_t size)
{
    for (int i = 0; i < count; i++)
        if (in[i].msg_len != size || memcmp(in_bytes[i], out_bytes[0], size)) {
            fprintf(stderr, "udp-load: a wrong answer of %u bytes\n", in[i].msg_len);
            exit(EXIT_FAILURE);
        }
}

/* Keeps the window full until the time is over. Returns: number of answers. */
static uint64_t run(int fd, unsigned window, size_t size, double seconds)
{
    uint64_t answers = 0;
    double end = now() + seconds;
    send_all(fd, window);
    while (now() < end) {
        int n = recvmmsg(fd, in, window, MSG_WAITFORONE, NULL);
        if (n > 0) check(n, size);
        answers += n > 0 ? (uint64_t)n : 0;
        send_all(fd, n > 0 ? (unsigned)n : window);
    }
    while (recvmmsg(fd, in, window, MSG_WAITFORONE, NULL) > 0)
        continue;
    return answers;
}

int main(int argc, char **argv)
{
    unsigned long window = argc > 4 ? strtoul(argv[4], NULL, DECIMAL) : 64;
    unsigned long size = argc > 5 ? strtoul(argv[5], NULL, DECIMAL) : 64;
    if (argc < 4 || !window || window > MOST || !size || size > MOST_BYTES) {
        fprintf(stderr, "usage: udp-load PORT PID SECONDS [WINDOW [SIZE]]\n");
        return EXIT_FAILURE;
    }
    int fd = open_client((uint16_t)strtoul(argv[1], NULL, DECIMAL));
    double seconds = strtod(argv[3], NULL);
    prepare((unsigned)window, size);
    run(fd, (unsigned)window, size, seconds / 4); // warms up
    double before = cpu_of(argv[2]);
    uint64_t answers = run(fd, (unsigned)window, size, seconds);
    double used = cpu_of(argv[2]) - before;
    if (!answers) {
        fprintf(stderr, "udp-load: no answer\n");
        return EXIT_FAILURE;
    }
    printf("udp_rate %.0f 1/s\nudp_cpu %.3f us\n", (double)answers / seconds,
           used * 1e6 / (double)answers);
    return 0;
}

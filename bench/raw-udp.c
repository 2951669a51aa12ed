/* Echo server of UDP that shows the cost of the kernel alone: one thread, nothing between the calls,
 * which block. edo is compared with it; see README.md beside this file.
 *
 *     raw-udp PORT [BATCH [joined]]    1: recvfrom and sendto; more: recvmmsg and sendmmsg
 *
 * joined: datagrams that came together from one address with one size are answered by one sendmsg,
 * which the kernel cuts (UDP_SEGMENT). The load must have one client. */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST = 64, BUFFER = 2048, DECIMAL = 10, RECEIVE_BUFFER = 1 << 20 };

static int require(int rc, const char *what)
{
    if (rc >= 0) return rc;
    perror(what);
    exit(EXIT_FAILURE);
}

static int open_server(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = require(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    require(bind(fd, (const struct sockaddr *)&address, sizeof address), "bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ RECEIVE_BUFFER }, sizeof(int));
    return fd;
}

static _Noreturn void serve(int fd)
{
    static char buffer[BUFFER];
    struct sockaddr_storage from;
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
        if (n >= 0) sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, size);
    }
}

static char buffers[MOST][BUFFER];
static struct sockaddr_storage names[MOST];
static struct iovec vectors[MOST];
static struct mmsghdr headers[MOST];

static void prepare(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        vectors[i] = (struct iovec){ buffers[i], BUFFER };
        headers[i].msg_hdr = (struct msghdr){ .msg_name = &names[i],
                                              .msg_namelen = sizeof names[i],
                                              .msg_iov = &vectors[i],
                                              .msg_iovlen = 1 };
    }
}

/* Sends all answers as one buffer. */
static void send_joined(int fd, size_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } record = { .head = { .cmsg_level = IPPROTO_UDP,
                           .cmsg_type = UDP_SEGMENT,
                           .cmsg_len = CMSG_LEN(sizeof(uint16_t)) } };
    uint16_t segment = (uint16_t)vectors[0].iov_len;
    struct msghdr header = headers[0].msg_hdr;
    memcpy(CMSG_DATA(&record.head), &segment, sizeof segment);
    header.msg_iovlen = count;
    header.msg_control = &record;
    header.msg_controllen = sizeof record;
    require((int)sendmsg(fd, &header, 0), "UDP_SEGMENT");
}

static _Noreturn void serve_many(int fd, unsigned batch, bool joined)
{
    for (;;) {
        prepare(batch);
        int n = recvmmsg(fd, headers, batch, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++)
            vectors[i].iov_len = headers[i].msg_len;
        if (n > 1 && joined)
            send_joined(fd, (size_t)n);
        else if (n > 0)
            sendmmsg(fd, headers, (unsigned)n, 0);
    }
}

int main(int argc, char **argv)
{
    unsigned long batch = argc >= 3 ? strtoul(argv[2], NULL, DECIMAL) : 1;
    bool joined = argc == 4 && !strcmp(argv[3], "joined");
    if (argc < 2 || argc > 3 + joined || !batch || batch > MOST) {
        fprintf(stderr, "usage: raw-udp PORT [BATCH [joined]]\n");
        return EXIT_FAILURE;
    }
    int fd = open_server((uint16_t)strtoul(argv[1], NULL, DECIMAL));
    if (batch == 1) serve(fd);
    serve_many(fd, (unsigned)batch, joined);
}

/* Echo server on io_uring that shows the cost of each way to receive: no library, nothing between the
 * calls. It answers by send(2), keeps 4 KiB per connection, and sets TCP_NODELAY; see README.md beside
 * this file. The queues are those of edo's driver.
 *
 *     raw-uring WAY [shared] echo PORT
 *
 *     WAY: single      one RECV per message, with POLL_FIRST; the way of edo's driver
 *          poll        one multishot poll per connection, then recv(2)
 *          multishot   one multishot RECV per connection, into buffers that are provided
 *     shared: flags of a worker's ring, and a second thread, which sleeps
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver/uring/ring.h"

#ifdef IORING_RECV_MULTISHOT // Linux 6.0

enum {
    ENTRIES = 4096, // room for a receive of each connection
    BACKLOG = 1024,
    SIZE = 4096,
    BUFFERS = 64, // few, so that they remain in the cache
    EXIT_USAGE = 2,
};

typedef enum way { SINGLE, POLL, MULTISHOT } way;

typedef struct connection {
    int fd;
    char buffer[SIZE];
} connection;

static struct edo__ring ring;
static way receives;
static struct io_uring_buf_ring *provided;
static char (*buffers)[SIZE];

static int require(int rc, const char *what)
{
    if (rc >= 0) return rc;
    perror(what);
    exit(EXIT_FAILURE);
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    require(memory == MAP_FAILED ? -1 : 0, "mmap");
    return memory;
}

static struct io_uring_sqe *take_sqe(connection *conn)
{
    struct io_uring_sqe *sqe = edo__ring_sqe(&ring);
    require(sqe ? 0 : -1, "submission queue");
    edo__sqe_tag(sqe, edo__sqe_ptr(conn));
    return sqe;
}

/* ---- provided buffers ---- */

static void provide(unsigned number)
{
    struct io_uring_buf *place = &provided->bufs[provided->tail % BUFFERS];
    place->addr = edo__sqe_ptr(buffers[number]);
    place->len = SIZE;
    place->bid = (uint16_t)number;
    __atomic_store_n(&provided->tail, (uint16_t)(provided->tail + 1), __ATOMIC_RELEASE);
}

static void provide_all(void)
{
    provided = map(BUFFERS * sizeof(struct io_uring_buf));
    buffers = map(BUFFERS * SIZE);
    struct io_uring_buf_reg group = { .ring_addr = edo__sqe_ptr(provided),
                                      .ring_entries = BUFFERS };
    long rc = syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &group, 1);
    require((int)rc, "IORING_REGISTER_PBUF_RING");
    for (unsigned i = 0; i < BUFFERS; i++)
        provide(i);
}

/* ---- connections ---- */

static void receive(connection *conn)
{
    struct io_uring_sqe *sqe = take_sqe(conn);
    if (receives == POLL) {
        edo__sqe_poll_multishot(sqe, conn->fd, POLLIN);
        return;
    }
    edo__sqe_recv(sqe, conn->fd, conn->buffer, receives == SINGLE ? SIZE : 0, 0);
    sqe->ioprio = receives == SINGLE ? IORING_RECVSEND_POLL_FIRST : IORING_RECV_MULTISHOT;
    if (receives == MULTISHOT) sqe->flags = IOSQE_BUFFER_SELECT;
}

/* Sends what was received. Returns: whether the connection lives. (It is not freed: a multishot
 * request may still have a completion.) */
static bool answer(connection *conn, const char *data, ssize_t size)
{
    if (size > 0 && send(conn->fd, data, (size_t)size, MSG_NOSIGNAL) == size) return true;
    shutdown(conn->fd, SHUT_RDWR);
    close(conn->fd);
    conn->fd = -1;
    return false;
}

static bool echo(connection *conn, int result, unsigned flags)
{
    if (conn->fd < 0) return false;
    if (result == -ENOBUFS) return true;
    if (receives == SINGLE) return answer(conn, conn->buffer, result);
    if (receives == POLL) {
        ssize_t n = recv(conn->fd, conn->buffer, SIZE, MSG_DONTWAIT);
        return (n < 0 && errno == EAGAIN) || answer(conn, conn->buffer, n);
    }
    unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
    bool lives = answer(conn, result > 0 ? buffers[number] : NULL, result);
    if (flags & IORING_CQE_F_BUFFER) provide(number);
    return lives;
}

static void accept_next(int listener)
{
    edo__sqe_accept(take_sqe(NULL), listener, NULL, NULL, SOCK_CLOEXEC);
}

static void begin(int fd)
{
    connection *conn = malloc(sizeof *conn);
    require(conn ? 0 : -1, "malloc");
    conn->fd = require(fd, "accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    receive(conn);
}

static void handle(int listener, const struct io_uring_cqe *cqe)
{
    connection *conn = (connection *)(uintptr_t)cqe->user_data;
    if (!conn) {
        begin(cqe->res);
        accept_next(listener);
    } else if (echo(conn, cqe->res, cqe->flags) && !(cqe->flags & IORING_CQE_F_MORE)) {
        receive(conn);
    }
}

static _Noreturn void serve(int listener)
{
    accept_next(listener);
    for (;;) {
        struct io_uring_cqe *first;
        require(edo__ring_enter(&ring, 1, -1), "io_uring_enter");
        while (edo__ring_peek(&ring, &first)) {
            struct io_uring_cqe cqe = *first;
            edo__ring_advance(&ring, 1);
            handle(listener, &cqe);
        }
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = require(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    require(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), "SO_REUSEADDR");
    require(bind(fd, (const struct sockaddr *)&address, sizeof address), "bind");
    require(listen(fd, BACKLOG), "listen");
    return fd;
}

static void *sleep_always(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static int usage(void)
{
    fprintf(stderr, "usage: raw-uring single|poll|multishot [shared] echo PORT\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const char *const ways[] = { "single", "poll", "multishot" };
    bool shared = argc == 5 && !strcmp(argv[2], "shared");
    if (argc != 4 + shared || strcmp(argv[argc - 2], "echo") != 0) return usage();
    while (strcmp(argv[1], ways[receives]) != 0)
        if (++receives > MULTISHOT) return usage();
    pthread_t thread;
    if (shared) pthread_create(&thread, NULL, sleep_always, NULL);
    const char *reason;
    unsigned flags = shared ? EDO__RING_SHARED : EDO__RING_OWNED;
    require(edo__ring_init(&ring, ENTRIES, flags, &reason), "io_uring");
    if (receives == MULTISHOT) provide_all();
    serve(listen_on((uint16_t)strtoul(argv[argc - 1], NULL, 10)));
}

#else

int main(void)
{
    return 2; // the kernel's headers lack multishot receives
}

#endif

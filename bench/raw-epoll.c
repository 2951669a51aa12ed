/* Echo server on level-triggered epoll that shows the cost of the kernel alone: one thread, nothing
 * between the calls. edo is compared with it; see README.md beside this file.
 *
 *     raw-epoll echo PORT         4 KiB per connection, TCP_NODELAY
 *     raw-epoll pair PORT         the same by two threads with a listener each
 *     raw-epoll unix_echo PATH    the same on a Unix socket
 *     raw-epoll memserver PORT    1 KiB per connection
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    BACKLOG = 1024,
    ECHO_BUFFER = 4096,
    MEMSERVER_BUFFER = 1024,
    EXIT_USAGE = 2,
};

struct server {
    int epoll, listener;
    size_t buffer_size;
    bool nodelay;
};

/* Waits to be written if sent < received, else to be read. */
typedef struct connection {
    int fd;
    size_t sent, received;
    char buffer[];
} connection;

static int require(int rc, const char *what)
{
    if (rc >= 0) return rc;
    perror(what);
    exit(EXIT_FAILURE);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = require(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    require(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), "SO_REUSEADDR");
    require(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int)), "SO_REUSEPORT");
    require(bind(fd, (const struct sockaddr *)&address, sizeof address), "bind");
    require(listen(fd, BACKLOG), "listen");
    return fd;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = require(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    require(strlen(path) < sizeof address.sun_path ? 0 : -1, "path");
    strcpy(address.sun_path, path);
    unlink(path);
    require(bind(fd, (const struct sockaddr *)&address, sizeof address), "bind");
    require(listen(fd, BACKLOG), "listen");
    return fd;
}

static void watch(const struct server *server, int action, int fd, void *data, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = data };
    require(epoll_ctl(server->epoll, action, fd, &event), "epoll_ctl");
}

static void drop(connection *conn)
{
    close(conn->fd);
    free(conn);
}

static void accept_all(const struct server *server)
{
    for (int fd; (fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        if (server->nodelay) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        connection *conn = malloc(sizeof *conn + server->buffer_size);
        require(conn ? 0 : -1, "malloc");
        conn->fd = fd;
        conn->sent = conn->received = 0;
        watch(server, EPOLL_CTL_ADD, fd, conn, EPOLLIN);
    }
}

/* Returns: false when the connection is gone. */
static bool flush(connection *conn)
{
    size_t rest = conn->received - conn->sent;
    ssize_t n = send(conn->fd, conn->buffer + conn->sent, rest, MSG_NOSIGNAL);
    if (n >= 0) conn->sent += (size_t)n;
    if (n >= 0 || errno == EAGAIN) return true;
    drop(conn);
    return false;
}

static void on_writable(const struct server *server, connection *conn)
{
    if (flush(conn) && conn->sent == conn->received)
        watch(server, EPOLL_CTL_MOD, conn->fd, conn, EPOLLIN);
}

static void on_readable(const struct server *server, connection *conn)
{
    ssize_t n = recv(conn->fd, conn->buffer, server->buffer_size, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        drop(conn);
        return;
    }
    conn->sent = 0;
    conn->received = (size_t)n;
    if (flush(conn) && conn->sent < conn->received)
        watch(server, EPOLL_CTL_MOD, conn->fd, conn, EPOLLOUT);
}

static void dispatch(const struct server *server, connection *conn)
{
    if (!conn)
        accept_all(server);
    else if (conn->sent < conn->received)
        on_writable(server, conn);
    else
        on_readable(server, conn);
}

static _Noreturn void serve(struct server *server)
{
    struct epoll_event events[EVENTS];
    server->epoll = require(epoll_create1(EPOLL_CLOEXEC), "epoll");
    watch(server, EPOLL_CTL_ADD, server->listener, NULL, EPOLLIN);
    for (;;) {
        int n = epoll_wait(server->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            dispatch(server, events[i].data.ptr);
    }
}

static void *serve_beside(void *port)
{
    serve(&(struct server){
        .listener = listen_on(*(uint16_t *)port), .buffer_size = ECHO_BUFFER, .nodelay = true });
}

int main(int argc, char **argv)
{
    const char *workload = argc == 3 ? argv[1] : "";
    bool echo = !strcmp(workload, "echo"), local = !strcmp(workload, "unix_echo");
    bool pair = !strcmp(workload, "pair");
    if (!echo && !pair && !local && strcmp(workload, "memserver")) {
        fprintf(stderr,
                "unknown workload, or usage: raw-epoll echo|pair|memserver PORT, or unix_echo "
                "PATH\n");
        return EXIT_USAGE;
    }
    uint16_t port = (uint16_t)strtoul(argv[2], NULL, 10);
    int listener = local ? listen_at(argv[2]) : listen_on(port);
    pthread_t thread;
    if (pair) require(-pthread_create(&thread, NULL, serve_beside, &port), "thread");
    serve(&(struct server){ .listener = listener,
                            .buffer_size = echo || pair || local ? ECHO_BUFFER : MEMSERVER_BUFFER,
                            .nodelay = echo || pair });
}

#include "load_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Fewer at a time than the backlog of a server made for many (1024 and more), so that no SYN is
 * dropped, which would cost that connection a second. */
enum { MAX_CONNECTING = 500 };

/* Linux has 28,232 local ports per source address by default, and connect looks at those of one
 * parity first: from half of them on each connect searches through thousands of ports in vain. More
 * connections than this use further loopback addresses. */
#ifndef PORTS_PER_SOURCE
#define PORTS_PER_SOURCE 12000
#endif
static const in_addr_t first_source = 0x7F000101; // 127.0.1.1, likely nobody's

/* Gives a connection to 127.0.0.0/8 its source address when one address has too few ports. The port
 * itself is chosen by connect, which can use it again towards another destination. */
static int bind_source(const struct load_client *client, const struct load_conn *conn, int fd)
{
    const struct sockaddr_in *target = (const struct sockaddr_in *)&client->options->address;
    if (client->count <= PORTS_PER_SOURCE || target->sin_family != AF_INET ||
        ntohl(target->sin_addr.s_addr) >> IN_CLASSA_NSHIFT != IN_LOOPBACKNET)
        return 0;

    const int on = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0) return -errno;
    in_addr_t source = first_source + load_index(client, conn) / PORTS_PER_SOURCE;
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(source),
    };
    return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int begin_connect(struct load_client *client, struct load_conn *conn)
{
    const struct load_options *options = client->options;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    conn->fd = socket(options->address.ss_family, type, 0);
    if (conn->fd < 0) return -errno;
    int error = bind_source(client, conn, conn->fd);
    if (error < 0) return error;
    const int on = 1;
    bool is_tcp = options->address.ss_family != AF_UNIX;
    if (is_tcp && setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return -errno;
    const struct sockaddr *address = (const struct sockaddr *)&options->address;
    if (connect(conn->fd, address, options->address_size) < 0 && errno != EINPROGRESS)
        return -errno;
    return 0;
}

/* A socket that is connected at once becomes writable just as well, so both take one way. */
static void open_connection(struct load_client *client, struct load_conn *conn)
{
    conn->state = LOAD_CONNECTING;
    client->connecting++;
    int error = begin_connect(client, conn);
    if (error < 0)
        load_fail(client, conn, LOAD_CONNECT_FAILED, "%s", strerror(-error));
    else
        load_watch(client, conn, EPOLLOUT);
}

void load_end_connect(struct load_client *client, struct load_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    client->last_heard = load_now();
    if (error != 0) {
        load_fail(client, conn, LOAD_CONNECT_FAILED, "%s", strerror(error));
        return;
    }
    conn->state = LOAD_GREETING;
    load_start_messages(client, conn, 1);
}

void load_client_connect(struct load_client *client)
{
    unsigned begun = 0;
    while (!client->stopped && (begun < client->count || client->connecting > 0)) {
        while (begun < client->count && client->connecting < MAX_CONNECTING)
            open_connection(client, &client->conns[begun++]);
        if (client->connecting > 0) load_client_turn(client, LOAD_FOREVER);
    }
}

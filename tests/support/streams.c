/* Streams for tests. */
#include "support/streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/limited.h"
#include "support/memory.h"

static void set_nonblocking(int fd)
{
    assert_return_code(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), errno);
}

/* Fixes the buffer at its initial size. Otherwise the kernel would enlarge the buffer when bytes
 * arrive slowly, and a test's writer would not have to wait. The kernel doubles the number that it
 * is given. */
static void fix_receive_buffer(int fd)
{
    int half = 64 << 10;
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof half), errno);
}

static void open_tcp_pair(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, size), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_return_code(getsockname(listener, (struct sockaddr *)&address, &size), errno);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(connect(fds[0], (struct sockaddr *)&address, size), errno);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_return_code(fds[1], errno);
    close(listener);
    fix_receive_buffer(fds[0]);
    fix_receive_buffer(fds[1]);
}

void open_pair(stream_kind kind, int fds[2])
{
    if (kind == TCP_STREAM)
        open_tcp_pair(fds);
    else if (kind == PIPE_STREAM)
        assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    else
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
    set_nonblocking(fds[0]);
    set_nonblocking(fds[1]);
}

edo_io *wrap(int fd)
{
    edo_io *io = NULL;
    assert_int_equal(edo_io_from_fd(fd, &io), 0);
    return io;
}

static void open_descriptors_as(stream_kind kind, edo_io **ret_reader, edo_io **ret_writer)
{
    int fds[2];
    open_pair(kind, fds);
    *ret_reader = wrap(fds[0]);
    *ret_writer = wrap(fds[1]);
}

enum { MEMORY_SIZE = 4096 }; // bytes; of a pipe's direction

static edo_io *surround(stream_kind kind, edo_io *io)
{
    if (kind == WRAPPED_STREAM) return wrapped_open(io);
    return kind == LIMITED_STREAM ? limited_open(io, UINT64_MAX) : io;
}

void open_streams(stream_kind kind, edo_io **ret_reader, edo_io **ret_writer)
{
    edo_io *ends[2];
    if (kind < STREAM_KINDS) {
        open_descriptors_as(kind, ret_reader, ret_writer);
        return;
    }
    if (kind != MEMORY_STREAM && !driver_is("chaos")) // the chaos driver is slow with many bytes
        open_descriptors_as(UNIX_STREAM, &ends[0], &ends[1]);
    else
        assert_int_equal(memory_pipe_open(MEMORY_SIZE, ends), 0);
    *ret_reader = surround(kind, ends[0]);
    *ret_writer = surround(kind, ends[1]);
}

/* ---- peers ---- */

/* Ends of pipes in memory that tests use as peers. The number of a peer is FIRST_PEER plus its
 * index. */
enum { PEERS = 8, FIRST_PEER = 1 << 24 };

static edo_io *peers[PEERS];

static int add_peer(edo_io *io)
{
    int i = 0;
    while (peers[i])
        assert_true(++i < PEERS);
    peers[i] = io;
    return FIRST_PEER + i;
}

edo_io *open_stream(stream_kind kind, int *ret_peer)
{
    int fds[2];
    edo_io *ends[2];
    if (kind == MEMORY_STREAM) {
        assert_int_equal(memory_pipe_open(MEMORY_SIZE, ends), 0);
        *ret_peer = add_peer(ends[1]);
        return ends[0];
    }
    open_pair(kind < STREAM_KINDS ? kind : UNIX_STREAM, fds);
    *ret_peer = fds[1];
    return surround(kind, wrap(fds[0]));
}

void peer_write_all(int peer, const void *data, size_t size)
{
    if (peer < FIRST_PEER)
        fd_write_all(peer, data, size);
    else
        assert_int_equal(memory_put(peers[peer - FIRST_PEER], data, size), size);
}

void peer_await_delivery(int peer)
{
    int protocol = 0, left = 0;
    socklen_t size = sizeof protocol;
    if (peer >= FIRST_PEER) return;
    if (getsockopt(peer, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) return; // a pipe
    if (protocol != IPPROTO_TCP) return;
    do {
        sched_yield();
        assert_return_code(ioctl(peer, SIOCOUTQ, &left), errno);
    } while (left > 0);
}

void peer_close(int peer)
{
    if (peer < FIRST_PEER) {
        close(peer);
        return;
    }
    edo_close(peers[peer - FIRST_PEER]);
    peers[peer - FIRST_PEER] = NULL;
}

/* ---- streams, without operations ---- */

static const edo_io *innermost(const edo_io *io)
{
    const edo_io *inner = limited_inner(io);
    return inner ? inner : io;
}

void stream_read_all(edo_io *io, void *buffer, size_t size)
{
    const edo_io *inner = innermost(io);
    if (is_memory(inner))
        assert_int_equal(memory_take(inner, buffer, size), size);
    else
        fd_read_all(edo_io_fd(inner), buffer, size);
}

size_t stream_read_to_end(edo_io *io)
{
    char buffer[MEMORY_SIZE];
    const edo_io *inner = innermost(io);
    return is_memory(inner) ? memory_take(inner, buffer, sizeof buffer)
                            : fd_read_to_end(edo_io_fd(inner));
}

size_t stream_fill(edo_io *io)
{
    static const char zeros[MEMORY_SIZE];
    const edo_io *inner = innermost(io);
    return is_memory(inner) ? memory_put(inner, zeros, sizeof zeros) : fd_fill(edo_io_fd(inner));
}

void shrink_stream(edo_io *io)
{
    const edo_io *inner = innermost(io);
    if (!is_memory(inner)) shrink_buffer(edo_io_fd(inner));
}

/* ---- bare descriptors ---- */

static void await_events(int fd, short events)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    while (poll(&poll_fd, 1, -1) < 0)
        assert_int_equal(errno, EINTR);
}

void fd_write_all(int fd, const void *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            await_events(fd, POLLOUT);
            continue;
        }
        data = (const char *)data + n;
        size -= (size_t)n;
    }
}

static size_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t n;
    while ((n = read(fd, buffer, size)) < 0) {
        assert_int_equal(errno, EAGAIN);
        await_events(fd, POLLIN);
    }
    return (size_t)n;
}

void fd_read_all(int fd, void *buffer, size_t size)
{
    while (size) {
        size_t n = read_some(fd, buffer, size);
        assert_int_not_equal(n, 0);
        buffer = (char *)buffer + n;
        size -= n;
    }
}

size_t fd_read_to_end(int fd)
{
    char buffer[4096];
    size_t total = 0, n;
    while ((n = read_some(fd, buffer, sizeof buffer)) > 0)
        total += n;
    return total;
}

size_t fd_fill(int fd)
{
    static const char zeros[4096];
    size_t total = 0;
    for (size_t size = sizeof zeros; size; size /= 2) { // small writes fill the last bytes
        ssize_t n;
        while ((n = write(fd, zeros, size)) > 0)
            total += (size_t)n;
        assert_int_equal(errno, EAGAIN);
    }
    return total;
}

void shrink_buffer(int fd)
{
    int least = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) < 0) {
        assert_int_equal(errno, ENOTSOCK);
        assert_return_code(fcntl(fd, F_SETPIPE_SZ, 1), errno);
    }
}

bool fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int open_client(void)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(client, errno);
    return client;
}

void connect_client(int client, const edo_listener *listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = edo_listener_fd(listener);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    assert_return_code(connect(client, (struct sockaddr *)&address, size), errno);
}

void await_connection(const edo_listener *listener)
{
    await_events(edo_listener_fd(listener), POLLIN);
}

int connect_plainly(const edo_listener *listener)
{
    int client = open_client();
    connect_client(client, listener);
    return client;
}

bool driver_is(const char *name)
{
    return strcmp(edo_runtime_driver(edo_current_runtime()), name) == 0;
}

size_t bulk_size(void)
{
    return driver_is("chaos") ? 192 << 10 : 1 << 20;
}

/* ---- async functions ---- */

edo_async_extern(run_op)
{
    edo_body {
        int64_t result;
        edo_await(result, self->op);
        if (self->ret_op) *self->ret_op = *edo_last_op();
        edo_return(result);
    }
}

edo_async_extern(collect)
{
    edo_body {
        int64_t n;
        for (self->got = 0; self->got < self->size; self->got += (size_t)n) {
            edo_await(n,
                      edo_read(self->io, (char *)self->buffer + self->got, self->size - self->got));
            if (n < 0) edo_return(n);
            if (n == 0) break;
        }
        edo_return((int64_t)self->got);
    }
}

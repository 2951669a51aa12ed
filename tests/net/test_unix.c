/* Unix streams: connections, pairs, peers, full queues. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <edo/metrics.h>

/* A plain client of an abstract name, with all its bytes. */
static int connect_abstract(const void *name, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path + 1, name, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    assert_return_code(connect(fd, (struct sockaddr *)&address, length), errno);
    return fd;
}

/* ---- connections ---- */

struct conversation {
    edo_frame();
    edo_args(const char *address; const char *shown;);
    edo_listener *listener;
    edo_io *client, *server;
    char text[EDO_ADDRESS_TEXT_SIZE], buffer[8];
};

edo_async(conversation)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_unix_listen(self->address, &self->listener));
        assert_int_equal(n, 0);
        assert_int_equal(edo_listener_address(self->listener, self->text, sizeof self->text),
                         strlen(self->shown));
        assert_string_equal(self->text, self->shown);
        edo_await(n, edo_unix_connect(self->address, &self->client));
        assert_int_equal(n, 0);
        assert_true(fcntl(edo_io_fd(self->client), F_GETFD) & FD_CLOEXEC);
        edo_await(n, edo_accept(self->listener, &self->server));
        assert_int_equal(n, 0);
        edo_unix_peer_address(self->client, self->text, sizeof self->text);
        assert_string_equal(self->text, self->shown);
        edo_unix_local_address(self->server, self->text, sizeof self->text);
        assert_string_equal(self->text, self->shown);
        assert_int_equal(edo_unix_local_address(self->client, self->text, sizeof self->text), 5);
        assert_int_equal(edo_unix_peer_address(self->server, self->text, sizeof self->text), 5);
        assert_string_equal(self->text, "unix:"); // clients have no name
        assert_int_equal(edo_tcp_nodelay(self->client), -ENOTSUP);
        edo_await(n, edo_write_all(self->client, "hello", 5));
        assert_int_equal(n, 5);
        edo_await(n, edo_shutdown_write(self->client));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->server, self->buffer, 5));
        assert_int_equal(n, 5);
        edo_await(n, edo_read(self->server, self->buffer, 1));
        assert_int_equal(n, 0);
        edo_close(self->client);
        edo_close(self->server);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

async_test(by_path, edo_callees(struct conversation callee;) char dir[TEMP_PATH_SIZE];
           char path[TEMP_PATH_SIZE + 8];)
{
    edo_body {
        int rc;
        make_temp_dir(self->dir);
        snprintf(self->path, sizeof self->path, "unix:%s/s", self->dir);
        edo_call(rc, conversation, .address = self->path + 5, .shown = self->path);
        assert_int_equal(rc, 0);
        unlink(self->path + 5);
        edo_call(rc, conversation, .address = self->path, .shown = self->path);
        assert_int_equal(rc, 0);
        memmove(self->path, self->path + 5, strlen(self->path) - 4);
        assert_return_code(access(self->path, F_OK), errno); // stays, without an option
        remove_tree(self->dir);
        edo_return(rc);
    }
}

async_test(by_abstract_name, edo_callees(struct conversation callee;) char name[64];)
{
    edo_body {
        int rc;
        snprintf(self->name, sizeof self->name, "unix:@edo-%d", getpid());
        edo_call(rc, conversation, .address = self->name + 5, .shown = self->name);
        snprintf(self->name, sizeof self->name, "unix:@edo\\x00-%d\\x5c", getpid());
        edo_call(rc, conversation, .address = self->name + 5, .shown = self->name);
        edo_call(rc, conversation, .address = self->name, .shown = self->name);
        edo_return(rc);
    }
}

/* The bytes behind the name are no part of it. */
async_test(abstract_names_have_a_length,
    edo_listener *listener; edo_io *conn; char name[64], text[EDO_ADDRESS_TEXT_SIZE]; int client;)
{
    edo_body {
        int rc;
        snprintf(self->name, sizeof self->name, "@a\\x00b\\x00%d", getpid());
        edo_await(rc, edo_unix_listen(self->name, &self->listener));
        assert_int_equal(rc, 0);
        char bytes[32];
        int size = snprintf(bytes, sizeof bytes, "a%cb%c%d", 0, 0, getpid());
        self->client = connect_abstract(bytes, (size_t)size);
        edo_await(rc, edo_accept(self->listener, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        close(self->client);
        edo_listener_close(self->listener);
        edo_await(rc, edo_unix_listen("unix:", &self->listener)); // the system chooses
        assert_int_equal(rc, 0);
        assert_true(edo_listener_address(self->listener, self->text, sizeof self->text) > 6);
        edo_await(rc, edo_unix_connect(self->text, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- failures ---- */

async_test(bad_addresses,
    edo_listener *listener; edo_io *conn; char dir[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];
    int dgram;)
{
    edo_body {
        int rc;
        self->conn = NULL;
        self->listener = NULL;
        make_temp_dir(self->dir);
        snprintf(self->path, sizeof self->path, "%s/s", self->dir);
        edo_await(rc, edo_unix_connect("", &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_connect("unix:", &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_connect("@\\x0", &self->conn)); // a bad escape
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_connect(NULL, &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_connect("x", NULL));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_listen(NULL, &self->listener));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_listen("x", NULL));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_unix_connect(self->path, &self->conn));
        assert_int_equal(rc, -ENOENT);
        edo_await(rc, edo_unix_listen("/edo-no-such/s", &self->listener));
        assert_int_equal(rc, -ENOENT);
        close(open(self->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        edo_await(rc, edo_unix_connect(self->path, &self->conn));
        assert_int_equal(rc, -ECONNREFUSED); // a plain file
        edo_await(rc, edo_unix_listen(self->path, &self->listener));
        assert_int_equal(rc, -EADDRINUSE);
        unlink(self->path);
        self->dgram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        strcpy(name.sun_path, self->path);
        assert_return_code(bind(self->dgram, (struct sockaddr *)&name, sizeof name), errno);
        edo_await(rc, edo_unix_connect(self->path, &self->conn));
        assert_int_equal(rc, -EPROTOTYPE);
        close(self->dgram);
        assert_null(self->conn);
        assert_null(self->listener);
        remove_tree(self->dir);
        edo_return(0);
    }
}

/* ---- a full queue ---- */

enum { IN_QUEUE = 2 }; // of a listener with a backlog of 1

async_test(a_full_queue,
    edo_listener *listener; edo_io *conns[IN_QUEUE], *late, *taken; edo_task *connecter; char name[64];
    int i;)
{
    edo_body {
        int rc;
        snprintf(self->name, sizeof self->name, "@edo-full-%d", getpid());
        edo_await(rc, edo_unix_listen_with(self->name, (edo_unix_listen_options){ .backlog = 1 },
                                           &self->listener));
        assert_int_equal(rc, 0);
        for (self->i = 0; self->i < IN_QUEUE; self->i++) {
            edo_await(rc, edo_unix_connect(self->name, &self->conns[self->i]));
            assert_int_equal(rc, 0);
        }
        self->late = NULL;
        edo_await_for(rc, edo_s(2), edo_unix_connect(self->name, &self->late));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_null(self->late);
        rc = edo_spawn(&self->connecter, run_op, .op = edo_unix_connect(self->name, &self->late));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(edo_s(1)));
        assert_false(edo_task_is_done(self->connecter));
        edo_await(rc, edo_accept(self->listener, &self->taken));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->connecter));
        assert_int_equal(rc, 0);
        edo_close(self->late);
        edo_close(self->taken);
        for (int i = 0; i < IN_QUEUE; i++)
            edo_close(self->conns[i]);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* The socket of a connect that gave up is closed. */
async_test(cancelled, edo_io *conn; edo_listener *listener; edo_op op; size_t before;)
{
    edo_body {
        int rc;
        self->before = open_descriptors();
        self->conn = NULL;
        self->listener = NULL;
        self->op = edo_unix_connect("@edo-none", &self->conn); // cancelled before its first poll
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        self->op = edo_unix_listen("unix:", &self->listener);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        assert_null(self->conn);
        assert_null(self->listener);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

/* ---- pairs ---- */

async_test(a_pair, edo_io *ends[2]; char byte;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(NULL, &self->ends[1]), -EINVAL);
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        for (int i = 0; i < 2; i++)
            assert_true(fcntl(edo_io_fd(self->ends[i]), F_GETFD) & FD_CLOEXEC);
        edo_await(n, edo_write(self->ends[1], "x", 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_read(self->ends[0], &self->byte, 1));
        assert_int_equal(n, 1);
        edo_close(self->ends[1]);
        edo_await(n, edo_read(self->ends[0], &self->byte, 1));
        assert_int_equal(n, 0);
        edo_await(n, edo_write(self->ends[0], "x", 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

/* ---- the peer ---- */

static bool is_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 1;
}

struct end {
    int fd, go;
};

/* Connects, waits, and ends. */
static void be_client(void *arg)
{
    struct end *end = arg;
    char byte;
    int fd = connect_abstract((char *)end + sizeof *end, strlen((char *)end + sizeof *end));
    assert_int_equal(read(end->go, &byte, 1), 1);
    close(fd);
}

static struct {
    struct end end;
    char name[64];
} client;

current_thread_only("it forks")
async_test(a_peer,
    edo_listener *listener; edo_io *conn; edo_unix_peer peer; int child, pipe[2], pidfd;
    char address[72];)
{
    edo_body {
        int64_t rc;
        snprintf(client.name, sizeof client.name, "edo-peer-%d", getpid());
        snprintf(self->address, sizeof self->address, "@%s", client.name);
        edo_await(rc, edo_unix_listen(self->address, &self->listener));
        assert_int_equal(rc, 0);
        assert_return_code(pipe2(self->pipe, O_CLOEXEC), errno);
        client.end.go = self->pipe[0];
        self->child = start_child(be_client, &client);
        edo_await(rc, edo_accept(self->listener, &self->conn));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_unix_peer_credentials(self->conn, &self->peer), 0);
        assert_int_equal(self->peer.pid, self->child);
        assert_int_equal(self->peer.uid, getuid());
        assert_int_equal(self->peer.gid, getgid());
        self->pidfd = edo_unix_peer_pidfd(self->conn);
        if (self->pidfd != -ENOTSUP) {
            assert_return_code(self->pidfd, -self->pidfd);
            assert_true(fcntl(self->pidfd, F_GETFD) & FD_CLOEXEC);
            assert_false(is_readable(self->pidfd));
        }
        assert_int_equal(write(self->pipe[1], "x", 1), 1);
        assert_int_equal(await_child(self->child), 0);
        if (self->pidfd >= 0) {
            assert_true(is_readable(self->pidfd)); // ended
            close(self->pidfd);
            self->pidfd = edo_unix_peer_pidfd(self->conn); // the peer was reaped
            assert_true(self->pidfd == -ESRCH || is_readable(self->pidfd));
            if (self->pidfd >= 0) close(self->pidfd);
        }
        close(self->pipe[0]);
        close(self->pipe[1]);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

test(no_peer)
{
    edo_unix_peer peer = { .pid = 7 };
    edo_io *ends[2], *io;
    int fds[2], tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[EDO_ADDRESS_TEXT_SIZE];
    assert_int_equal(edo_unix_peer_credentials(NULL, &peer), -EINVAL);
    assert_int_equal(edo_unix_peer_pidfd(NULL), -EINVAL);
    io = wrap(tcp);
    assert_int_equal(edo_unix_peer_credentials(io, &peer), -ENOTSUP);
    assert_int_equal(edo_unix_peer_pidfd(io), -ENOTSUP);
    assert_int_equal(edo_unix_local_address(io, text, sizeof text), -ENOTSUP);
    edo_close(io);
    open_pair(PIPE_STREAM, fds);
    io = wrap(fds[0]);
    assert_int_equal(edo_unix_peer_credentials(io, &peer), -ENOTSUP);
    assert_int_equal(edo_unix_peer_pidfd(io), -ENOTSUP);
    assert_int_equal(edo_unix_peer_address(io, text, sizeof text), -ENOTSUP);
    edo_close(io);
    close(fds[1]);
    io = wrap(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(edo_unix_peer_credentials(io, &peer), -ENOTCONN);
    assert_int_equal(edo_unix_peer_pidfd(io), -ENOTCONN);
    edo_close(io);
    assert_int_equal(peer.pid, 7); // untouched
    assert_int_equal(edo_unix_pair(&ends[0], &ends[1]), 0);
    assert_int_equal(edo_unix_peer_credentials(ends[0], NULL), -EINVAL);
    assert_int_equal(edo_unix_peer_credentials(ends[0], &peer), 0);
    assert_int_equal(peer.pid, getpid());
    edo_close(ends[0]);
    edo_close(ends[1]);
}

/* The peer reads, so there is more room: no event for a stream on which no write waits. */
current_thread_only("it counts the events of one driver")
async_test(room_that_nobody_waits_for_is_no_event, edo_io *ends[2]; edo_task *task; char in[4];
           uint64_t before; edo_metrics metrics;)
{
    edo_body {
        int64_t n;
        if (!driver_is("epoll")) edo_return(0);
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->ends[0], self->in, 4));
        assert_int_equal(n, 0);
        settle();
        assert_int_equal(edo_metrics_read(edo_current_runtime(), &self->metrics), 0);
        self->before = self->metrics.ready_events;
        edo_await(n, edo_write_all(self->ends[0], "abcd", 4));
        assert_int_equal(n, 4);
        fd_read_all(edo_io_fd(self->ends[1]), self->in, 4);
        settle();
        assert_int_equal(edo_metrics_read(edo_current_runtime(), &self->metrics), 0);
        assert_int_equal(self->metrics.ready_events, self->before);
        edo_close(self->ends[1]);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

/* A read waits first, and then a write waits for room. */
async_test(room_is_waited_for_behind_a_read, edo_io *ends[2]; edo_task *reader, *writer, *peer;
           char in[4], *out, *got;)
{
    enum { SIZE = 1 << 20 };
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0);
        self->out = test_calloc(1, SIZE);
        self->got = test_calloc(1, SIZE);
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->ends[0], self->in, 4));
        assert_int_equal(n, 0);
        settle();
        n = edo_spawn(&self->writer, run_op, .op = edo_write_all(self->ends[0], self->out, SIZE));
        assert_int_equal(n, 0);
        settle();
        n = edo_spawn(&self->peer, collect, .io = self->ends[1], .buffer = self->got, .size = SIZE);
        assert_int_equal(n, 0);
        edo_await_for(n, edo_s(5), edo_join(self->writer));
        assert_int_equal(n, SIZE);
        edo_await(n, edo_join(self->peer));
        assert_int_equal(n, SIZE);
        edo_close(self->ends[1]);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 0);
        edo_close(self->ends[0]);
        test_free(self->out);
        test_free(self->got);
        edo_return(0);
    }
}

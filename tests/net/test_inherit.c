/* Sockets that a process inherits: by socket activation, and from the process before.
 *
 * usage: test_inherit --serve COUNT NAME: takes COUNT inherited sockets, whose first is called NAME,
 * and answers each byte of one connection per socket. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 4 };

/* ---- a process that takes over ---- */

struct answer {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    char byte;
};

edo_async(answer)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_accept(self->listener, &self->conn));
        while (n >= 0) {
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->conn, &self->byte, 1));
        }
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(n);
    }
}

static int serve(int count, const char *name)
{
    edo_inherited sockets[MOST];
    edo_runtime *runtime;
    if (edo_listeners_from_env(sockets, MOST) != count) return 3;
    if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("EDO_LISTENERS")) return 4;
    if (strcmp(sockets[0].name, name)) return 5;
    if (edo_runtime_create(NULL, &runtime) < 0) return 6;
    for (int i = 0; i < count; i++) {
        if (!(fcntl(sockets[i].fd, F_GETFD) & FD_CLOEXEC)) return 7;
        if (!sockets[i].listener) return 8;
        if (edo_block_on(runtime, answer, .listener = sockets[i].listener) < 0) return 9;
    }
    edo_runtime_destroy(runtime);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--serve") == 0) return serve(atoi(argv[2]), argv[3]);
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return run_all_tests();
}

/* ---- activation, with a stand-in for the service manager ---- */

static void exec_server(const char *count, const char *name)
{
    execl("/proc/self/exe", "test_inherit", "--serve", count, name, (char *)NULL);
    _exit(100);
}

static void activate(void *arg)
{
    const int *fds = arg;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "web:admin", 1);
    int copies[2] = { fcntl(fds[0], F_DUPFD, 10), fcntl(fds[1], F_DUPFD, 10) };
    for (int i = 0; i < 2; i++)
        dup2(copies[i], 3 + i);
    exec_server("2", "web");
}

static edo_listener *listen_somewhere(void)
{
    edo_listener *listener;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(listen(fd, 4), 0); // on a port that the system chooses
    assert_int_equal(edo_listener_from_fd(fd, &listener), 0);
    return listener;
}

static void expect_answer(int client)
{
    char byte = 'q';
    fd_write_all(client, &byte, 1);
    byte = 0;
    fd_read_all(client, &byte, 1);
    assert_int_equal(byte, 'q');
    close(client);
}

test(activated_sockets_are_taken)
{
    edo_listener *listeners[2] = { listen_somewhere(), listen_somewhere() };
    int fds[2] = { edo_listener_fd(listeners[0]), edo_listener_fd(listeners[1]) };
    int child = start_child(activate, fds);
    for (int i = 0; i < 2; i++)
        expect_answer(connect_plainly(listeners[i]));
    assert_int_equal(await_child(child), 0);
    edo_listener_close(listeners[0]);
    edo_listener_close(listeners[1]);
}

/* ---- the hand-over ---- */

static void be_next_process(void *arg)
{
    setenv("EDO_LISTENERS", arg, 1);
    exec_server("2", "front");
}

test(listeners_are_handed_over)
{
    edo_inherited sockets[2] = { { listen_somewhere(), -1, "front" },
                                 { listen_somewhere(), -1, "" } };
    char value[64];
    int length = edo_listeners_to_env(sockets, 2, value, sizeof value);
    assert_int_equal(length, strlen(value));
    int clients[2];
    for (int i = 0; i < 2; i++) // they wait in the queues during the hand-over
        clients[i] = connect_plainly(sockets[i].listener);
    int child = start_child(be_next_process, value);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(edo_listener_set_inheritable(sockets[i].listener, false), 0);
        assert_true(fcntl(edo_listener_fd(sockets[i].listener), F_GETFD) & FD_CLOEXEC);
        edo_listener_close(sockets[i].listener);
    }
    for (int i = 0; i < 2; i++)
        expect_answer(clients[i]);
    assert_int_equal(await_child(child), 0);
}

test(a_hand_over_that_cannot_be_written)
{
    char value[64];
    edo_inherited sockets[2] = { { listen_somewhere(), -1, "a" }, { NULL, 1 << 20, "b" } };
    assert_int_equal(edo_listeners_to_env(sockets, 1, value, 3), -ENOSPC);
    assert_int_equal(edo_listeners_to_env(sockets, 2, value, 64), -EBADF);
    assert_int_equal(edo_listeners_to_env(NULL, 2, value, 64), -EINVAL);
    strcpy(sockets[0].name, "a:b");
    assert_int_equal(edo_listeners_to_env(sockets, 1, value, 64), -EINVAL);
    assert_int_equal(edo_listener_set_inheritable(NULL, true), -EINVAL);
    edo_listener_close(sockets[0].listener);
}

/* ---- the environment ---- */

static void set_activation(const char *pid, const char *count, const char *names)
{
    char own[16];
    snprintf(own, sizeof own, "%d", getpid());
    unsetenv("EDO_LISTENERS");
    unsetenv("LISTEN_FDNAMES");
    setenv("LISTEN_PID", pid ? pid : own, 1);
    setenv("LISTEN_FDS", count, 1);
    if (names) setenv("LISTEN_FDNAMES", names, 1);
}

/* In a child, whose descriptors 3 to 5 are replaced: a listener, a datagram socket, a pipe. */
static void read_environments(void *arg)
{
    edo_inherited sockets[MOST];
    int pipe_fds[2];
    (void)arg;
    edo_listener *listener = listen_somewhere();
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    assert_return_code(pipe(pipe_fds), errno);
    int copies[3] = { fcntl(edo_listener_fd(listener), F_DUPFD, 50), fcntl(udp, F_DUPFD, 50),
                      fcntl(pipe_fds[0], F_DUPFD, 50) };
    for (int i = 0; i < 3; i++)
        dup2(copies[i], 3 + i);

    static const char *const bad[] = { "", "x", "-1", "3x", "99999999999", " 3", "2147483647" };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        set_activation(NULL, bad[i], NULL);
        int rc = edo_listeners_from_env(sockets, MOST);
        assert_int_equal(rc, -EINVAL);
        assert_non_null(getenv("LISTEN_FDS")); // nothing has changed
    }
    set_activation(NULL, "3", NULL);
    assert_int_equal(edo_listeners_from_env(sockets, 2), -ENOSPC);
    assert_int_equal(edo_listeners_from_env(NULL, 2), -EINVAL);
    assert_int_equal(fcntl(3, F_GETFD), 0);
    close(5);
    assert_int_equal(edo_listeners_from_env(sockets, MOST), -EBADF);
    assert_int_equal(fcntl(3, F_GETFD), 0);
    dup2(copies[2], 5);

    set_activation("1", "3", NULL); // of another process
    assert_int_equal(edo_listeners_from_env(sockets, MOST), 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(edo_listeners_from_env(sockets, MOST), 0); // none at all

    set_activation(NULL, "3", "web:data");
    assert_int_equal(edo_listeners_from_env(sockets, MOST), 3);
    assert_string_equal(sockets[0].name, "web");
    assert_string_equal(sockets[1].name, "data");
    assert_string_equal(sockets[2].name, "unknown");
    assert_non_null(sockets[0].listener);
    assert_null(sockets[1].listener);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sockets[i].fd, 3 + i);
        assert_true(fcntl(3 + i, F_GETFD) & FD_CLOEXEC);
    }
    static const char *const bad_lists[] = { "3", "x=a", "3=a:", "3=a:4",
                                             "=", "3:4", "3 =a", "3=a:3=b" };
    for (size_t i = 0; i < ARRAY_LENGTH(bad_lists); i++) {
        setenv("EDO_LISTENERS", bad_lists[i], 1);
        int rc = edo_listeners_from_env(sockets, MOST);
        if (i == 2)
            assert_int_equal(rc, 1); // a colon at the end does no harm
        else
            assert_int_equal(rc, -EINVAL);
    }
    _exit(0);
}

test(environments_of_all_kinds)
{
    expect_success_in_child(read_environments, NULL);
}

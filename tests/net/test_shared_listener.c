/* Sockets on which two processes accept: neither takes a connection without a waiting accept. */
#include "support/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CROWD = 20, LIMIT = 60 }; // LIMIT in seconds

struct listens {
    edo_frame();
    edo_args(edo_listener **ret_listener;);
    edo_io *conn;
};

/* An accept waited on the listener, and was cancelled. */
edo_async(listens)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", self->ret_listener));
        assert_int_equal(rc, 0);
        edo_await_for(rc, edo_ms(1), edo_accept(*self->ret_listener, &self->conn));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

struct accepts {
    edo_frame();
    edo_args(edo_listener *listener; int count;);
    edo_io *conn;
    char byte;
};

edo_async(accepts)
{
    edo_body {
        int64_t n = 0;
        for (; self->count > 0; self->count--) {
            edo_await(n, edo_accept(self->listener, &self->conn));
            if (n < 0) edo_return(n);
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            assert_int_equal(n, 1);
            edo_close(self->conn);
        }
        edo_return(0);
    }
}

static void connect_crowd(const edo_listener *listener, int clients[CROWD])
{
    for (int i = 0; i < CROWD; i++) {
        clients[i] = connect_plainly(listener);
        fd_write_all(clients[i], "x", 1);
    }
}

static void close_crowd(const int clients[CROWD])
{
    for (int i = 0; i < CROWD; i++)
        close(clients[i]);
}

/* ---- the other process ---- */

struct share {
    edo_listener *listener;
    bool wraps; // gets the descriptor
    bool connects;
    int count; // connections that it must get
};

static void accept_in_child(void *arg)
{
    const struct share *share = arg;
    edo_listener *listener = share->listener;
    edo_runtime *runtime;
    int clients[CROWD];
    alarm(LIMIT);
    if (share->wraps) {
        int fd = dup(edo_listener_fd(share->listener));
        assert_int_equal(edo_listener_from_fd(fd, &listener), 0);
    }
    assert_int_equal(edo_runtime_create(NULL, &runtime),
                     0); // current-thread, because such a child has no threads
    if (share->connects) connect_crowd(listener, clients);
    assert_int_equal(edo_block_on(runtime, accepts, .listener = listener, .count = share->count),
                     0);
    if (share->connects) close_crowd(clients);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void accept_there(bool wraps)
{
    edo_runtime *runtime;
    struct share share = { .wraps = wraps, .connects = true, .count = CROWD };
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, listens, .ret_listener = &share.listener), 0);
    expect_success_in_child(accept_in_child, &share);
    edo_listener_close(share.listener);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(inherited)
{
    accept_there(false);
}

test(handed_over)
{
    accept_there(true);
}

/* One waiting accept takes one connection of many. */
test(one_for_one)
{
    edo_runtime *runtime;
    edo_task *task;
    int clients[CROWD];
    struct share share = { .count = CROWD - 1 };
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, listens, .ret_listener = &share.listener), 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(&task, &options, accepts, .listener = share.listener, .count = 1), 0);
    while (turn_runtime(runtime, 0))
        continue; // waits now
    connect_crowd(share.listener, clients);
    while (!edo_task_is_done(task))
        turn_runtime(runtime, edo_ms(1));
    edo_detach(task);
    expect_success_in_child(accept_in_child, &share);
    close_crowd(clients);
    edo_listener_close(share.listener);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

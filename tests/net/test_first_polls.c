/* Rule 5: in a cancelled function the first poll of every operation answers -ECANCELED at once,
 * even if it could be ready, with and without budget, and has no effect. */
#include "support/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends_at_once {
    edo_frame();
    edo_args();
};

edo_async(ends_at_once)
{
    edo_body {
        edo_return(7);
    }
}

/* Everything that the operations could take, if they were polled. */
struct first_polls {
    edo_frame();
    edo_args(unsigned spent;);
    edo_io *reader, *writer, *finished, *conn;
    int reader_peer, writer_peer, finished_peer, other_finished_peer, client;
    edo_listener *listener, *new_listener;
    edo_addresses *addresses;
    edo_pool *pool;
    edo_task *task;
    edo_scope scope, empty_scope;
    edo_member member;
    edo_slice vector;
    edo_message message, addressed;
    char byte;
    bool has_blocked;
    edo_op op;
    unsigned i;
};

static int64_t block(void *arg)
{
    return *(bool *)arg = true;
}

typedef struct first_polls fixture;

static edo_op sleep_zero(fixture *f)
{
    (void)f;
    return edo_sleep(0);
}

static edo_op sleep_until_past(fixture *f)
{
    (void)f;
    return edo_sleep_until(1);
}

static edo_op yield(fixture *f)
{
    (void)f;
    return edo_yield();
}

static edo_op join(fixture *f)
{
    return edo_join(f->task);
}

static edo_op join_nothing(fixture *f)
{
    (void)f;
    return edo_join(NULL);
}

static edo_op scope_join(fixture *f)
{
    return edo_scope_join(&f->empty_scope);
}

static edo_op scope_next(fixture *f)
{
    return edo_scope_next(&f->scope, &f->member);
}

static edo_op blocking(fixture *f)
{
    return edo_blocking(block, &f->has_blocked);
}

static edo_op blocking_on(fixture *f)
{
    return edo_blocking_on(f->pool, block, &f->has_blocked);
}

static edo_op pool_room(fixture *f)
{
    return edo_pool_room(f->pool);
}

static edo_op read_some(fixture *f)
{
    return edo_read(f->reader, &f->byte, 1);
}

static edo_op read_nothing(fixture *f)
{
    return edo_read(f->reader, &f->byte, 0);
}

static edo_op read_exact(fixture *f)
{
    return edo_read_exact(f->reader, &f->byte, 1);
}

static edo_op write_some(fixture *f)
{
    return edo_write(f->writer, &f->byte, 1);
}

static edo_op write_all(fixture *f)
{
    return edo_write_all(f->writer, &f->byte, 1);
}

static edo_op write_vector(fixture *f)
{
    return edo_writev(f->writer, &f->vector, 1);
}

static edo_op write_bad_vector(fixture *f)
{
    return edo_writev(f->writer, &f->vector, 0);
}

static edo_op shutdown_write(fixture *f)
{
    return edo_shutdown_write(f->writer);
}

static edo_op finish(fixture *f)
{
    return edo_finish(f->finished);
}

static edo_op wait_fd(fixture *f)
{
    return edo_wait_fd(f->writer_peer, EDO_WRITABLE);
}

static edo_op wait_bad_fd(fixture *f)
{
    (void)f;
    return edo_wait_fd(-1, EDO_READABLE);
}

static edo_op listen_at(fixture *f)
{
    return edo_tcp_listen("127.0.0.1:0", &f->new_listener);
}

static edo_op accept_one(fixture *f)
{
    return edo_accept(f->listener, &f->conn);
}

static edo_op connect_nowhere(fixture *f)
{
    return edo_tcp_connect("not an address", &f->conn);
}

static edo_op connect_to(fixture *f)
{
    return edo_tcp_connect("127.0.0.1:9", &f->conn);
}

static edo_op connect_from(fixture *f)
{
    return edo_tcp_connect_from("127.0.0.1:0", "127.0.0.1:9", &f->conn);
}

static edo_op look_up(fixture *f)
{
    return edo_lookup("127.0.0.1:80", &f->addresses);
}

static edo_op unix_listen(fixture *f)
{
    return edo_unix_listen("unix:", &f->new_listener);
}

static edo_op unix_connect(fixture *f)
{
    return edo_unix_connect("@edo-nobody", &f->conn);
}

static edo_op receive_message(fixture *f)
{
    return edo_unix_recv_message(f->reader, &f->message);
}

static edo_op send_message(fixture *f)
{
    return edo_unix_send_message(f->writer, &f->message);
}

static edo_op send_to_address(fixture *f)
{
    return edo_unix_send_message(f->writer, &f->addressed);
}

static edo_op open_writer(fixture *f)
{
    return edo_fifo_open_writer("/edo-no-such-fifo", &f->conn);
}

static edo_op (*const operations[])(fixture *) = {
    sleep_zero,   sleep_until_past, yield,       join,         join_nothing,     scope_join,
    scope_next,   blocking,         blocking_on, pool_room,    read_some,        read_nothing,
    read_exact,   write_some,       write_all,   write_vector, write_bad_vector, shutdown_write,
    finish,       wait_fd,          wait_bad_fd, listen_at,    accept_one,       connect_nowhere,
    connect_to,   connect_from,     look_up,     unix_listen,  unix_connect,     receive_message,
    send_message, send_to_address,  open_writer,
};

/* A user's own operation, always ready. */
static edo_poll ready_poll(edo_future *future, edo_cx *cx)
{
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    future->result = 5;
    return EDO_READY;
}

static const edo_future_ops ready_ops = { .name = "ready", .poll = ready_poll };

/* The cancelled function. */
struct tries {
    edo_frame();
    edo_args(edo_future *future; bool spent;);
};

edo_async(tries)
{
    edo_body {
        int64_t result;
        assert_true(edo_is_cancelled());
        while (self->spent && edo_cx_charge(cx))
            continue;
        edo_await_on(result, self->future);
        edo_return(result);
    }
}

static void try_cancelled(edo_future *future, bool spent, edo_cx *cx)
{
    static struct tries child; // state of one poll
    edo_init(&child, tries, .future = future, .spent = spent);
    edo_cancel(&child.base);
    assert_int_equal(edo_poll_future(&child.base, cx), EDO_READY);
    assert_int_equal(child.base.result, -ECANCELED);
}

static void make_streams(fixture *f)
{
    f->reader = open_stream(UNIX_STREAM, &f->reader_peer);
    f->writer = open_stream(UNIX_STREAM, &f->writer_peer);
    f->finished = open_stream(UNIX_STREAM, &f->finished_peer);
    fd_write_all(f->reader_peer, "x", 1);
    f->vector = (edo_slice){ &f->byte, 1 };
    f->byte = 'y';
    f->message = (edo_message){ .slices = &f->vector, .slice_count = 1 };
    f->addressed = f->message;
    assert_int_equal(edo_address_unix("/edo-nobody", &f->addressed.address), 0);
}

framed_test(first_polls)
{
    edo_body {
        int64_t rc;
        make_streams(self);
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        self->client = connect_plainly(self->listener);
        self->conn = NULL;
        self->new_listener = NULL;
        self->addresses = NULL;
        self->has_blocked = false;
        rc = edo_runtime_pool(edo_current_runtime(), "files", &self->pool);
        assert_int_equal(rc, 0);
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_scope_open(&self->empty_scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, ends_at_once), 0);
        assert_int_equal(edo_spawn(&self->task, ends_at_once), 0);
        settle();
        assert_true(edo_task_is_done(self->task));

        for (self->i = 0; self->i < 2 * ARRAY_LENGTH(operations); self->i++) {
            if (operations[self->i / 2] == finish && self->finished == NULL)
                self->finished = open_stream(UNIX_STREAM, &self->other_finished_peer);
            self->op = operations[self->i / 2](self);
            try_cancelled(&self->op.base, self->i % 2, cx);
            assert_int_equal(edo_op_progress(&self->op), 0);
            if (operations[self->i / 2] == finish)
                self->finished = NULL;  // edo_finish() always closes the stream
            edo_await(rc, edo_yield()); // a new budget
        }
        for (self->i = 0; self->i < 2; self->i++) {
            self->op.base = (edo_future){ .ops = &ready_ops };
            try_cancelled(&self->op.base, self->i, cx);
            edo_await(rc, edo_yield());
        }

        assert_null(self->conn);
        assert_null(self->new_listener);
        assert_null(self->addresses);
        assert_false(self->has_blocked);
        edo_await(rc, edo_accept(self->listener, &self->conn)); // no connection was taken
        assert_int_equal(rc, 0);
        edo_await(rc, edo_read(self->reader, &self->byte, 1));
        assert_int_equal(rc, 1);
        assert_int_equal(recv(self->writer_peer, &self->byte, 1, MSG_DONTWAIT), -1);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 7);

        edo_close(self->conn);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_listener_close(self->listener);
        close(self->client);
        close(self->reader_peer);
        close(self->writer_peer);
        close(self->finished_peer);
        close(self->other_finished_peer);
        edo_return(0);
    }
}

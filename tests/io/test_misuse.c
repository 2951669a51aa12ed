/* What ends the process: memory on the stack of a poll, operations that were moved, streams that
 * are closed twice. */
#include "support/streams.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- memory on the stack: each constructor, called below a poll ---- */

static edo_io *a_stream;
static edo_listener *a_listener;

static edo_op read_to_stack(void)
{
    char buffer[4];
    return edo_read(a_stream, buffer, sizeof buffer);
}

static edo_op read_exact_to_stack(void)
{
    char buffer[4];
    return edo_read_exact(a_stream, buffer, sizeof buffer);
}

static edo_op write_from_stack(void)
{
    char data[4] = "abc";
    return edo_write(a_stream, data, sizeof data);
}

static edo_op write_all_from_stack(void)
{
    char data[4] = "abc";
    return edo_write_all(a_stream, data, sizeof data);
}

static edo_op writev_vector_on_stack(void)
{
    struct iovec vector = { "abc", 3 };
    return edo_writev(a_stream, &vector, 1);
}

static edo_op writev_buffer_on_stack(void)
{
    static struct iovec vector;
    char data[4] = "abc";
    vector = (struct iovec){ data, sizeof data };
    return edo_writev(a_stream, &vector, 1);
}

static edo_op listen_address_on_stack(void)
{
    char address[16] = "127.0.0.1:0";
    return edo_tcp_listen(address, &a_listener);
}

static edo_op listen_to_stack(void)
{
    edo_listener *listener;
    return edo_tcp_listen("127.0.0.1:0", &listener);
}

static edo_op listen_with_to_stack(void)
{
    edo_listener *listener;
    return edo_tcp_listen_with("127.0.0.1:0", (edo_listen_options){ 0 }, &listener);
}

static edo_op accept_to_stack(void)
{
    edo_io *conn;
    return edo_accept(a_listener, &conn);
}

static edo_op connect_address_on_stack(void)
{
    char address[16] = "127.0.0.1:1";
    return edo_tcp_connect(address, &a_stream);
}

static edo_op connect_to_stack(void)
{
    edo_io *conn;
    return edo_tcp_connect("127.0.0.1:1", &conn);
}

static edo_op connect_local_on_stack(void)
{
    char local[16] = "127.0.0.1:0";
    return edo_tcp_connect_from(local, "127.0.0.1:1", &a_stream);
}

struct misuse {
    const char *pattern;
    edo_op (*make)(void);
};

static const struct misuse stack_misuses[] = {
    { "edo_read: the buffer lies on the stack of the poll .*put it in the frame", read_to_stack },
    { "edo_read_exact: the buffer .*put it in the frame", read_exact_to_stack },
    { "edo_write: the buffer .*put it in the frame", write_from_stack },
    { "edo_write_all: the buffer .*put it in the frame", write_all_from_stack },
    { "edo_writev: the vector .*put it in the frame", writev_vector_on_stack },
    { "edo_writev: the buffer .*put it in the frame", writev_buffer_on_stack },
    { "edo_tcp_listen: the address .*put it in the frame", listen_address_on_stack },
    { "edo_tcp_listen: the output .*put it in the frame", listen_to_stack },
    { "edo_tcp_listen: the output .*put it in the frame", listen_with_to_stack },
    { "edo_accept: the output .*put it in the frame", accept_to_stack },
    { "edo_tcp_connect: the address .*put it in the frame", connect_address_on_stack },
    { "edo_tcp_connect: the output .*put it in the frame", connect_to_stack },
    { "edo_tcp_connect: the address .*put it in the frame", connect_local_on_stack },
};

struct make_op {
    edo_frame();
    edo_args(edo_op (*make)(void););
};

edo_async(make_op)
{
    edo_body {
        int64_t n;
        edo_await(n, self->make());
        edo_return(n);
    }
}

static void run_make_op(void *arg)
{
    const struct misuse *misuse = arg;
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return;
    edo_block_on(runtime, make_op, .make = misuse->make);
}

static void test_stack_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(stack_misuses); i++) {
        struct misuse misuse = stack_misuses[i];
        expect_abort(run_make_op, &misuse, misuse.pattern);
    }
}

/* The line names the task and where it was spawned. */
static void test_line_names_the_task(void **state)
{
    (void)state;
    struct misuse misuse = stack_misuses[0];
    expect_abort(run_make_op, &misuse, "\\[task 'make_op' #[0-9]+, spawned at .*test_misuse.c:");
}

/* Memory above the poll is fine: the function that runs the runtime waits there. */
struct read_into {
    edo_frame();
    edo_args(edo_io *io; char *buffer;);
};

edo_async(read_into)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read(self->io, self->buffer, 1));
        edo_return(n);
    }
}

static void test_memory_above(void **state)
{
    (void)state;
    char buffer[1];
    int peer;
    edo_runtime *runtime;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    fd_write_all(peer, "x", 1);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, read_into, .io = io, .buffer = buffer), 1);
    assert_int_equal(buffer[0], 'x');
    edo_close(io);
    close(peer);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- moved operations ---- */

struct two_ops {
    edo_frame();
    edo_args(edo_op (*make)(void););
    edo_op first, second;
};

static edo_poll poll_first(struct two_ops *self, edo_cx *cx)
{
    edo_poll poll = edo_poll_future(&self->first.base, cx);
    self->second = self->first;
    return poll;
}

edo_async(two_ops)
{
    edo_body {
        int64_t n;
        self->first = self->make();
        if (poll_first(self, cx) == EDO_READY) edo_return(0);
        edo_await(n, edo_sleep(edo_ms(1))); // now it waits in the driver
        edo_await_on(n, &self->second.base);
        edo_return(n);
    }
}

static char a_byte;
static edo_io *a_connection;

static edo_op read_a_byte(void)
{
    return edo_read(a_stream, &a_byte, 1);
}

static edo_op accept_one(void)
{
    return edo_accept(a_listener, &a_connection);
}

static edo_op finish_it(void)
{
    return edo_finish(a_stream);
}

static void run_two_ops(void *arg)
{
    const struct misuse *misuse = arg;
    edo_runtime *runtime;
    int peer;
    a_stream = open_stream(UNIX_STREAM, &peer);
    if (edo_wait(edo_tcp_listen("127.0.0.1:0", &a_listener)) < 0) return;
    if (create_runtime(&(edo_config){ .test_clock = true }, &runtime) < 0) return;
    edo_block_on(runtime, two_ops, .make = misuse->make);
}

static void test_moved_operations(void **state)
{
    (void)state;
    static const struct misuse misuses[] = {
        { "edo_read: the operation was moved after its first poll", read_a_byte },
        { "edo_accept: the operation was moved after its first poll", accept_one },
        { "edo_finish: the operation was moved after its first poll", finish_it },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(misuses); i++) {
        struct misuse misuse = misuses[i];
        expect_abort(run_two_ops, &misuse, misuse.pattern);
    }
}

/* ---- closed twice, while an operation of the same worker still holds the stream ---- */

struct close_twice {
    edo_frame();
    edo_args();
    edo_io *io;
    edo_task *reader;
    int64_t n;
    int peer;
    char byte;
};

edo_async(close_twice)
{
    edo_body {
        self->io = open_stream(UNIX_STREAM, &self->peer);
        self->n = edo_spawn_on(&self->reader, 0, run_op, .op = edo_read(self->io, &self->byte, 1));
        settle();
        edo_close(self->io);
        edo_close(self->io);
        edo_return(self->n);
    }
}

static void run_close_twice(void *arg)
{
    edo_runtime *runtime;
    edo_task *task;
    (void)arg;
    if (create_runtime(&(edo_config){ .test_clock = true }, &runtime) < 0) return;
    edo_spawn_options options = { .runtime = runtime, .pinned = 1 };
    if (edo_spawn_with(&task, &options, close_twice) < 0) return;
    edo_block_on(runtime, run_op, .op = edo_join(task));
}

static void test_closed_twice(void **state)
{
    (void)state;
    expect_abort(run_close_twice, NULL, "edo_close: it was closed before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stack_memory), cmocka_unit_test(test_line_names_the_task),
        cmocka_unit_test(test_memory_above), cmocka_unit_test(test_moved_operations),
        cmocka_unit_test(test_closed_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

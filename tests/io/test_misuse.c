/* Misuse that ends the process: memory on the stack of a poll, moved operations, streams closed
 * twice. */
#include "support/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/inspect/maker.h"

/* ---- memory on the stack: each constructor, called below a poll ---- */

static edo_io *a_stream;
static edo_listener *a_listener;
static edo_udp *a_socket;

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
    edo_slice vector = { "abc", 3 };
    return edo_writev(a_stream, &vector, 1);
}

static edo_op writev_buffer_on_stack(void)
{
    static edo_slice vector;
    char data[4] = "abc";
    vector = (edo_slice){ data, sizeof data };
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

static edo_op recv_messages_to_stack(void)
{
    edo_message messages[2] = { 0 };
    return edo_udp_recv_many(a_socket, messages, 2);
}

/* Each message of a batch is checked, not only the first. */
static edo_message batch[2];

static edo_op recv_vector_on_stack(void)
{
    static char data[4];
    edo_slice vector = { data, sizeof data };
    batch[1] = (edo_message){ .slices = &vector, .slice_count = 1 };
    return edo_udp_recv_many(a_socket, batch, 2);
}

static edo_op send_buffer_on_stack(void)
{
    static edo_slice vector;
    char data[4] = "abc";
    vector = (edo_slice){ data, sizeof data };
    batch[1] = (edo_message){ .slices = &vector, .slice_count = 1 };
    return edo_udp_send_many(a_socket, batch, 2);
}

static edo_op send_message_on_stack(void)
{
    edo_message message = { 0 };
    return edo_udp_send_message(a_socket, &message);
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
    { "edo_udp_recv_many: the message .*put it in the frame", recv_messages_to_stack },
    { "edo_udp_recv_many: the vector .*put it in the frame", recv_vector_on_stack },
    { "edo_udp_send_many: the buffer .*put it in the frame", send_buffer_on_stack },
    { "edo_udp_send_message: the message .*put it in the frame", send_message_on_stack },
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

test(stack_memory)
{
    for (size_t i = 0; i < ARRAY_LENGTH(stack_misuses); i++) {
        struct misuse misuse = stack_misuses[i];
        expect_abort(run_make_op, &misuse, misuse.pattern);
    }
}

/* The line names the task and its spawn. */
test(line_names_the_task)
{
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

test(memory_above)
{
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
        edo_await(n, edo_sleep(edo_ms(1))); // the read waits in the driver now
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

test(moved_operations)
{
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

test(closed_twice)
{
    expect_abort(run_close_twice, NULL, "edo_close: the stream was closed before");
}

/* ---- used after the close, when nothing is in flight and the memory could be reused ---- */

/* Other streams, whose memory the misuse would hit otherwise; two rounds of them. */
enum { CLOSED_BEFORE = EDO__CLOSED_BLOCKS / 4 };

static void make_and_close(void)
{
    edo_io *others[CLOSED_BEFORE];
    int peers[CLOSED_BEFORE];
    for (size_t i = 0; i < CLOSED_BEFORE; i++)
        others[i] = open_stream(UNIX_STREAM, &peers[i]);
    for (size_t i = 0; i < CLOSED_BEFORE; i++) {
        edo_close(others[i]);
        close(peers[i]);
    }
}

struct after_close {
    edo_frame();
    edo_args(const struct misuse *misuse;);
    int64_t n;
    int peer;
};

edo_async(after_close)
{
    edo_body {
        a_stream = open_stream(TCP_STREAM, &self->peer);
        edo_await(self->n, edo_tcp_listen("127.0.0.1:0", &a_listener));
        edo_await_for(self->n, edo_ms(1), edo_read(a_stream, &a_byte, 1));
        edo_await_for(self->n, edo_ms(1), edo_accept(a_listener, &a_connection));
        edo_close(a_stream);
        edo_listener_close(a_listener);
        make_and_close();
        edo_await(self->n, edo_sleep(edo_ms(1)));
        make_and_close();
        edo_await(self->n, self->misuse->make());
        edo_return(self->n);
    }
}

static edo_op close_again(void)
{
    edo_close(a_stream);
    return edo_yield();
}

static edo_op close_listener_again(void)
{
    edo_listener_close(a_listener);
    return edo_yield();
}

static edo_op ask_for_fd(void)
{
    edo_io_fd(a_stream);
    return edo_yield();
}

static edo_op set_an_option(void)
{
    edo_tcp_set_nodelay(a_stream, true);
    return edo_yield();
}

static edo_op ask_listener_for_fd(void)
{
    edo_listener_fd(a_listener);
    return edo_yield();
}

static edo_op shut_it_down(void)
{
    return edo_shutdown_write(a_stream);
}

static edo_lent a_lent;

static edo_op lend_it(void)
{
    return edo_read_lent(a_stream, &a_lent);
}

static void run_after_close(void *arg)
{
    edo_runtime *runtime;
    if (create_runtime(&(edo_config){ .test_clock = true }, &runtime) < 0) return;
    edo_block_on(runtime, after_close, .misuse = arg);
}

test(used_after_close)
{
    if (!EDO__KEEPS_CLOSED) skip(); // the memory is freed: a sanitizer reports the use
    static const struct misuse misuses[] = {
        { "edo_close: the stream was closed before", close_again },
        { "edo_listener_close: the listener was closed before", close_listener_again },
        { "edo_read: the stream was closed before.*task 'after_close'", read_a_byte },
        { "edo_accept: the listener was closed before", accept_one },
        { "edo_finish: the stream was closed before", finish_it },
        { "edo_read_lent: the stream was closed before", lend_it },
        { "edo_shutdown_write: the stream was closed before", shut_it_down },
        { "edo_io_fd: the stream was closed before", ask_for_fd },
        { "edo_tcp_\\*: the stream was closed before", set_an_option },
        { "edo_listener_fd: the listener was closed before", ask_listener_for_fd },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(misuses); i++) {
        struct misuse misuse = misuses[i];
        expect_abort(run_after_close, &misuse, misuse.pattern);
    }
}

/* ---- NULL is -EINVAL, in every build ---- */

struct null_ops {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_op ops[16];
    edo_slice vector;
    edo_addresses *found;
    size_t i, count;
};

static size_t make_null_ops(struct null_ops *self)
{
    edo_op *op = self->ops;
    self->vector = (edo_slice){ "x", 1 };
    *op++ = edo_read(NULL, &a_byte, 1);
    *op++ = edo_read_exact(NULL, &a_byte, 1);
    *op++ = edo_write(NULL, "x", 1);
    *op++ = edo_write_all(NULL, "x", 1);
    *op++ = edo_writev(NULL, &self->vector, 1);
    *op++ = edo_writev(a_stream, NULL, 1);
    *op++ = edo_shutdown_write(NULL);
    *op++ = edo_finish(NULL);
    *op++ = edo_accept(NULL, &a_connection);
    *op++ = edo_accept(self->listener, NULL);
    *op++ = edo_tcp_listen(NULL, &self->listener);
    *op++ = edo_tcp_listen("127.0.0.1:0", NULL);
    *op++ = edo_tcp_connect(NULL, &a_connection);
    *op++ = edo_tcp_connect("127.0.0.1:1", NULL);
    *op++ = edo_lookup(NULL, &self->found);
    *op++ = edo_lookup("127.0.0.1:1", NULL);
    return (size_t)(op - self->ops);
}

framed_test(null_ops)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->count = make_null_ops(self);
        assert_int_equal(self->count, ARRAY_LENGTH(self->ops));
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_await_on(n, &self->ops[self->i].base);
            if (n != -EINVAL) fail_msg("operation %zu answers %d", self->i, (int)n);
        }
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

test(null_calls)
{
    char text[EDO_ADDRESS_SIZE];
    int peer, seconds;
    edo_io *io = open_stream(TCP_STREAM, &peer);
    edo_close(NULL);
    edo_listener_close(NULL);
    edo_addresses_destroy(NULL);
    assert_int_equal(edo_addresses_count(NULL), 0);
    const int64_t results[] = {
        edo_io_from_fd(peer, NULL),
        edo_io_fd(NULL),
        edo_io_into_fd(NULL),
        edo_listener_from_fd(peer, NULL),
        edo_listener_fd(NULL),
        edo_listener_address(NULL, text, sizeof text),
        edo_addresses_text(NULL, 0, text, sizeof text),
        edo_tcp_local_address(NULL, text, sizeof text),
        edo_tcp_local_address(io, NULL, 1),
        edo_tcp_peer_address(NULL, text, sizeof text),
        edo_tcp_set_nodelay(NULL, true),
        edo_tcp_nodelay(NULL),
        edo_tcp_set_keepalive(NULL, true, (edo_keepalive){ 0 }),
        edo_tcp_keepalive(NULL, NULL),
        edo_tcp_set_linger(NULL, 0),
        edo_tcp_linger(NULL, &seconds),
        edo_tcp_linger(io, NULL),
        edo_tcp_set_send_buffer(NULL, 1),
        edo_tcp_send_buffer(NULL),
        edo_tcp_set_recv_buffer(NULL, 1),
        edo_tcp_recv_buffer(NULL),
        edo_tcp_set_ttl(NULL, 9),
        edo_tcp_ttl(NULL),
        edo_tcp_set_tos(NULL, 0),
        edo_tcp_tos(NULL),
        edo_tcp_take_error(NULL),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
        if (results[i] != -EINVAL) fail_msg("call %zu answers %d", i, (int)results[i]);
    edo_close(io);
    close(peer);
}

/* ---- leaked streams and listeners ---- */

struct leak {
    edo_frame();
    edo_args(edo_io **streams;);
    int64_t n;
    int peers[2];
};

edo_async(leak)
{
    edo_body {
        edo_await(self->n, edo_tcp_listen("127.0.0.1:0", &a_listener));
        self->peers[0] = connect_plainly(a_listener);
        edo_await(self->n, edo_accept(a_listener, &self->streams[0]));
        self->streams[1] = open_stream(UNIX_STREAM, &self->peers[1]);
        self->streams[2] = open_stream(UNIX_STREAM, &self->peers[1]);
        edo_close(self->streams[2]);
        close(self->peers[0]);
        edo_return(self->n);
    }
}

/* A debug build reports leaks always, except under ThreadSanitizer. */
enum { REPORTS_ALWAYS = EDO_DEBUG && !EDO__TSAN };

test(leaks_are_named)
{
    edo_runtime *runtime;
    edo_io *streams[3];
    log_capture();
    for (int round = 0; round < 2; round++) {
        assert_int_equal(create_runtime(&(edo_config){ .report_leaks = round }, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, leak, .streams = streams), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        edo_close(streams[0]); // in no runtime
        edo_close(streams[1]);
        edo_listener_close(a_listener);
        if (round == 0 && REPORTS_ALWAYS) continue; // this build always reports
        assert_int_equal(log_lines("a stream was not closed"), 2 * (round + REPORTS_ALWAYS));
        assert_int_equal(log_lines("a listener was not closed"), round + REPORTS_ALWAYS);
        assert_int_equal(log_lines("made by 'leak' at "), 3 * (round + REPORTS_ALWAYS));
        assert_int_equal(log_lines("test_misuse.c:"), 3 * (round + REPORTS_ALWAYS));
    }
    log_release();
}

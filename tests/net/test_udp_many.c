/* Many datagrams by one call: batches, segments, merged datagrams. */
#include "support/udp.h"

enum { BATCH = 64, SIZE = 16 };

/* Messages with a buffer each, of which the first byte is a number. */
typedef struct batch_of {
    edo_message messages[BATCH];
    edo_slice slices[BATCH];
    char buffers[BATCH][SIZE];
} batch_of;

static edo_message *prepare(batch_of *batch, const edo_address *to)
{
    for (unsigned i = 0; i < BATCH; i++) {
        batch->buffers[i][0] = (char)i;
        batch->slices[i] = (edo_slice){ batch->buffers[i], SIZE };
        batch->messages[i] = (edo_message){ .slices = &batch->slices[i], .slice_count = 1 };
        if (to) batch->messages[i].address = *to;
    }
    return batch->messages;
}

/* ---- batches ---- */

async_test(each_size, edo_udp *sender, *socket; edo_address to, from; batch_of out, in; unsigned count,
           got, i;)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->sender = loopback_socket(&self->from);
        for (self->count = 1; self->count <= BATCH; self->count++) {
            prepare(&self->out, &self->to);
            for (self->i = 0; self->i < self->count; self->i++)
                self->out.slices[self->i].size = self->i % SIZE + 1;
            edo_await(n, edo_udp_send_many(self->sender, self->out.messages, self->count));
            assert_int_equal(n, self->count);
            assert_int_equal(edo_op_progress(edo_last_op()), self->count);
            for (self->got = 0; self->got < self->count; self->got += (unsigned)n) {
                prepare(&self->in, NULL);
                edo_await(n, edo_udp_recv_many(self->socket, self->in.messages, BATCH));
                assert_true(n > 0);
                for (self->i = 0; self->i < n; self->i++) {
                    const edo_message *message = &self->in.messages[self->i];
                    unsigned number = self->got + self->i;
                    assert_int_equal(message->size, number % SIZE + 1);
                    assert_int_equal(self->in.buffers[self->i][0], number);
                    assert_true(edo_address_equals(&message->address, &self->from));
                    assert_int_equal(message->flags, 0);
                }
            }
        }
        edo_udp_close(self->sender);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* A connected socket tells its peer as the sender of every message. */
async_test(connected_batch, edo_udp *ends[2]; edo_address peer; batch_of in; char byte; unsigned i, got;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        assert_int_equal(edo_udp_peer(self->ends[1], &self->peer), 0);
        for (self->i = 0; self->i < 8; self->i++) {
            self->byte = (char)self->i;
            assert_int_equal(edo_udp_try_send(self->ends[0], &self->byte, 1), 1);
        }
        for (self->got = 0; self->got < 8; self->got += (unsigned)n) {
            prepare(&self->in, NULL);
            edo_await(n, edo_udp_recv_many(self->ends[1], self->in.messages, BATCH));
            assert_in_range(n, 1, 8 - self->got);
            for (self->i = 0; self->i < n; self->i++) {
                assert_true(edo_address_equals(&self->in.messages[self->i].address, &self->peer));
                assert_int_equal(self->in.buffers[self->i][0], self->got + self->i);
            }
        }
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* A message that fails does not stop those behind it. */
async_test(one_fails, edo_udp *sender, *socket; edo_address to, unix_one; batch_of out; char buffer[64];)
{
    edo_body {
        int64_t n;
        self->socket = loopback_socket(&self->to);
        self->sender = loopback_socket(NULL);
        prepare(&self->out, &self->to);
        assert_int_equal(edo_address_unix("/x", &self->unix_one), 0);
        self->out.messages[1].address = self->unix_one;
        self->out.messages[1].error = 7;
        edo_await(n, edo_udp_send_many(self->sender, self->out.messages, 4));
        assert_int_equal(n, 3);
        assert_int_equal(edo_op_progress(edo_last_op()), 4);
        assert_int_equal(self->out.messages[0].error, 0);
        assert_true(self->out.messages[1].error < 0);
        assert_int_equal(self->out.messages[3].error, 0);
        for (int i = 0; i < 3; i++) {
            await_datagram(self->socket);
            assert_true(edo_udp_try_recv(self->socket, self->buffer, 64) >= 0);
            assert_int_equal(self->buffer[0], "\0\2\3"[i]);
        }
        assert_int_equal(edo_udp_try_recv(self->socket, self->buffer, 64), -EAGAIN);
        edo_await(n, edo_udp_send_many(self->sender, &self->out.messages[1], 1));
        assert_int_equal(n, self->out.messages[1].error);
        edo_udp_close(self->sender);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

test(a_try_of_many)
{
    static batch_of out, in;
    edo_address to, unix_one;
    edo_udp *socket = loopback_socket(&to), *sender = loopback_socket(NULL);
    prepare(&out, &to);
    assert_int_equal(edo_address_unix("/x", &unix_one), 0);
    out.messages[2].address = unix_one;
    assert_int_equal(edo_udp_try_send_many(sender, out.messages, BATCH), BATCH - 1);
    assert_true(out.messages[2].error < 0);
    assert_int_equal(out.messages[3].error, 0);
    for (int64_t got = 0, n; got < BATCH - 1; got += n) {
        await_datagram(socket);
        n = edo_udp_try_recv_many(socket, prepare(&in, NULL), BATCH);
        assert_true(n > 0);
    }
    assert_int_equal(edo_udp_try_recv_many(socket, prepare(&in, NULL), BATCH), -EAGAIN);
    assert_int_equal(edo_udp_try_send_many(sender, NULL, 1), -EINVAL);
    edo_udp_close(sender);
    edo_udp_close(socket);
}

/* Messages of one size and address go by one call; those between them keep their place. */
static const struct {
    unsigned char size, to;
} mixed[] = {
    { 8, 0 }, { 8, 0 }, { 8, 0 }, { 3, 0 }, { 8, 0 }, { 8, 1 }, { 8, 1 },  { 9, 1 },
    { 0, 1 }, { 0, 1 }, { 5, 0 }, { 5, 1 }, { 5, 0 }, { 5, 0 }, { 16, 0 }, { 16, 0 },
};

struct sends_mixed {
    edo_frame();
    edo_args(bool unchecked;); // sockets without checksums: the kernel cuts no buffers
    edo_udp *sender, *sockets[2];
    edo_address to[2];
    batch_of out;
    char buffer[64];
};

edo_async(sends_mixed)
{
    edo_body {
        int64_t n;
        int on = self->unchecked;
        for (n = 0; n < 2; n++)
            self->sockets[n] = loopback_socket(&self->to[n]);
        self->sender = loopback_socket(NULL);
        setsockopt(edo_udp_fd(self->sender), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
        prepare(&self->out, NULL);
        for (unsigned i = 0; i < ARRAY_LENGTH(mixed); i++) {
            self->out.slices[i].size = mixed[i].size;
            self->out.messages[i].address = self->to[mixed[i].to];
        }
        edo_await(n, edo_udp_send_many(self->sender, self->out.messages, ARRAY_LENGTH(mixed)));
        assert_int_equal(n, ARRAY_LENGTH(mixed));
        for (unsigned i = 0; i < ARRAY_LENGTH(mixed); i++) {
            assert_int_equal(self->out.messages[i].size, mixed[i].size);
            await_datagram(self->sockets[mixed[i].to]);
            n = edo_udp_try_recv(self->sockets[mixed[i].to], self->buffer, 64);
            assert_int_equal(n, mixed[i].size);
            if (n > 0) assert_int_equal(self->buffer[0], i);
        }
        for (n = 0; n < 2; n++)
            edo_udp_close(self->sockets[n]);
        edo_udp_close(self->sender);
        edo_return(0);
    }
}

async_test(runs, edo_callees(struct sends_mixed sends_mixed;))
{
    edo_body {
        int rc;
        edo_call(rc, sends_mixed, .unchecked = false);
        assert_int_equal(rc, 0);
        edo_call(rc, sends_mixed, .unchecked = true);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* With times of sends each datagram is a send of its own. */
async_test(timed_batch, edo_udp *sender, *socket; edo_address to; batch_of out; unsigned i;
           edo_control control; _Alignas(8) char records[EDO_UDP_CONTROL_SIZE]; edo_message message;)
{
    edo_body {
        int64_t n;
        edo_datagram_error stamp;
        self->socket = loopback_socket(&self->to);
        self->sender = loopback_socket(NULL);
        assert_int_equal(edo_udp_set(self->sender, EDO_UDP_SEND_TIMESTAMPS, 1), 0);
        edo_await(n, edo_udp_send_many(self->sender, prepare(&self->out, &self->to), 4));
        assert_int_equal(n, 4);
        for (self->i = 0; self->i < 4; self->i++) {
            self->control = (edo_control){ self->records, sizeof self->records, 0 };
            self->message = (edo_message){ .control = &self->control };
            edo_await(n, edo_udp_recv_error(self->sender, &self->message));
            assert_int_equal(n, 0);
            assert_true(edo_datagram_error_read(&self->control, &stamp));
            assert_int_equal(stamp.id, self->i);
        }
        edo_udp_close(self->sender);
        edo_udp_close(self->socket);
        edo_return(0);
    }
}

/* More messages than the socket's buffer takes, and than one call sends: the send waits. */
enum { MANY = 500 };

struct sends_many {
    edo_frame();
    edo_args(edo_udp *socket; edo_message *messages;);
};

edo_async(sends_many)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_udp_send_many(self->socket, self->messages, MANY));
        edo_return(n);
    }
}

async_test(more_than_one_call, edo_udp *ends[2]; edo_task *task; edo_message messages[MANY];
           edo_slice slice; batch_of in; char bytes[SIZE]; unsigned i, got;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        self->slice = (edo_slice){ self->bytes, SIZE };
        for (self->i = 0; self->i < MANY; self->i++)
            self->messages[self->i] = (edo_message){ .slices = &self->slice, .slice_count = 1 };
        assert_int_equal(edo_udp_set(self->ends[1], EDO_UDP_RECV_BUFFER, 4 << 20), 0);
        n = edo_spawn(&self->task, sends_many, .socket = self->ends[0], .messages = self->messages);
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, MANY);
        for (self->got = 0;; self->got += (unsigned)n) {
            prepare(&self->in, NULL);
            n = edo_udp_try_recv_many(self->ends[1], self->in.messages, BATCH);
            if (n < 0) break;
        }
        assert_true(self->got > 0); // the kernel may have dropped some
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* A message costs as much of the budget as a receive, so that batches leave room for other tasks. */
struct receives_all {
    edo_frame();
    edo_args(edo_udp *socket;);
    batch_of in;
    unsigned got;
};

edo_async(receives_all)
{
    edo_body {
        int64_t n;
        for (self->got = 0; self->got < MANY; self->got += (unsigned)n) {
            prepare(&self->in, NULL);
            edo_await(n, edo_udp_recv_many(self->socket, self->in.messages, BATCH));
            if (n < 0) edo_return(n);
        }
        edo_return(0);
    }
}

async_test(batches_use_budget, edo_udp *ends[2]; edo_task *task; unsigned i;)
{
    edo_body {
        int64_t n;
        edo_spawn_options options = { .metrics = true };
        edo_task_metrics metrics;
        connected_sockets(self->ends);
        assert_int_equal(edo_udp_set(self->ends[1], EDO_UDP_RECV_BUFFER, 1 << 20), 0);
        for (self->i = 0; self->i < MANY; self->i++)
            assert_int_equal(edo_udp_try_send(self->ends[0], "x", 1), 1);
        n = edo_spawn_with(&self->task, &options, receives_all, .socket = self->ends[1]);
        assert_int_equal(n, 0);
        settle();
        assert_int_equal(edo_task_metrics_read(self->task, &metrics), 0);
        if (edo_udp_get(self->ends[1], EDO_UDP_RECV_BUFFER) >= MANY * 1024) // else some are dropped
            assert_true(metrics.polls >= 3); // 500 messages, and 128 units in a poll
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        assert_true(n == 0 || n == -ECANCELED);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- segments ---- */

typedef struct train_of {
    edo_message message;
    edo_slice slice;
    edo_control control;
    char bytes[100 * 1200];
    _Alignas(8) char records[EDO_UDP_CONTROL_SIZE];
} train_of;

static edo_message *load(train_of *train, size_t size)
{
    fill_pattern(train->bytes, size, 3, 0);
    train->slice = (edo_slice){ train->bytes, size };
    train->message = (edo_message){ .slices = &train->slice, .slice_count = 1 };
    return &train->message;
}

static void assert_segments(edo_udp *socket, size_t size, size_t segment)
{
    static char buffer[65536];
    size_t at = 0;
    while (at < size) {
        size_t expected = size - at < segment ? size - at : segment;
        await_datagram(socket);
        assert_int_equal(edo_udp_try_recv(socket, buffer, sizeof buffer), expected);
        assert_true(is_pattern(buffer, expected, 3, at));
        at += expected;
    }
    assert_int_equal(edo_udp_try_recv(socket, buffer, sizeof buffer), -EAGAIN);
}

static const struct {
    size_t size, segment;
} trains[] = {
    { 100 * 1200, 1200 }, // more than the kernel takes at once
    { 500, 1200 },        // one segment
    { 2401, 1200 },       { 1200, 1200 }, { 300, 1 << 7 },
};

async_test(segments, edo_udp *ends[2]; train_of out; unsigned i;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        assert_int_equal(edo_udp_set(self->ends[1], EDO_UDP_RECV_BUFFER, 4 << 20), 0);
        for (self->i = 0; self->i < ARRAY_LENGTH(trains); self->i++) {
            load(&self->out, trains[self->i].size);
            edo_await(n, edo_udp_send_segments(self->ends[0], &self->out.message,
                                               trains[self->i].segment));
            assert_int_equal(n, trains[self->i].size);
            assert_int_equal(self->out.message.size, trains[self->i].size);
            assert_segments(self->ends[1], trains[self->i].size, trains[self->i].segment);
        }
        edo_await(n, edo_udp_send_segments(self->ends[0], load(&self->out, 10), 0));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_udp_send_segments(self->ends[0], load(&self->out, 10), 65508));
        assert_int_equal(n, -EINVAL);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* The kernel refuses to cut buffers without checksums, as it does for devices that cannot make
 * them. The datagrams go one by one, by the same call, and the socket asks no more. */
async_test(segments_refused, edo_udp *ends[2]; train_of out; int on;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        self->on = 1;
        n = setsockopt(edo_udp_fd(self->ends[0]), SOL_SOCKET, SO_NO_CHECK, &self->on,
                       sizeof self->on);
        assert_int_equal(n, 0);
        edo_await(n, edo_udp_send_segments(self->ends[0], load(&self->out, 5000), 1000));
        assert_int_equal(n, 5000);
        assert_segments(self->ends[1], 5000, 1000);
        self->on = 0;
        n = setsockopt(edo_udp_fd(self->ends[0]), SOL_SOCKET, SO_NO_CHECK, &self->on,
                       sizeof self->on);
        assert_int_equal(n, 0);
        edo_await(n, edo_udp_send_segments(self->ends[0], load(&self->out, 5000), 1000));
        assert_int_equal(n, 5000);
        assert_segments(self->ends[1], 5000, 1000);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- merged datagrams ---- */

static edo_message *unload(train_of *train)
{
    train->slice = (edo_slice){ train->bytes, 65535 };
    train->control = (edo_control){ train->records, sizeof train->records, 0 };
    train->message = (edo_message){ .slices = &train->slice,
                                    .slice_count = 1,
                                    .control = &train->control };
    return &train->message;
}

async_test(merged, edo_udp *ends[2]; train_of out, in; size_t offset, at; unsigned parts, messages;)
{
    edo_body {
        int64_t n;
        edo_slice part;
        connected_sockets(self->ends);
        assert_int_equal(edo_udp_set(self->ends[1], EDO_UDP_GRO, 1), 0);
        edo_await(n, edo_udp_send_segments(self->ends[0], load(&self->out, 40 * 1400 - 7), 1400));
        assert_int_equal(n, 40 * 1400 - 7);
        for (self->at = self->parts = self->messages = 0; self->at < 40 * 1400 - 7;
             self->messages++) {
            await_datagram(self->ends[1]);
            if (self->messages % 2)
                n = edo_udp_try_recv_many(self->ends[1], unload(&self->in), 1);
            else
                edo_await(n, edo_udp_recv_message(self->ends[1], unload(&self->in)));
            assert_true(n > 0);
            assert_int_equal(self->in.message.flags, 0);
            for (self->offset = 0; edo_datagram_part(&self->in.message, &self->offset, &part);
                 self->parts++) {
                assert_int_equal(part.size, self->parts == 39 ? 1393 : 1400);
                assert_true(is_pattern(part.data, part.size, 3, self->at));
                self->at += part.size;
            }
        }
        assert_int_equal(self->parts, 40);
        assert_true(self->messages < 40);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* A receive without room for the size of the parts would lose their bounds. */
test(merged_without_records)
{
    edo_udp *ends[2];
    char buffer[8];
    edo_slice slice = { buffer, sizeof buffer };
    edo_message message = { .slices = &slice, .slice_count = 1 };
    connected_sockets(ends);
    assert_int_equal(edo_udp_set(ends[1], EDO_UDP_GRO, 1), 0);
    assert_int_equal(edo_udp_try_recv(ends[1], buffer, 8), -EOPNOTSUPP);
    assert_int_equal(edo_udp_try_recv_message(ends[1], &message), -EINVAL);
    assert_int_equal(edo_udp_set(ends[1], EDO_UDP_GRO, 0), 0);
    assert_int_equal(edo_udp_try_recv(ends[1], buffer, 8), -EAGAIN);
    edo_udp_close(ends[0]);
    edo_udp_close(ends[1]);
}

test(parts_of_plain_messages)
{
    char buffer[8];
    size_t offset = 0;
    edo_slice slice = { buffer, sizeof buffer }, part;
    edo_message message = { .slices = &slice, .slice_count = 1, .size = 5 };
    assert_true(edo_datagram_part(&message, &offset, &part));
    assert_int_equal(part.size, 5);
    assert_false(edo_datagram_part(&message, &offset, &part));
    offset = 0;
    message.size = 0; // an empty datagram is one
    assert_true(edo_datagram_part(&message, &offset, &part));
    assert_int_equal(part.size, 0);
    assert_false(edo_datagram_part(&message, &offset, &part));
    offset = 0;
    message.size = 20; // cut
    assert_true(edo_datagram_part(&message, &offset, &part));
    assert_int_equal(part.size, 8);
    assert_false(edo_datagram_part(&message, &offset, &part));
}

/* The record of the kernel's GSO is 16 bits wide, that of its GRO an int. */
async_test(segment_record, edo_udp *ends[2]; train_of out; edo_datagram_info info; edo_address to;)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        assert_int_equal(edo_udp_peer(self->ends[0], &self->to), 0);
        load(&self->out, 3000);
        self->out.control = (edo_control){ self->out.records, sizeof self->out.records, 0 };
        self->out.message.control = &self->out.control;
        self->info = (edo_datagram_info){ .present = EDO_DATAGRAM_SEGMENT, .segment = 1000 };
        n = edo_datagram_info_write(&self->out.control, &self->info, &self->to);
        assert_int_equal(n, 0);
        assert_int_equal(self->out.control.size, EDO_CONTROL_SPACE(2));
        edo_await(n, edo_udp_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 3000);
        assert_segments(self->ends[1], 3000, 1000);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

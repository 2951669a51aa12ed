/* Options of UDP sockets, multicast, and ancillary data, all of them on the loopback. */
#include "support/udp.h"

#include <netinet/in.h>
#include <stdlib.h>

/* ---- options ---- */

static const struct {
    edo_udp_option option;
    int value, read; // read: the value that is read, if another
} values[] = {
    { EDO_UDP_BROADCAST, 1, 1 },
    { EDO_UDP_SEND_BUFFER, 65536, 131072 },
    { EDO_UDP_RECV_BUFFER, 65536, 131072 },
    { EDO_UDP_TTL, 7, 7 },
    { EDO_UDP_TOS, 0x28, 0x28 },
    { EDO_UDP_MULTICAST_LOOP, 0, 0 },
    { EDO_UDP_MULTICAST_TTL, 5, 5 },
    { EDO_UDP_MTU_DISCOVERY, EDO_MTU_REFUSE, EDO_MTU_REFUSE },
    { EDO_UDP_GRO, 1, 1 },
    { EDO_UDP_ERRORS, 1, 1 },
    { EDO_UDP_RECV_LOCAL, 1, 1 },
    { EDO_UDP_RECV_TTL, 1, 1 },
    { EDO_UDP_RECV_TOS, 1, 1 },
    { EDO_UDP_RECV_TIMESTAMP, 1, 1 },
    { EDO_UDP_RECV_DROPS, 1, 1 },
    { EDO_UDP_SEND_TIMESTAMPS, 1, 1 },
};

static void set_and_get(const char *address)
{
    edo_udp *socket;
    assert_int_equal(edo_udp_bind_text(address, NULL, &socket), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        assert_int_equal(edo_udp_set(socket, values[i].option, values[i].value), 0);
        assert_int_equal(edo_udp_get(socket, values[i].option), values[i].read);
    }
    edo_udp_close(socket);
}

test(set_and_read)
{
    set_and_get("127.0.0.1:0");
    if (has_ipv6()) set_and_get("[::1]:0");
    if (has_ipv6()) set_and_get(":0");
}

test(bad_options)
{
    edo_address peer;
    edo_udp *socket = loopback_socket(&peer);
    assert_int_equal(edo_udp_set(NULL, EDO_UDP_TTL, 1), -EINVAL);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_OPTIONS, 1), -EINVAL);
    assert_int_equal(edo_udp_get(socket, EDO_UDP_OPTIONS), -EINVAL);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_TTL, 256), -EINVAL);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_MTU, 1500), -EINVAL);
    assert_int_equal(edo_udp_get(socket, EDO_UDP_MTU), -ENOTCONN);
    assert_int_equal(edo_udp_get(socket, EDO_UDP_MULTICAST_INTERFACE), -EOPNOTSUPP);
    assert_int_equal(edo_udp_connect(socket, &peer), 0);
    assert_true(edo_udp_get(socket, EDO_UDP_MTU) >= 1280);
    edo_udp_close(socket);
}

/* The IPv4 half of a socket for both families has the option, too. */
test(options_of_both_families)
{
    edo_udp *socket;
    int value = 0;
    socklen_t size = sizeof value;
    if (!has_ipv6()) skip();
    assert_int_equal(edo_udp_bind_text(":0", NULL, &socket), 0);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_TTL, 9), 0);
    getsockopt(edo_udp_fd(socket), IPPROTO_IP, IP_TTL, &value, &size);
    assert_int_equal(value, 9);
    edo_udp_close(socket);
}

enum { TRIES = 100 }; // another program may use the port of some

/* Binds sockets to all addresses of IPv6. Returns: whether IPv4 has one of their ports free. */
static bool is_free_for_v4(const edo_udp_options *options)
{
    bool is_free = false;
    for (int i = 0; i < TRIES && !is_free; i++) {
        edo_udp *first, *second;
        edo_address address;
        assert_int_equal(edo_udp_bind_text("[::]:0", options, &first), 0);
        assert_int_equal(edo_udp_local(first, &address), 0);
        address = edo_address_v4((const uint8_t[4]){ 0 }, edo_address_port(&address));
        int rc = edo_udp_bind(&address, NULL, &second);
        assert_true(rc == 0 || rc == -EADDRINUSE);
        is_free = rc == 0;
        if (is_free) edo_udp_close(second);
        edo_udp_close(first);
    }
    return is_free;
}

test(options_of_the_bind)
{
    edo_udp *first, *second;
    edo_address address;
    edo_udp_options options = { .reuse_port = true, .recv_buffer = 32768, .device = "lo" };
    assert_int_equal(edo_udp_bind_text("127.0.0.1:0", &options, &first), 0);
    assert_int_equal(edo_udp_get(first, EDO_UDP_RECV_BUFFER), 65536);
    assert_int_equal(edo_udp_local(first, &address), 0);
    assert_int_equal(edo_udp_bind(&address, NULL, &second), -EADDRINUSE);
    assert_int_equal(edo_udp_bind(&address, &options, &second), 0);
    edo_udp_close(second);
    edo_udp_close(first);
    options = (edo_udp_options){ .device = "no such device" };
    assert_int_equal(edo_udp_bind_text("127.0.0.1:0", &options, &first), -ENODEV);
    if (!has_ipv6()) return;
    options = (edo_udp_options){ .only_v6 = true };
    assert_true(is_free_for_v4(&options));
    assert_false(is_free_for_v4(NULL));
}

/* ---- the longest datagrams ---- */

/* One that fails does not stop those behind it. */
async_test(too_long, edo_udp *ends[2]; char *bytes; char buffer[8];)
{
    edo_body {
        int64_t n;
        connected_sockets(self->ends);
        self->bytes = calloc(1, 65508);
        assert_non_null(self->bytes);
        edo_await(n, edo_udp_send(self->ends[0], self->bytes, 65508));
        assert_int_equal(n, -EMSGSIZE);
        edo_await(n, edo_udp_send(self->ends[0], self->bytes, 65507));
        assert_int_equal(n, 65507);
        edo_await(n, edo_udp_send(self->ends[0], "after", 5));
        assert_int_equal(n, 5);
        edo_await(n, edo_udp_recv(self->ends[1], self->bytes, 65508));
        assert_int_equal(n, 65507);
        edo_await(n, edo_udp_recv(self->ends[1], self->buffer, 8));
        assert_int_equal(n, 5);
        free(self->bytes);
        edo_udp_close(self->ends[0]);
        edo_udp_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- records ---- */

typedef struct received {
    edo_message message;
    edo_slice slice;
    edo_control control;
    edo_datagram_info info;
    char buffer[16];
    _Alignas(8) char records[EDO_UDP_CONTROL_SIZE];
} received;

static edo_message *ready(received *in)
{
    in->slice = (edo_slice){ in->buffer, sizeof in->buffer };
    in->control = (edo_control){ in->records, sizeof in->records, 0 };
    in->message = (edo_message){ .slices = &in->slice, .slice_count = 1, .control = &in->control };
    return &in->message;
}

/* A server of all addresses sees the address that was asked, and answers from it. */
struct answers {
    edo_frame();
    edo_args(const char *server_at, *asked_at;);
    edo_udp *server, *client;
    edo_address asked, from;
    received in;
    edo_message out;
    char buffer[16];
};

edo_async(answers)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_udp_bind_text(self->server_at, NULL, &self->server), 0);
        assert_int_equal(edo_udp_set(self->server, EDO_UDP_RECV_LOCAL, 1), 0);
        assert_int_equal(edo_udp_local(self->server, &self->from), 0);
        n = edo_address_parse_ip(self->asked_at, edo_address_port(&self->from), &self->asked);
        assert_int_equal(n, 0);
        assert_int_equal(edo_udp_open(&self->asked, NULL, &self->client), 0);
        edo_await(n, edo_udp_send(self->client, "question", 8));
        assert_int_equal(n, 8);
        edo_await(n, edo_udp_recv_message(self->server, ready(&self->in)));
        assert_int_equal(n, 8);
        edo_datagram_info_read(&self->in.control, &self->in.info);
        assert_int_equal(self->in.info.present, EDO_DATAGRAM_LOCAL);
        assert_int_equal(self->in.info.interface, edo_interface_number("lo"));

        self->in.control.size = 0;
        n = edo_datagram_info_write(&self->in.control, &self->in.info, &self->in.message.address);
        assert_int_equal(n, 0);
        self->out = self->in.message;
        self->in.slice.size = 8;
        edo_await(n, edo_udp_send_message(self->server, &self->out));
        assert_int_equal(n, 8);
        edo_await(n, edo_udp_recv_from(self->client, self->buffer, 16, &self->from));
        assert_int_equal(n, 8);
        assert_true(edo_address_equals(&self->from, &self->asked));
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

async_test(answers_from_the_address_that_was_asked, edo_callees(struct answers answers;))
{
    edo_body {
        int rc;
        edo_call(rc, answers, .server_at = "0.0.0.0:0", .asked_at = "127.0.0.2");
        assert_int_equal(rc, 0);
        if (!has_ipv6()) edo_return(0);
        edo_call(rc, answers, .server_at = ":0", .asked_at = "127.0.0.3");
        assert_int_equal(rc, 0);
        edo_call(rc, answers, .server_at = ":0", .asked_at = "::1");
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* TTL, type of service and time go with one datagram, in both families. */
struct carries {
    edo_frame();
    edo_args(const char *address;);
    edo_udp *server, *client;
    edo_address to;
    received in, out;
    edo_datagram_info info;
};

edo_async(carries)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_udp_bind_text(self->address, NULL, &self->server), 0);
        assert_int_equal(edo_udp_local(self->server, &self->to), 0);
        for (edo_udp_option o = EDO_UDP_RECV_LOCAL; o <= EDO_UDP_RECV_DROPS; o++)
            assert_int_equal(edo_udp_set(self->server, o, 1), 0);
        assert_int_equal(edo_udp_bind_text(self->address, NULL, &self->client), 0);
        self->info = (edo_datagram_info){ .present = EDO_DATAGRAM_TTL | EDO_DATAGRAM_TOS,
                                          .ttl = 33,
                                          .tos = 2 };
        ready(&self->out);
        self->out.message.address = self->to;
        n = edo_datagram_info_write(&self->out.control, &self->info, &self->to);
        assert_int_equal(n, 0);
        edo_await(n, edo_udp_send_message(self->client, &self->out.message));
        assert_int_equal(n, 16);
        edo_await(n, edo_udp_recv_message(self->server, ready(&self->in)));
        assert_int_equal(n, 16);
        assert_int_equal(self->in.message.flags, 0);
        edo_datagram_info_read(&self->in.control, &self->info);
        n = EDO_DATAGRAM_LOCAL | EDO_DATAGRAM_TTL | EDO_DATAGRAM_TOS | EDO_DATAGRAM_TIMESTAMP;
        assert_int_equal(self->info.present & n, n);
        assert_int_equal(self->info.ttl, 33);
        assert_int_equal(self->info.tos, 2);
        assert_true(self->info.timestamp > 1700000000000000000);
        edo_udp_close(self->client);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

async_test(records_of_both_families, edo_callees(struct carries carries;))
{
    edo_body {
        int rc;
        edo_call(rc, carries, .address = "127.0.0.1:0");
        assert_int_equal(rc, 0);
        if (!has_ipv6()) edo_return(0);
        edo_call(rc, carries, .address = "[::1]:0");
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* Records for which there is no room are told. */
test(records_without_room)
{
    edo_udp *ends[2];
    received in;
    connected_sockets(ends);
    for (edo_udp_option o = EDO_UDP_RECV_LOCAL; o <= EDO_UDP_RECV_TIMESTAMP; o++)
        assert_int_equal(edo_udp_set(ends[1], o, 1), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(edo_udp_try_send(ends[0], "data", 4), 4);
    ready(&in)->control = NULL;
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_recv_message(ends[1], &in.message), 4);
    assert_int_equal(in.message.flags, EDO_MESSAGE_CONTROL_TRUNCATED);
    ready(&in);
    in.control.capacity = 48;
    await_datagram(ends[1]);
    assert_int_equal(edo_udp_try_recv_message(ends[1], &in.message), 4);
    assert_int_equal(in.message.flags, EDO_MESSAGE_CONTROL_TRUNCATED);
    edo_udp_close(ends[0]);
    edo_udp_close(ends[1]);
}

test(own_records)
{
    _Alignas(8) char bytes[EDO_CONTROL_SPACE(1) + EDO_CONTROL_SPACE(12)];
    edo_control control = { bytes, sizeof bytes, 0 };
    edo_control_record record = { 0 };
    assert_int_equal(edo_control_add(&control, 1, 2, "a", 1), 0);
    assert_int_equal(edo_control_add(&control, 3, 4, "twelve bytes", 12), 0);
    assert_int_equal(edo_control_add(&control, 5, 6, NULL, 0), -ENOSPC);
    assert_int_equal(control.size, sizeof bytes);
    assert_true(edo_control_next(&control, &record));
    assert_int_equal(record.level, 1);
    assert_int_equal(record.type, 2);
    assert_int_equal(record.size, 1);
    assert_true(edo_control_next(&control, &record));
    assert_int_equal(record.size, 12);
    assert_memory_equal(record.data, "twelve bytes", 12);
    assert_false(edo_control_next(&control, &record));
    memset(bytes, 0xff, sizeof bytes); // a length beyond the end
    record = (edo_control_record){ 0 };
    assert_false(edo_control_next(&control, &record));
    assert_int_equal(edo_control_add(NULL, 1, 2, "a", 1), -EINVAL);
    assert_false(edo_control_next(NULL, &record));
}

/* A failure writes nothing. */
test(records_are_written_whole)
{
    _Alignas(8) char bytes[64];
    edo_address to = edo_address_v4((const uint8_t[]){ 127, 0, 0, 1 }, 1), none = { { 0 } };
    edo_datagram_info info = { .present = EDO_DATAGRAM_TTL | EDO_DATAGRAM_TOS | EDO_DATAGRAM_LOCAL,
                               .local = to };
    edo_control control = { bytes, sizeof bytes, 0 };
    assert_int_equal(edo_datagram_info_write(&control, &info, &to), -ENOSPC);
    assert_int_equal(control.size, 0);
    info.local = none;
    assert_int_equal(edo_datagram_info_write(&control, &info, &to), -EINVAL);
    info = (edo_datagram_info){ .present = EDO_DATAGRAM_SEGMENT, .segment = 65536 };
    assert_int_equal(edo_datagram_info_write(&control, &info, &to), -EINVAL);
}

/* ---- multicast ---- */

static edo_udp *group_socket(const char *text, edo_address *group)
{
    edo_udp *socket;
    edo_udp_options options = { .reuse_address = true };
    edo_address any = edo_address_v4((const uint8_t[4]){ 0 }, edo_address_port(group));
    assert_int_equal(edo_address_parse_ip(text, edo_address_port(group), group), 0);
    assert_int_equal(edo_udp_bind(&any, &options, &socket), 0);
    if (!edo_address_port(group)) {
        assert_int_equal(edo_udp_local(socket, &any), 0);
        edo_address_set_port(group, edo_address_port(&any));
    }
    return socket;
}

/* A socket receives the groups that it has joined, and not those of others on the same port. */
test(groups_of_others_are_not_received)
{
    edo_address groups[2] = { { { 0 } } };
    uint32_t lo = edo_interface_number("lo");
    edo_udp *a = group_socket("239.1.2.3", &groups[0]), *b, *sender = loopback_socket(NULL);
    groups[1] = groups[0];
    b = group_socket("239.1.2.4", &groups[1]);
    assert_int_equal(edo_udp_join(a, &groups[0], lo), 0);
    assert_int_equal(edo_udp_join(b, &groups[1], lo), 0);
    assert_int_equal(edo_udp_join(b, &groups[1], lo), -EADDRINUSE);
    assert_int_equal(edo_udp_set(sender, EDO_UDP_MULTICAST_INTERFACE, (int)lo), 0);
    char buffer[8];
    assert_int_equal(edo_udp_try_send_to(sender, "b", 1, &groups[1]), 1);
    await_datagram(b);
    assert_int_equal(edo_udp_try_recv(b, buffer, 8), 1);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), -EAGAIN);
    assert_int_equal(edo_udp_try_send_to(sender, "a", 1, &groups[0]), 1);
    await_datagram(a);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), 1);
    assert_int_equal(edo_udp_leave(a, &groups[0], lo), 0);
    assert_int_equal(edo_udp_try_send_to(sender, "a", 1, &groups[0]), 1);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), -EAGAIN);
    assert_int_equal(edo_udp_leave(a, &groups[0], lo), -EADDRNOTAVAIL);
    edo_udp_close(a);
    edo_udp_close(b);
    edo_udp_close(sender);
}

test(a_group_from_one_source)
{
    edo_address group = { { 0 } }, source, other;
    uint32_t lo = edo_interface_number("lo");
    char buffer[8];
    edo_udp *a = group_socket("232.1.2.3", &group), *sender;
    assert_int_equal(edo_address_parse_ip("127.0.0.1", 0, &source), 0);
    assert_int_equal(edo_address_parse_ip("127.0.0.9", 0, &other), 0);
    assert_int_equal(edo_udp_join_source(a, &group, &other, lo), 0);
    sender = loopback_socket(NULL);
    assert_int_equal(edo_udp_set(sender, EDO_UDP_MULTICAST_INTERFACE, (int)lo), 0);
    assert_int_equal(edo_udp_try_send_to(sender, "x", 1, &group), 1);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), -EAGAIN);
    assert_int_equal(edo_udp_join_source(a, &group, &source, lo), 0);
    assert_int_equal(edo_udp_try_send_to(sender, "x", 1, &group), 1);
    await_datagram(a);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), 1);
    assert_int_equal(edo_udp_leave_source(a, &group, &source, lo), 0);
    assert_int_equal(edo_udp_join(a, &source, lo), -EINVAL);
    assert_int_equal(edo_udp_join(a, NULL, lo), -EINVAL);
    assert_int_equal(edo_udp_join_source(a, &group, NULL, lo), -EINVAL);
    edo_udp_close(a);
    edo_udp_close(sender);
}

/* The sender's option, not the receiver's, decides whether multicast comes back. */
test(loop)
{
    edo_address group = { { 0 } };
    uint32_t lo = edo_interface_number("lo");
    char buffer[8];
    edo_udp *a = group_socket("239.1.2.5", &group), *sender = loopback_socket(NULL);
    assert_int_equal(edo_udp_join(a, &group, lo), 0);
    assert_int_equal(edo_udp_set(sender, EDO_UDP_MULTICAST_INTERFACE, (int)lo), 0);
    assert_int_equal(edo_udp_get(sender, EDO_UDP_MULTICAST_LOOP), 1);
    assert_int_equal(edo_udp_try_send_to(sender, "x", 1, &group), 1);
    await_datagram(a);
    assert_int_equal(edo_udp_try_recv(a, buffer, 8), 1);
    edo_udp_close(a);
    edo_udp_close(sender);
}

/* ---- broadcast ---- */

test(broadcast_is_a_choice)
{
    edo_udp *socket = loopback_socket(NULL);
    edo_address all = edo_address_v4((const uint8_t[]){ 127, 255, 255, 255 }, 9);
    assert_int_equal(edo_udp_try_send_to(socket, "x", 1, &all), -EACCES);
    assert_int_equal(edo_udp_set(socket, EDO_UDP_BROADCAST, 1), 0);
    assert_int_equal(edo_udp_try_send_to(socket, "x", 1, &all), 1);
    edo_udp_close(socket);
}

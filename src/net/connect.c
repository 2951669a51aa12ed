/* Connects TCP sockets. An operation calls connect(2) in its first poll, and waits by a poll
 * request until the socket is writable. Poll requests work the same with all drivers. A connect to
 * a name is a race (race.c) of such operations. */
#include <edo/time.h>

#include "io/io.h"
#include "net/connect.h"
#include "net/options.h"

/* Overlay of an edo__poll_op, with `events` at the same offset. The first union holds:
 * - while the operation is new: the remote address. In an attempt of a race, this is an
 *   edo__address, otherwise a text.
 * - later, if edo_op.detail has the bit CLAIMED: the stream that is being connected
 * - later, if edo_op.detail has the bit RACING: a race */
typedef struct EDO__OVERLAY connect_op {
    edo_future base;
    union {
        const void *address; // valid in a new operation: remote address
        edo_io *io;
        edo__race *race;
    };
    edo_io **ret_conn;
    union {
        int64_t delay;   // valid in a new operation: ns between the attempts of a race
        uint64_t events; // events of the poll request
    };
    uint64_t progress;
    union {
        struct {
            const void *local;          // valid in a new operation: local address, or NULL
            const edo_tcp_options *tcp; // valid in a new operation: options, or NULL
        };
        void *link[2];
    };
    edo__op_state state;
} connect_op;

EDO__OVERLAY_FITS(connect_op);
_Static_assert(offsetof(connect_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

static connect_op *connect_of(const edo_op *op)
{
    return (connect_op *)(uintptr_t)op;
}

/* Binds a socket to a local address. An address without a host is changed to the wildcard address
 * of the socket's family. */
static int bind_local(edo_fd fd, const edo__address *local, edo__family family)
{
    edo__address address = *local;
    if (address.any && family == EDO__FAMILY_V4) edo__address_to_v4(&address);
    return edo__socket_bind_local(fd, &address);
}

static uint32_t traits_of(bool is_multipath)
{
    return EDO__SOURCE_SOCKET | EDO__SOURCE_TCP | (is_multipath ? 0u : EDO__SOURCE_MADE);
}

/* Opens, binds and connects a socket, and claims the write side of its stream. local may be NULL.
 * Returns: 0 or a negative errno. */
static int begin(edo_op *op, const edo__address *address, const edo__address *local)
{
    edo__family family = (edo__family)address->family;
    bool is_multipath = false;
    edo_fd fd = edo__tcp_open(family, connect_of(op)->tcp, false, &is_multipath);
    if (fd < 0) return fd;
    int rc = local ? bind_local(fd, local, family) : 0;
    if (rc == 0) rc = edo__socket_connect(fd, address);
    edo_io *io = rc == 0 ? edo__fd_io_create(fd, traits_of(is_multipath)) : NULL;
    if (!io) {
        edo__sys_close(fd);
        return rc < 0 ? rc : -ENOMEM;
    }
    connect_of(op)->io = io;
    connect_of(op)->events = EDO_WRITABLE;
    op->detail |= EDO__DETAIL_CLAIMED;
    return edo__source_claim(edo__io_source(io), EDO__SOURCE_WRITING);
}

/* Refuses a socket that has connected to itself. TCP connects a socket to itself if the target is a
 * port of this machine without a listener, and the system has chosen the same port for the socket
 * (simultaneous open, RFC 9293, section 3.5). Makes the following close reset the connection,
 * because otherwise TIME-WAIT would occupy the port. */
static int refuse_itself(edo_fd fd)
{
    edo__address local, peer;
    int rc = edo__socket_local(fd, &local);
    if (rc == 0) rc = edo__socket_peer(fd, &peer);
    if (rc == -ENOTCONN) return 0; // fast open: TCP connects at the first write
    if (rc < 0 || !edo__address_equals(&local, &peer)) return rc;
    edo__socket_reset_at_close(fd);
    return -ECONNREFUSED;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo_io *io = connect_of(op)->io;
    edo__source *source = edo__io_source(io);
    if (result >= 0) result = edo__socket_error(source->fd);
    if (result >= 0) result = refuse_itself(source->fd);
    if (result < 0)
        edo__source_close(source, op->base.ops->name);
    else
        *connect_of(op)->ret_conn = io;
    edo__source_leave(source, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result);
}

static edo_poll go_on(edo_op *op, edo_cx *cx)
{
    edo__source *source = edo__io_source(connect_of(op)->io);
    if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
    return end(op, cx, op->base.result);
}

static edo_op make(const edo_future_ops *ops, const void *address, const void *local,
                   const edo_tcp_options *tcp, int64_t delay, edo_io **ret_conn)
{
    edo_op op = edo__op(ops, NULL, NULL, 0, EDO__POLL | EDO__DETAIL_WRITE_SIDE);
    connect_op *connect = connect_of(&op);
    connect->address = address;
    connect->local = local;
    connect->tcp = tcp;
    connect->ret_conn = ret_conn;
    connect->delay = delay;
    return op;
}

/* ---- to one address ---- */

static int begin_to(edo_op *op)
{
    return begin(op, connect_of(op)->address, connect_of(op)->local);
}

static edo_poll connect_to_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = cx->fate == EDO_LIVE ? begin_to(op) : -ECANCELED;
        if (rc < 0) return edo__op_finish(op, cx, rc);
    }
    return go_on(op, cx);
}

static const edo_future_ops connect_to_ops = { .name = "edo_tcp_connect", .poll = connect_to_poll };

edo_op edo__connect_to(const edo__address *address, const edo__address *local,
                       const edo_tcp_options *tcp, edo_io **ret_conn)
{
    return make(&connect_to_ops, address, local, tcp, 0, ret_conn);
}

/* ---- to an address or a name, given as text ---- */

enum { RACING = 1 << 16 }; // bit of edo_op.detail: the operation has a race

static int begin_race(edo_op *op, const edo__address *local)
{
    edo__race *race = edo__race_create(connect_of(op)->address, local, connect_of(op)->tcp,
                                       connect_of(op)->delay);
    if (!race) return -ENOMEM;
    connect_of(op)->race = race;
    op->detail |= RACING;
    return 0;
}

static int begin_text(edo_op *op)
{
    edo__address address, local;
    const char *text = connect_of(op)->address, *local_text = connect_of(op)->local;
    int rc = local_text ? edo__address_parse(local_text, &local) : 0;
    if (rc < 0) return rc;
    if (edo__address_parse(text, &address) < 0) return begin_race(op, local_text ? &local : NULL);
    return address.any ? -EINVAL : begin(op, &address, local_text ? &local : NULL);
}

static edo_poll race_on(edo_op *op, edo_cx *cx)
{
    int64_t result;
    edo__race *race = connect_of(op)->race;
    if (edo__race_poll(race, cx, &result, connect_of(op)->ret_conn) == EDO_PENDING)
        return EDO_PENDING;
    edo__race_destroy(race);
    return edo__op_finish(op, cx, result);
}

static edo_poll connect_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & (EDO__DETAIL_CLAIMED | RACING))) {
        int rc = cx->fate == EDO_LIVE ? begin_text(op) : -ECANCELED;
        if (rc < 0) return edo__op_finish(op, cx, rc);
    }
    return op->detail & RACING ? race_on(op, cx) : go_on(op, cx);
}

static const edo_future_ops connect_ops = { .name = "edo_tcp_connect", .poll = connect_poll };

/* Limits of the delay between two attempts. RFC 8305, section 5, recommends 250 ms, a minimum of
 * 10 ms and a maximum of 2 s. */
#define DEFAULT_DELAY  edo_ms(250)
#define SHORTEST_DELAY edo_ms(10)
#define LONGEST_DELAY  edo_s(2)

static int64_t delay_of(int64_t asked)
{
    if (asked == 0) return DEFAULT_DELAY;
    if (asked < SHORTEST_DELAY) return SHORTEST_DELAY;
    return asked < LONGEST_DELAY ? asked : LONGEST_DELAY;
}

edo_op edo_tcp_connect_with(const char *address, edo_connect_options options, edo_io **ret_conn)
{
    edo__check_memory("edo_tcp_connect", options.local, "address");
    edo__check_memory("edo_tcp_connect", address, "address");
    edo__check_memory("edo_tcp_connect", ret_conn, "output");
    if (!ret_conn) return edo__op_refuse(-EINVAL);
    return make(&connect_ops, address, options.local, options.tcp, delay_of(options.attempt_delay),
                ret_conn);
}

edo_op edo_tcp_connect_from(const char *local, const char *address, edo_io **ret_conn)
{
    return edo_tcp_connect_with(address, (edo_connect_options){ .local = local }, ret_conn);
}

edo_op edo_tcp_connect(const char *address, edo_io **ret_conn)
{
    return edo_tcp_connect_with(address, (edo_connect_options){ 0 }, ret_conn);
}

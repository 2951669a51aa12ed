/* Connecting. An operation makes the call at once and waits until the socket is writable, by a poll
 * request, alike on all drivers. A connect to a name is a race (race.c) of such operations. */
#include <edo/time.h>

#include "io/io.h"
#include "net/connect.h"

enum { TRAITS = EDO__SOURCE_SOCKET | EDO__SOURCE_TCP | EDO__SOURCE_MADE };

/* "Every address" becomes that of the family in use. */
static int bind_local(edo_fd fd, const edo__address *local, edo__family family)
{
    edo__address address = *local;
    if (address.any && family == EDO__FAMILY_V4) edo__address_to_v4(&address);
    return edo__socket_bind_local(fd, &address);
}

/* Makes the stream of the operation's result its object. local may be NULL. */
static int begin(edo_op *op, const edo__address *address, const edo__address *local)
{
    edo__family family = (edo__family)address->family;
    edo_fd fd = edo__socket_open(family);
    if (fd < 0) return fd;
    int rc = local ? bind_local(fd, local, family) : 0;
    if (rc == 0) rc = edo__socket_connect(fd, address);
    edo_io *io = rc == 0 ? edo__fd_io_create(fd, TRAITS) : NULL;
    if (!io) {
        edo__sys_close(fd);
        return rc < 0 ? rc : -ENOMEM;
    }
    op->object = io;
    op->length = EDO_WRITABLE;
    op->detail |= EDO__DETAIL_CLAIMED;
    return edo__source_claim(edo__io_source(io), EDO__SOURCE_WRITING);
}

/* The system may choose the free port of this machine that a socket connects to as the socket's
 * own. Then TCP connects the socket with itself (RFC 9293, section 3.5), though no listener is
 * there. The reset avoids TIME-WAIT, which would hold the port. */
static int refuse_itself(edo_fd fd)
{
    edo__address local, peer;
    int rc = edo__socket_local(fd, &local);
    if (rc == 0) rc = edo__socket_peer(fd, &peer);
    if (rc < 0 || !edo__address_equals(&local, &peer)) return rc;
    edo__socket_reset_at_close(fd);
    return -ECONNREFUSED;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo_io *io = op->object;
    edo__source *source = edo__io_source(io);
    if (result >= 0) result = edo__socket_error(source->fd);
    if (result >= 0) result = refuse_itself(source->fd);
    if (result < 0)
        edo__source_close(source);
    else
        *(edo_io **)op->data = io;
    edo__source_leave(source, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result);
}

static edo_poll go_on(edo_op *op, edo_cx *cx)
{
    edo__source *source = edo__io_source(op->object);
    if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
    return end(op, cx, op->base.result);
}

static edo_op make(const edo_future_ops *ops, const void *address, const void *local, int64_t delay,
                   edo_io **ret_conn)
{
    return (edo_op){ .base.ops = ops,
                     .object = (void *)(uintptr_t)address,
                     .data = ret_conn,
                     .length = (uint64_t)delay,
                     .link.node.next = (void *)(uintptr_t)local,
                     .detail = EDO__POLL | EDO__DETAIL_WRITE_SIDE };
}

/* ---- to one address; link.node.next: the local one, before the first poll ---- */

static int begin_to(edo_op *op)
{
    return begin(op, op->object, op->link.node.next);
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

edo_op edo__connect_to(const edo__address *address, const edo__address *local, edo_io **ret_conn)
{
    return make(&connect_to_ops, address, local, 0, ret_conn);
}

/* ---- to a text. Before the first poll link.node.next is the text of the local address, and length
 * the ---- delay of attempts. Then the operation has a connection of its own (CLAIMED), or a race
 * as its ---- object (RACING) ---- */

enum { RACING = 1 << 16 }; // in detail

static int begin_race(edo_op *op, const edo__address *local)
{
    edo__race *race = edo__race_create(op->object, local, (int64_t)op->length);
    if (!race) return -ENOMEM;
    op->object = race;
    op->detail |= RACING;
    return 0;
}

static int begin_text(edo_op *op)
{
    edo__address address, local;
    const char *local_text = op->link.node.next;
    int rc = local_text ? edo__address_parse(local_text, &local) : 0;
    if (rc < 0) return rc;
    if (edo__address_parse(op->object, &address) < 0)
        return begin_race(op, local_text ? &local : NULL);
    return address.any ? -EINVAL : begin(op, &address, local_text ? &local : NULL);
}

static edo_poll race_on(edo_op *op, edo_cx *cx)
{
    int64_t result;
    if (edo__race_poll(op->object, cx, &result, op->data) == EDO_PENDING) return EDO_PENDING;
    edo__race_destroy(op->object);
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

/* RFC 8305, section 5: 250 ms recommended, at least 10 ms, at most 2 s. */
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
    return make(&connect_ops, address, options.local, delay_of(options.attempt_delay), ret_conn);
}

edo_op edo_tcp_connect_from(const char *local, const char *address, edo_io **ret_conn)
{
    return edo_tcp_connect_with(address, (edo_connect_options){ .local = local }, ret_conn);
}

edo_op edo_tcp_connect(const char *address, edo_io **ret_conn)
{
    return edo_tcp_connect_with(address, (edo_connect_options){ 0 }, ret_conn);
}

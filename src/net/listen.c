/* Creation of TCP listeners. */
#include "io/io.h"
#include "net/listener.h"
#include "net/lookup.h"
#include "net/options.h"
#include "sys/sys.h"

enum { DEFAULT_BACKLOG = 1024, MOST_LISTENERS = 10000 }; // 10000: a runtime's limit of workers

/* Options of a listener, in edo_op.detail. */
enum { NO_REUSE_ADDRESS = 1, REUSE_PORT = 2, ONLY_V6 = 4 };

static int set_options(edo_fd fd, const edo__address *address, uint32_t flags)
{
    int rc = edo__socket_set(fd, EDO__SOCKET_REUSE_ADDRESS, !(flags & NO_REUSE_ADDRESS));
    if (rc == 0 && (flags & REUSE_PORT)) rc = edo__socket_set(fd, EDO__SOCKET_REUSE_PORT, true);
    if (rc == 0 && address->family == EDO__FAMILY_V6)
        rc = edo__socket_set(fd, EDO__SOCKET_ONLY_V6, !address->any && (flags & ONLY_V6));
    return rc;
}

/* Opens a socket for the address. On a machine without IPv6, the address ":port" is changed to
 * IPv4. */
static edo_fd open_socket(edo__address *address, const edo_tcp_options *options,
                          bool *ret_is_multipath)
{
    edo_fd fd = edo__tcp_open((edo__family)address->family, options, true, ret_is_multipath);
    if (fd != -EAFNOSUPPORT || !address->any) return fd;
    edo__address_to_v4(address);
    return edo__tcp_open(EDO__FAMILY_V4, options, true, ret_is_multipath);
}

typedef struct EDO__OVERLAY listen_op {
    edo_future base;
    const char *address;
    edo_listener **ret_listeners;
    int32_t backlog;
    uint32_t count; // number of listeners on the address
    uint64_t progress;
    struct naming *naming; // NULL unless the address is a name
    const edo_tcp_options *tcp;
    edo__op_state state;
} listen_op;

EDO__OVERLAY_FITS(listen_op);

static listen_op *listen_of(const edo_op *op)
{
    return (listen_op *)(uintptr_t)op;
}

/* Stores the port of a group's first listener in *address. The other listeners of the group use the
 * same port. */
static int choose_port(edo_fd fd, edo__address *address)
{
    edo__address local;
    int rc = edo__socket_local(fd, &local);
    if (rc == 0) address->port = local.port;
    return rc;
}

/* Opens one listener. Changes *address to the address on which the listener listens. */
static int open_one(const edo_op *op, edo__address *address, edo_listener **ret_listener)
{
    bool is_multipath = false;
    edo_fd fd = open_socket(address, listen_of(op)->tcp, &is_multipath);
    if (fd < 0) return fd;
    int rc = set_options(fd, address, op->detail);
    if (rc == 0) rc = edo__socket_bind(fd, address);
    if (rc == 0) rc = edo__socket_listen(fd, listen_of(op)->backlog);
    if (rc == 0 && listen_of(op)->count > 1) rc = choose_port(fd, address);
    uint32_t made = is_multipath ? 0 : EDO__SOURCE_MADE;
    edo_listener *listener = rc == 0 ? edo__listener_create(fd, EDO__SOURCE_TCP | made) : NULL;
    if (!listener) {
        edo__sys_close(fd);
        return rc < 0 ? rc : -ENOMEM;
    }
    *ret_listener = listener;
    return 0;
}

/* Opens all listeners, or none. */
static int open_listeners(const edo_op *op, edo__address address)
{
    edo_listener **made = listen_of(op)->ret_listeners;
    for (uint32_t i = 0; i < listen_of(op)->count; i++) {
        int rc = open_one(op, &address, &made[i]);
        if (rc == 0) continue;
        while (i > 0)
            edo_listener_close(made[--i]);
        return rc;
    }
    return 0;
}

/* Look-up of the name to listen on. */
typedef struct naming {
    edo_op lookup;
    edo_addresses *found;
} naming;

static int begin_naming(edo_op *op)
{
    naming *name = edo__alloc_zeroed(sizeof *name);
    if (!name) return -ENOMEM;
    name->lookup = edo__lookup(listen_of(op)->address, EDO__FAMILY_ANY, &name->found);
    listen_of(op)->naming = name;
    return 0;
}

/* Listens on the first address that works. Returns: 0, or the last error. */
static int listen_at_first(edo_op *op, const edo_addresses *addresses)
{
    int rc = -ENOENT;
    for (size_t i = 0; rc < 0 && i < addresses->count; i++)
        rc = open_listeners(op, edo__addresses_at(addresses, i));
    return rc;
}

static edo_poll go_on_naming(edo_op *op, edo_cx *cx)
{
    naming *name = listen_of(op)->naming;
    if (edo_poll_future(&name->lookup.base, cx) == EDO_PENDING) return EDO_PENDING;
    int rc = (int)name->lookup.base.result;
    if (rc == 0) rc = cx->fate == EDO_LIVE ? listen_at_first(op, name->found) : -ECANCELED;
    edo_addresses_destroy(name->found);
    edo__free(name, sizeof *name);
    return edo__op_finish(op, cx, rc);
}

static edo_poll listen_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__address address;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!listen_of(op)->naming) {
        if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
        if (edo__address_parse(listen_of(op)->address, &address) == 0)
            return edo__op_finish(op, cx, open_listeners(op, address));
        int rc = begin_naming(op);
        if (rc < 0) return edo__op_finish(op, cx, rc);
    }
    return go_on_naming(op, cx);
}

static edo_op make(const edo_future_ops *ops, const char *address, edo_listen_options options,
                   edo_listener **ret_listeners, uint32_t count)
{
    edo__check_memory(ops->name, address, "address");
    edo__check_memory(ops->name, ret_listeners, "output");
    if (!ret_listeners || count < 1 || count > MOST_LISTENERS) return edo__op_refuse(-EINVAL);
    uint32_t detail = (options.no_reuse_address ? NO_REUSE_ADDRESS : 0u) |
                      (options.reuse_port ? REUSE_PORT : 0u) | (options.only_v6 ? ONLY_V6 : 0u);
    edo_op op = edo__op(ops, NULL, NULL, 0, detail);
    listen_of(&op)->address = address;
    listen_of(&op)->ret_listeners = ret_listeners;
    listen_of(&op)->tcp = options.tcp;
    listen_of(&op)->backlog = options.backlog > 0 ? options.backlog : DEFAULT_BACKLOG;
    listen_of(&op)->count = count;
    return op;
}

edo_op edo_tcp_listen_with(const char *address, edo_listen_options options,
                           edo_listener **ret_listener)
{
    static const edo_future_ops ops = { .name = "edo_tcp_listen", .poll = listen_poll };
    return make(&ops, address, options, ret_listener, 1);
}

edo_op edo_tcp_listen(const char *address, edo_listener **ret_listener)
{
    return edo_tcp_listen_with(address, (edo_listen_options){ 0 }, ret_listener);
}

edo_op edo_tcp_listen_group(const char *address, edo_listen_options options,
                            edo_listener **ret_listeners, size_t count)
{
    static const edo_future_ops ops = { .name = "edo_tcp_listen_group", .poll = listen_poll };
    options.reuse_port = true;
    return make(&ops, address, options, ret_listeners,
                count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
}

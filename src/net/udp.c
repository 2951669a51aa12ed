/* Creation and end of UDP sockets. */
#include "net/udp.h"

#include "net/address.h"
#include "runtime/inspect/maker.h"
#include "sys/datagrams.h"
#include "sys/sys.h"

/* ---- the end ---- */

static void release_part(edo_udp *socket)
{
    if (edo_sub_acq_rel(&socket->parts, 1) == 1) edo__free_closed(socket, sizeof *socket);
}

static void release_source(edo__source *source)
{
    release_part(edo__container(source, edo_udp, source));
}

static const edo__source_ops source_ops = { .release = release_source };

static void release_errors(edo__source *source)
{
    release_part(edo__container(source, edo_udp, errors));
}

static const edo__source_ops errors_ops = { .release = release_errors };

/* A claim keeps the socket in memory during the close. */
static void close_both(edo_udp *socket, const char *call)
{
    int rc = edo__source_claim(&socket->source, EDO__SOURCE_WRITING);
    edo__source_close(&socket->errors, call);
    edo__source_close(&socket->source, call);
    if (rc == 0) edo__source_leave(&socket->source, EDO__SOURCE_WRITING);
}

void edo_udp_close(edo_udp *socket)
{
    if (!socket) return;
    edo__source_check_open(&socket->source, "edo_udp_close");
    close_both(socket, "edo_udp_close");
}

/* ---- making ---- */

enum {
    TRAITS = EDO__SOURCE_SOCKET | EDO__SOURCE_DATAGRAM | EDO__SOURCE_SEVERAL,
    TRAITS_OF_ERRORS = EDO__SOURCE_SOCKET | EDO__SOURCE_DATAGRAM | EDO__SOURCE_BORROWED,
    PARTS = 2,
};

static edo_udp *create(edo_fd fd, bool is_v6)
{
    edo_udp *socket = edo__alloc_zeroed(sizeof *socket);
    if (!socket) return NULL;
    edo__source_init(&socket->source, fd, TRAITS, &source_ops);
    edo__source_init(&socket->errors, fd, TRAITS_OF_ERRORS, &errors_ops);
    edo_store_relaxed(&socket->parts, PARTS);
    edo_store_relaxed(&socket->no_segments, !edo__datagram_can_segment(fd));
    socket->is_v6 = is_v6;
    edo__source_note_maker(&socket->source, "socket");
    return socket;
}

static int set_if(edo_fd fd, edo__socket_option option, int value)
{
    return value ? edo__socket_set(fd, option, value) : 0;
}

static int set_options(edo_fd fd, const edo_udp_options *options, bool is_v6)
{
    int rc = options->send_buffer < 0 || options->recv_buffer < 0 ? -EINVAL : 0;
    if (rc == 0) rc = set_if(fd, EDO__SOCKET_REUSE_ADDRESS, options->reuse_address);
    if (rc == 0) rc = set_if(fd, EDO__SOCKET_REUSE_PORT, options->reuse_port);
    if (rc == 0) rc = set_if(fd, EDO__SOCKET_BROADCAST, options->broadcast);
    if (rc == 0) rc = set_if(fd, EDO__SOCKET_SEND_BUFFER, options->send_buffer);
    if (rc == 0) rc = set_if(fd, EDO__SOCKET_RECV_BUFFER, options->recv_buffer);
    if (rc == 0 && is_v6) rc = edo__socket_set(fd, EDO__SOCKET_ONLY_V6, options->only_v6);
    if (rc == 0 && options->device) rc = edo__socket_set_device(fd, options->device);
    return rc;
}

/* Makes a socket for addresses of a family. Returns: its descriptor. */
static edo_fd open_socket(edo_address_family family, const edo_udp_options *options)
{
    static const edo_udp_options defaults = { 0 };
    bool is_v6 = family == EDO_ADDRESS_V6;
    if (!is_v6 && family != EDO_ADDRESS_V4) return -EINVAL;
    edo_fd fd = edo__socket_make(is_v6 ? EDO__FAMILY_V6 : EDO__FAMILY_V4, EDO__SOCKET_DATAGRAM);
    if (fd < 0) return fd;
    int rc = set_options(fd, options ? options : &defaults, is_v6);
    if (rc == 0) return fd;
    edo__sys_close(fd);
    return rc;
}

/* Makes a socket, and binds it or connects it. */
static int make(const edo_address *address, const edo_udp_options *options, bool connects,
                edo_udp **ret_socket)
{
    if (!address || !ret_socket) return -EINVAL;
    edo_address_family family = edo__address_family(address);
    edo_fd fd = open_socket(family, options);
    if (fd < 0) return fd;
    int rc = connects ? edo__socket_connect_to(fd, address) : edo__socket_bind_to(fd, address);
    edo_udp *socket = rc == 0 ? create(fd, family == EDO_ADDRESS_V6) : NULL;
    if (!socket) {
        edo__sys_close(fd);
        return rc < 0 ? rc : -ENOMEM;
    }
    edo_store_relaxed(&socket->is_connected, connects);
    *ret_socket = socket;
    return 0;
}

int edo_udp_bind(const edo_address *address, const edo_udp_options *options, edo_udp **ret_socket)
{
    return make(address, options, false, ret_socket);
}

/* On a machine without IPv6, the address ":port" is changed to IPv4. */
int edo_udp_bind_text(const char *text, const edo_udp_options *options, edo_udp **ret_socket)
{
    edo__address parts;
    int rc = edo__address_parse(text, &parts);
    if (rc < 0) return rc;
    edo_address address = edo__address_pack(&parts);
    rc = make(&address, options, false, ret_socket);
    if (rc != -EAFNOSUPPORT || !parts.any) return rc;
    edo__address_to_v4(&parts);
    address = edo__address_pack(&parts);
    return make(&address, options, false, ret_socket);
}

int edo_udp_open(const edo_address *peer, const edo_udp_options *options, edo_udp **ret_socket)
{
    return make(peer, options, true, ret_socket);
}

/* ---- descriptors ---- */

int edo_udp_from_fd(edo_fd fd, edo_udp **ret_socket)
{
    edo__socket_kind kind;
    edo_address peer;
    if (!ret_socket) return -EINVAL;
    int rc = edo__socket_describe(fd, &kind);
    if (rc < 0) return rc;
    if (!kind.is_udp || kind.type != EDO__SOCKET_DATAGRAM) return -EINVAL;
    edo_udp *socket = create(fd, kind.family == EDO__FAMILY_V6);
    if (!socket) return -ENOMEM;
    edo_store_relaxed(&socket->is_connected, edo__socket_peer_name(fd, &peer) == 0);
    *ret_socket = socket;
    return 0;
}

edo_fd edo__udp_fd(const edo_udp *socket, const char *call)
{
    if (!socket) return -EINVAL;
    edo__source_check(&socket->source, call);
    return socket->source.fd;
}

edo_fd edo_udp_fd(const edo_udp *socket)
{
    return edo__udp_fd(socket, "edo_udp_fd");
}

edo_fd edo_udp_into_fd(edo_udp *socket)
{
    static const char call[] = "edo_udp_into_fd";
    edo_fd fd = edo__udp_fd(socket, call);
    int rc = fd < 0 ? fd : edo__source_claim(&socket->source, EDO__BOTH_SIDES);
    if (rc < 0) return rc;
    socket->source.traits |= EDO__SOURCE_BORROWED;
    edo__source_close(&socket->errors, call);
    edo__source_close(&socket->source, call);
    edo__source_leave(&socket->source, EDO__BOTH_SIDES);
    return fd;
}

/* ---- names ---- */

int edo_udp_connect(edo_udp *socket, const edo_address *peer)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_connect");
    int rc = fd < 0 ? fd : edo__socket_connect_to(fd, peer);
    if (rc == 0) edo_store_relaxed(&socket->is_connected, peer != NULL);
    return rc;
}

int edo_udp_local(const edo_udp *socket, edo_address *ret_address)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_local");
    if (fd < 0 || !ret_address) return -EINVAL;
    return edo__socket_name(fd, ret_address);
}

int edo_udp_peer(const edo_udp *socket, edo_address *ret_address)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_peer");
    if (fd < 0 || !ret_address) return -EINVAL;
    return edo__socket_peer_name(fd, ret_address);
}

int edo_udp_take_error(edo_udp *socket)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_take_error");
    return fd < 0 ? fd : edo__socket_error(fd);
}

/* Creation of Unix sockets: sockets of all types, pairs, and datagram sockets. */
#include "net/unix.h"
#include "sys/sys.h"

edo__socket_type edo__unix_type(edo_unix_type type)
{
    switch (type) {
    case EDO_UNIX_STREAM: return EDO__SOCKET_STREAM;
    case EDO_UNIX_SEQPACKET: return EDO__SOCKET_SEQPACKET;
    case EDO_UNIX_DATAGRAM: return EDO__SOCKET_DATAGRAM;
    }
    return EDO__SOCKET_OTHER_TYPE;
}

uint32_t edo__unix_traits(edo_unix_type type, bool credentials)
{
    bool is_plain = type == EDO_UNIX_STREAM && !credentials;
    return edo__socket_type_traits(edo__unix_type(type)) | (is_plain ? EDO__SOURCE_MADE : 0);
}

int edo__unix_prepare(edo_fd fd, edo_unix_type type, bool credentials)
{
    bool needs = credentials || type == EDO_UNIX_SEQPACKET; // receive_record() recognizes a record
                                                            // by its credentials
    return needs ? edo__local_set_credentials(fd, true) : 0;
}

/* Makes the stream of a new socket. On failure the socket still belongs to the caller. */
static int wrap(edo_fd fd, edo_unix_type type, bool credentials, edo_io **ret_io)
{
    int rc = edo__unix_prepare(fd, type, credentials);
    if (rc < 0) return rc;
    uint32_t traits = edo__unix_traits(type, credentials);
    edo_io *io = edo__fd_io_create(fd, EDO__SOURCE_SOCKET | traits);
    if (!io) return -ENOMEM;
    *ret_io = io;
    return 0;
}

int edo__unix_open(edo_unix_type type, bool credentials, edo_io **ret_io)
{
    edo_fd fd = edo__socket_make(EDO__FAMILY_UNIX, edo__unix_type(type));
    int rc = fd < 0 ? fd : wrap(fd, type, credentials, ret_io);
    if (rc < 0) edo__sys_close(fd);
    return rc;
}

/* ---- pairs ---- */

int edo_unix_pair_of(edo_unix_type type, edo_io **ret_end, edo_io **ret_other)
{
    edo_fd fds[2];
    edo_io *end = NULL, *other = NULL;
    if (!ret_end || !ret_other || (unsigned)type > EDO_UNIX_DATAGRAM) return -EINVAL;
    int rc = edo__socket_make_pair(edo__unix_type(type), fds);
    if (rc < 0) return rc;
    rc = wrap(fds[0], type, false, &end);
    if (rc < 0) edo__sys_close(fds[0]);
    if (rc == 0) rc = wrap(fds[1], type, false, &other);
    if (rc < 0) {
        edo_close(end);
        edo__sys_close(fds[1]);
        return rc;
    }
    *ret_end = end;
    *ret_other = other;
    return 0;
}

int edo_unix_pair(edo_io **ret_end, edo_io **ret_other)
{
    return edo_unix_pair_of(EDO_UNIX_STREAM, ret_end, ret_other);
}

/* ---- datagrams ---- */

int edo_unix_datagram(const char *address, uint32_t mode, edo_io **ret_io)
{
    edo_address parsed;
    edo_io *io = NULL;
    if (!ret_io) return -EINVAL;
    int rc = address ? edo__unix_parse(address, &parsed) : 0;
    if (rc == 0) rc = edo__unix_open(EDO_UNIX_DATAGRAM, false, &io);
    if (rc == 0 && address)
        rc = edo__local_bind(edo__io_source(io)->fd, &parsed, &(edo__local_rights){ .mode = mode });
    if (rc < 0)
        edo_close(io);
    else
        *ret_io = io;
    return rc;
}

int edo_unix_datagram_connect(edo_io *io, const char *address)
{
    edo_address parsed;
    edo_fd fd = edo__unix_socket_of(io, "edo_unix_datagram_connect");
    if (fd < 0) return fd;
    uint32_t kind = edo__io_source(io)->traits & (EDO__SOURCE_DATAGRAM | EDO__SOURCE_RECORDS);
    if (kind != EDO__SOURCE_DATAGRAM) return -ENOTSUP;
    int rc = address ? edo__unix_parse_peer(address, &parsed) : 0;
    return rc < 0 ? rc : edo__socket_connect_to(fd, address ? &parsed : NULL);
}

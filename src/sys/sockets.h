/* Contract with the operating system: sockets, network addresses, and kinds of files. Thread: any.
 * Results are 0 or a negative errno, except where a comment says otherwise. */
#pragma once

#include <edo/address.h>

/* ---- addresses ---- */

typedef enum edo__family {
    EDO__FAMILY_ANY, // in a look-up: IPv4 and IPv6
    EDO__FAMILY_V4,
    EDO__FAMILY_V6,
    EDO__FAMILY_UNIX, // family of a socket, never of an edo__address
} edo__family;

/* Address and port of one end of a connection. A plain value. */
typedef struct edo__address {
    uint8_t ip[16]; // network order; IPv4: the first four bytes, then zeros
    uint32_t zone;  // number of the interface of a link-local IPv6 address, or 0
    uint16_t port;  // host order
    uint8_t family; // EDO__FAMILY_V4 or V6
    bool any;       // the text was ":port": all addresses of the machine, in both families
} edo__address;

/* Compares two addresses, except the member `any`. */
bool edo__address_equals(const edo__address *a, const edo__address *b);

/* Whether an IPv6 address contains an IPv4 address ("::ffff:1.2.3.4"). */
bool edo__address_is_v4_mapped(const edo__address *address);

/* Parses a numeric IP address of the given family, without zone and brackets. Returns: 0;
 * -EINVAL. */
int edo__ip_parse(const char *text, edo__family family, uint8_t ret_ip[16]);

/* Convert between an edo_address and a struct sockaddr, as edo_address_from_system() and
 * edo_address_system(). */
int edo__address_from_system(const void *sockaddr, size_t size, edo_address *ret_address);
const void *edo__address_to_system(const edo_address *address, size_t *ret_size);

edo_address_family edo__address_family(const edo_address *address);

/* Convert between an edo_address and its parts. Returns: 0; -EAFNOSUPPORT for families other than
 * IPv4 and IPv6. */
edo_address edo__address_pack(const edo__address *parts);
int edo__address_unpack(const edo_address *address, edo__address *ret_parts);

/* Makes the address of a Unix socket from a name of exactly `size` bytes. Returns: 0;
 * -ENAMETOOLONG. */
int edo__address_pack_name(const void *name, size_t size, bool abstract, edo_address *ret_address);

int edo__address_pack_unnamed(edo_address *ret_address); // a Unix socket without a name

/* Finds the name of a Unix socket, as edo_address_name(). */
size_t edo__address_name(const edo_address *address, const char **ret_name, bool *ret_abstract);

enum { EDO__IP_TEXT_SIZE = 46 }; // with the final NUL

/* Writes an IP address as text, in numeric form. */
void edo__ip_format(const edo__address *address, char text[EDO__IP_TEXT_SIZE]);

/* Returns: the number of a network interface; 0 if the name is unknown. */
uint32_t edo__interface_number(const char *name);

/* Looks up all addresses of a host. Blocks without a time limit. Stores the addresses in an array
 * from edo__alloc(), in the order in which the caller should try them.
 * service: a port or a name. family: family of the addresses, or ANY.
 * Returns: the number of addresses, at least 1; or a negative errno (see edo_lookup()). */
int edo__sys_resolve(const char *host, const char *service, edo__family family,
                     edo__address **ret_addresses);

/* Replaces the function that edo__sys_resolve() calls, for tests. NULL restores the system's
 * function. Must not be called during a look-up. */
typedef int edo__resolve_fn(const char *host, const char *service, edo__family family,
                            edo__address **ret_addresses);
void edo__sys_set_resolver(edo__resolve_fn *resolver);

/* ---- sockets ---- */

typedef enum edo__socket_type {
    EDO__SOCKET_OTHER_TYPE,
    EDO__SOCKET_STREAM,
    EDO__SOCKET_DATAGRAM,
    EDO__SOCKET_SEQPACKET,
} edo__socket_type;

/* Makes a socket, non-blocking and closed by exec. Returns: the descriptor. */
edo_fd edo__socket_make(edo__family family, edo__socket_type type);

/* Makes two connected sockets. Returns: 0 or a negative errno. */
int edo__socket_make_pair(edo__socket_type type, edo_fd ret_fds[2]);

/* Makes a TCP socket. */
edo_fd edo__socket_open(edo__family family);

/* edo__socket_bind_to and edo__socket_connect_to bind and connect a socket of any family to an
 * edo_address. A connect to NULL ends the connection of a datagram socket. A connect of a stream
 * socket works as edo__socket_connect(). If the listener of a Unix socket has no room, the connect
 * returns -EAGAIN. edo__socket_name reads the address of the socket, edo__socket_peer_name the
 * address of its peer. */
int edo__socket_bind_to(edo_fd fd, const edo_address *address);
int edo__socket_connect_to(edo_fd fd, const edo_address *address);
int edo__socket_name(edo_fd fd, edo_address *ret_address);
int edo__socket_peer_name(edo_fd fd, edo_address *ret_address);

int edo__socket_bind(edo_fd fd, const edo__address *address);

/* Binds a socket before a connect. If the port is 0, the system chooses a port later, when the peer
 * is known. */
int edo__socket_bind_local(edo_fd fd, const edo__address *address);
int edo__socket_listen(edo_fd fd, int backlog);

/* Begins to connect. The socket becomes writable when the attempt has ended. After that,
 * edo__socket_error() returns the result of the attempt. Returns: 0, even if the attempt has
 * already ended. */
int edo__socket_connect(edo_fd fd, const edo__address *address);

/* Read the address of a socket, or the address of its peer. Returns: 0; -EAFNOSUPPORT if the socket
 * is neither IPv4 nor IPv6. */
int edo__socket_local(edo_fd fd, edo__address *ret_address);
int edo__socket_peer(edo_fd fd, edo__address *ret_address);

/* Reads and clears the pending error. Returns: 0, or that error as a negative errno. */
int edo__socket_error(edo_fd fd);

int edo__socket_shutdown_write(edo_fd fd);

/* Reads once, without blocking, and drops the bytes. tcp: whether the socket is a TCP socket. The
 * kernel drops the bytes of a TCP socket without a copy. Returns: 1 if there may be more input; 0
 * at the end; -EAGAIN. */
int edo__socket_drop_input(edo_fd fd, bool tcp);

/* Makes a later close of the connection send a reset. */
void edo__socket_reset_at_close(edo_fd fd);

typedef struct edo__socket_kind {
    edo__family family; // ANY: a family that edo does not know
    edo__socket_type type;
    bool is_tcp;       // TCP or MPTCP; the socket has the options of TCP
    bool is_plain_tcp; // TCP, not MPTCP
    bool is_udp;
    bool listens;
} edo__socket_kind;

int edo__socket_describe(edo_fd fd, edo__socket_kind *ret_kind); // -ENOTSOCK, -EBADF

/* Options whose value is a number. The value of a flag is 0 or 1. */
typedef enum edo__socket_option {
    EDO__SOCKET_REUSE_ADDRESS,
    EDO__SOCKET_REUSE_PORT,
    EDO__SOCKET_ONLY_V6,
    EDO__SOCKET_NODELAY,
    EDO__SOCKET_KEEPALIVE,
    EDO__SOCKET_KEEPALIVE_IDLE,     // seconds
    EDO__SOCKET_KEEPALIVE_INTERVAL, // seconds
    EDO__SOCKET_KEEPALIVE_COUNT,
    EDO__SOCKET_SEND_BUFFER, // bytes
    EDO__SOCKET_RECV_BUFFER, // bytes
    EDO__SOCKET_TTL_V4,
    EDO__SOCKET_TTL_V6,
    EDO__SOCKET_TOS_V4,
    EDO__SOCKET_TOS_V6,
    EDO__SOCKET_BROADCAST,
} edo__socket_option;

int edo__socket_set(edo_fd fd, edo__socket_option option, int value);
int edo__socket_get(edo_fd fd, edo__socket_option option); // the value, >= 0

/* Set and read SO_LINGER. seconds: -1 if the option is off. */
int edo__socket_set_linger(edo_fd fd, int seconds);
int edo__socket_linger(edo_fd fd, int *ret_seconds);

/* ---- descriptors of any kind ---- */

typedef enum edo__file_kind {
    EDO__FILE_SOCKET,
    EDO__FILE_PIPE,
    EDO__FILE_CHARACTER, // a terminal, a device
    EDO__FILE_MASTER,    // the master of a pseudo-terminal
    EDO__FILE_REGULAR,   // of these, only some in /proc and /sys can be polled
    EDO__FILE_OTHER,
} edo__file_kind;

/* Finds the kind of a file, and checks that the file can be polled. Returns: an edo__file_kind;
 * -EPERM if the file cannot be polled; -EBADF; or an error of the check itself, such as -EMFILE. */
int edo__sys_pollable_kind(edo_fd fd);

/* Checks whether a descriptor can be polled. Returns: 0; -EPERM if not; or an error of the
 * check. */
int edo__sys_check_pollable(edo_fd fd);

/* Opens a terminal or a named pipe again, as a private non-blocking file. Afterwards, the
 * descriptor refers to the new open file. Before, it referred to one that other processes may
 * share. Has no effect on other kinds of files, or if the file cannot be opened again. Called
 * before a driver first uses the descriptor. */
void edo__sys_make_private(edo_fd fd, edo__file_kind kind);

/* Opens a terminal, a named pipe or an unnamed pipe again, as a private non-blocking file. Returns:
 * a new descriptor, closed by exec; or a negative errno if the file is of another kind, or if the
 * process has no right to open the file again. */
edo_fd edo__sys_open_private(edo_fd fd, edo__file_kind kind);

/* Clears O_NONBLOCK on the open file of a descriptor if edo has set that flag. Called after the
 * last use of the descriptor. */
void edo__sys_put_back_status(edo_fd fd);

/* Addresses of sockets, as values.
 *
 * An edo_address is plain data. The struct is copied by assignment, may be in any memory, and owns
 * nothing. It contains, in the system's own form, either an IPv4 or IPv6 address with its port, or
 * the name of a Unix socket. A zeroed edo_address means "no address" (EDO_ADDRESS_NONE).
 *
 * The text of an address:
 *
 *     127.0.0.1:8080  [::1]:8080  [fe80::1%eth0]:8080     IPv4, IPv6, IPv6 with its interface
 *     :8080                                               the same as [::]:8080
 *     unix:/run/socket                                    a Unix socket with a path
 *     unix:@name                                          a Unix socket with an abstract name
 *     unix:                                               a Unix socket without a name
 *
 * In names of Unix sockets, control characters and backslashes are written as \xNN. An @ at the
 * beginning of a path is written in the same way. An address never has the name of a host:
 * edo_lookup() (edo/net.h) finds the addresses of a host.
 *
 * No function here allocates or waits. A function fails only where its comment says so.
 * Thread: any.
 */
#pragma once

#include <edo/base.h>

EDO_BEGIN_DECLS

typedef enum edo_address_family {
    EDO_ADDRESS_NONE,
    EDO_ADDRESS_V4,
    EDO_ADDRESS_V6,
    EDO_ADDRESS_UNIX,
    EDO_ADDRESS_OTHER, // address of another kind of socket
} edo_address_family;

/* All members are private. */
typedef struct edo_address {
    uint64_t opaque[14];
} edo_address;

/* Size of a buffer that is large enough for any address as text, with the final NUL. */
#define EDO_ADDRESS_TEXT_SIZE 448

/* ---- making ---- */

/* Parses a text of the forms above.
 * Returns: 0; -EINVAL; -ENAMETOOLONG for the name of a Unix socket. */
EDO_API EDO_MUST_USE int edo_address_parse(const char *text, edo_address *ret_address);

/* Parses an IP address without port or brackets: "127.0.0.1", "::1", "fe80::1%eth0".
 * Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_address_parse_ip(const char *text, uint16_t port,
                                              edo_address *ret_address);

/* Makes an address from an IP address and a port.
 * ip: 4 or 16 bytes in network order. scope: number of the interface of a link-local address, or
 * 0. */
EDO_API edo_address edo_address_v4(const uint8_t ip[4], uint16_t port);
EDO_API edo_address edo_address_v6(const uint8_t ip[16], uint16_t port, uint32_t scope);

/* Makes the address of a Unix socket. path: the path of the file. name: an abstract name of exactly
 * `size` bytes, which may contain NULs.
 * Returns: 0; -EINVAL for an empty path; -ENAMETOOLONG for a path of more than 108 bytes, or for a
 * name of more than 107 bytes. */
EDO_API EDO_MUST_USE int edo_address_unix(const char *path, edo_address *ret_address);
EDO_API EDO_MUST_USE int edo_address_unix_abstract(const void *name, size_t size,
                                                   edo_address *ret_address);

/* Converts an address from the system's form, which is a struct sockaddr of `size` bytes.
 * Returns: 0; -EINVAL for a size that does not fit the family, or is above 110. */
EDO_API EDO_MUST_USE int edo_address_from_system(const void *sockaddr, size_t size,
                                                 edo_address *ret_address);

/* Number of the network interface with a given name; 0: there is no such interface. */
EDO_API uint32_t edo_interface_number(const char *name);

/* ---- inspecting ---- */

EDO_API edo_address_family edo_address_family_of(const edo_address *address);

/* The port; 0 for families without ports. */
EDO_API uint16_t edo_address_port(const edo_address *address);

/* Sets the port of an IP address; no effect on other addresses. */
EDO_API void edo_address_set_port(edo_address *address, uint16_t port);

/* Copies the bytes of an IP address, in network order. Returns: 4 or 16; 0 for other addresses. */
EDO_API size_t edo_address_ip(const edo_address *address, uint8_t ret_ip[16]);

/* The number of an IPv6 address's interface; 0: none. */
EDO_API uint32_t edo_address_scope(const edo_address *address);
EDO_API void edo_address_set_scope(edo_address *address, uint32_t scope); // IPv6 only

/* Gives the name of a Unix socket. *ret_name points into `address`. The name has no final NUL.
 * ret_name and ret_abstract may be NULL.
 * Returns: the number of bytes. For a socket without a name and for other addresses, the result is
 * 0 and *ret_name is NULL. */
EDO_API size_t edo_address_name(const edo_address *address, const char **ret_name,
                                bool *ret_abstract);

/* Gives the address in the system's form, as a struct sockaddr within `address`. Returns: NULL for
 * EDO_ADDRESS_NONE. */
EDO_API const void *edo_address_system(const edo_address *address, size_t *ret_size);

/* Writes an address as text, with the final NUL.
 * Returns: the length; -ENOSPC if the buffer is too small; -EINVAL if `address` is NULL, or if
 * `buffer` is NULL and `size` is not 0; -EAFNOSUPPORT for EDO_ADDRESS_NONE and
 * EDO_ADDRESS_OTHER. */
EDO_API int edo_address_format(const edo_address *address, char *buffer, size_t size);

/* ---- kinds of IP addresses; false for all others ---- */

EDO_API bool edo_address_is_unspecified(const edo_address *address); // 0.0.0.0, [::]
EDO_API bool edo_address_is_loopback(const edo_address *address);
EDO_API bool edo_address_is_multicast(const edo_address *address);
EDO_API bool edo_address_is_broadcast(const edo_address *address); // 255.255.255.255
EDO_API bool edo_address_is_link_local(const edo_address *address);
EDO_API bool edo_address_is_private(const edo_address *address); // RFC 1918, fc00::/7

/* Whether an IPv6 address contains an IPv4 address, such as [::ffff:1.2.3.4]:80. Sockets for both
 * families show IPv4 peers in this form. */
EDO_API bool edo_address_is_v4_mapped(const edo_address *address);

/* Returns: the IPv4 address within a v4-mapped address; any other address unchanged. */
EDO_API edo_address edo_address_unmapped(const edo_address *address);

/* ---- comparing ---- */

EDO_API bool edo_address_equals(const edo_address *a, const edo_address *b);

/* Order of addresses: by family, then by address, port and interface. Returns: < 0, 0, > 0. */
EDO_API int edo_address_compare(const edo_address *a, const edo_address *b);

/* Hashes an address. Within one process, equal addresses have the same hash. */
EDO_API uint64_t edo_address_hash(const edo_address *address);

EDO_END_DECLS

/* Conversion between edo__address and struct sockaddr, and IP addresses as text. */
#include "sys/linux/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(EDO__IP_TEXT_SIZE >= INET6_ADDRSTRLEN, "room for any address");

int edo__family_to_af(edo__family family)
{
    switch (family) {
    case EDO__FAMILY_V4: return AF_INET;
    case EDO__FAMILY_V6: return AF_INET6;
    case EDO__FAMILY_UNIX: return AF_UNIX;
    case EDO__FAMILY_ANY: break;
    }
    return AF_UNSPEC;
}

static socklen_t to_v4(const edo__address *address, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(address->port) };
    memcpy(&v4.sin_addr, address->ip, sizeof v4.sin_addr);
    memcpy(ret, &v4, sizeof v4);
    return sizeof v4;
}

static socklen_t to_v6(const edo__address *address, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(address->port),
                               .sin6_scope_id = address->zone };
    memcpy(&v6.sin6_addr, address->ip, sizeof v6.sin6_addr);
    memcpy(ret, &v6, sizeof v6);
    return sizeof v6;
}

socklen_t edo__address_to_sockaddr(const edo__address *address, struct sockaddr_storage *ret)
{
    return address->family == EDO__FAMILY_V4 ? to_v4(address, ret) : to_v6(address, ret);
}

static edo__address from_v4(const struct sockaddr_storage *storage)
{
    struct sockaddr_in v4;
    memcpy(&v4, storage, sizeof v4);
    edo__address address = { .family = EDO__FAMILY_V4, .port = ntohs(v4.sin_port) };
    memcpy(address.ip, &v4.sin_addr, sizeof v4.sin_addr);
    return address;
}

static edo__address from_v6(const struct sockaddr_storage *storage)
{
    struct sockaddr_in6 v6;
    memcpy(&v6, storage, sizeof v6);
    edo__address address = { .family = EDO__FAMILY_V6,
                             .port = ntohs(v6.sin6_port),
                             .zone = v6.sin6_scope_id };
    memcpy(address.ip, &v6.sin6_addr, sizeof v6.sin6_addr);
    return address;
}

int edo__address_from_sockaddr(const struct sockaddr_storage *storage, edo__address *ret_address)
{
    switch (storage->ss_family) {
    case AF_INET: *ret_address = from_v4(storage); return 0;
    case AF_INET6: *ret_address = from_v6(storage); return 0;
    default: return -EAFNOSUPPORT;
    }
}

/* ---- edo_address ---- */

_Static_assert(sizeof(struct sockaddr_un) == EDO__SOCKADDR_SIZE &&
                   sizeof(edo_address) == EDO__SOCKADDR_SIZE + sizeof(uint16_t),
               "an address and its size fill an edo_address");

int edo__address_from_system(const void *sockaddr, size_t size, edo_address *ret_address)
{
    static const size_t sizes[AF_MAX] = {
        [AF_INET] = sizeof(struct sockaddr_in), [AF_INET6] = sizeof(struct sockaddr_in6)
    };
    sa_family_t family;
    if (!sockaddr || size < sizeof family || size > EDO__SOCKADDR_SIZE) return -EINVAL;
    memcpy(&family, sockaddr, sizeof family);
    if (family == AF_UNSPEC || (family < AF_MAX && size < sizes[family])) return -EINVAL;
    edo_address address = { { 0 } };
    memcpy(edo__address_place(&address), sockaddr, size);
    edo__address_set_size(&address, (socklen_t)size);
    *ret_address = address;
    return 0;
}

const void *edo__address_to_system(const edo_address *address, size_t *ret_size)
{
    *ret_size = edo__address_size(address);
    return *ret_size ? edo__address_place(address) : NULL;
}

edo_address_family edo__address_family(const edo_address *address)
{
    sa_family_t family;
    memcpy(&family, address, sizeof family);
    if (edo__address_size(address) < sizeof family) return EDO_ADDRESS_NONE;
    switch (family) {
    case AF_INET: return EDO_ADDRESS_V4;
    case AF_INET6: return EDO_ADDRESS_V6;
    case AF_UNIX: return EDO_ADDRESS_UNIX;
    default: return EDO_ADDRESS_OTHER;
    }
}

edo_address edo__address_pack(const edo__address *parts)
{
    struct sockaddr_storage storage;
    edo_address address = { { 0 } };
    socklen_t size = edo__address_to_sockaddr(parts, &storage);
    memcpy(edo__address_place(&address), &storage, size);
    edo__address_set_size(&address, size);
    return address;
}

int edo__address_unpack(const edo_address *address, edo__address *ret_parts)
{
    struct sockaddr_storage storage = { .ss_family = AF_UNSPEC };
    memcpy(&storage, edo__address_place(address), edo__address_size(address));
    return edo__address_from_sockaddr(&storage, ret_parts);
}

int edo__address_pack_unnamed(edo_address *ret_address)
{
    sa_family_t family = AF_UNIX;
    return edo__address_from_system(&family, sizeof family, ret_address);
}

int edo__address_pack_name(const void *name, size_t size, bool abstract, edo_address *ret_address)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    const size_t room = sizeof un.sun_path;
    if (size > room - abstract) return -ENAMETOOLONG; // a NUL precedes an abstract name
    if (size) memcpy(un.sun_path + abstract, name, size);
    size_t used = size < room ? size + 1 : room; // a NUL follows a path, if there is room
    return edo__address_from_system(&un, offsetof(struct sockaddr_un, sun_path) + used,
                                    ret_address);
}

size_t edo__address_name(const edo_address *address, const char **ret_name, bool *ret_abstract)
{
    enum { BEGIN = offsetof(struct sockaddr_un, sun_path) };
    size_t size = edo__address_size(address);
    const char *name = (const char *)address + BEGIN;
    *ret_abstract = size > BEGIN && !*name;
    *ret_name = name + *ret_abstract;
    if (size <= BEGIN || edo__address_family(address) != EDO_ADDRESS_UNIX) return 0;
    return *ret_abstract ? size - BEGIN - 1 : strnlen(name, size - BEGIN);
}

/* ---- addresses as parts ---- */

bool edo__address_equals(const edo__address *a, const edo__address *b)
{
    return a->family == b->family && a->port == b->port && a->zone == b->zone &&
           !memcmp(a->ip, b->ip, sizeof a->ip);
}

bool edo__address_is_v4_mapped(const edo__address *address)
{
    struct in6_addr v6;
    memcpy(&v6, address->ip, sizeof v6);
    return address->family == EDO__FAMILY_V6 && IN6_IS_ADDR_V4MAPPED(&v6);
}

int edo__ip_parse(const char *text, edo__family family, uint8_t ret_ip[16])
{
    uint8_t ip[16] = { 0 };
    if (inet_pton(edo__family_to_af(family), text, ip) != 1) return -EINVAL;
    memcpy(ret_ip, ip, sizeof ip);
    return 0;
}

void edo__ip_format(const edo__address *address, char text[EDO__IP_TEXT_SIZE])
{
    inet_ntop(edo__family_to_af((edo__family)address->family), address->ip, text,
              EDO__IP_TEXT_SIZE);
}

uint32_t edo__interface_number(const char *name)
{
    return if_nametoindex(name);
}

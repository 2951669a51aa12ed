/* Addresses as values. See edo/address.h. */
#include <edo/address.h>

#include <string.h>

#include "net/address.h"
#include "net/unix_text.h"

/* ---- making ---- */

#define UNIX_PREFIX "unix:"

int edo_address_parse(const char *text, edo_address *ret_address)
{
    edo__address parts;
    if (!text || !ret_address) return -EINVAL;
    size_t prefix = strlen(UNIX_PREFIX);
    if (!strncmp(text, UNIX_PREFIX, prefix))
        return edo__unix_text_parse(text + prefix, ret_address);
    int rc = edo__address_parse(text, &parts);
    if (rc == 0) *ret_address = edo__address_pack(&parts);
    return rc;
}

int edo_address_parse_ip(const char *text, uint16_t port, edo_address *ret_address)
{
    edo__address parts;
    int rc = ret_address ? edo__address_parse_ip(text, port, &parts) : -EINVAL;
    if (rc == 0) *ret_address = edo__address_pack(&parts);
    return rc;
}

edo_address edo_address_v4(const uint8_t ip[4], uint16_t port)
{
    edo__address parts = { .family = EDO__FAMILY_V4, .port = port };
    memcpy(parts.ip, ip, 4);
    return edo__address_pack(&parts);
}

edo_address edo_address_v6(const uint8_t ip[16], uint16_t port, uint32_t scope)
{
    edo__address parts = { .family = EDO__FAMILY_V6, .port = port, .zone = scope };
    memcpy(parts.ip, ip, sizeof parts.ip);
    return edo__address_pack(&parts);
}

int edo_address_unix(const char *path, edo_address *ret_address)
{
    if (!path || !*path || !ret_address) return -EINVAL;
    return edo__address_pack_name(path, strlen(path), false, ret_address);
}

int edo_address_unix_abstract(const void *name, size_t size, edo_address *ret_address)
{
    if ((!name && size) || !ret_address) return -EINVAL;
    return edo__address_pack_name(name, size, true, ret_address);
}

int edo_address_from_system(const void *sockaddr, size_t size, edo_address *ret_address)
{
    return ret_address ? edo__address_from_system(sockaddr, size, ret_address) : -EINVAL;
}

uint32_t edo_interface_number(const char *name)
{
    return name ? edo__interface_number(name) : 0;
}

/* ---- parts ---- */

/* Returns: the parts of an IP address. For any other address, the family of the parts is ANY. */
static edo__address parts_of(const edo_address *address)
{
    edo__address parts;
    if (address && edo__address_unpack(address, &parts) == 0) return parts;
    return (edo__address){ .family = EDO__FAMILY_ANY };
}

edo_address_family edo_address_family_of(const edo_address *address)
{
    return address ? edo__address_family(address) : EDO_ADDRESS_NONE;
}

uint16_t edo_address_port(const edo_address *address)
{
    return parts_of(address).port;
}

void edo_address_set_port(edo_address *address, uint16_t port)
{
    edo__address parts = parts_of(address);
    if (parts.family == EDO__FAMILY_ANY) return;
    parts.port = port;
    *address = edo__address_pack(&parts);
}

size_t edo_address_ip(const edo_address *address, uint8_t ret_ip[16])
{
    edo__address parts = parts_of(address);
    size_t size = parts.family == EDO__FAMILY_V4 ? 4 : sizeof parts.ip;
    if (parts.family == EDO__FAMILY_ANY || !ret_ip) return 0;
    memcpy(ret_ip, parts.ip, size);
    return size;
}

uint32_t edo_address_scope(const edo_address *address)
{
    return parts_of(address).zone;
}

void edo_address_set_scope(edo_address *address, uint32_t scope)
{
    edo__address parts = parts_of(address);
    if (parts.family != EDO__FAMILY_V6) return;
    parts.zone = scope;
    *address = edo__address_pack(&parts);
}

size_t edo_address_name(const edo_address *address, const char **ret_name, bool *ret_abstract)
{
    const char *name = NULL;
    bool abstract = false;
    size_t size = address ? edo__address_name(address, &name, &abstract) : 0;
    if (ret_name) *ret_name = size ? name : NULL;
    if (ret_abstract) *ret_abstract = abstract;
    return size;
}

const void *edo_address_system(const edo_address *address, size_t *ret_size)
{
    size_t size = 0;
    const void *place = address ? edo__address_to_system(address, &size) : NULL;
    if (ret_size) *ret_size = size;
    return place;
}

int edo_address_format(const edo_address *address, char *buffer, size_t size)
{
    if (!address || (!buffer && size)) return -EINVAL;
    if (edo__address_family(address) == EDO_ADDRESS_UNIX)
        return edo__unix_text_format(address, buffer, size);
    edo__address parts;
    int rc = edo__address_unpack(address, &parts);
    return rc < 0 ? rc : edo__address_format(&parts, buffer, size);
}

/* ---- kinds ---- */

static bool is_v4(const edo__address *parts)
{
    return parts->family == EDO__FAMILY_V4;
}

static bool is_v6(const edo__address *parts)
{
    return parts->family == EDO__FAMILY_V6;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[16];
    return !memcmp(bytes, zeros, size);
}

bool edo_address_is_unspecified(const edo_address *address)
{
    edo__address parts = parts_of(address);
    return parts.family != EDO__FAMILY_ANY && is_zero(parts.ip, sizeof parts.ip);
}

bool edo_address_is_loopback(const edo_address *address)
{
    edo__address parts = parts_of(address);
    if (is_v4(&parts)) return parts.ip[0] == 127;
    return is_v6(&parts) && is_zero(parts.ip, 15) && parts.ip[15] == 1;
}

bool edo_address_is_multicast(const edo_address *address)
{
    edo__address parts = parts_of(address);
    if (is_v4(&parts)) return (parts.ip[0] & 0xf0) == 0xe0;
    return is_v6(&parts) && parts.ip[0] == 0xff;
}

bool edo_address_is_broadcast(const edo_address *address)
{
    static const uint8_t broadcast[4] = { 255, 255, 255, 255 };
    edo__address parts = parts_of(address);
    return is_v4(&parts) && !memcmp(parts.ip, broadcast, sizeof broadcast);
}

bool edo_address_is_link_local(const edo_address *address)
{
    edo__address parts = parts_of(address);
    if (is_v4(&parts)) return parts.ip[0] == 169 && parts.ip[1] == 254;
    return is_v6(&parts) && parts.ip[0] == 0xfe && (parts.ip[1] & 0xc0) == 0x80;
}

bool edo_address_is_private(const edo_address *address)
{
    edo__address parts = parts_of(address);
    const uint8_t *ip = parts.ip;
    if (is_v6(&parts)) return (ip[0] & 0xfe) == 0xfc;
    return is_v4(&parts) && (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
                             (ip[0] == 192 && ip[1] == 168));
}

bool edo_address_is_v4_mapped(const edo_address *address)
{
    edo__address parts = parts_of(address);
    return edo__address_is_v4_mapped(&parts);
}

edo_address edo_address_unmapped(const edo_address *address)
{
    edo__address parts = parts_of(address);
    if (!edo__address_is_v4_mapped(&parts)) return address ? *address : (edo_address){ { 0 } };
    return edo_address_v4(parts.ip + 12, parts.port);
}

/* ---- comparing ---- */

static int compare_bytes(const void *a, size_t size_a, const void *b, size_t size_b)
{
    size_t common = size_a < size_b ? size_a : size_b;
    int order = common ? memcmp(a, b, common) : 0;
    if (order) return order;
    return (size_a > size_b) - (size_a < size_b);
}

/* Compares IP addresses: first the address, then the port, then the zone. */
static int compare_ip(const edo_address *a, const edo_address *b)
{
    edo__address x = parts_of(a), y = parts_of(b);
    int order = memcmp(x.ip, y.ip, sizeof x.ip);
    if (order) return order;
    if (x.port != y.port) return x.port < y.port ? -1 : 1;
    return (x.zone > y.zone) - (x.zone < y.zone);
}

/* Compares names. Addresses without a name come first, then paths, then abstract names. */
static int compare_names(const edo_address *a, const edo_address *b)
{
    const char *x, *y;
    bool x_abstract, y_abstract;
    size_t x_size = edo_address_name(a, &x, &x_abstract);
    size_t y_size = edo_address_name(b, &y, &y_abstract);
    if (x_abstract != y_abstract) return x_abstract - y_abstract;
    return compare_bytes(x, x_size, y, y_size);
}

static int compare_system(const edo_address *a, const edo_address *b)
{
    size_t x_size, y_size;
    const void *x = edo_address_system(a, &x_size), *y = edo_address_system(b, &y_size);
    return compare_bytes(x, x_size, y, y_size);
}

int edo_address_compare(const edo_address *a, const edo_address *b)
{
    edo_address_family family = edo_address_family_of(a), other = edo_address_family_of(b);
    if (family != other) return family < other ? -1 : 1;
    switch (family) {
    case EDO_ADDRESS_V4:
    case EDO_ADDRESS_V6: return compare_ip(a, b);
    case EDO_ADDRESS_UNIX: return compare_names(a, b);
    case EDO_ADDRESS_NONE: return 0;
    default: return compare_system(a, b);
    }
}

bool edo_address_equals(const edo_address *a, const edo_address *b)
{
    return edo_address_compare(a, b) == 0;
}

/* Adds bytes to an FNV-1a hash. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    for (const uint8_t *byte = data, *end = byte + size; byte < end; byte++)
        hash = (hash ^ *byte) * 0x100000001b3u;
    return hash;
}

/* Mixes the high bits of a hash into the low bits. Callers use the low bits, and FNV-1a alone moves
 * no information from high bits to low bits. */
static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

uint64_t edo_address_hash(const edo_address *address)
{
    const char *name;
    edo__address parts = parts_of(address);
    uint64_t hash = 0xcbf29ce484222325u ^ edo_address_family_of(address);
    hash = hash_bytes(hash, parts.ip, sizeof parts.ip);
    hash = hash_bytes(hash, &parts.port, sizeof parts.port);
    size_t size = edo_address_name(address, &name, NULL);
    return mix(size ? hash_bytes(hash, name, size) : hash);
}

/* Addresses: conversion between edo__address and struct sockaddr, and IP addresses as text. */
#include "sys/linux/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

_Static_assert(EDO__IP_TEXT_SIZE >= INET6_ADDRSTRLEN, "room for any address");

int edo__family_to_af(edo__family family)
{
    switch (family) {
    case EDO__FAMILY_V4: return AF_INET;
    case EDO__FAMILY_V6: return AF_INET6;
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

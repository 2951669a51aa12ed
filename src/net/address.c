#include "net/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PORT = 65535, MAX_PORT_DIGITS = 5, MAX_ZONE_DIGITS = 10, DECIMAL = 10 };

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static int parse_port(const char *text, uint16_t *ret_port)
{
    size_t digits = strspn(text, DIGITS);
    if (!digits || digits > MAX_PORT_DIGITS || text[digits]) return -EINVAL;
    unsigned long port = strtoul(text, NULL, DECIMAL);
    if (port > MAX_PORT) return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

static int set_v4(const char *host, uint16_t port, edo__address *ret)
{
    ret->family = EDO__FAMILY_V4;
    ret->port = port;
    return edo__ip_parse(host, EDO__FAMILY_V4, ret->ip);
}

/* Parses the number of an interface. Returns: the number; 0 if the text is no valid number. */
static uint32_t interface_number(const char *text)
{
    size_t digits = strspn(text, DIGITS);
    if (!digits || digits > MAX_ZONE_DIGITS || text[digits]) return 0;
    unsigned long long number = strtoull(text, NULL, DECIMAL);
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* Removes the zone from a host, and stores its number. A zone ("%eth0" or "%2") is the interface of
 * a link-local address. */
static int parse_zone(char *host, uint32_t *ret_zone)
{
    char *percent = strchr(host, '%');
    *ret_zone = 0;
    if (!percent) return 0;
    *percent = '\0';
    *ret_zone = edo__interface_number(percent + 1);
    if (!*ret_zone) *ret_zone = interface_number(percent + 1);
    return *ret_zone ? 0 : -EINVAL;
}

static int set_v6(char *host, uint16_t port, edo__address *ret)
{
    ret->family = EDO__FAMILY_V6;
    ret->port = port;
    int rc = parse_zone(host, &ret->zone);
    return rc < 0 ? rc : edo__ip_parse(host, EDO__FAMILY_V6, ret->ip);
}

/* Splits "host:port" at the last colon, and removes brackets around the host. */
static int split(const char *text, char host[EDO__HOST_SIZE], const char **ret_port,
                 bool *ret_brackets)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    if (!colon) return -EINVAL;
    size_t length = (size_t)(colon - text);
    *ret_brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (*ret_brackets) {
        text++;
        length -= 2;
    }
    if (length >= EDO__HOST_SIZE) return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int parse_host(char *host, bool brackets, uint16_t port, edo__address *ret)
{
    ret->any = !*host && !brackets;
    if (ret->any) return set_v6(strcpy(host, "::"), port, ret);
    return brackets ? set_v6(host, port, ret) : set_v4(host, port, ret);
}

int edo__address_parse(const char *text, edo__address *ret_address)
{
    char host[EDO__HOST_SIZE];
    const char *port_text;
    bool brackets;
    uint16_t port;
    edo__address parsed = { .any = false };
    int rc = split(text, host, &port_text, &brackets);
    if (rc == 0) rc = parse_port(port_text, &port);
    if (rc == 0) rc = parse_host(host, brackets, port, &parsed);
    if (rc == 0) *ret_address = parsed;
    return rc;
}

int edo__address_parse_ip(const char *text, uint16_t port, edo__address *ret_address)
{
    char host[EDO__HOST_SIZE];
    edo__address parsed = { .any = false };
    size_t length = text ? strlen(text) : 0;
    if (!length || length >= sizeof host) return -EINVAL;
    bool v6 = strchr(text, ':');
    int rc = v6 ? set_v6(memcpy(host, text, length + 1), port, &parsed)
                : set_v4(text, port, &parsed);
    if (rc == 0) *ret_address = parsed;
    return rc;
}

void edo__address_to_v4(edo__address *address)
{
    *address = (edo__address){ .family = EDO__FAMILY_V4, .port = address->port };
}

/* ---- names ---- */

enum { MAX_LABEL = 63 }; // RFC 1035

/* Whether a label is a number. No top-level domain is a number, so a name whose last label is a
 * number is a mistyped address. getaddrinfo(3) would pass such a name to inet_aton(3), which
 * accepts "127.1" and "0x7f.1" as addresses, perhaps of another machine. */
static bool is_number(const char *label, size_t length)
{
    if (strspn(label, DIGITS) >= length) return true;
    return length >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
}

/* Whether the text consists of labels separated by dots. A dot may follow the last label. */
static bool is_host_name(const char *host)
{
    for (;;) {
        size_t length = strspn(host, LETTERS DIGITS "-_");
        if (length == 0 || length > MAX_LABEL) return false;
        const char *rest = host + length;
        if (rest[0] == '\0' || (rest[0] == '.' && rest[1] == '\0')) return !is_number(host, length);
        if (*rest != '.') return false;
        host = rest + 1;
    }
}

/* Whether the text is a port number or the name of a service. The name of a service has at least
 * one letter (RFC 6335). */
static bool is_service(const char *text)
{
    uint16_t port;
    if (strspn(text, DIGITS) == strlen(text)) return parse_port(text, &port) == 0;
    return strpbrk(text, LETTERS) && strspn(text, LETTERS DIGITS "-_") == strlen(text) &&
           text[0] != '-' && strlen(text) < EDO__SERVICE_SIZE;
}

/* Whether the host is valid, which is true for an address and for a name. Called for a text that
 * edo__address_parse() has refused. That function accepts an address with a port number. So if the
 * host is an address here, the text has the name of a service instead of the port number. */
static bool is_host(const char *host, bool brackets, bool *ret_any)
{
    char scratch[EDO__HOST_SIZE];
    edo__address address;
    int rc = parse_host(strcpy(scratch, host), brackets, 0, &address);
    *ret_any = rc == 0 && address.any;
    return rc == 0 || (!brackets && is_host_name(host));
}

int edo__name_parse(const char *text, edo__name *ret_name)
{
    edo__name name;
    const char *service;
    bool brackets;
    int rc = split(text, name.host, &service, &brackets);
    if (rc < 0 || !is_service(service) || !is_host(name.host, brackets, &name.any)) return -EINVAL;
    if (name.any) strcpy(name.host, "::");
    strcpy(name.service, service);
    *ret_name = name;
    return 0;
}

/* ---- addresses as text ---- */

static int checked_length(int n, size_t size)
{
    if (n < 0) return -EINVAL;
    return (size_t)n < size ? n : -ENOSPC;
}

int edo__address_format(const edo__address *address, char *buffer, size_t size)
{
    char ip[EDO__IP_TEXT_SIZE], zone[16] = "";
    if (!buffer && size) return -EINVAL;
    edo__ip_format(address, ip);
    if (address->family == EDO__FAMILY_V4)
        return checked_length(snprintf(buffer, size, "%s:%u", ip, address->port), size);
    if (address->zone) snprintf(zone, sizeof zone, "%%%u", address->zone);
    return checked_length(snprintf(buffer, size, "[%s%s]:%u", ip, zone, address->port), size);
}

int edo__address_of_socket(edo_fd fd, bool peer, char *buffer, size_t size)
{
    edo__address address;
    int rc = peer ? edo__socket_peer(fd, &address) : edo__socket_local(fd, &address);
    return rc < 0 ? rc : edo__address_format(&address, buffer, size);
}

#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PORT = 65535, MAX_PORT_DIGITS = 5, MAX_ZONE_DIGITS = 10, MAX_HOST = 64, DECIMAL = 10 };

static int parse_port(const char *text, in_port_t *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > MAX_PORT_DIGITS || text[digits]) return -EINVAL;
    unsigned long port = strtoul(text, NULL, DECIMAL);
    if (port > MAX_PORT) return -EINVAL;
    *ret_port = htons((uint16_t)port);
    return 0;
}

static int set_v4(const char *host, in_port_t port, edo__address *ret)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
    if (inet_pton(AF_INET, host, &v4.sin_addr) != 1) return -EINVAL;
    memcpy(&ret->storage, &v4, sizeof v4);
    ret->size = sizeof v4;
    return 0;
}

/* Returns: 0 for what is no number of an interface. */
static uint32_t interface_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > MAX_ZONE_DIGITS || text[digits]) return 0;
    unsigned long long number = strtoull(text, NULL, DECIMAL);
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* A zone ("%eth0" or "%2") is the interface of a link-local address. */
static int parse_zone(char *host, uint32_t *ret_zone)
{
    char *percent = strchr(host, '%');
    *ret_zone = 0;
    if (!percent) return 0;
    *percent = '\0';
    *ret_zone = if_nametoindex(percent + 1);
    if (!*ret_zone) *ret_zone = interface_number(percent + 1);
    return *ret_zone ? 0 : -EINVAL;
}

static int set_v6(char *host, in_port_t port, edo__address *ret)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
    if (parse_zone(host, &v6.sin6_scope_id) < 0 || inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
        return -EINVAL;
    memcpy(&ret->storage, &v6, sizeof v6);
    ret->size = sizeof v6;
    return 0;
}

/* Splits "host:port" at the last colon; brackets around the host are taken off. */
static int split(const char *text, char host[MAX_HOST], const char **ret_port, bool *ret_brackets)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    if (!colon) return -EINVAL;
    size_t length = (size_t)(colon - text);
    *ret_brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (*ret_brackets) {
        text++;
        length -= 2;
    }
    if (length >= MAX_HOST) return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    *ret_port = colon + 1;
    return 0;
}

int edo__address_parse(const char *text, edo__address *ret_address)
{
    char host[MAX_HOST];
    const char *port_text;
    bool brackets;
    in_port_t port;
    edo__address parsed = { .any = false };
    int rc = split(text, host, &port_text, &brackets);
    if (rc == 0) rc = parse_port(port_text, &port);
    if (rc < 0) return rc;
    if (brackets) {
        rc = set_v6(host, port, &parsed);
    } else if (!*host) {
        parsed.any = true;
        rc = set_v6(strcpy(host, "::"), port, &parsed);
    } else {
        rc = set_v4(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &parsed);
    }
    if (rc == 0) *ret_address = parsed;
    return rc;
}

static int checked_length(int n, size_t size)
{
    if (n < 0) return -EINVAL;
    return (size_t)n < size ? n : -ENOSPC;
}

static int format_v4(const struct sockaddr_storage *storage, char *buffer, size_t size)
{
    char host[INET_ADDRSTRLEN];
    struct sockaddr_in v4;
    memcpy(&v4, storage, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return checked_length(snprintf(buffer, size, "%s:%u", host, ntohs(v4.sin_port)), size);
}

static int format_v6(const struct sockaddr_storage *storage, char *buffer, size_t size)
{
    char host[INET6_ADDRSTRLEN], zone[16] = "";
    struct sockaddr_in6 v6;
    memcpy(&v6, storage, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    if (v6.sin6_scope_id) snprintf(zone, sizeof zone, "%%%u", v6.sin6_scope_id);
    return checked_length(snprintf(buffer, size, "[%s%s]:%u", host, zone, ntohs(v6.sin6_port)),
                          size);
}

int edo__address_format(const struct sockaddr_storage *storage, char *buffer, size_t size)
{
    switch (storage->ss_family) {
    case AF_INET: return format_v4(storage, buffer, size);
    case AF_INET6: return format_v6(storage, buffer, size);
    default: return -EAFNOSUPPORT;
    }
}

int edo__address_of_socket(int fd, bool peer, char *buffer, size_t size)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t length = sizeof storage;
    int rc = peer ? getpeername(fd, (struct sockaddr *)&storage, &length)
                  : getsockname(fd, (struct sockaddr *)&storage, &length);
    return rc < 0 ? -errno : edo__address_format(&storage, buffer, size);
}

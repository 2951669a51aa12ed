/* Look-ups of host names by the C library, which asks the hosts file, name servers and other
 * sources in nsswitch.conf. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/atomic.h"
#include "base/base.h"
#include "sys/linux/address.h"

static edo_atomic(edo__resolve_fn *) stand_in;

void edo__sys_set_resolver(edo__resolve_fn *resolver)
{
    edo_store_release(&stand_in, resolver); // partner: the load in edo__sys_resolve
}

/* Returns: the errno for an error of getaddrinfo(), as in the table of edo_lookup(). */
static int errno_of(int error, int system_error)
{
    switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return -ENOENT;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return system_error ? -system_error : -EIO;
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
    case EAI_BADFLAGS: return -EINVAL;
    case EAI_FAMILY: return -EAFNOSUPPORT;
    case EAI_OVERFLOW: return -ENAMETOOLONG;
    default: return -EIO; // EAI_FAIL
    }
}

static bool is_inet(const struct addrinfo *info)
{
    return (info->ai_family == AF_INET && info->ai_addrlen == sizeof(struct sockaddr_in)) ||
           (info->ai_family == AF_INET6 && info->ai_addrlen == sizeof(struct sockaddr_in6));
}

static int count_inet(const struct addrinfo *list)
{
    int count = 0;
    for (const struct addrinfo *info = list; info; info = info->ai_next)
        count += is_inet(info);
    return count;
}

static edo__address address_of(const struct addrinfo *info)
{
    struct sockaddr_storage storage = { 0 };
    edo__address address = { .any = false };
    memcpy(&storage, info->ai_addr, info->ai_addrlen);
    edo__address_from_sockaddr(&storage, &address);
    return address;
}

static int copy(const struct addrinfo *list, edo__address **ret_addresses)
{
    int count = count_inet(list);
    if (count == 0) return -ENOENT;
    edo__address *next = edo__alloc_zeroed((size_t)count * sizeof *next);
    if (!next) return -ENOMEM;
    *ret_addresses = next;
    for (const struct addrinfo *info = list; info; info = info->ai_next)
        if (is_inet(info)) *next++ = address_of(info);
    return count;
}

static int resolve(const char *host, const char *service, edo__family family,
                   edo__address **ret_addresses)
{
    /* If no socket type is given, the result contains each address once per type. */
    struct addrinfo hints = { .ai_family = edo__family_to_af(family), .ai_socktype = SOCK_STREAM },
                    *list = NULL;
    errno = 0;
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) return errno_of(rc, errno);
    rc = copy(list, ret_addresses);
    freeaddrinfo(list);
    return rc;
}

int edo__sys_resolve(const char *host, const char *service, edo__family family,
                     edo__address **ret_addresses)
{
    edo__resolve_fn *other = edo_load_acquire(&stand_in);
    return (other ? other : resolve)(host, service, family, ret_addresses);
}

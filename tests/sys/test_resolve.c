/* edo-test: once. Results of getaddrinfo() as an array or an errno; and the hosts file. */
#include "support/support.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"
#include "sys/sockets.h"

static int resolve(const char *host, const char *service, edo__address **ret_addresses)
{
    return edo__sys_resolve(host, service, EDO__FAMILY_ANY, ret_addresses);
}

static void drop(edo__address *addresses, int count)
{
    edo__free(addresses, (size_t)count * sizeof *addresses);
}

/* ---- the system's own ---- */

static bool is_loopback(const edo__address *address, uint16_t port)
{
    static const uint8_t v6[16] = { [15] = 1 };
    bool is_local = address->family == EDO__FAMILY_V4 ? address->ip[0] == IN_LOOPBACKNET
                                                      : !memcmp(address->ip, v6, sizeof v6);
    return is_local && address->port == port;
}

test(localhost)
{
    edo__address *addresses;
    int count = resolve("localhost", "80", &addresses);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++)
        assert_true(is_loopback(&addresses[i], 80));
    drop(addresses, count);
    count = edo__sys_resolve("localhost", "80", EDO__FAMILY_V4, &addresses);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++)
        assert_int_equal(addresses[i].family, EDO__FAMILY_V4);
    drop(addresses, count);
}

/* The socket type is fixed, so each address comes once. */
test(numbers)
{
    edo__address *addresses;
    assert_int_equal(resolve("::1", "443", &addresses), 1);
    assert_true(is_loopback(addresses, 443));
    drop(addresses, 1);
    assert_int_equal(edo__sys_resolve("::1", "80", EDO__FAMILY_V4, &addresses), -ENOENT);
    assert_int_equal(resolve("127.0.0.1", "no-such-service", &addresses), -EINVAL);
    if (!getservbyname("http", "tcp")) return; // a system without /etc/services
    assert_int_equal(resolve("127.0.0.1", "http", &addresses), 1);
    assert_true(is_loopback(addresses, 80));
    drop(addresses, 1);
}

/* ---- made-up answers: this program's getaddrinfo() replaces the C library's ---- */

static struct answer {
    int error, system_error;
    struct addrinfo *list;
    unsigned freed;
} * answer; // NULL: the C library's

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    typedef int function(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!answer)
        return ((function *)dlsym(RTLD_NEXT, "getaddrinfo"))(host, service, hints, ret_list);
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    if (answer->error) {
        errno = answer->system_error;
        return answer->error;
    }
    *ret_list = answer->list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    if (!answer) {
        ((void (*)(struct addrinfo *))dlsym(RTLD_NEXT, "freeaddrinfo"))(list);
        return;
    }
    assert_ptr_equal(list, answer->list);
    answer->freed++;
}

static const struct translation {
    int error, system_error, expected;
} translations[] = {
    { EAI_NONAME, 0, -ENOENT },
    { EAI_NODATA, 0, -ENOENT },
    { EAI_ADDRFAMILY, 0, -ENOENT },
    { EAI_AGAIN, ENOENT, -EAGAIN },
    { EAI_FAIL, 0, -EIO },
    { EAI_MEMORY, 0, -ENOMEM },
    { EAI_SYSTEM, EMFILE, -EMFILE },
    { EAI_SYSTEM, 0, -EIO },
    { EAI_SERVICE, 0, -EINVAL },
    { EAI_SOCKTYPE, 0, -EINVAL },
    { EAI_BADFLAGS, 0, -EINVAL },
    { EAI_FAMILY, 0, -EAFNOSUPPORT },
    { EAI_OVERFLOW, 0, -ENAMETOOLONG },
    { EAI_CANCELED, 0, -EIO },
};

test(errors)
{
    for (size_t i = 0; i < ARRAY_LENGTH(translations); i++) {
        edo__address *addresses = NULL;
        struct answer failure = { .error = translations[i].error,
                                  .system_error = translations[i].system_error };
        answer = &failure;
        assert_int_equal(resolve("host.test", "80", &addresses), translations[i].expected);
        answer = NULL;
        assert_null(addresses);
        assert_int_equal(failure.freed, 0);
    }
}

static struct sockaddr_in v4 = { .sin_family = AF_INET };
static struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
static struct sockaddr_un local = { .sun_family = AF_UNIX };

#define INFO(address, rest)                                                                        \
    {                                                                                              \
        .ai_family = ((struct sockaddr *)&(address))->sa_family,                                   \
        .ai_addr = (struct sockaddr *)&(address), .ai_addrlen = sizeof(address), .ai_next = (rest) \
    }

/* Families other than IPv4 and IPv6 are skipped, whatever a module of the C library answers. */
test(families)
{
    edo__address *addresses = NULL;
    struct addrinfo list[] = { INFO(local, &list[1]), INFO(v4, &list[2]), INFO(local, &list[3]),
                               INFO(v6, &list[4]), INFO(v4, NULL) };
    list[4].ai_addrlen = 1;
    struct answer mixed = { .list = list }, none = { .list = &(struct addrinfo)INFO(local, NULL) };
    answer = &mixed;
    assert_int_equal(resolve("host.test", "80", &addresses), 2);
    assert_int_equal(mixed.freed, 1);
    assert_int_equal(addresses[0].family, EDO__FAMILY_V4);
    assert_int_equal(addresses[1].family, EDO__FAMILY_V6);
    drop(addresses, 2);
    answer = &none;
    assert_int_equal(resolve("host.test", "80", &addresses), -ENOENT);
    assert_int_equal(none.freed, 1);
    answer = NULL;
}

test(no_memory)
{
    edo__address *addresses = NULL;
    struct addrinfo list = INFO(v4, NULL);
    struct answer one = { .list = &list };
    test_allocator_install();
    answer = &one;
    test_allocator_fail_at(1);
    assert_int_equal(resolve("host.test", "80", &addresses), -ENOMEM);
    answer = NULL;
    assert_null(addresses);
    assert_int_equal(one.freed, 1);
    test_allocator_remove();
}

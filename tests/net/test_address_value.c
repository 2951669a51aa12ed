/* edo-test: once. Addresses as values: text, parts, the system's form, comparison. */
#include "support/support.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <edo/address.h>

static edo_address parsed(const char *text)
{
    edo_address address;
    assert_int_equal(edo_address_parse(text, &address), 0);
    return address;
}

static void assert_text(edo_address address, const char *expected)
{
    char text[EDO_ADDRESS_TEXT_SIZE];
    assert_int_equal(edo_address_format(&address, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

/* ---- text ---- */

static const char *const same[] = {
    "127.0.0.1:8080",
    "255.255.255.255:65535",
    "[::1]:80",
    "[fe80::1%7]:80",
    "unix:/run/a b.sock",
    "unix:relative",
    "unix:@name",
    "unix:",
    "unix:@",
    "unix:\\x40path",
    "unix:a\\x0ab",
    "unix:@\\x00a\\x00",
};

test(text_and_back)
{
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
        assert_text(parsed(same[i]), same[i]);
    assert_text(parsed(":80"), "[::]:80");
    assert_text(parsed("unix:\\x41\\x4A"), "unix:AJ");
}

static const char *const bad[] = { "",         "80",        "1.2.3.4",    "host:80",    "unix",
                                   "unix:a\\", "unix:\\x4", "unix:\\y40", "unix:a\\x00" };

test(bad_text_is_refused)
{
    edo_address address = parsed("1.2.3.4:5"), before = address;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(edo_address_parse(bad[i], &address), -EINVAL);
    assert_int_equal(edo_address_parse(NULL, &address), -EINVAL);
    assert_int_equal(edo_address_parse("1.2.3.4:5", NULL), -EINVAL);
    assert_memory_equal(&address, &before, sizeof address);
}

test(a_name_has_a_greatest_length)
{
    char text[200] = "unix:", name[108];
    edo_address address;
    memset(name, 'n', sizeof name);
    memset(text + 5, 'n', 108);
    assert_text(parsed(text), text);
    text[5 + 108] = 'n';
    assert_int_equal(edo_address_parse(text, &address), -ENAMETOOLONG);
    assert_int_equal(edo_address_unix(text, &address), -ENAMETOOLONG);
    assert_int_equal(edo_address_unix_abstract(name, 108, &address), -ENAMETOOLONG);
    assert_int_equal(edo_address_unix_abstract(name, 107, &address), 0);
    assert_int_equal(edo_address_unix("", &address), -EINVAL);
}

test(the_longest_text_fits)
{
    char name[107], text[EDO_ADDRESS_TEXT_SIZE], one_less[434];
    edo_address address;
    memset(name, 1, sizeof name);
    assert_int_equal(edo_address_unix_abstract(name, sizeof name, &address), 0);
    assert_int_equal(edo_address_format(&address, text, sizeof text), 434);
    assert_int_equal(edo_address_format(&address, one_less, sizeof one_less), -ENOSPC);
    edo_address none = { { 0 } };
    assert_int_equal(edo_address_format(&none, text, sizeof text), -EAFNOSUPPORT);
    assert_int_equal(edo_address_format(&address, NULL, 4), -EINVAL);
    assert_int_equal(edo_address_format(NULL, text, 4), -EINVAL);
}

test(an_ip_without_a_port)
{
    edo_address address;
    assert_int_equal(edo_address_parse_ip("10.0.0.1", 53, &address), 0);
    assert_text(address, "10.0.0.1:53");
    assert_int_equal(edo_address_parse_ip("fe80::1%9", 53, &address), 0);
    assert_text(address, "[fe80::1%9]:53");
    assert_int_equal(edo_address_parse_ip("[::1]", 53, &address), -EINVAL);
    assert_int_equal(edo_address_parse_ip("", 53, &address), -EINVAL);
    assert_int_equal(edo_address_parse_ip("1.2.3.4:5", 53, &address), -EINVAL);
}

/* ---- parts ---- */

test(parts_of_ip_addresses)
{
    uint8_t ip[16];
    edo_address v4 = edo_address_v4((const uint8_t[]){ 10, 1, 2, 3 }, 53);
    assert_int_equal(edo_address_family_of(&v4), EDO_ADDRESS_V4);
    assert_text(v4, "10.1.2.3:53");
    assert_int_equal(edo_address_ip(&v4, ip), 4);
    assert_int_equal(ip[3], 3);
    edo_address_set_port(&v4, 65535);
    assert_int_equal(edo_address_port(&v4), 65535);
    edo_address_set_scope(&v4, 4);
    assert_int_equal(edo_address_scope(&v4), 0);

    edo_address v6 = edo_address_v6((const uint8_t[16]){ 0xfe, 0x80, [15] = 1 }, 1, 2);
    assert_text(v6, "[fe80::1%2]:1");
    assert_int_equal(edo_address_ip(&v6, ip), 16);
    edo_address_set_scope(&v6, 3);
    assert_int_equal(edo_address_scope(&v6), 3);
    assert_int_equal(edo_address_port(&v6), 1);
}

test(parts_of_names)
{
    const char *name;
    bool abstract;
    edo_address path = parsed("unix:/a"), other = parsed("unix:@\\x00b"), v4 = parsed("1.2.3.4:5");
    assert_int_equal(edo_address_name(&path, &name, &abstract), 2);
    assert_memory_equal(name, "/a", 2);
    assert_false(abstract);
    assert_int_equal(edo_address_name(&other, &name, &abstract), 2);
    assert_memory_equal(name, "\0b", 2);
    assert_true(abstract);
    assert_int_equal(edo_address_name(&v4, &name, NULL), 0);
    assert_null(name);
    edo_address_set_port(&path, 80);
    assert_int_equal(edo_address_port(&path), 0);
}

test(no_address)
{
    edo_address none = { { 0 } };
    size_t size = 9;
    assert_int_equal(edo_address_family_of(&none), EDO_ADDRESS_NONE);
    assert_int_equal(edo_address_family_of(NULL), EDO_ADDRESS_NONE);
    assert_null(edo_address_system(&none, &size));
    assert_int_equal(size, 0);
    assert_true(edo_address_equals(&none, &none));
    assert_false(edo_address_is_unspecified(&none));
}

/* ---- the system's form ---- */

test(the_system_reads_and_writes_addresses)
{
    edo_address address = parsed("127.0.0.1:0"), bound;
    struct sockaddr_storage storage;
    socklen_t stored = sizeof storage;
    size_t size;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const void *system = edo_address_system(&address, &size);
    assert_return_code(bind(fd, system, (socklen_t)size), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&storage, &stored), errno);
    assert_int_equal(edo_address_from_system(&storage, stored, &bound), 0);
    assert_true(edo_address_port(&bound) > 0);
    edo_address_set_port(&bound, 0);
    assert_true(edo_address_equals(&bound, &address));
    close(fd);
}

test(a_bad_form_is_refused)
{
    struct sockaddr_storage storage = { .ss_family = AF_INET };
    edo_address address;
    assert_int_equal(edo_address_from_system(&storage, 15, &address), -EINVAL);
    assert_int_equal(edo_address_from_system(&storage, 111, &address), -EINVAL);
    assert_int_equal(edo_address_from_system(&storage, 1, &address), -EINVAL);
    assert_int_equal(edo_address_from_system(NULL, 16, &address), -EINVAL);
    storage.ss_family = AF_UNSPEC;
    assert_int_equal(edo_address_from_system(&storage, 16, &address), -EINVAL);
    storage.ss_family = AF_NETLINK;
    assert_int_equal(edo_address_from_system(&storage, 12, &address), 0);
    assert_int_equal(edo_address_family_of(&address), EDO_ADDRESS_OTHER);
}

/* ---- kinds ---- */

enum {
    UNSPECIFIED = 1,
    LOOPBACK = 2,
    MULTICAST = 4,
    BROADCAST = 8,
    LINK_LOCAL = 16,
    PRIVATE = 32,
    MAPPED = 64,
};

static const struct {
    const char *text;
    unsigned kinds;
} kinds[] = {
    { "0.0.0.0:1", UNSPECIFIED },
    { "[::]:1", UNSPECIFIED },
    { "127.255.0.1:1", LOOPBACK },
    { "[::1]:1", LOOPBACK },
    { "224.0.0.1:1", MULTICAST },
    { "239.255.255.255:1", MULTICAST },
    { "[ff02::1]:1", MULTICAST },
    { "255.255.255.255:1", BROADCAST },
    { "169.254.1.1:1", LINK_LOCAL },
    { "[fe80::1]:1", LINK_LOCAL },
    { "[febf::1]:1", LINK_LOCAL },
    { "10.0.0.1:1", PRIVATE },
    { "172.16.0.1:1", PRIVATE },
    { "172.31.255.1:1", PRIVATE },
    { "192.168.0.1:1", PRIVATE },
    { "[fd00::1]:1", PRIVATE },
    { "[::ffff:1.2.3.4]:1", MAPPED },
    { "172.32.0.1:1", 0 },
    { "8.8.8.8:1", 0 },
    { "[2001:db8::1]:1", 0 },
    { "unix:127", 0 },
};

test(kinds_of_addresses)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        edo_address address = parsed(kinds[i].text);
        unsigned found = (edo_address_is_unspecified(&address) ? UNSPECIFIED : 0u) |
                         (edo_address_is_loopback(&address) ? LOOPBACK : 0u) |
                         (edo_address_is_multicast(&address) ? MULTICAST : 0u) |
                         (edo_address_is_broadcast(&address) ? BROADCAST : 0u) |
                         (edo_address_is_link_local(&address) ? LINK_LOCAL : 0u) |
                         (edo_address_is_private(&address) ? PRIVATE : 0u) |
                         (edo_address_is_v4_mapped(&address) ? MAPPED : 0u);
        if (found != kinds[i].kinds) print_error("%s\n", kinds[i].text);
        assert_int_equal(found, kinds[i].kinds);
    }
}

test(mapped_addresses)
{
    edo_address mapped = parsed("[::ffff:1.2.3.4]:5"), other = parsed("[::1]:5");
    assert_text(edo_address_unmapped(&mapped), "1.2.3.4:5");
    assert_text(edo_address_unmapped(&other), "[::1]:5");
}

/* ---- comparing ---- */

static const char *const ascending[] = {
    "1.2.3.4:5", "1.2.3.4:6",     "1.2.4.0:1",     "200.0.0.0:1", "[::1]:2",
    "[::2]:1",   "[fe80::1%1]:1", "[fe80::1%2]:1", "unix:",       "unix:a",
    "unix:a/b",  "unix:b",        "unix:@",        "unix:@\\x00", "unix:@a",
};

test(order_and_hashes)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(ascending); j++) {
            edo_address a = parsed(ascending[i]), b = parsed(ascending[j]);
            int order = edo_address_compare(&a, &b);
            if ((order > 0) != (i > j)) print_error("%s %s\n", ascending[i], ascending[j]);
            assert_int_equal(order > 0, i > j);
            assert_int_equal(order < 0, i < j);
            assert_int_equal(edo_address_equals(&a, &b), i == j);
            if (i == j) assert_int_equal(edo_address_hash(&a), edo_address_hash(&b));
        }
}

/* Bytes that an earlier, longer address has left behind do not count. */
test(remains_do_not_count)
{
    edo_address a = parsed("1.2.3.4:5"), b = a;
    memset((char *)&b + 16, 0xff, 64);
    assert_true(edo_address_equals(&a, &b));
    assert_int_equal(edo_address_hash(&a), edo_address_hash(&b));
}

test(hashes_differ)
{
    uint64_t low = 0;
    for (unsigned port = 0; port < 64; port++) {
        edo_address a = edo_address_v4((const uint8_t[]){ 10, 0, 0, 1 }, (uint16_t)port);
        low |= (uint64_t)1 << (edo_address_hash(&a) & 63);
    }
    assert_true(__builtin_popcountll(low) > 32);
}

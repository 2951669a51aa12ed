/* edo-test: once. Addresses as text, in both directions. */
#include "support/support.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <edo/net.h>

#include "net/address.h"

/* text: the input; shown: the output, if it differs. */
struct good {
    const char *text, *shown;
    bool any;
};

static const struct good good[] = {
    { "127.0.0.1:8080", NULL, false },
    { "0.0.0.0:0", NULL, false },
    { "255.255.255.255:65535", NULL, false },
    { "127.0.0.1:00080", "127.0.0.1:80", false },
    { ":8080", "[::]:8080", true },
    { ":0", "[::]:0", true },
    { "[::]:80", NULL, false },
    { "[::1]:80", NULL, false },
    { "[2001:db8::1]:443", NULL, false },
    { "[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443", false },
    { "[::ffff:1.2.3.4]:80", NULL, false },
    { "[fe80::1%1]:80", NULL, false },
    { "[fe80::1%4294967295]:80", NULL, false },
    { "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535", NULL, false },
};

test(good)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        const char *expected = good[i].shown ? good[i].shown : good[i].text;
        char text[EDO_ADDRESS_SIZE];
        edo__address address;
        assert_int_equal(edo__address_parse(good[i].text, &address), 0);
        assert_int_equal(address.any, good[i].any);
        int n = edo__address_format(&address, text, sizeof text);
        assert_string_equal(text, expected);
        assert_int_equal(n, strlen(expected));
    }
}

static const char *const bad[] = {
    "",
    ":",
    "8080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:99999",
    "127.0.0.1:000080",
    "127.0.0.1:-1",
    "127.0.0.1:+80",
    "127.0.0.1: 80",
    "127.0.0.1:80 ",
    "127.0.0.1:0x50",
    "127.0.0.1:http",
    "127.0.0.1:80:90",
    " 127.0.0.1:80",
    "127.0.0:80",
    "1.2.3.4.5:80",
    "256.0.0.1:80",
    "127.0.0.1%lo:80",
    "localhost",
    "localhost:80",
    "localhost.:80",
    "example.com:80",
    "::1:80",
    "::1",
    "[::1]",
    "[::1]80",
    "[::1]:",
    "[::1]:65536",
    "[::1:80",
    "::1]:80",
    "[]:80",
    "[[::1]]:80",
    "[127.0.0.1]:80",
    "[localhost]:80",
    "[::1::]:80",
    "[12345::]:80",
    "[fe80::1%]:80",
    "[fe80::1%0]:80",
    "[fe80::1%no-such-interface]:80",
    "[fe80::1%1x]:80",
    "[fe80::1%-1]:80",
    "[fe80::1% 1]:80",
    "[fe80::1%4294967296]:80",
    "[fe80::1%1%1]:80",
    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:80",
};

test(bad)
{
    edo__address address, untouched;
    memset(&address, 0x5a, sizeof address);
    untouched = address;
    assert_int_equal(edo__address_parse(NULL, &address), -EINVAL);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        int rc = edo__address_parse(bad[i], &address);
        if (rc != -EINVAL) fail_msg("'%s' was taken as an address (%d)", bad[i], rc);
    }
    assert_memory_equal(&address, &untouched, sizeof address);
}

test(zone_by_name)
{
    unsigned lo = if_nametoindex("lo");
    char text[EDO_ADDRESS_SIZE], expected[EDO_ADDRESS_SIZE];
    edo__address address;
    if (!lo) skip();
    assert_int_equal(edo__address_parse("[fe80::1%lo]:80", &address), 0);
    edo__address_format(&address, text, sizeof text);
    snprintf(expected, sizeof expected, "[fe80::1%%%u]:80", lo);
    assert_string_equal(text, expected);
}

/* A buffer that is one byte too small, and one that just fits. */
test(buffer_sizes)
{
    static const char *const texts[] = { "127.0.0.1:80", "[fe80::1%1]:80" };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        char text[EDO_ADDRESS_SIZE];
        edo__address address;
        size_t length = strlen(texts[i]);
        assert_int_equal(edo__address_parse(texts[i], &address), 0);
        assert_int_equal(edo__address_format(&address, text, length), -ENOSPC);
        assert_int_equal(edo__address_format(&address, NULL, 0), -ENOSPC);
        assert_int_equal(edo__address_format(&address, text, length + 1), length);
        assert_string_equal(text, texts[i]);
    }
}

test(other_families)
{
    char text[EDO_ADDRESS_SIZE];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(edo__address_of_socket(fd, false, text, sizeof text), -EAFNOSUPPORT);
    close(fd);
}

/* ---- names ---- */

static const struct name {
    const char *text, *host, *service;
    bool any;
} names[] = {
    { "localhost:80", "localhost", "80", false },
    { "example.com:https", "example.com", "https", false },
    { "example.com.:65535", "example.com.", "65535", false },
    { "xn--bcher-kva.example:80", "xn--bcher-kva.example", "80", false },
    { "3com.com:80", "3com.com", "80", false },
    { "a_b.c-d:x11-1", "a_b.c-d", "x11-1", false },
    { "0.0xyz:80", NULL, NULL, false },
    { "127.0.0.1:http", "127.0.0.1", "http", false },
    { "[::1]:http", "::1", "http", false },
    { "[fe80::1%1]:http", "fe80::1%1", "http", false },
    { ":http", "::", "http", true },
    { "[]:http", NULL, NULL, false },
    { "[::]:http", "::", "http", false },
};

test(names)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        edo__name name;
        int rc = edo__name_parse(names[i].text, &name);
        if (!names[i].host) {
            assert_int_equal(rc, -EINVAL);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_string_equal(name.host, names[i].host);
        assert_string_equal(name.service, names[i].service);
        assert_int_equal(name.any, names[i].any);
    }
}

/* Names of hosts and services up to their limits, and beyond them. */
static void expect_length(size_t labels, size_t label, size_t service, int expected)
{
    char text[1024] = "";
    edo__name name;
    for (size_t i = 0; i < labels; i++)
        sprintf(text + strlen(text), "%s%.*s", i ? "." : "", (int)label,
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    sprintf(text + strlen(text), ":%.*s", (int)service, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_int_equal(edo__name_parse(text, &name), expected);
}

test(name_lengths)
{
    expect_length(1, 63, 1, 0);
    expect_length(1, 64, 1, -EINVAL);
    expect_length(4, 63, 31, 0);
    expect_length(5, 63, 1, -EINVAL);
    expect_length(128, 1, 1, 0);
    expect_length(129, 1, 1, -EINVAL);
    expect_length(1, 1, 32, -EINVAL);
}

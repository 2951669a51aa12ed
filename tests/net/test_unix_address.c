/* edo-test: once. Addresses of Unix sockets as text, in both directions. */
#include "support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <edo/unix.h>

enum { MAX_PATH = 108, MAX_ABSTRACT = 107 };

/* A text of `size` characters between other text. */
static char *text_of(const char *before, size_t size, const char *after)
{
    static char text[1024];
    size_t length = (size_t)sprintf(text, "%s", before);
    memset(text + length, 'x', size);
    strcpy(text + length + size, after);
    return text;
}

static void check(const char *text, bool is_abstract, const void *name, size_t size,
                  const char *shown)
{
    char again[EDO_UNIX_ADDRESS_SIZE];
    edo_unix_address address;
    assert_int_equal(edo_unix_address_parse(text, &address), 0);
    assert_int_equal(address.is_abstract, is_abstract);
    assert_int_equal(address.size, size);
    assert_memory_equal(address.name, name, size);
    assert_int_equal(edo_unix_address_text(&address, again, sizeof again), strlen(shown));
    assert_string_equal(again, shown);
}

test(good)
{
    check("/run/x", false, "/run/x", 6, "/run/x");
    check("x", false, "x", 1, "x");
    check("./@x", false, "./@x", 4, "./@x");
    check("\\x41", false, "\\x41", 4, "\\x41"); // only abstract names have escapes
    check("@x", true, "x", 1, "@x");
    check("@", true, "", 0, "@");
    check("@a\\x00b", true, "a\0b", 3, "@a\\x00b");
    check("@a\\\\b", true, "a\\b", 3, "@a\\x5cb");
    check("@\\xFf\\x0a", true, "\xff\n", 2, "@\\xff\\x0a");
    check("@a b/@", true, "a b/@", 5, "@a\\x20b/@");
}

test(lengths)
{
    edo_unix_address address;
    char text[EDO_UNIX_ADDRESS_SIZE];
    for (size_t size = 1; size <= MAX_PATH; size++) {
        assert_int_equal(edo_unix_address_parse(text_of("", size, ""), &address), 0);
        assert_int_equal(edo_unix_address_text(&address, text, sizeof text), size);
    }
    assert_int_equal(edo_unix_address_parse(text_of("", MAX_PATH + 1, ""), &address),
                     -ENAMETOOLONG);
    assert_int_equal(edo_unix_address_parse(text_of("@", MAX_ABSTRACT, ""), &address), 0);
    assert_int_equal(address.size, MAX_ABSTRACT);
    assert_int_equal(edo_unix_address_parse(text_of("@", MAX_ABSTRACT + 1, ""), &address),
                     -ENAMETOOLONG);
    assert_int_equal(edo_unix_address_parse(text_of("@", MAX_ABSTRACT - 1, "\\x00"), &address), 0);
    assert_int_equal(address.size, MAX_ABSTRACT);
    assert_int_equal(edo_unix_address_parse(text_of("@", MAX_ABSTRACT, "\\x00"), &address),
                     -ENAMETOOLONG);
}

test(the_longest_text)
{
    char name[MAX_ABSTRACT] = { 0 }, text[EDO_UNIX_ADDRESS_SIZE];
    edo_unix_address address, again;
    assert_int_equal(edo_unix_address_abstract(name, sizeof name, &address), 0);
    assert_int_equal(edo_unix_address_text(&address, text, sizeof text), 1 + 4 * MAX_ABSTRACT);
    assert_int_equal(edo_unix_address_parse(text, &again), 0);
    assert_true(edo_unix_address_equals(&address, &again));
    assert_int_equal(edo_unix_address_text(&address, text, 4 * MAX_ABSTRACT + 1), -ENOSPC);
    assert_int_equal(edo_unix_address_abstract(name, sizeof name + 1, &address), -ENAMETOOLONG);
    assert_int_equal(edo_unix_address_abstract(name, 0, &address), -EINVAL);
}

test(a_name_that_only_looks_abstract)
{
    char text[EDO_UNIX_ADDRESS_SIZE];
    edo_unix_address address = { .size = 2, .name = "@x" },
                     again; // a path, as another program has it
    assert_int_equal(edo_unix_address_text(&address, text, sizeof text), 4);
    assert_string_equal(text, "./@x");
    assert_int_equal(edo_unix_address_parse("@x", &again), 0);
    assert_false(edo_unix_address_equals(&address, &again));
}

test(bad)
{
    edo_unix_address address = { .size = 1 };
    char text[4];
    assert_int_equal(edo_unix_address_parse("", &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse(NULL, &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse("x", NULL), -EINVAL);
    assert_int_equal(edo_unix_address_parse("@\\", &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse("@\\x", &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse("@\\x0", &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse("@\\x0g", &address), -EINVAL);
    assert_int_equal(edo_unix_address_parse("@\\n", &address), -EINVAL);
    assert_int_equal(address.size, 1); // untouched
    address.size = MAX_PATH + 1;
    assert_int_equal(edo_unix_address_text(&address, text, sizeof text), -EINVAL);
}

/* Addresses of Unix sockets, as text. */
#include <stdio.h>
#include <string.h>

#include "net/unix.h"

enum {
    MAX_NAME = sizeof(((edo_unix_address *)0)->name),
    MAX_ABSTRACT = MAX_NAME - 1, // a zero byte precedes an abstract name
    ESCAPED = 4,                 // bytes of "\xNN"
};

_Static_assert(sizeof(edo_unix_address) == 112, "the documented size");
_Static_assert(1 + MAX_ABSTRACT * ESCAPED + 1 <= EDO_UNIX_ADDRESS_SIZE, "room for any address");

/* ---- reading ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads one byte of an abstract name. Returns: number of characters, or -EINVAL. */
static int read_byte(const char *text, char *ret_byte)
{
    *ret_byte = text[0];
    if (text[0] != '\\') return 1;
    if (text[1] == '\\') return 2;
    if (text[1] != 'x' || digit(text[2]) < 0 || digit(text[3]) < 0) return -EINVAL;
    *ret_byte = (char)(digit(text[2]) << 4 | digit(text[3]));
    return ESCAPED;
}

static int parse_abstract(const char *text, edo_unix_address *ret)
{
    ret->is_abstract = true;
    while (*text) {
        if (ret->size == MAX_ABSTRACT) return -ENAMETOOLONG;
        int n = read_byte(text, &ret->name[ret->size]);
        if (n < 0) return n;
        ret->size++;
        text += n;
    }
    return 0;
}

static int parse_path(const char *text, edo_unix_address *ret)
{
    size_t length = strlen(text);
    if (length == 0) return -EINVAL;
    if (length > MAX_NAME) return -ENAMETOOLONG;
    memcpy(ret->name, text, length);
    ret->size = (uint16_t)length;
    return 0;
}

int edo_unix_address_parse(const char *text, edo_unix_address *ret_address)
{
    edo_unix_address parsed = { .size = 0 };
    if (!text || !ret_address) return -EINVAL;
    int rc = text[0] == '@' ? parse_abstract(text + 1, &parsed) : parse_path(text, &parsed);
    if (rc == 0) *ret_address = parsed;
    return rc;
}

int edo_unix_address_abstract(const void *name, size_t size, edo_unix_address *ret_address)
{
    if (!name || !size || !ret_address) return -EINVAL;
    if (size > MAX_ABSTRACT) return -ENAMETOOLONG;
    *ret_address = (edo_unix_address){ .size = (uint16_t)size, .is_abstract = true };
    memcpy(ret_address->name, name, size);
    return 0;
}

/* ---- writing ---- */

static bool is_plain(char c)
{
    return c > ' ' && c <= '~' && c != '\\';
}

static size_t write_abstract(const edo_unix_address *address, char text[EDO_UNIX_ADDRESS_SIZE])
{
    size_t length = 0;
    text[length++] = '@';
    for (size_t i = 0; i < address->size; i++) {
        char c = address->name[i];
        if (is_plain(c))
            text[length++] = c;
        else
            length += (size_t)sprintf(text + length, "\\x%02x", (unsigned char)c);
    }
    return length;
}

/* A path that begins with "@" would be read as an abstract name. */
static size_t write_path(const edo_unix_address *address, char text[EDO_UNIX_ADDRESS_SIZE])
{
    size_t length = 0;
    if (address->size && address->name[0] == '@') {
        memcpy(text, "./", 2);
        length = 2;
    }
    memcpy(text + length, address->name, address->size);
    return length + address->size;
}

int edo_unix_address_text(const edo_unix_address *address, char *buffer, size_t size)
{
    char text[EDO_UNIX_ADDRESS_SIZE];
    if (!address || (!buffer && size)) return -EINVAL;
    if (address->size > (address->is_abstract ? MAX_ABSTRACT : MAX_NAME)) return -EINVAL;
    size_t length = address->is_abstract ? write_abstract(address, text)
                                         : write_path(address, text);
    if (length >= size) return -ENOSPC;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    return (int)length;
}

bool edo_unix_address_equals(const edo_unix_address *a, const edo_unix_address *b)
{
    return a->is_abstract == b->is_abstract && a->size == b->size &&
           !memcmp(a->name, b->name, a->size);
}

/* ---- of sockets ---- */

int edo__unix_address_of(edo_fd fd, bool peer, char *buffer, size_t size)
{
    edo_unix_address address;
    int rc = edo__local_name(fd, peer, &address);
    return rc < 0 ? rc : edo_unix_address_text(&address, buffer, size);
}

static int address_of(const edo_io *conn, bool peer, char *buffer, size_t size)
{
    edo_fd fd = edo__unix_socket_of(conn,
                                    peer ? "edo_unix_peer_address" : "edo_unix_local_address");
    if (fd < 0) return fd;
    int rc = edo__unix_address_of(fd, peer, buffer, size);
    return rc == -EAFNOSUPPORT ? -ENOTSUP : rc;
}

int edo_unix_local_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, false, buffer, size);
}

int edo_unix_peer_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, true, buffer, size);
}

#include "net/unix_text.h"

#include <string.h>

#include "sys/sockets.h"

enum { MOST = 108, HEX = 16, DELETE = 0x7f, ESCAPE_SIZE = 4 };

static const char digits[] = "0123456789abcdef";

/* ---- parsing ---- */

static int hex(char digit)
{
    const char *place = digit ? strchr(digits, digit | 0x20) : NULL;
    return place ? (int)(place - digits) : -1;
}

/* Reads a byte, which may be escaped. Returns: the byte; -EINVAL for a bad escape. */
static int next_byte(const char **text)
{
    unsigned char byte = (unsigned char)*(*text)++;
    if (byte != '\\') return byte;
    if ((*text)[0] != 'x' || hex((*text)[1]) < 0 || hex((*text)[2]) < 0) return -EINVAL;
    int value = hex((*text)[1]) * HEX + hex((*text)[2]);
    *text += ESCAPE_SIZE - 1;
    return value;
}

int edo__unix_text_parse(const char *text, edo_address *ret_address)
{
    char name[MOST];
    size_t size = 0;
    bool abstract = *text == '@';
    if (!*text) return edo__address_pack_unnamed(ret_address);
    text += abstract;
    while (*text) {
        int byte = next_byte(&text);
        if (byte < 0 || (!byte && !abstract)) return -EINVAL;
        if (size == MOST) return -ENAMETOOLONG;
        name[size++] = (char)byte;
    }
    return edo__address_pack_name(name, size, abstract, ret_address);
}

/* ---- formatting ---- */

typedef struct output {
    char *buffer;
    size_t size, used; // `used` also counts bytes for which there is no room
} output;

static void put(output *out, char byte)
{
    if (out->used < out->size) out->buffer[out->used] = byte;
    out->used++;
}

static void put_escaped(output *out, unsigned char byte)
{
    put(out, '\\');
    put(out, 'x');
    put(out, digits[byte / HEX]);
    put(out, digits[byte % HEX]);
}

static bool is_escaped(const char *name, size_t at, bool abstract)
{
    unsigned char byte = (unsigned char)name[at];
    return byte < ' ' || byte == DELETE || byte == '\\' || (at == 0 && byte == '@' && !abstract);
}

int edo__unix_text_format(const edo_address *address, char *buffer, size_t size)
{
    const char *name, *prefix = "unix:";
    bool abstract;
    output out = { buffer, size, 0 };
    size_t length = edo__address_name(address, &name, &abstract);
    while (*prefix)
        put(&out, *prefix++);
    if (abstract) put(&out, '@');
    for (size_t i = 0; i < length; i++)
        if (is_escaped(name, i, abstract))
            put_escaped(&out, (unsigned char)name[i]);
        else
            put(&out, name[i]);
    put(&out, '\0');
    return out.used <= size ? (int)out.used - 1 : -ENOSPC;
}

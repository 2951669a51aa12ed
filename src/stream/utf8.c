/* UTF-8 as in RFC 3629. Only the shortest form of each code point is valid, and no surrogate is. */
#include <edo/buffered.h>

/* Returns: the length in bytes of the valid sequence at `at`; 0: no valid sequence begins there. */
static size_t sequence(const uint8_t *at, size_t size)
{
    static const struct {
        uint8_t first, last;   // range of the first byte
        uint8_t second, until; // range of the second byte
        uint8_t length;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    size_t i = 0, count = sizeof forms / sizeof *forms;
    while (i < count && (at[0] < forms[i].first || at[0] > forms[i].last))
        i++;
    if (i == count || forms[i].length > size) return 0;
    if (at[1] < forms[i].second || at[1] > forms[i].until) return 0;
    for (size_t k = 2; k < forms[i].length; k++)
        if ((at[k] & 0xc0) != 0x80) return 0;
    return forms[i].length;
}

bool edo_is_utf8(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < size;) {
        size_t length = bytes[at] < 0x80 ? 1 : sequence(bytes + at, size - at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

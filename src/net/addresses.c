/* Addresses found by a look-up. */
#include "base/base.h"
#include "net/lookup.h"

size_t edo_addresses_count(const edo_addresses *addresses)
{
    return addresses ? addresses->count : 0;
}

edo__address edo__addresses_at(const edo_addresses *addresses, size_t index)
{
    edo__address address = addresses->items[index];
    address.any = addresses->any;
    return address;
}

int edo_addresses_text(const edo_addresses *addresses, size_t index, char *buffer, size_t size)
{
    if (!addresses || index >= addresses->count) return -EINVAL;
    return edo__address_format(&addresses->items[index], buffer, size);
}

int edo_addresses_get(const edo_addresses *addresses, size_t index, edo_address *ret_address)
{
    if (!addresses || !ret_address || index >= addresses->count) return -EINVAL;
    *ret_address = edo__address_pack(&addresses->items[index]);
    return 0;
}

void edo_addresses_destroy(edo_addresses *addresses)
{
    if (!addresses) return;
    edo__free(addresses->items, addresses->count * sizeof *addresses->items);
    edo__free(addresses, sizeof *addresses);
}

/* Finds the first address from index `from` on. same: true: the address must be of `family`; false:
 * it must be of the other family. Returns: the index, or the count if there is none. */
static size_t find(const edo_addresses *addresses, size_t from, uint8_t family, bool same)
{
    while (from < addresses->count && (addresses->items[from].family == family) != same)
        from++;
    return from;
}

void edo__addresses_interleave(const edo_addresses *addresses, const edo__address **ret_order)
{
    uint8_t family = addresses->items[0].family;
    size_t next[2] = { find(addresses, 0, family, false), 0 };
    bool same = true;
    for (size_t i = 0; i < addresses->count; i++) {
        if (next[same] == addresses->count) same = !same; // only one family is left
        ret_order[i] = &addresses->items[next[same]];
        next[same] = find(addresses, next[same] + 1, family, same);
        same = !same;
    }
}

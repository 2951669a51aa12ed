/* Internals of look-ups. */
#pragma once

#include <edo/net.h>

#include "net/address.h"

/* Addresses found by a look-up. The look-up fills the struct, which is then constant. */
struct edo_addresses {
    edo__address *items; // array, allocated by edo__alloc()
    size_t count;        // number of items, at least 1
    bool any;            // true: the only address is "every address of the machine"
};

/* Looks up a name like edo_lookup(), but only for addresses of one family. family: may be
 * EDO__FAMILY_ANY. text: must remain valid until the first poll has ended. */
edo_op edo__lookup(const char *text, edo__family family, edo_addresses **ret_addresses);

/* Returns: the address at an index. index: less than count. */
edo__address edo__addresses_at(const edo_addresses *addresses, size_t index);

/* Orders the addresses for attempts to connect (RFC 8305, section 4). The families alternate,
 * beginning with the family of the first address. The order within a family is kept. ret_order has
 * room for all addresses. */
void edo__addresses_interleave(const edo_addresses *addresses, const edo__address **ret_order);

/* Internals of look-ups. */
#pragma once

#include <edo/net.h>

#include "net/address.h"

/* Immutable after the look-up. */
struct edo_addresses {
    edo__address *items; // from edo__alloc()
    size_t count;        // at least 1
    bool any;            // the only address is "every address of the machine"
};

/* As edo_lookup(), for the addresses of one family, or ANY. The text is not needed after the first
 * poll. */
edo_op edo__lookup(const char *text, edo__family family, edo_addresses **ret_addresses);

/* The address at an index below count. */
edo__address edo__addresses_at(const edo_addresses *addresses, size_t index);

/* Order of attempts: families alternate, beginning with the first address's; the order within a
 * family is kept (RFC 8305, section 4). ret_order has room for all addresses. */
void edo__addresses_interleave(const edo_addresses *addresses, const edo__address **ret_order);

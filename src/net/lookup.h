/* Looking up names from the inside. */
#pragma once

#include <edo/net.h>

#include "net/address.h"

/* Immutable once it was handed out. */
struct edo_addresses {
    edo__address *items; // edo__alloc()'s
    size_t count;        // at least 1
    bool any;            // the one address is "every address of the machine"
};

/* edo_lookup(); of a name only one family, or ANY. The text is not needed after the first
 * poll. */
edo_op edo__lookup(const char *text, edo__family family, edo_addresses **ret_addresses);

/* The address at a place below count. */
edo__address edo__addresses_at(const edo_addresses *addresses, size_t index);

/* The order in which to try them: the families take turns, beginning with that of the first
 * address; within a family they stay as they are (RFC 8305, section 4). ret_order has room for
 * all. */
void edo__addresses_interleave(const edo_addresses *addresses, const edo__address **ret_order);

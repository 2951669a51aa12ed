/* Streams around others, which belong to the new one and end with it. limited_open() moves a limited
 * number of bytes in each direction: then the input ends, and writes answer -EFBIG. */
#pragma once

#include "support/support.h"

#include <edo/io.h>

edo_io *limited_open(edo_io *inner, uint64_t limit);

/* Through one of each kind: two halves of it that are joined again, inspected, and copied to nothing. */
edo_io *wrapped_open(edo_io *inner);

/* The stream inside; NULL: it is none of these kinds. */
edo_io *limited_inner(const edo_io *io);

/* Streams around other streams. The outer stream owns the inner stream and ends it. limited_open()
 * opens a stream that moves a limited number of bytes in each direction; after that the input ends,
 * and writes answer -EFBIG. */
#pragma once

#include "support/support.h"

#include <edo/io.h>

edo_io *limited_open(edo_io *inner, uint64_t limit);

/* Opens a stream with one wrapper of each kind: two halves of the stream joined again, an
 * inspection, and a copy whose bytes are discarded. */
edo_io *wrapped_open(edo_io *inner);

/* The inner stream; NULL: the stream is of none of these kinds. */
edo_io *limited_inner(const edo_io *io);

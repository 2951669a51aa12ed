/* A stream around another one that moves a limited number of bytes in each direction. Beyond the
 * limit, the input ends and writes answer -EFBIG. */
#pragma once

#include "support/support.h"

#include <edo/io.h>

/* Makes such a stream. The inner stream belongs to it, and ends with it. */
edo_io *limited_open(edo_io *inner, uint64_t limit);

/* The inner stream; NULL for streams of other kinds. */
edo_io *limited_inner(const edo_io *io);

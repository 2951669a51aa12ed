/* A stream around another one, which moves a limited number of bytes in each direction: then the
 * input ends, and writes answer -EFBIG. */
#pragma once

#include "support/support.h"

#include <edo/io.h>

/* The inner stream belongs to the new one, and ends with it. */
edo_io *limited_open(edo_io *inner, uint64_t limit);

/* The stream inside; NULL: it is none of this kind. */
edo_io *limited_inner(const edo_io *io);

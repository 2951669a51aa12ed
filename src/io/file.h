/* Streams of files at their position, for standard input and output. */
#pragma once

#include "io/io.h"

/* Wraps a file, which still belongs to the caller. Returns: NULL if out of memory. */
edo_io *edo__file_io_create(edo_fd fd);

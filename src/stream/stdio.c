/* Streams as FILEs, for synchronous code. */
#include <edo/streams.h>
#include <edo/wait.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/stdio.h"

static int64_t read_bytes(void *stream, char *buffer, size_t size)
{
    return edo_wait(edo_read(stream, buffer, size));
}

static int64_t write_bytes(void *stream, const char *data, size_t size)
{
    return edo_wait(edo_write(stream, data, size));
}

static void close_stream(void *stream)
{
    edo_close(stream);
}

int edo_io_fopen(edo_io *io, const char *mode, FILE **ret_file)
{
    static const edo__stdio_ops ops = { read_bytes, write_bytes, close_stream };
    if (!io || !mode || !ret_file || strchr(mode, '+')) return -EINVAL;
    return edo__stdio_open(io, mode, &ops, ret_file);
}

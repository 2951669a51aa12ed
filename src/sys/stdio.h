/* Contract with the C library: FILEs that read and write through functions of edo. */
#pragma once

#include <stdio.h>

#include <edo/base.h>

typedef struct edo__stdio_ops {
    int64_t (*read)(void *object, char *buffer, size_t size);      // bytes; 0: the end
    int64_t (*write)(void *object, const char *data, size_t size); // bytes, at least 1
    void (*close)(void *object);
} edo__stdio_ops;

/* Opens a FILE. mode: as fopen(3). If `read` or `write` returns a negative errno, the call on the
 * FILE fails, and sets errno to that error. -EDO_EOF of `read` becomes EIO.
 * Returns: 0; -EINVAL: a bad mode; -ENOMEM. */
int edo__stdio_open(void *object, const char *mode, const edo__stdio_ops *ops, FILE **ret_file);

/* FILEs that read and write through functions of edo (sys/stdio.h). fopencookie(3) of glibc and
 * musl makes these FILEs. */
#include "sys/stdio.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "base/base.h"

typedef struct cookie {
    void *object;
    const edo__stdio_ops *ops;
} cookie;

static ssize_t cookie_read(void *arg, char *buffer, size_t size)
{
    cookie *self = arg;
    int64_t n = self->ops->read(self->object, buffer, size);
    if (n < 0) errno = n == -EDO_EOF ? EIO : (int)-n;
    return n < 0 ? -1 : (ssize_t)n;
}

/* Writes all bytes, because a result of less than `size` bytes is an error for fopencookie(). */
static ssize_t cookie_write(void *arg, const char *data, size_t size)
{
    cookie *self = arg;
    size_t done = 0;
    while (done < size) {
        int64_t n = self->ops->write(self->object, data + done, size - done);
        if (n < 0) errno = (int)-n;
        if (n < 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int cookie_close(void *arg)
{
    cookie *self = arg;
    self->ops->close(self->object);
    edo__free(self, sizeof *self);
    return 0;
}

int edo__stdio_open(void *object, const char *mode, const edo__stdio_ops *ops, FILE **ret_file)
{
    static const cookie_io_functions_t functions = { .read = cookie_read,
                                                     .write = cookie_write,
                                                     .close = cookie_close };
    cookie *made = edo__alloc(sizeof *made);
    if (!made) return -ENOMEM;
    *made = (cookie){ object, ops };
    errno = ENOMEM;
    FILE *file = fopencookie(made, mode, functions);
    if (!file) {
        int rc = -errno;
        edo__free(made, sizeof *made);
        return rc;
    }
    *ret_file = file;
    return 0;
}

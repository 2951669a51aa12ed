/* Transfers that do not wait. */
#include "io/io.h"

/* Makes one call. The call is described by an operation, which is never polled. The operation is
 * not made by a constructor such as edo_read(), because constructors refuse buffers on the
 * stack. */
static int64_t try_once(edo_io *io, const char *call, const void *data, size_t length,
                        uint32_t detail)
{
    static const edo_future_ops ops = { .name = "a try" };
    if (!io) return -EINVAL;
    edo__source *source = edo__io_source(io);
    if (!source) return -ENOTSUP;
    uint32_t side = detail & EDO__DETAIL_WRITE_SIDE ? EDO__SOURCE_WRITING : EDO__SOURCE_READING;
    int rc = edo__io_claim(io, side, call);
    if (rc < 0) return rc;
    edo_op op = edo__op(&ops, io, (void *)(uintptr_t)data, length, detail);
    int64_t n = length ? edo__try(source, &op) : 0;
    edo__io_leave(io, side);
    return n;
}

int64_t edo_try_read(edo_io *io, void *buffer, size_t size)
{
    return try_once(io, "edo_try_read", buffer, size, EDO__READ);
}

int64_t edo_try_write(edo_io *io, const void *data, size_t size)
{
    return try_once(io, "edo_try_write", data, size, EDO__WRITE | EDO__DETAIL_WRITE_SIDE);
}

int64_t edo_try_readv(edo_io *io, const edo_slice *slices, int count)
{
    if (!edo__is_vector(slices, count)) return -EINVAL;
    for (; count && !slices->size; count--)
        slices++;
    return try_once(io, "edo_try_readv", slices, (size_t)count, EDO__READV);
}

int64_t edo_try_writev(edo_io *io, const edo_slice *slices, int count)
{
    if (!edo__is_vector(slices, count)) return -EINVAL;
    return try_once(io, "edo_try_writev", slices, (size_t)count,
                    EDO__WRITEV | EDO__DETAIL_WRITE_SIDE);
}

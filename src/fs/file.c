/* Files, and their streams. */
#include "fs/fs.h"

#include "runtime/inspect/maker.h"
#include "sys/sys.h"

/* ---- life ---- */

/* Ends a closed file that no operation uses any more. */
static void destroy(edo_file *file)
{
    edo__sys_close(file->stream.fd);
    edo__free_closed(file, sizeof *file);
}

void edo__file_check(const edo_file *file, const char *call)
{
    if (edo__claims_are_over(&file->uses))
        edo__misuse(call, "the file was closed before: a close is the last use of it");
}

void edo__file_leave(edo_file *file)
{
    if (file && edo__claims_leave(&file->uses, EDO__SOURCE_READING)) destroy(file);
}

/* ---- the stream ---- */

/* Closes the file. New operations then end with -ECANCELED, and operations in flight run to their
 * ends. */
static void hang_up(edo_io *io)
{
    edo__claims_close(&edo__file_of(io)->uses);
}

static void release(edo_io *io)
{
    edo_file *file = edo__file_of(io);
    if (edo__claims_end_close(&file->uses)) destroy(file);
}

static const edo__io_ops file_ops = { .name = "file",
                                      .claims = offsetof(edo_file, stream.claims),
                                      .step = edo__file_step,
                                      .reads_vectors = true,
                                      .hang_up = hang_up,
                                      .release = release };

edo_io *edo_file_io(edo_file *file)
{
    return &file->stream.io;
}

/* ---- making ---- */

edo_file *edo__file_create(uint32_t flags)
{
    edo_file *file = edo__alloc_zeroed(sizeof *file);
    if (!file) return NULL;
    file->stream.io.ops = &file_ops;
    file->uses = EDO__SOURCE_COUNTS;
    file->stream.fd = -1;
    file->stream.flags = flags;
    return file;
}

void edo__file_discard(edo_file *file)
{
    if (!file) return;
    edo__sys_close(file->stream.fd);
    edo__free(file, sizeof *file);
}

int edo_file_from_fd(edo_fd fd, edo_file **ret_file)
{
    if (!ret_file) return -EINVAL;
    int flags = edo__file_status(fd);
    if (flags < 0) return flags;
    edo_file *file = edo__file_create((uint32_t)flags);
    if (!file) return -ENOMEM;
    file->stream.fd = fd;
    file->stream.may_be_nonblocking = true;
    *ret_file = file;
    return 0;
}

/* ---- the descriptor ---- */

edo_fd edo_file_fd(const edo_file *file)
{
    edo__file_check(file, "edo_file_fd");
    edo__file_stream_block(&((edo_file *)(uintptr_t)file)->stream);
    return file->stream.fd;
}

edo_fd edo_file_into_fd(edo_file *file)
{
    static const char call[] = "edo_file_into_fd";
    int rc = edo__io_claim(&file->stream.io, EDO__BOTH_SIDES, call);
    if (rc < 0) return rc;
    rc = edo__claims_take(&file->uses, EDO__BOTH_SIDES);
    if (rc == 0) {
        edo_fd fd = edo_file_fd(file);
        file->stream.fd = -1;
        edo__file_close(file, call);
        edo__io_leave(&file->stream.io, EDO__BOTH_SIDES);
        edo__file_leave(file);
        return fd;
    }
    edo__io_leave(&file->stream.io, EDO__BOTH_SIDES);
    return rc;
}

void edo__file_close(edo_file *file, const char *call)
{
    edo__io_begin_close(&file->stream.io, call);
    edo__io_end_close(&file->stream.io);
}

void edo_file_close(edo_file *file)
{
    if (file) edo__file_close(file, "edo_file_close");
}

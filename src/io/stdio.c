/* Standard input, output and error as streams. */
#include <edo/stdio.h>

#include "io/file.h"
#include "io/io.h"
#include "sys/sockets.h"
#include "sys/sys.h"

enum { INPUT, OUTPUT, ERRORS }; // descriptors

static int answer(edo_io *io, edo_io **ret_io)
{
    if (!io) return -ENOMEM;
    *ret_io = io;
    return 0;
}

/* Makes a stream on a descriptor that still belongs to the program. */
static int borrow(edo_fd fd, uint32_t traits, edo_io **ret_io)
{
    return answer(edo__fd_io_create(fd, EDO__SOURCE_BORROWED | traits), ret_io);
}

static int wrap_private(edo_fd own, edo_io **ret_io)
{
    int rc = answer(edo__fd_io_create(own, 0), ret_io);
    if (rc < 0) edo__sys_close(own);
    return rc;
}

/* Returns: the kind of the descriptor; -EPERM if the descriptor cannot be polled, as for a file or
 * /dev/null; another negative errno. */
static int kind_of(edo_fd fd)
{
    int kind = edo__sys_pollable_kind(fd);
    if (kind != EDO__FILE_CHARACTER) return kind;
    int rc = edo__sys_check_pollable(fd);
    return rc < 0 ? rc : kind;
}

static int open_standard(edo_fd fd, edo_io **ret_io)
{
    if (!ret_io) return -EINVAL;
    int kind = kind_of(fd);
    if (kind == -EPERM) return answer(edo__file_io_create(fd), ret_io);
    if (kind < 0) return kind;
    if (kind == EDO__FILE_SOCKET) return borrow(fd, edo__fd_traits(fd, kind), ret_io);
    edo_fd own = edo__sys_open_private(fd, (edo__file_kind)kind);
    if (own == -EMFILE || own == -ENFILE || own == -ENOMEM) return own;
    return own >= 0 ? wrap_private(own, ret_io) : borrow(fd, edo__fd_traits(fd, kind), ret_io);
}

int edo_stdin(edo_io **ret_io)
{
    return open_standard(INPUT, ret_io);
}

int edo_stdout(edo_io **ret_io)
{
    return open_standard(OUTPUT, ret_io);
}

int edo_stderr(edo_io **ret_io)
{
    return open_standard(ERRORS, ret_io);
}

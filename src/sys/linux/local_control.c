/* Records of ancillary data of Unix sockets: descriptors and credentials. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/datagrams.h"
#include "sys/local.h"

enum { MOST_FDS = 253, OVERFLOW_ID = 65534, TAKEN = -1 };

_Static_assert(EDO_CONTROL_FDS_SIZE(1) == CMSG_SPACE(sizeof(int)) &&
                   EDO_CONTROL_FDS_SIZE(2) == CMSG_SPACE(2 * sizeof(int)) &&
                   EDO_CONTROL_FDS_SIZE(MOST_FDS) == CMSG_SPACE(MOST_FDS * sizeof(int)),
               "the size of a record");
_Static_assert(EDO_CONTROL_CREDENTIALS_SIZE == CMSG_SPACE(sizeof(struct ucred)),
               "the size of a record");

static struct msghdr header_of(const edo_control *control)
{
    return (struct msghdr){ .msg_control = control->data, .msg_controllen = control->size };
}

/* ---- adding ---- */

int edo__control_add_fds(edo_control *control, const edo_fd *fds, size_t count)
{
    if (count == 0 || count > MOST_FDS) return -EINVAL;
    return edo__control_add(control, SOL_SOCKET, SCM_RIGHTS, fds, count * sizeof *fds);
}

int edo__control_add_credentials(edo_control *control, const edo_unix_peer *from)
{
    struct ucred ids = { .pid = from->pid, .uid = from->uid, .gid = from->gid };
    return edo__control_add(control, SOL_SOCKET, SCM_CREDENTIALS, &ids, sizeof ids);
}

/* ---- reading ---- */

static bool is_record(const struct cmsghdr *record, int type)
{
    return record->cmsg_level == SOL_SOCKET && record->cmsg_type == type;
}

/* Takes descriptors out of one record, which then is none any more. The length of the record counts
 * the descriptors that the kernel has installed. */
static size_t take_record(struct cmsghdr *record, edo_fd *ret_fds, size_t room)
{
    size_t count = (record->cmsg_len - CMSG_LEN(0)) / sizeof(int), kept = 0;
    const unsigned char *data = CMSG_DATA(record);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, data + i * sizeof fd, sizeof fd);
        if (kept < room)
            ret_fds[kept++] = fd;
        else
            close(fd);
    }
    record->cmsg_type = TAKEN;
    return kept;
}

size_t edo__control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room)
{
    size_t taken = 0;
    struct msghdr header = header_of(control);
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&header); one; one = CMSG_NXTHDR(&header, one))
        if (is_record(one, SCM_RIGHTS)) taken += take_record(one, ret_fds + taken, room - taken);
    return taken;
}

/* A message that was sent before the socket asked for credentials has zero and the overflow ids in
 * their place. */
static bool is_unknown(const struct ucred *ids)
{
    return ids->pid == 0 && ids->uid == OVERFLOW_ID && ids->gid == OVERFLOW_ID;
}

int edo__control_credentials(const edo_control *control, edo_unix_peer *ret_from)
{
    struct ucred ids;
    struct msghdr header = header_of(control);
    struct cmsghdr *one = CMSG_FIRSTHDR(&header);
    while (one && !(is_record(one, SCM_CREDENTIALS) && one->cmsg_len >= CMSG_LEN(sizeof ids)))
        one = CMSG_NXTHDR(&header, one);
    if (!one) return -ENODATA;
    memcpy(&ids, CMSG_DATA(one), sizeof ids);
    if (is_unknown(&ids)) return -ENODATA;
    *ret_from = (edo_unix_peer){ .pid = ids.pid, .uid = ids.uid, .gid = ids.gid };
    return 0;
}
